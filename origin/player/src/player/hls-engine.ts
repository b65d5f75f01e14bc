import Hls, { type HlsConfig, type LevelDetails } from 'hls.js'
import { type Engine, type EngineEvents, type Quality, type SeekWindow, type StartAt, qualityLabel } from './engine.ts'

/** Catching up after a hiccup plays this much faster at most: pitch is kept and few people notice. */
const CATCH_UP_RATE = 1.06
const BACK_BUFFER_S = 60
const FORWARD_BUFFER_S = 30
const BUFFER_BYTES_MAX = 40_000_000
const BANDWIDTH_GUESS_BPS = 3_000_000
const BANDWIDTH_GUESS_MAX_BPS = 8_000_000
const STALL_PENALTY_S = 0.5
const RELAX_STEP_S = 0.25

/** Plays through Media Source with hls.js, in low-latency mode where the playlist offers parts. */
export class HlsEngine implements Engine {
  readonly name = 'hls.js'
  readonly #media: HTMLMediaElement
  readonly #events: EngineEvents
  #hls: Hls | null = null
  #live: boolean | null = null

  readonly #address: (address: string) => string

  /** `address` is asked for each request: where it goes at this moment. */
  constructor(media: HTMLMediaElement, events: EngineEvents, address: (address: string) => string) {
    this.#media = media
    this.#events = events
    this.#address = address
  }

  static isSupported(): boolean {
    return Hls.isSupported()
  }

  load(url: string, startAt: StartAt): void {
    this.destroy()
    const hls = new Hls(config(startAt, this.#address))
    this.#hls = hls
    hls.on(Hls.Events.MANIFEST_PARSED, () => this.#events.qualitiesChanged())
    hls.on(Hls.Events.LEVELS_UPDATED, () => this.#events.qualitiesChanged())
    hls.on(Hls.Events.LEVEL_SWITCHED, () => this.#events.qualitiesChanged())
    hls.on(Hls.Events.LEVEL_UPDATED, (_, { details }) => this.#setLive(details.live))
    hls.on(Hls.Events.ERROR, (_, error) => {
      if (!error.fatal) return
      const detail = `${error.type}: ${error.details}${error.response?.code ? ` (${error.response.code})` : ''}`
      if (error.type === Hls.ErrorTypes.NETWORK_ERROR) this.#events.networkFailed(detail)
      else this.#events.mediaFailed(detail)
    })
    hls.attachMedia(this.#media)
    hls.loadSource(url)
  }

  resumeLoading(): void {
    this.#hls?.startLoad()
  }

  recoverMedia(): void {
    this.#hls?.recoverMediaError()
  }

  destroy(): void {
    this.#hls?.destroy()
    this.#hls = null
    this.#live = null
  }

  qualities(): readonly Quality[] {
    return (this.#hls?.levels ?? [])
      .map((level, id) => ({
        id,
        label: qualityLabel(Math.min(level.width || level.height, level.height), level.frameRate, level.bitrate),
        height: level.height,
        bitrateBps: level.bitrate,
      }))
      .sort((a, b) => b.height - a.height || b.bitrateBps - a.bitrateBps)
  }

  chosenQuality(): number | null {
    return !this.#hls || this.#hls.autoLevelEnabled ? null : this.#hls.loadLevel
  }

  shownQuality(): number | null {
    const level = this.#hls?.currentLevel ?? -1
    return level >= 0 ? level : null
  }

  chooseQuality(id: number | null): void {
    if (!this.#hls) return
    this.#hls.nextLevel = id ?? -1
    this.#events.qualitiesChanged()
  }

  seekWindow(): SeekWindow | null {
    const details = this.#details()
    return details ? { start: details.fragmentStart, end: details.edge } : null
  }

  edge(): number | null {
    return this.#details()?.live ? (this.#hls?.liveSyncPosition ?? null) : null
  }

  dateAt(position: number): number | null {
    const details = this.#details()
    if (!details?.hasProgramDateTime) return null
    const fragments = details.fragments
    let low = 0
    let high = fragments.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((fragments[middle]?.start ?? Infinity) <= position) low = middle
      else high = middle - 1
    }
    const fragment = fragments[low]
    return fragment?.programDateTime ? fragment.programDateTime + (position - fragment.start) * 1000 : null
  }

  relax(): void {
    const hls = this.#hls
    const details = this.#details()
    if (!hls || !details?.live || hls.targetLatency === null) return
    const floor = details.partHoldBack || details.holdBack || details.targetduration * 3
    // Setting the target clears the penalty of past stalls, so the current sum is carried over, a step smaller.
    if (hls.targetLatency > floor) hls.targetLatency = Math.max(floor, hls.targetLatency - RELAX_STEP_S)
  }

  #details(): LevelDetails | null {
    return this.#hls?.latestLevelDetails ?? null
  }

  #setLive(live: boolean): void {
    if (this.#live === live) return
    this.#live = live
    this.#events.liveChanged(live)
  }
}

function config(startAt: StartAt, address: (address: string) => string): Partial<HlsConfig> {
  return {
    // A token that was renewed holds for what a playlist from before names as well.
    xhrSetup: (xhr, url) => {
      const renewed = address(url)
      if (renewed !== url) xhr.open('GET', renewed, true)
    },
    lowLatencyMode: true,
    startPosition: startAt === 'edge' ? -1 : startAt,
    maxLiveSyncPlaybackRate: CATCH_UP_RATE,
    liveSyncOnStallIncrease: STALL_PENALTY_S,
    backBufferLength: BACK_BUFFER_S,
    maxBufferLength: FORWARD_BUFFER_S,
    maxMaxBufferLength: FORWARD_BUFFER_S * 2,
    maxBufferSize: BUFFER_BYTES_MAX,
    liveDurationInfinity: true,
    capLevelToPlayerSize: true,
    // A test download before the first picture would only delay it.
    testBandwidth: false,
    abrEwmaDefaultEstimate: bandwidthGuessBps(),
    // CMAF needs no conversion, so a worker would cost a copy and gain nothing, and a strict policy forbids blob workers.
    enableWorker: false,
    enableID3MetadataCues: false,
    enableEmsgMetadataCues: false,
    enableDateRangeMetadataCues: false,
    manifestLoadPolicy: { default: policy(8_000, 2) },
    playlistLoadPolicy: { default: policy(15_000, 4) },
    fragLoadPolicy: { default: policy(10_000, 4) },
  }
}

function policy(firstByteMs: number, retries: number): HlsConfig['fragLoadPolicy']['default'] {
  return {
    maxTimeToFirstByteMs: firstByteMs,
    maxLoadTimeMs: 30_000,
    timeoutRetry: { maxNumRetry: 2, retryDelayMs: 0, maxRetryDelayMs: 0 },
    errorRetry: { maxNumRetry: retries, retryDelayMs: 400, maxRetryDelayMs: 3_000, backoff: 'exponential' },
  }
}

function bandwidthGuessBps(): number {
  const { connection } = navigator as Navigator & { connection?: { downlink?: number } }
  const hint = connection?.downlink
  return hint ? Math.min(BANDWIDTH_GUESS_MAX_BPS, hint * 700_000) : BANDWIDTH_GUESS_BPS
}
