import type { Player, Snapshot } from '../player/player.ts'
import { Controls, togglePlay } from './controls.ts'
import { h, setAttribute, setText } from './dom.ts'
import { Windows } from './fullscreen.ts'
import { Help } from './help.ts'
import { pressKey } from './keyboard.ts'
import { Stage, noticeFor } from './stage.ts'

const HIDE_AFTER_MS = 3_000

/** Draws the player into `root` and listens to pointer and keys. */
export class View {
  readonly #player: Player
  readonly #root: HTMLElement
  readonly #windows: Windows
  readonly #controls: Controls
  readonly #stage: Stage
  readonly #help = new Help()
  readonly #title = h('p', { class: 'title' })
  readonly #top = h('div', { class: 'top' }, this.#title)
  readonly #announcer = h('div', { class: 'visually-hidden', role: 'status', 'aria-live': 'polite' })
  #drawPending = false
  #hideTimer: ReturnType<typeof setTimeout> | undefined
  #active = true

  constructor(root: HTMLElement, player: Player) {
    this.#player = player
    this.#root = root
    this.#windows = new Windows(root, player.video, () => this.#requestDraw())
    this.#controls = new Controls(player, this.#windows, () => this.#help.toggle())
    this.#stage = new Stage(player)
    root.append(player.video, player.heldFrame.canvas, this.#stage.element, this.#top, this.#controls.element, this.#help.element, this.#announcer)
    player.onChange = () => this.#requestDraw()
    this.#listen()
    this.#wake()
    this.#draw()
  }

  #requestDraw(): void {
    if (this.#drawPending) return
    this.#drawPending = true
    requestAnimationFrame(() => {
      this.#drawPending = false
      this.#draw()
    })
  }

  #draw(): void {
    const now = this.#player.snapshot()
    const hasMedia = now.phase === 'media'
    const controlsShown = hasMedia && (this.#active || now.paused || this.#controls.hasOpenMenu())
    setAttribute(this.#root, 'data-phase', now.phase)
    setAttribute(this.#root, 'data-picture', now.hasPicture ? '' : null)
    setAttribute(this.#root, 'data-controls', controlsShown ? 'shown' : 'hidden')
    this.#controls.element.hidden = !hasMedia
    this.#top.hidden = !hasMedia || now.title === ''
    setText(this.#title, now.title)
    const heading = now.title || (now.live ? 'Live stream' : 'Video')
    setAttribute(this.#root, 'aria-label', `Video player: ${heading}`)
    if (document.title !== heading) document.title = heading
    this.#stage.draw(now)
    if (hasMedia) this.#controls.draw(now)
    setText(this.#announcer, announcementFor(now))
  }

  #listen(): void {
    const root = this.#root
    for (const event of ['pointermove', 'focusin', 'keydown'] as const) root.addEventListener(event, () => this.#wake())
    root.addEventListener('pointerleave', (event) => event.pointerType === 'mouse' && this.#sleep())
    this.#stage.element.addEventListener('click', (event) => {
      if (event.target !== this.#stage.element || this.#player.snapshot().phase !== 'media') return
      if (this.#controls.hasOpenMenu()) this.#controls.closeMenus()
      else if ((event as PointerEvent).pointerType === 'mouse') togglePlay(this.#player)
    })
    // A finger first brings the controls, and sends them away again.
    this.#stage.element.addEventListener('pointerup', (event) => {
      if (event.pointerType !== 'mouse' && event.target === this.#stage.element && this.#active) this.#sleep()
      else this.#wake()
    })
    this.#stage.element.addEventListener('dblclick', (event) => {
      if (event.target === this.#stage.element) this.#windows.toggleFullscreen()
    })
    document.addEventListener('keydown', (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return
      if (this.#help.element.open && event.key !== '?') return
      const key = event.key.length === 1 ? event.key.toLowerCase() : event.key
      const targets = { player: this.#player, windows: this.#windows, toggleHelp: () => this.#help.toggle() }
      if (pressKey(key, document.activeElement, targets)) event.preventDefault()
    })
  }

  #wake(): void {
    clearTimeout(this.#hideTimer)
    this.#hideTimer = setTimeout(() => this.#sleep(), HIDE_AFTER_MS)
    if (this.#active) return
    this.#active = true
    this.#requestDraw()
  }

  #sleep(): void {
    const focusInside = this.#controls.element.querySelector(':focus-visible') !== null
    if (focusInside || this.#controls.hasOpenMenu()) return
    clearTimeout(this.#hideTimer)
    this.#active = false
    this.#requestDraw()
  }
}

/** What a screen reader says when the whole picture changes. Details of the controls speak for themselves. */
function announcementFor(now: Snapshot): string {
  const notice = noticeFor(now)
  if (notice !== '') return notice
  switch (now.phase) {
    case 'loading': return 'Loading'
    case 'offline': return 'Waiting for the broadcast. It starts by itself.'
    case 'ended': return 'The broadcast has ended.'
    case 'error': return 'The video cannot be played right now.'
    case 'ready': return ''
    case 'media': return now.newBroadcast ? 'A new broadcast is live.' : now.live ? 'Live' : 'Replay'
  }
}
