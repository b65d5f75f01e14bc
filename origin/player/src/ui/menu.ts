import { h, setAttribute, setText } from './dom.ts'
import { icon } from './icons.ts'

export interface Choice {
  readonly value: string
  readonly label: string
  /** A quieter word beside the label, for instance which rung `Auto` shows now. */
  readonly note?: string
}

/** A button that opens a list of which one item is chosen: WAI-ARIA's menu button with radio items. */
export class ChoiceMenu {
  readonly element: HTMLDivElement
  readonly #button: HTMLButtonElement
  readonly #prefix = h('span', { class: 'prefix' })
  readonly #label: HTMLSpanElement
  readonly #list: HTMLDivElement
  readonly #name: string
  readonly #choose: (value: string) => void
  #drawn = ''

  constructor(name: string, kind: string, choose: (value: string) => void) {
    this.#name = name
    this.#choose = choose
    this.#label = h('span')
    this.#button = h('button', { type: 'button', class: 'button text-button', 'aria-haspopup': 'menu', 'aria-expanded': 'false' },
      h('span', {}, this.#prefix, this.#label))
    this.#list = h('div', { class: 'menu', role: 'menu', 'aria-label': name, hidden: true })
    this.element = h('div', { class: `menu-anchor ${kind}` }, this.#button, this.#list)
    this.#button.addEventListener('click', () => (this.isOpen() ? this.close() : this.#open()))
    this.#button.addEventListener('keydown', (event) => {
      if (event.key !== 'ArrowUp' && event.key !== 'ArrowDown') return
      event.preventDefault()
      event.stopPropagation()
      this.#open()
    })
    this.#list.addEventListener('keydown', (event) => this.#listKey(event))
    this.element.addEventListener('focusout', (event) => {
      if (!(event.relatedTarget instanceof Node) || !this.element.contains(event.relatedTarget)) this.close(false)
    })
  }

  isOpen(): boolean {
    return !this.#list.hidden
  }

  /** Draws the choices; `shown` is the short text on the button itself, after a `prefix` left out where room is short. */
  draw(choices: readonly Choice[], chosen: string, shown: string, prefix = ''): void {
    setText(this.#prefix, prefix)
    setText(this.#label, shown)
    setAttribute(this.#button, 'aria-label', `${this.#name}: ${prefix}${shown}`)
    const wanted = JSON.stringify([choices, chosen])
    if (wanted === this.#drawn) return
    this.#drawn = wanted
    const focused = document.activeElement?.getAttribute('data-value')
    this.#list.replaceChildren(...choices.map((choice) => {
      const item = h('button', {
        type: 'button', class: 'menu-item', role: 'menuitemradio', tabindex: '-1', 'data-value': choice.value,
        'aria-checked': String(choice.value === chosen),
      }, icon('check'), h('span', {}, choice.label), choice.note ? h('span', { class: 'note' }, choice.note) : null)
      item.addEventListener('click', () => {
        this.#choose(choice.value)
        this.close()
      })
      return item
    }))
    if (this.isOpen() && focused) this.#items().find((item) => item.dataset['value'] === focused)?.focus()
  }

  close(returnFocus = true): void {
    if (!this.isOpen()) return
    this.#list.hidden = true
    this.#button.setAttribute('aria-expanded', 'false')
    if (returnFocus) this.#button.focus()
  }

  #open(): void {
    this.#list.hidden = false
    this.#button.setAttribute('aria-expanded', 'true')
    const items = this.#items()
    const chosen = items.find((item) => item.getAttribute('aria-checked') === 'true') ?? items[0]
    chosen?.focus()
  }

  #items(): HTMLElement[] {
    return [...this.#list.querySelectorAll<HTMLElement>('[role=menuitemradio]')]
  }

  #listKey(event: KeyboardEvent): void {
    const items = this.#items()
    const at = items.indexOf(document.activeElement as HTMLElement)
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key]
    event.stopPropagation()
    if (next !== undefined) {
      event.preventDefault()
      items[(next + items.length) % items.length]?.focus()
    } else if (event.key === 'Escape') {
      event.preventDefault()
      this.close()
    }
  }
}
