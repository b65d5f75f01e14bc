/** What the player does about a failure, from the mildest to the last resort. */
export type Remedy = 'resume-loading' | 'recover-media' | 'reload' | 'give-up'

const RETRY_DELAY_MS = 500
const RETRY_DELAY_MAX_MS = 10_000
const MEDIA_ERROR_WINDOW_MS = 20_000
const MEDIA_RECOVERIES_MAX = 3
const RESUMES_BEFORE_RELOAD = 2

/**
 * Chooses a remedy for each failure. Network failures are retried for ever, because the origin may be restarting and
 * a viewer should never have to reload the page; media failures that repeat within a short time are given up.
 * Holds no timer and no clock.
 */
export class Recovery {
  #networkFailures = 0
  #mediaFailuresMs: number[] = []

  /** Chooses what to do after the network failed, and how long to wait first. `random` lies in [0, 1). */
  networkFailed(random: number): { readonly remedy: Remedy; readonly delayMs: number } {
    this.#networkFailures += 1
    const delayMs = Math.min(RETRY_DELAY_MAX_MS, RETRY_DELAY_MS * 2 ** Math.min(this.#networkFailures - 1, 10))
    const remedy = this.#networkFailures <= RESUMES_BEFORE_RELOAD ? 'resume-loading' : 'reload'
    return { remedy, delayMs: delayMs * (0.5 + random) }
  }

  /** Chooses what to do after media could not be decoded or appended, at `nowMs` of any monotonic clock. */
  mediaFailed(nowMs: number): Remedy {
    this.#mediaFailuresMs = this.#mediaFailuresMs.filter((then) => nowMs - then < MEDIA_ERROR_WINDOW_MS)
    this.#mediaFailuresMs.push(nowMs)
    if (this.#mediaFailuresMs.length > MEDIA_RECOVERIES_MAX) return 'give-up'
    return this.#mediaFailuresMs.length === 1 ? 'recover-media' : 'reload'
  }

  /** Pictures move again: the next network failure starts from the shortest delay. */
  succeeded(): void {
    this.#networkFailures = 0
  }
}
