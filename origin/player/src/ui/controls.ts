import type { Player, Snapshot } from '../player/player.ts'
import { h, setAttribute, setText } from './dom.ts'
import { clockTime, latencyText } from './format.ts'
import type { Windows } from './fullscreen.ts'
import { type IconName, icon } from './icons.ts'
import { type Choice, ChoiceMenu } from './menu.ts'
import { SeekBar } from './seek-bar.ts'

const RATES = [0.5, 0.75, 1, 1.25, 1.5, 2]
const AUTO = 'auto'

/** The bar along the bottom. */
export class Controls {
  readonly element: HTMLDivElement
  readonly #windows: Windows
  readonly #seekBar: SeekBar
  readonly #play = new IconButton('play-button')
  readonly #mute = new IconButton('mute-button')
  readonly #volume: HTMLInputElement
  readonly #live: HTMLButtonElement
  readonly #liveText = h('span')
  readonly #latency = h('span', { class: 'latency' })
  readonly #elapsed = h('span')
  readonly #total = h('span', { class: 'total' })
  readonly #time = h('span', { class: 'time' }, this.#elapsed, this.#total)
  readonly #quality: ChoiceMenu
  readonly #speed: ChoiceMenu
  readonly #pip = new IconButton('pip-button')
  readonly #fullscreen = new IconButton('fullscreen-button')

  constructor(player: Player, windows: Windows, showHelp: () => void) {
    this.#windows = windows
    this.#seekBar = new SeekBar(player)
    this.#volume = h('input', { type: 'range', class: 'volume-input', min: '0', max: '1', step: '0.05', 'aria-label': 'Volume' })
    this.#live = h('button', { type: 'button', class: 'button live-button' }, h('span', { class: 'dot', 'aria-hidden': 'true' }), this.#liveText)
    this.#quality = new ChoiceMenu('Quality', 'quality', (value) => player.chooseQuality(value === AUTO ? null : Number(value)))
    this.#speed = new ChoiceMenu('Speed', 'speed', (value) => player.setRate(Number(value)))
    const help = new IconButton('help-button')
    help.draw('help', 'Keyboard shortcuts')

    this.#play.onClick(() => togglePlay(player))
    this.#mute.onClick(() => player.setMuted(!player.snapshot().muted))
    this.#volume.addEventListener('input', () => player.setVolume(Number(this.#volume.value)))
    this.#live.addEventListener('click', () => player.goLive())
    this.#pip.onClick(() => windows.togglePictureInPicture())
    this.#fullscreen.onClick(() => windows.toggleFullscreen())
    help.onClick(showHelp)

    this.element = h('div', { class: 'controls', role: 'group', 'aria-label': 'Player controls' },
      this.#seekBar.element,
      h('div', { class: 'row' },
        this.#play.element, h('div', { class: 'volume' }, this.#mute.element, this.#volume),
        this.#live, this.#latency, this.#time, h('div', { class: 'spacer' }),
        this.#speed.element, this.#quality.element, help.element, this.#pip.element, this.#fullscreen.element))
  }

  hasOpenMenu(): boolean {
    return this.#quality.isOpen() || this.#speed.isOpen()
  }

  closeMenus(): void {
    this.#quality.close(false)
    this.#speed.close(false)
  }

  draw(now: Snapshot): void {
    this.#seekBar.draw(now)
    this.#play.element.hidden = now.phase === 'ended' && !now.replayOffered
    if (now.phase === 'ended') this.#play.draw('replay', 'Watch from the start')
    else this.#play.draw(now.paused ? 'play' : 'pause', now.paused ? 'Play' : 'Pause')
    this.#mute.draw(now.muted ? 'muted' : 'volume', now.muted ? 'Unmute' : 'Mute')
    const volume = now.muted ? 0 : now.volume
    this.#volume.value = String(volume)
    this.#volume.style.setProperty('--level', String(volume))
    setAttribute(this.#volume, 'aria-valuetext', now.muted ? 'Muted' : `${Math.round(volume * 100)} percent`)
    this.#drawLive(now)
    this.#drawQuality(now)
    this.#speed.element.hidden = now.live || now.phase !== 'media'
    this.#speed.draw(RATES.map((rate) => ({ value: String(rate), label: rate === 1 ? 'Normal' : `${rate}×` })), String(now.rate), `${now.rate}×`)
    this.#pip.element.hidden = !this.#windows.canPictureInPicture()
    const inPicture = this.#windows.isPictureInPicture()
    this.#pip.draw('pip', inPicture ? 'Leave picture in picture' : 'Picture in picture')
    this.#fullscreen.element.hidden = !this.#windows.canFullscreen()
    const full = this.#windows.isFullscreen()
    this.#fullscreen.draw(full ? 'shrink' : 'fullscreen', full ? 'Leave full screen' : 'Full screen')
  }

  #drawLive(now: Snapshot): void {
    this.#live.hidden = !now.live
    this.#time.hidden = now.live
    const delay = now.latencyMs === null ? '' : latencyText(now.latencyMs)
    const beside = now.atEdge ? delay : `−${clockTime(now.behindS)}`
    this.#latency.hidden = !now.live || beside === ''
    setText(this.#latency, beside)
    setAttribute(this.#latency, 'title', now.atEdge && delay !== '' ? `${delay} from the encoder to this screen` : null)
    setAttribute(this.#live, 'data-at-edge', now.atEdge ? '' : null)
    setText(this.#liveText, now.atEdge ? 'Live' : 'Go live')
    setAttribute(this.#live, 'aria-label', now.atEdge ? 'Live: you are at the live edge' : `Go live, ${clockTime(now.behindS)} behind`)
    setAttribute(this.#live, 'title', now.atEdge ? null : 'Go live (L)')
    const { window } = now
    setText(this.#elapsed, window ? clockTime(now.position - window.start) : '')
    setText(this.#total, window ? ` / ${clockTime(window.end - window.start)}` : '')
  }

  #drawQuality(now: Snapshot): void {
    this.#quality.element.hidden = now.qualities.length < 2
    const shown = now.qualities.find(({ id }) => id === now.shownQuality)?.label
    const chosen = now.qualities.find(({ id }) => id === now.chosenQuality)?.label
    const auto: Choice = shown && now.chosenQuality === null ? { value: AUTO, label: 'Auto', note: shown } : { value: AUTO, label: 'Auto' }
    const choices = [auto, ...now.qualities.map(({ id, label }) => ({ value: String(id), label }))]
    const value = now.chosenQuality === null ? AUTO : String(now.chosenQuality)
    this.#quality.draw(choices, value, chosen ?? shown ?? 'Auto', chosen || !shown ? '' : 'Auto ')
  }
}

/** Plays what is paused and pauses what plays. */
export function togglePlay(player: Player): void {
  const { paused, phase } = player.snapshot()
  if (paused || phase === 'ended') player.play()
  else player.pause()
}

class IconButton {
  readonly element: HTMLButtonElement
  #drawn = ''

  constructor(kind: string) {
    this.element = h('button', { type: 'button', class: `button icon-button ${kind}` })
  }

  onClick(handler: () => void): void {
    this.element.addEventListener('click', handler)
  }

  draw(name: IconName, label: string): void {
    if (this.#drawn === `${name} ${label}`) return
    this.#drawn = `${name} ${label}`
    this.element.replaceChildren(icon(name))
    setAttribute(this.element, 'aria-label', label)
    setAttribute(this.element, 'title', label)
  }
}
