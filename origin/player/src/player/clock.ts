const SAMPLES = 3
const TIMEOUT_MS = 3_000

/** The origin's clock as seen from this browser, whose own may be minutes off. */
export class OriginClock {
  #offsetMs = 0

  /** Milliseconds since 1970 by the origin's clock; by our own until `synchronise` has heard from the origin. */
  nowMs(): number {
    return Date.now() + this.#offsetMs
  }

  /** Asks the origin a few times and keeps the answer that came back fastest, which bounds the error best. */
  async synchronise(url: string): Promise<void> {
    let bestRoundTripMs = Infinity
    for (let sample = 0; sample < SAMPLES; sample += 1) {
      try {
        const sentMs = performance.now()
        const response = await fetch(url, { credentials: 'omit', cache: 'no-store', signal: AbortSignal.timeout(TIMEOUT_MS) })
        const originMs = Date.parse((await response.text()).trim())
        const roundTripMs = performance.now() - sentMs
        if (!response.ok || !Number.isFinite(originMs) || roundTripMs >= bestRoundTripMs) continue
        bestRoundTripMs = roundTripMs
        this.#offsetMs = originMs - (Date.now() - roundTripMs / 2)
      } catch {
        return
      }
    }
  }
}
