import type { Player, Snapshot } from '../player/player.ts'
import { h, setAttribute, setText } from './dom.ts'
import { clockTime, spokenTime, timeOfDay } from './format.ts'

/** Shorter recordings than this have nothing worth seeking in. */
const WINDOW_MIN_S = 4

/** The bar that shows and moves the position: a native range input, so that every input device already knows it. */
export class SeekBar {
  readonly element: HTMLDivElement
  readonly #player: Player
  readonly #input: HTMLInputElement
  readonly #bubble: HTMLDivElement
  readonly #bubbleText: HTMLSpanElement
  readonly #bubbleNote: HTMLSpanElement
  #dragging = false
  #pointerShare: number | null = null
  #snapshot: Snapshot | null = null

  constructor(player: Player) {
    this.#player = player
    this.#input = h('input', { type: 'range', class: 'seek-input', min: '0', max: '0', step: 'any', 'aria-label': 'Seek' })
    this.#bubbleText = h('span', { class: 'bubble-time' })
    this.#bubbleNote = h('span', { class: 'bubble-note' })
    this.#bubble = h('div', { class: 'bubble', 'aria-hidden': 'true' }, this.#bubbleText, this.#bubbleNote)
    this.element = h('div', { class: 'seek' }, h('div', { class: 'seek-track', 'aria-hidden': 'true' },
      h('div', { class: 'seek-buffered' }), h('div', { class: 'seek-played' })), this.#input, this.#bubble)

    this.#input.addEventListener('input', () => {
      this.#dragging = true
      this.#paint(Number(this.#input.value))
    })
    this.#input.addEventListener('change', () => {
      this.#dragging = false
      this.#player.seek(Number(this.#input.value))
    })
    this.element.addEventListener('pointermove', (event) => this.#point(event.clientX))
    this.element.addEventListener('pointerleave', () => this.#point(null))
  }

  draw(snapshot: Snapshot): void {
    this.#snapshot = snapshot
    const { window } = snapshot
    const usable = window !== null && window.end - window.start >= WINDOW_MIN_S
    this.element.hidden = !usable
    if (!usable) return
    this.#input.min = String(window.start)
    this.#input.max = String(this.#end(snapshot))
    if (!this.#dragging) this.#input.value = String(snapshot.atEdge ? this.#end(snapshot) : snapshot.position)
    this.#paint(Number(this.#input.value))
    if (this.#pointerShare !== null) this.#drawBubble()
  }

  #end(snapshot: Snapshot): number {
    return snapshot.live ? snapshot.position + snapshot.behindS : (snapshot.window?.end ?? 0)
  }

  #paint(value: number): void {
    const snapshot = this.#snapshot
    if (!snapshot?.window) return
    const { start } = snapshot.window
    const end = this.#end(snapshot)
    const share = (at: number) => String(Math.min(1, Math.max(0, (at - start) / Math.max(0.001, end - start))))
    const { buffered } = this.#player.video
    this.element.style.setProperty('--played', share(value))
    this.element.style.setProperty('--buffered', share(buffered.length > 0 ? buffered.end(buffered.length - 1) : start))
    setAttribute(this.#input, 'aria-valuetext', this.#spoken(snapshot, value, start, end))
  }

  #spoken(snapshot: Snapshot, value: number, start: number, end: number): string {
    if (!snapshot.live) return `${spokenTime(value - start)} of ${spokenTime(end - start)}`
    return end - value < 3 ? 'Live' : `${spokenTime(end - value)} behind live`
  }

  #point(clientX: number | null): void {
    const box = this.element.getBoundingClientRect()
    this.#pointerShare = clientX === null || box.width === 0 ? null : Math.min(1, Math.max(0, (clientX - box.left) / box.width))
    this.element.toggleAttribute('data-pointed', this.#pointerShare !== null)
    if (this.#pointerShare !== null) this.#drawBubble()
  }

  #drawBubble(): void {
    const snapshot = this.#snapshot
    if (!snapshot?.window || this.#pointerShare === null) return
    const { start } = snapshot.window
    const end = this.#end(snapshot)
    const at = start + this.#pointerShare * (end - start)
    const date = this.#player.dateAt(at)
    setText(this.#bubbleText, !snapshot.live ? clockTime(at - start) : end - at < 1 ? 'Live' : `−${clockTime(end - at)}`)
    setText(this.#bubbleNote, date === null ? '' : timeOfDay(date))
    this.element.style.setProperty('--pointed', String(this.#pointerShare))
  }
}
