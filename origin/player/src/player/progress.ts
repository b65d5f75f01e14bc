/** What the player should do after another look at the playback position. */
export interface ProgressVerdict {
  /** Playback should move and has not for a while: show that we wait. */
  readonly waiting: boolean
  /** Waiting began just now, long enough ago to be worth telling. */
  readonly stalled: boolean
  /** How long the wait was that has just ended, else null. */
  readonly resumedAfterMs: number | null
  /** The wait has lasted so long that only loading anew may help. */
  readonly hopeless: boolean
  /** The machine slept: far more time has passed than between two looks. */
  readonly sleptMs: number
}

const WAITING_AFTER_MS = 500
const HOPELESS_AFTER_MS = 10_000
const SLEEP_AFTER_MS = 12_000

/** Judges from positions and times alone whether playback moves. Holds no timer and no clock. */
export class Progress {
  #position = -1
  #movedMs = 0
  #lookedMs = 0
  #stalled = false
  #hopelessMs = HOPELESS_AFTER_MS

  /** Looks at the position at `nowMs` of a clock that goes on while the machine sleeps. */
  look(nowMs: number, position: number, shouldMove: boolean): ProgressVerdict {
    const sleptMs = this.#lookedMs > 0 && nowMs - this.#lookedMs > SLEEP_AFTER_MS ? nowMs - this.#lookedMs : 0
    this.#lookedMs = nowMs
    const moved = position !== this.#position
    if (moved || !shouldMove || sleptMs > 0) {
      const resumedAfterMs = moved && shouldMove && this.#stalled ? nowMs - this.#movedMs : null
      if (moved && shouldMove) this.#hopelessMs = HOPELESS_AFTER_MS
      this.#position = position
      this.#movedMs = nowMs
      this.#stalled = false
      return { waiting: false, stalled: false, resumedAfterMs, hopeless: false, sleptMs }
    }
    const waitedMs = nowMs - this.#movedMs
    const stalled = !this.#stalled && waitedMs >= WAITING_AFTER_MS
    if (stalled) this.#stalled = true
    const hopeless = waitedMs >= this.#hopelessMs
    // Each further attempt is given more time, so that a slow start is not cut short again and again.
    if (hopeless) this.#hopelessMs = Math.min(this.#hopelessMs * 2, 120_000) + waitedMs
    return { waiting: this.#stalled, stalled, resumedAfterMs: null, hopeless, sleptMs }
  }
}
