import { withPlace } from './held.ts'

/** The state of a playback id as `/{playback_id}/state.json` tells it. */
export interface ChannelState {
  readonly state: 'offline' | 'live' | 'reconnecting' | 'finishing' | 'ended'
  readonly kind: 'channel' | 'replay'
  readonly title: string
  readonly broadcastId: string | null
  /** When the broadcast started, in milliseconds since 1970; null when unknown. */
  readonly startedMs: number | null
  readonly replayPlaybackId: string | null
  /** What the origin calls this state; a request that names it is answered when it has changed. */
  readonly version: string | null
}

/** Why the state could not be read: the origin answered with a refusal, or did not answer at all. */
export type StateFailure = 'not-found' | 'refused' | 'permission' | 'permission-ended' | 'unreachable'

/** One look at the state: either what it is or why it is not known. */
export type Observation = { readonly ok: true; readonly state: ChannelState } | { readonly ok: false; readonly failure: StateFailure }

const STATES = ['offline', 'live', 'reconnecting', 'finishing', 'ended'] as const
const REQUEST_TIMEOUT_MS = 8_000
/** A request for the next state is held for 20 s at the origin. */
const HELD_REQUEST_TIMEOUT_MS = 30_000
/** Least pause between two looks. */
const LOOK_PAUSE_MS = 100

/** Delays between two looks at the state, in milliseconds, before jitter. */
const OFFLINE_DELAY_MS = 1_000
const RECONNECTING_DELAY_MS = 2_500
const LIVE_DELAY_MS = 15_000
const ENDED_DELAY_MS = 12_000
const FAILURE_DELAY_MAX_MS = 20_000
const HIDDEN_FACTOR = 3

/** Reads `state.json`, trusting nothing in it. Returns null when it is not the state of a playback id. */
export function parseState(json: unknown): ChannelState | null {
  if (typeof json !== 'object' || json === null) return null
  const fields = json as Record<string, unknown>
  const state = STATES.find((known) => known === fields['state'])
  if (!state) return null
  return {
    state,
    kind: fields['kind'] === 'replay' ? 'replay' : 'channel',
    title: typeof fields['title'] === 'string' ? fields['title'].slice(0, 300) : '',
    broadcastId: text(fields['broadcast_id']),
    startedMs: typeof fields['started_ms'] === 'number' ? fields['started_ms'] : null,
    replayPlaybackId: text(fields['replay_playback_id']),
    version: text(fields['version']),
  }
}

/** True while more media of the broadcast may come. */
export function isOnAir(state: ChannelState): boolean {
  return state.state === 'live' || state.state === 'reconnecting' || state.state === 'finishing'
}

/** The version after which the next look asks, where the origin is to answer as soon as there is something to see. */
export function awaitedVersion(last: Observation): string | null {
  return last.ok && last.state.state !== 'live' && last.state.state !== 'ended' ? last.state.version : null
}

/**
 * How long to wait before the next look. Spread over half to one and a half times the nominal delay, so that viewers
 * who were cut off together do not return together. `random` lies in [0, 1).
 */
export function nextDelayMs(last: Observation, failuresInARow: number, hidden: boolean, random: number): number {
  const nominal = last.ok
    ? delayOf(last.state)
    : Math.min(FAILURE_DELAY_MAX_MS, 1_000 * 2 ** Math.min(failuresInARow, 10))
  return nominal * (hidden ? HIDDEN_FACTOR : 1) * (0.5 + random)
}

/**
 * What is left of `delayMs` after a look for the state after `asked` that took `tookMs`. The next state is asked for at
 * once, unless the origin was asked to wait for it and did not.
 */
export function restOfDelayMs(delayMs: number, last: Observation, asked: string | null, tookMs: number): number {
  const version = awaitedVersion(last)
  if (!version) return delayMs
  return version === asked ? Math.max(delayMs - tookMs, LOOK_PAUSE_MS) : LOOK_PAUSE_MS
}

function delayOf(state: ChannelState): number {
  switch (state.state) {
    case 'offline': return OFFLINE_DELAY_MS
    case 'reconnecting':
    case 'finishing': return RECONNECTING_DELAY_MS
    case 'live': return LIVE_DELAY_MS
    case 'ended': return ENDED_DELAY_MS
  }
}

/**
 * Looks once: at the state, or at the first one after `version`. Never throws: a failure is an observation too. `signal`
 * ends it early.
 */
export async function observe(url: string, version: string | null, signal: AbortSignal): Promise<Observation> {
  const abort = new AbortController()
  const timer = setTimeout(() => abort.abort(), version ? HELD_REQUEST_TIMEOUT_MS : REQUEST_TIMEOUT_MS)
  signal.addEventListener('abort', () => abort.abort())
  const address = version ? `${url}?after=${encodeURIComponent(version)}` : url
  try {
    const response = await fetch(address, { signal: abort.signal, credentials: 'omit' })
    if (response.status === 404 || response.status === 410) return { ok: false, failure: 'not-found' }
    if (response.status === 401 || response.status === 403) return { ok: false, failure: await refusal(response) }
    if (!response.ok) return { ok: false, failure: 'unreachable' }
    const state = parseState(await response.json())
    return state ? { ok: true, state } : { ok: false, failure: 'unreachable' }
  } catch {
    return { ok: false, failure: 'unreachable' }
  } finally {
    clearTimeout(timer)
  }
}

const REFUSALS: Record<string, StateFailure> = {
  token_missing: 'permission', token_invalid: 'permission',
  token_expired: 'permission-ended', token_revoked: 'permission-ended', token_used: 'permission-ended',
}

async function refusal(response: Response): Promise<StateFailure> {
  const body: unknown = await response.json().catch(() => null)
  const code = typeof body === 'object' && body !== null ? (body as Record<string, unknown>)['error'] : null
  return (typeof code === 'string' ? REFUSALS[code] : undefined) ?? 'refused'
}

/** Looks at the state again and again, at a pace that fits what it saw. */
export class StateWatch {
  #timer: ReturnType<typeof setTimeout> | undefined
  #failures = 0
  /** Ends the look under way; null where there is none. */
  #looking: AbortController | null = null
  #held = false
  readonly #url: () => string
  readonly #onObservation: (observation: Observation) => void

  /** `url` is asked for before each look. */
  constructor(url: () => string, onObservation: (observation: Observation) => void) {
    this.#url = url
    this.#onObservation = onObservation
  }

  /** Looks at once, for instance because playback ran dry. A quick look under way is enough; one that is held is not. */
  async now(): Promise<void> {
    if (this.#looking && !this.#held) return
    this.#looking?.abort()
    await this.#look(null)
  }

  async #look(version: string | null): Promise<void> {
    clearTimeout(this.#timer)
    const looking = new AbortController()
    this.#looking = looking
    this.#held = version !== null
    const startedMs = performance.now()
    const asked = document.hidden ? null : version
    const observation = asked
      ? await withPlace((mayHold) => observe(this.#url(), mayHold ? asked : null, looking.signal))
      : await observe(this.#url(), null, looking.signal)
    if (this.#looking !== looking) return
    this.#looking = null
    this.#failures = observation.ok ? 0 : this.#failures + 1
    const delayMs = nextDelayMs(observation, this.#failures, document.hidden, Math.random())
    const restMs = restOfDelayMs(delayMs, observation, version, performance.now() - startedMs)
    this.#timer = setTimeout(() => void this.#look(awaitedVersion(observation)), restMs)
    this.#onObservation(observation)
  }
}

function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null
}
