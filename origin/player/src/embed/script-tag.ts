import type { PlayerEvents } from '../player/events.ts'
import { CHANNEL, type Commands } from './messages.ts'

type Listener = (detail: unknown) => void

/** A player inside a frame, as the page around it sees it. */
class FramedPlayer {
  readonly element: HTMLElement
  readonly #frame: HTMLIFrameElement
  readonly #origin: string
  readonly #listeners = new Map<string, Set<Listener>>()

  constructor(element: HTMLElement, frame: HTMLIFrameElement, origin: string) {
    this.element = element
    this.#frame = frame
    this.#origin = origin
    window.addEventListener('message', ({ source, origin: sender, data }: MessageEvent<unknown>) => {
      if (source !== frame.contentWindow || sender !== origin || typeof data !== 'object' || data === null) return
      const { channel, event, detail } = data as Record<string, unknown>
      if (channel !== CHANNEL || typeof event !== 'string') return
      element.dispatchEvent(new CustomEvent(`headwater:${event}`, { detail, bubbles: true }))
      for (const listener of this.#listeners.get(event) ?? []) listener(detail)
    })
  }

  play(): void { this.#send('play', {}) }
  pause(): void { this.#send('pause', {}) }
  seek(positionS: number): void { this.#send('seek', { position_s: positionS }) }
  goLive(): void { this.#send('go-live', {}) }
  mute(): void { this.#send('mute', { muted: true }) }
  unmute(): void { this.#send('mute', { muted: false }) }
  setVolume(volume: number): void { this.#send('volume', { volume }) }
  setRate(rate: number): void { this.#send('rate', { rate }) }
  /** Gives another token, for instance when `permission` says that the last one is expiring. Playback goes on. */
  setToken(token: string): void { this.#send('token', { token }) }

  /** Calls `listener` at each event of that name; returns a function that ends it. */
  on<K extends keyof PlayerEvents>(name: K, listener: (detail: PlayerEvents[K]) => void): () => void {
    const listeners = this.#listeners.get(name) ?? new Set()
    this.#listeners.set(name, listeners.add(listener as Listener))
    return () => listeners.delete(listener as Listener)
  }

  #send<K extends keyof Commands>(command: K, detail: Commands[K]): void {
    this.#frame.contentWindow?.postMessage({ channel: CHANNEL, command, detail }, this.#origin)
  }
}

interface HeadwaterGlobal {
  players: FramedPlayer[]
  /** The player whose script tag or element has this playback id, or undefined. */
  player(playbackId: string): FramedPlayer | undefined
  /** Puts a player into an element, for pages that are built by script. */
  embed(into: Element, options: { playbackId: string; autoplay?: boolean; muted?: boolean; title?: string; host?: string; token?: string }): FramedPlayer
}

const ownScript = document.currentScript instanceof HTMLScriptElement ? document.currentScript : null
const ownHost = ownScript ? new URL(ownScript.src).origin : location.origin

function embed(into: Element, options: Parameters<HeadwaterGlobal['embed']>[1]): FramedPlayer {
  const host = options.host ?? ownHost
  const url = new URL(`/embed/${encodeURIComponent(options.playbackId)}`, host)
  if (options.autoplay === false) url.searchParams.set('autoplay', '0')
  if (options.muted === false) url.searchParams.set('muted', '0')
  // Behind the #, where it is sent to nobody.
  if (options.token) url.hash = `token=${encodeURIComponent(options.token)}`
  const box = document.createElement('div')
  box.dataset['headwaterPlayer'] = options.playbackId
  Object.assign(box.style, { position: 'relative', width: '100%', aspectRatio: '16 / 9', background: '#070b10' })
  const frame = document.createElement('iframe')
  frame.src = url.href
  frame.title = options.title ?? 'Video player'
  frame.allow = 'autoplay; fullscreen; picture-in-picture; encrypted-media; screen-wake-lock'
  frame.allowFullscreen = true
  frame.referrerPolicy = 'strict-origin-when-cross-origin'
  Object.assign(frame.style, { position: 'absolute', inset: '0', width: '100%', height: '100%', border: '0' })
  box.append(frame)
  const player = new FramedPlayer(box, frame, new URL(host).origin)
  into.append(box)
  headwater.players.push(player)
  return player
}

const holder = window as Window & { Headwater?: HeadwaterGlobal }
const headwater: HeadwaterGlobal = holder.Headwater ?? {
  players: [],
  player: (playbackId) => headwater.players.find(({ element }) => element.dataset['headwaterPlayer'] === playbackId),
  embed,
}
holder.Headwater = headwater

if (ownScript?.dataset['playbackId']) {
  const { playbackId, autoplay, muted, title, token } = ownScript.dataset
  const place = document.createElement('div')
  ownScript.after(place)
  const player = headwater.embed(place, {
    playbackId, autoplay: autoplay !== 'false', muted: muted !== 'false', host: ownHost, ...(title ? { title } : {}),
    ...(token ? { token } : {}),
  })
  new MutationObserver(() => {
    const renewed = ownScript.dataset['token']
    if (renewed) player.setToken(renewed)
  }).observe(ownScript, { attributeFilter: ['data-token'] })
}
