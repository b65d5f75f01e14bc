import type { PermissionState } from './permission.ts'

/** Every event that the player sends to the page around it, with what it carries. */
export interface PlayerEvents {
  /** The controls stand and commands are heard. */
  ready: { playbackId: string }
  /** What a viewer sees as a whole: `loading`, `ready`, `offline`, `live`, `reconnecting`, `replay`, `ended`, `error`. */
  state: { state: string; title: string }
  play: Record<string, never>
  pause: Record<string, never>
  /** At most four times a second. Seconds of the media's own clock; `latency_ms` is null on a replay. */
  time: { position_s: number; start_s: number; end_s: number; live: boolean; latency_ms: number | null }
  seek: { position_s: number }
  volume: { volume: number; muted: boolean }
  rate: { rate: number }
  quality: { label: string; automatic: boolean }
  stall: { position_s: number }
  resume: { stalled_ms: number }
  ended: Record<string, never>
  /** A token is `needed`, `expiring` or has `ended`: the page should give another one. */
  permission: { state: PermissionState; expires_in_s: number | null }
  /** `fatal` is false while the player still helps itself. */
  error: { code: string; detail: string; fatal: boolean }
}

type Listener = <K extends keyof PlayerEvents>(name: K, detail: PlayerEvents[K]) => void

/** Hands each event to every listener. */
export class Emitter {
  readonly #listeners: Listener[] = []

  listen(listener: Listener): void {
    this.#listeners.push(listener)
  }

  emit<K extends keyof PlayerEvents>(name: K, detail: PlayerEvents[K]): void {
    for (const listener of this.#listeners) listener(name, detail)
  }
}
