import type { Engine, EngineEvents, Quality, SeekWindow, StartAt } from './engine.ts'

const EDGE_DISTANCE_S = 3

/** Plays through the browser's own HLS, which chooses quality by itself: the way of Safari, and of iOS above all. */
export class NativeEngine implements Engine {
  readonly name = 'native'
  readonly #media: HTMLVideoElement & { getStartDate?: () => Date }
  readonly #events: EngineEvents
  readonly #address: (address: string) => string
  #abort = new AbortController()
  #url = ''
  #live: boolean | null = null

  /** `address` is asked at each load: where it goes at this moment. */
  constructor(media: HTMLVideoElement, events: EngineEvents, address: (address: string) => string) {
    this.#media = media
    this.#events = events
    this.#address = address
  }

  static isSupported(media: HTMLMediaElement): boolean {
    return media.canPlayType('application/vnd.apple.mpegurl') !== ''
  }

  load(url: string, startAt: StartAt): void {
    this.destroy()
    this.#url = url
    this.#abort = new AbortController()
    const { signal } = this.#abort
    const noticeLive = () => this.#setLive(this.#media.duration === Infinity)
    this.#media.addEventListener('durationchange', noticeLive, { signal })
    this.#media.addEventListener('loadedmetadata', () => {
      noticeLive()
      this.#events.qualitiesChanged()
      if (startAt !== 'edge' && startAt > 0) this.#media.currentTime = startAt
    }, { signal })
    this.#media.addEventListener('error', () => {
      const code = this.#media.error?.code
      if (code === MediaError.MEDIA_ERR_DECODE) this.#events.mediaFailed('decode')
      else this.#events.networkFailed(this.#media.error?.message ?? 'load')
    }, { signal })
    this.#media.src = this.#address(url)
  }

  resumeLoading(): void {
    this.load(this.#url, this.#live ? 'edge' : this.#media.currentTime)
    void this.#media.play().catch(() => undefined)
  }

  recoverMedia(): void {
    this.resumeLoading()
  }

  destroy(): void {
    this.#abort.abort()
    this.#live = null
    if (this.#media.hasAttribute('src')) {
      this.#media.removeAttribute('src')
      this.#media.load()
    }
  }

  qualities(): readonly Quality[] { return [] }
  chosenQuality(): null { return null }
  shownQuality(): null { return null }
  chooseQuality(): void {}
  relax(): void {}

  seekWindow(): SeekWindow | null {
    const { seekable } = this.#media
    return seekable.length > 0 ? { start: seekable.start(0), end: seekable.end(seekable.length - 1) } : null
  }

  edge(): number | null {
    const window = this.seekWindow()
    return this.#live && window ? Math.max(window.start, window.end - EDGE_DISTANCE_S) : null
  }

  dateAt(position: number): number | null {
    const startMs = this.#media.getStartDate?.().getTime() ?? NaN
    return Number.isFinite(startMs) ? startMs + position * 1000 : null
  }

  #setLive(live: boolean): void {
    if (this.#live === live) return
    this.#live = live
    this.#events.liveChanged(live)
  }
}
