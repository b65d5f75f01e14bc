/** Requests that may be held at the origin at once, of all pages and frames of this origin: HTTP/1.1 gives them six connections. */
const HELD_MAX = 2

/** Runs `ask` with whether its request may be held: always over HTTP/2, else as long as there is one of the few places. */
export async function withPlace<T>(ask: (mayHold: boolean) => Promise<T>): Promise<T> {
  if (isMultiplexed()) return ask(true)
  // Browsers have locks in secure contexts only.
  const locks = (navigator as { locks?: LockManager }).locks
  for (let place = 0; locks && place < HELD_MAX; place += 1) {
    const answer = await locks.request(`headwater-held-${place}`, { ifAvailable: true }, async (lock) =>
      lock ? { value: await ask(true) } : null,
    )
    if (answer) return answer.value
  }
  return ask(false)
}

function isMultiplexed(): boolean {
  const [page] = performance.getEntriesByType('navigation')
  return page instanceof PerformanceNavigationTiming && /^h[23]/.test(page.nextHopProtocol)
}
