import { OriginClock } from './clock.ts'
import type { Engine, Quality, SeekWindow, StartAt } from './engine.ts'
import { Emitter } from './events.ts'
import { HeldFrame } from './held-frame.ts'
import { HlsEngine } from './hls-engine.ts'
import { NativeEngine } from './native-engine.ts'
import { Permission } from './permission.ts'
import { Progress } from './progress.ts'
import { Recovery } from './recovery.ts'
import { type ChannelState, type Observation, type StateFailure, StateWatch, isOnAir } from './state.ts'

/** What the page's address asks for. */
export interface Options {
  readonly playbackId: string
  readonly autoplay: boolean
  readonly muted: boolean
  readonly engine: 'auto' | 'hls.js' | 'native'
  /** For what is signed; null where the page around us gives one later, or none is needed. */
  readonly token: string | null
}

/** What fills the stage: `ready` waits for a click, `media` shows pictures, the rest are cards that say what is up. */
export type Phase = 'loading' | 'offline' | 'ready' | 'media' | 'ended' | 'error'

/** Why there is an error card. Each has its own words and its own way out. */
export type Problem = StateFailure | 'media' | 'unsupported'

/** Everything the controls need to draw themselves, at one moment. Seconds are of the media's own clock. */
export interface Snapshot {
  readonly phase: Phase
  readonly problem: Problem | null
  readonly title: string
  readonly startedMs: number | null
  readonly live: boolean
  readonly onAir: boolean
  readonly reconnecting: boolean
  readonly offlineNetwork: boolean
  readonly waiting: boolean
  readonly paused: boolean
  readonly position: number
  readonly window: SeekWindow | null
  readonly atEdge: boolean
  readonly behindS: number
  readonly latencyMs: number | null
  readonly replayOffered: boolean
  /** A picture lies under whatever is drawn over it. */
  readonly hasPicture: boolean
  readonly newBroadcast: boolean
  readonly muted: boolean
  readonly mutedByUs: boolean
  readonly volume: number
  readonly rate: number
  readonly qualities: readonly Quality[]
  readonly chosenQuality: number | null
  readonly shownQuality: number | null
}

const TICK_MS = 250
const AT_EDGE_S = 3
/** A viewer who wants to be live and is further behind than this is taken to the edge; less is caught up gently. */
const JUMP_TO_EDGE_S = 8
const RELAX_AFTER_MS = 45_000
const RELOAD_AFTER_SLEEP_MS = 60_000

/** Joins the state of the playback id, an engine and a video element into one thing to watch. Draws nothing. */
export class Player {
  readonly events = new Emitter()
  readonly video: HTMLVideoElement
  readonly heldFrame: HeldFrame
  onChange: () => void = () => undefined

  readonly #options: Options
  readonly #clock = new OriginClock()
  readonly #watch: StateWatch
  readonly #permission: Permission
  readonly #recovery = new Recovery()
  readonly #progress = new Progress()
  #engine: Engine | null = null
  #state: ChannelState | null = null
  #phase: Phase = 'loading'
  #problem: Problem | null = null
  #mediaUrl = ''
  #mediaBroadcast: string | null = null
  /** Where the viewer was when the permission ended. */
  #deniedAtS = 0
  #live = false
  #wantsEdge = true
  #wantsPlay: boolean
  #waiting = false
  #networkDown = false
  #mutedByUs = false
  #smoothSinceMs = 0
  #recoveryTimer: ReturnType<typeof setTimeout> | undefined
  #toldQuality = ''
  #toldState = ''

  constructor(video: HTMLVideoElement, options: Options) {
    this.video = video
    this.heldFrame = new HeldFrame(video)
    this.#options = options
    this.#wantsPlay = options.autoplay
    this.#permission = new Permission(options.playbackId, (inMs) => this.#tellPermission('expiring', inMs))
    const state = () => this.#permission.address(`/${options.playbackId}/state.json`)
    this.#watch = new StateWatch(state, (seen) => this.#observed(seen))
    video.muted = options.muted
    this.#mutedByUs = options.muted
    this.#listenToVideo()
    window.addEventListener('online', () => this.#lookAgain())
    document.addEventListener('visibilitychange', () => document.hidden || this.#tick())
    setInterval(() => this.#tick(), TICK_MS)
  }

  start(): void {
    const { token } = this.#options
    if (token) this.setToken(token)
    else void this.#watch.now()
    void this.#clock.synchronise('/time').then(() => this.onChange())
  }

  snapshot(): Snapshot {
    const engine = this.#engine
    const position = this.video.currentTime
    const edge = this.#phase === 'media' ? (engine?.edge() ?? null) : null
    const behindS = edge === null ? 0 : Math.max(0, edge - position)
    const state = this.#state?.state
    return {
      phase: this.#phase,
      problem: this.#problem,
      title: this.#state?.title ?? '',
      startedMs: this.#state?.startedMs ?? null,
      live: this.#live,
      onAir: this.#state !== null && isOnAir(this.#state),
      reconnecting: state === 'reconnecting' && this.#live,
      offlineNetwork: this.#networkDown,
      waiting: this.#waiting,
      paused: !this.#wantsPlay,
      position,
      window: this.#phase === 'ended' && !this.#canReplay() ? null : (engine?.seekWindow() ?? null),
      atEdge: this.#live && behindS < AT_EDGE_S,
      behindS,
      latencyMs: this.#live ? this.#latencyMs(position) : null,
      replayOffered: this.#phase === 'ended' && this.#canReplay(),
      hasPicture: this.video.videoWidth > 0,
      newBroadcast: this.#watchesOldBroadcast(),
      muted: this.video.muted || this.video.volume === 0,
      mutedByUs: this.#mutedByUs && this.video.muted,
      volume: this.video.volume,
      rate: this.video.playbackRate,
      qualities: engine?.qualities() ?? [],
      chosenQuality: engine?.chosenQuality() ?? null,
      shownQuality: engine?.shownQuality() ?? null,
    }
  }

  /** Takes a token for what is signed: the first one, or the next one while it plays. */
  setToken(token: string): void {
    void this.#permission.take(token).then(() => {
      if (this.#phase !== 'error' || this.#problem === null || !isDenied(this.#problem)) return this.#watch.now()
      if (this.#mediaUrl === '') {
        this.#setPhase('loading')
        return this.#watch.now()
      }
      this.#load(this.#mediaUrl, this.#live && this.#wantsEdge ? 'edge' : this.#deniedAtS)
      return this.#watch.now()
    })
  }

  /** The wall clock time of a position in milliseconds since 1970, or null where the media does not say. */
  dateAt(position: number): number | null {
    return this.#engine?.dateAt(position) ?? null
  }

  play(): void {
    this.#wantsPlay = true
    if (this.#phase === 'ended') this.playReplay()
    else if (this.#phase === 'ready') this.#load(this.#liveUrl(), this.#live ? 'edge' : 0)
    else this.#tryPlay()
    this.onChange()
  }

  pause(): void {
    this.#wantsPlay = false
    this.#wantsEdge = false
    this.video.pause()
    this.onChange()
  }

  seek(position: number): void {
    const window = this.#engine?.seekWindow()
    if (!window || this.#phase === 'loading' || (this.#phase === 'ended' && !this.#canReplay())) return
    const edge = this.#engine?.edge() ?? null
    const target = Math.min(Math.max(position, window.start), edge ?? Math.max(window.start, window.end - 0.1))
    this.#wantsEdge = edge !== null && target >= edge - 1
    if (this.#phase === 'ended') this.#setPhase('media')
    this.video.currentTime = target
    this.#tryPlay()
    this.onChange()
  }

  /** Goes to the live edge; where another broadcast is live by now, to that one. */
  goLive(): void {
    this.#wantsPlay = true
    this.#wantsEdge = true
    if (this.#watchesOldBroadcast() || this.#phase === 'ended') {
      if (this.#state && isOnAir(this.#state)) this.#load(this.#liveUrl(), 'edge')
      return
    }
    const edge = this.#engine?.edge() ?? null
    if (edge !== null) this.video.currentTime = edge
    this.#tryPlay()
    this.onChange()
  }

  /** Plays what was recorded from its start, on the same element where it already holds the recording. */
  playReplay(): void {
    if (!this.#canReplay()) return
    this.#wantsPlay = true
    this.#wantsEdge = false
    if (this.#mediaUrl !== '' && !this.#live) {
      this.#setPhase('media')
      this.video.currentTime = this.#engine?.seekWindow()?.start ?? 0
      this.#tryPlay()
    } else {
      // A token is for one playback id: the channel's shows its last replay as well.
      const replay = this.#permission.given ? null : this.#state?.replayPlaybackId
      this.#load(mediaUrl(replay ?? this.#options.playbackId), 0)
    }
  }

  /** Tries anew after an error card. */
  retry(): void {
    this.#wantsPlay = true
    if (this.#mediaUrl === '') {
      this.#setPhase('loading')
      this.#lookAgain()
    } else {
      this.#reload()
    }
  }

  setMuted(muted: boolean): void {
    this.#mutedByUs = false
    this.video.muted = muted
    if (!muted && this.video.volume === 0) this.video.volume = 0.5
  }

  setVolume(volume: number): void {
    this.#mutedByUs = false
    this.video.volume = Math.min(1, Math.max(0, volume))
    this.video.muted = this.video.volume === 0
  }

  setRate(rate: number): void {
    if (!this.#live) this.video.playbackRate = Math.min(4, Math.max(0.25, rate))
  }

  chooseQuality(id: number | null): void {
    this.#engine?.chooseQuality(id)
    this.onChange()
  }

  #observed(seen: Observation): void {
    if (!seen.ok && isDenied(seen.failure)) {
      this.#denied(seen.failure)
      return
    }
    if (!seen.ok) {
      const playing = this.#phase === 'media' || this.#phase === 'ended'
      if (!playing) this.#fail(seen.failure, seen.failure, false)
      else if (seen.failure === 'unreachable') this.#networkDown = true
      // What was watched under its own address is gone, as on a channel that shows nothing more.
      else if (this.#state) this.#state = { ...this.#state, state: 'offline', broadcastId: null }
      this.onChange()
      return
    }
    this.#networkDown = false
    this.#state = seen.state
    if (isOnAir(seen.state)) this.#onAir(seen.state)
    else if (this.#phase !== 'media' && !this.#recoveryTimer) this.#offAir(seen.state)
    this.#tellState()
    this.onChange()
  }

  /** What is in the buffer is not played on: whoever took the permission away means now. */
  #denied(failure: Denied): void {
    const again = this.#problem !== failure
    clearTimeout(this.#recoveryTimer)
    this.#recoveryTimer = undefined
    if (this.#phase === 'media') this.#deniedAtS = this.video.currentTime
    this.#fail(failure, failure, this.#phase === 'media')
    if (again && failure !== 'refused') this.#tellPermission(failure === 'permission' ? 'needed' : 'ended', null)
    this.onChange()
  }

  #tellPermission(state: 'needed' | 'expiring' | 'ended', inMs: number | null): void {
    this.events.emit('permission', { state, expires_in_s: inMs === null ? null : Math.round(inMs / 1000) })
  }

  #onAir(state: ChannelState): void {
    const current = this.#mediaUrl !== '' && this.#mediaBroadcast === state.broadcastId
    if (current && this.#phase !== 'error') return
    // Whoever watches the recording of an earlier broadcast is asked, not torn away.
    if (this.#phase === 'media' && !this.#live && !this.video.ended) return
    if (this.#problem === 'media' || this.#problem === 'unsupported') return
    this.#live = true
    this.#wantsEdge = true
    if (this.#wantsPlay || this.#mediaUrl !== '') this.#load(this.#liveUrl(), 'edge')
    else this.#setPhase('ready')
  }

  #offAir(state: ChannelState): void {
    if (this.#problem === 'media' || this.#problem === 'unsupported') return
    this.#live = false
    // Who has watched a broadcast that left no replay sees that it has ended; who comes later, that there is nothing yet.
    if (state.state === 'offline') this.#setPhase(this.#mediaBroadcast === null ? 'offline' : 'ended')
    else if (state.kind === 'channel') this.#setPhase('ended')
    else if (this.#phase !== 'ended') {
      if (this.#wantsPlay) this.#load(this.#liveUrl(), 0)
      else this.#setPhase('ready')
    }
  }

  #load(url: string, at: StartAt): void {
    const engine = (this.#engine ??= this.#makeEngine())
    if (!engine) {
      this.#fail('unsupported', 'no Media Source and no native HLS', true)
      return
    }
    clearTimeout(this.#recoveryTimer)
    this.#recoveryTimer = undefined
    this.heldFrame.hold()
    this.#mediaUrl = url
    this.#mediaBroadcast = this.#state?.broadcastId ?? null
    this.#live = at === 'edge'
    this.#setPhase('media')
    if (at === 'edge') this.video.playbackRate = 1
    engine.load(url, at)
    this.#tryPlay()
  }

  /** Loads the same media anew, at the edge or where the viewer was. */
  #reload(): void {
    const live = this.#state !== null && isOnAir(this.#state)
    const sameBroadcast = this.#mediaBroadcast === (this.#state?.broadcastId ?? null)
    if (live && !sameBroadcast) this.#load(this.#liveUrl(), 'edge')
    else this.#load(this.#mediaUrl, live && this.#wantsEdge ? 'edge' : this.video.currentTime)
  }

  #makeEngine(): Engine | null {
    const events = {
      qualitiesChanged: () => this.#tellQuality(),
      liveChanged: (live: boolean) => this.#liveChanged(live),
      networkFailed: (detail: string) => this.#networkFailed(detail),
      mediaFailed: (detail: string) => this.#mediaFailed(detail),
    }
    const { address } = this.#permission
    const native = NativeEngine.isSupported(this.video)
    const wanted = this.#options.engine
    if (native && (wanted === 'native' || (wanted === 'auto' && prefersNative()))) return new NativeEngine(this.video, events, address)
    if (HlsEngine.isSupported()) return new HlsEngine(this.video, events, address)
    return native ? new NativeEngine(this.video, events, address) : null
  }

  #liveChanged(live: boolean): void {
    const wasLive = this.#live
    this.#live = live
    if (wasLive && !live) {
      this.#wantsEdge = false
      this.video.playbackRate = 1
      void this.#watch.now()
    }
    this.#tellState()
    this.onChange()
  }

  #networkFailed(detail: string): void {
    this.events.emit('error', { code: 'network', detail, fatal: false })
    if (this.#recoveryTimer) return
    const { remedy, delayMs } = this.#recovery.networkFailed(Math.random())
    this.#networkDown = true
    void this.#watch.now()
    this.#recoveryTimer = setTimeout(() => {
      this.#recoveryTimer = undefined
      if (this.#phase !== 'media') return
      if (this.#state?.state === 'offline') {
        this.#mediaUrl = ''
        this.#offAir(this.#state)
      } else if (remedy === 'resume-loading') this.#engine?.resumeLoading()
      else this.#reload()
    }, delayMs)
    this.onChange()
  }

  #mediaFailed(detail: string): void {
    const remedy = this.#recovery.mediaFailed(performance.now())
    if (remedy === 'give-up') {
      this.#fail('media', detail, true)
      return
    }
    this.events.emit('error', { code: 'media', detail, fatal: false })
    if (remedy === 'recover-media') {
      this.heldFrame.hold()
      this.#engine?.recoverMedia()
      this.#tryPlay()
    } else {
      this.#reload()
    }
  }

  #fail(problem: Problem, detail: string, fatal: boolean): void {
    if (this.#problem !== problem) this.events.emit('error', { code: problem, detail, fatal })
    if (fatal) {
      this.#engine?.destroy()
      this.#engine = null
    }
    this.#setPhase('error', problem)
  }

  #tryPlay(): void {
    if (!this.#wantsPlay || this.#phase !== 'media') return
    this.video.play().catch((error: unknown) => {
      if (!(error instanceof DOMException) || error.name !== 'NotAllowedError') return
      if (!this.video.muted) {
        this.#mutedByUs = true
        this.video.muted = true
        this.#tryPlay()
      } else {
        this.#wantsPlay = false
        this.onChange()
      }
    })
  }

  #tick(): void {
    const nowMs = Date.now()
    const { video } = this
    const shouldMove = this.#phase === 'media' && this.#wantsPlay && !video.seeking && !video.ended
    const seen = this.#progress.look(nowMs, video.currentTime, shouldMove || (this.#phase === 'media' && video.seeking))
    this.#waiting = seen.waiting
    if (seen.stalled) {
      this.events.emit('stall', { position_s: video.currentTime })
      void this.#watch.now()
    }
    if (seen.resumedAfterMs !== null) this.events.emit('resume', { stalled_ms: seen.resumedAfterMs })
    if (shouldMove && !seen.waiting) {
      this.#smoothSinceMs ||= nowMs
      if (nowMs - this.#smoothSinceMs > 2_000) this.#recovery.succeeded()
    } else {
      this.#smoothSinceMs = 0
    }
    if (seen.sleptMs > 0) this.#woke(seen.sleptMs)
    else if (seen.hopeless && this.#mayReload()) this.#reload()
    else if (shouldMove) this.#holdEdge(nowMs)
    if (this.#phase === 'media') this.#tellTime()
    this.onChange()
  }

  /** A stalled broadcast is loaded anew only while media should be coming: a publisher who is away is waited for. */
  #mayReload(): boolean {
    return !this.#recoveryTimer && this.#state?.state !== 'reconnecting' && this.#state?.state !== 'offline'
  }

  #holdEdge(nowMs: number): void {
    const edge = this.#engine?.edge() ?? null
    if (edge === null || !this.#wantsEdge || this.#state?.state !== 'live') return
    if (edge - this.video.currentTime > JUMP_TO_EDGE_S && this.video.readyState > HTMLMediaElement.HAVE_METADATA) {
      this.video.currentTime = edge
    } else if (this.#smoothSinceMs > 0 && nowMs - this.#smoothSinceMs > RELAX_AFTER_MS) {
      this.#smoothSinceMs = nowMs
      this.#engine?.relax()
    }
  }

  #woke(sleptMs: number): void {
    this.#lookAgain()
    if (this.#phase !== 'media' || !this.#live || !this.#wantsPlay) return
    if (sleptMs > RELOAD_AFTER_SLEEP_MS) this.#reload()
    else if (this.#wantsEdge) this.goLive()
  }

  #lookAgain(): void {
    void this.#watch.now()
  }

  #listenToVideo(): void {
    const { video } = this
    const on = (name: keyof HTMLMediaElementEventMap, handler: () => void) => video.addEventListener(name, handler)
    on('play', () => {
      this.#wantsPlay = true
      this.events.emit('play', {})
    })
    on('pause', () => {
      // Media keys and picture-in-picture pause the element without asking us.
      if (this.#phase === 'media' && !video.ended && !video.seeking && video.readyState > 1) this.#wantsPlay = false
      this.events.emit('pause', {})
      this.onChange()
    })
    on('seeked', () => this.events.emit('seek', { position_s: video.currentTime }))
    on('volumechange', () => {
      if (!video.muted) this.#mutedByUs = false
      this.events.emit('volume', { volume: video.volume, muted: video.muted })
      this.onChange()
    })
    on('ratechange', () => this.#live || this.events.emit('rate', { rate: video.playbackRate }))
    on('ended', () => {
      if (this.#phase !== 'media') return
      this.#setPhase('ended')
      this.events.emit('ended', {})
      void this.#watch.now()
    })
    on('canplay', () => this.#tryPlay())
  }

  /** Whether what was watched here, or what was broadcast last, can be watched from its start. */
  #canReplay(): boolean {
    const state = this.#state
    if (state === null || state.state === 'offline') return false
    return this.#mediaUrl === '' ? state.state === 'ended' : this.#mediaBroadcast === state.broadcastId
  }

  #watchesOldBroadcast(): boolean {
    return this.#state !== null && isOnAir(this.#state) && this.#mediaUrl !== '' && !this.#live &&
      this.#mediaBroadcast !== this.#state.broadcastId
  }

  #latencyMs(position: number): number | null {
    const shownMs = this.#engine?.dateAt(position) ?? null
    if (shownMs === null) return null
    return Math.max(0, this.#clock.nowMs() - shownMs)
  }

  #setPhase(phase: Phase, problem: Problem | null = null): void {
    if (phase === 'ready' && this.video.poster === '') {
      this.video.poster = this.#permission.address(`/${this.#options.playbackId}/thumbnail.jpg?width=1280`)
    }
    this.#phase = phase
    this.#problem = problem
    this.#tellState()
    this.onChange()
  }

  #tellState(): void {
    const state = this.#phase !== 'media' ? this.#phase
      : !this.#live ? 'replay'
        : this.#state?.state === 'reconnecting' ? 'reconnecting' : 'live'
    const title = this.#state?.title ?? ''
    if (this.#toldState === `${state}\n${title}`) return
    this.#toldState = `${state}\n${title}`
    this.events.emit('state', { state, title })
  }

  #tellTime(): void {
    const window = this.#engine?.seekWindow()
    if (!window || this.video.paused) return
    const position = this.video.currentTime
    this.events.emit('time', {
      position_s: position, start_s: window.start, end_s: window.end, live: this.#live,
      latency_ms: this.#live ? this.#latencyMs(position) : null,
    })
  }

  #tellQuality(): void {
    const shown = this.#engine?.shownQuality() ?? null
    const quality = this.#engine?.qualities().find(({ id }) => id === shown)
    const automatic = this.#engine?.chosenQuality() == null
    if (quality && this.#toldQuality !== `${quality.label} ${automatic}`) {
      this.#toldQuality = `${quality.label} ${automatic}`
      this.events.emit('quality', { label: quality.label, automatic })
    }
    this.onChange()
  }

  #liveUrl(): string {
    return mediaUrl(this.#options.playbackId)
  }
}

/** The origin wants a token, or another one. */
type Denied = 'permission' | 'permission-ended' | 'refused'

function isDenied(failure: Problem): failure is Denied {
  return failure === 'permission' || failure === 'permission-ended' || failure === 'refused'
}

/** Live and replay alike: the playlist from the start of the broadcast, which becomes the replay when it ends. */
function mediaUrl(playbackId: string): string {
  return `/${playbackId}/dvr.m3u8`
}

/** Safari plays HLS, low latency included, better by itself than through Media Source. */
function prefersNative(): boolean {
  return navigator.vendor.startsWith('Apple')
}
