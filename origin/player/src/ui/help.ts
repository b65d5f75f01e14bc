import { h } from './dom.ts'
import { icon } from './icons.ts'

const SHORTCUTS: [string[], string][] = [
  [['Space', 'K'], 'Play or pause'],
  [['←', '→'], 'Back or forward 5 seconds'],
  [['0', '–', '9'], 'Jump to that tenth'],
  [['L'], 'Go live'],
  [['↑', '↓'], 'Volume'],
  [['M'], 'Mute'],
  [['F'], 'Full screen'],
  [['I'], 'Picture in picture'],
  [['<', '>'], 'Speed of a replay'],
  [['?'], 'This list'],
]

/** The list of keyboard shortcuts, in a dialog of the browser's own. */
export class Help {
  readonly element: HTMLDialogElement

  constructor() {
    const close = h('button', { type: 'button', class: 'button icon-button', 'aria-label': 'Close' }, icon('close'))
    const rows = SHORTCUTS.map(([keys, text]) =>
      h('div', { class: 'shortcut' }, h('dt', {}, ...keys.map((key) => (key === '–' ? ' – ' : h('kbd', {}, key)))), h('dd', {}, text)))
    this.element = h('dialog', { class: 'help', 'aria-labelledby': 'help-title' },
      h('div', { class: 'help-head' }, h('h2', { id: 'help-title' }, 'Keyboard shortcuts'), close),
      h('dl', {}, ...rows))
    close.addEventListener('click', () => this.element.close())
    this.element.addEventListener('click', (event) => event.target === this.element && this.element.close())
  }

  toggle(): void {
    if (this.element.open) this.element.close()
    else this.element.showModal()
  }
}
