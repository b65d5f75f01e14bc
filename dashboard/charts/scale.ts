export interface Point {
  /** Milliseconds since 1970. */
  at: number
  /** null where nothing was measured: the line has a gap. */
  value: number | null
}

export interface Bounds { low: number; high: number }

/** Bounds that hold every value with some room, never flatter than `span`, from zero where `fromZero`. */
export function bounds(points: readonly Point[], { fromZero, span }: { fromZero: boolean; span: number }): Bounds {
  const values = points.map(({ value }) => value).filter((value) => value !== null)
  if (values.length === 0) return { low: 0, high: span }
  const max = Math.max(...values)
  const min = fromZero ? Math.min(0, ...values) : Math.min(...values)
  const room = Math.max(max - min, span) * 0.12
  const middle = (max + min) / 2
  const half = Math.max(max - min, span) / 2
  return fromZero && min >= 0 ? { low: 0, high: Math.max(max, span) + room } : { low: middle - half - room, high: middle + half + room }
}

/** SVG path data in a box of 1000 by 100, broken where nothing was measured or samples are `gapMs` apart. */
export function linePath(points: readonly Point[], from: number, to: number, { low, high }: Bounds, gapMs: number): string {
  let path = ''
  let before: number | null = null
  for (const { at, value } of points) {
    if (value === null) {
      before = null
      continue
    }
    const x = ((at - from) / Math.max(1, to - from)) * 1000
    const y = 100 - ((value - low) / (high - low)) * 100
    path += `${before === null || at - before > gapMs ? 'M' : 'L'}${x.toFixed(1)} ${y.toFixed(2)}`
    before = at
  }
  return path
}

/** The point nearest to `at` that has a value. */
export function nearest(points: readonly Point[], at: number): Point | null {
  let best: Point | null = null
  for (const point of points) {
    if (point.value !== null && (!best || Math.abs(point.at - at) < Math.abs(best.at - at))) best = point
  }
  return best
}
