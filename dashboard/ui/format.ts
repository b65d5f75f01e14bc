const MINUTE = 60
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' })
const day = new Intl.DateTimeFormat('en', { day: 'numeric', month: 'short', year: 'numeric' })
const full = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'long' })
const whole = new Intl.NumberFormat('en')

/** A moment relative to `nowMs`: "2 minutes ago", "in 3 days"; a date beyond four weeks. */
export function ago(at: string, nowMs: number): string {
  const seconds = Math.round((Date.parse(at) - nowMs) / 1000)
  const size = Math.abs(seconds)
  if (size < 10) return seconds <= 0 ? 'just now' : 'in a moment'
  if (size < MINUTE) return relative.format(seconds, 'second')
  if (size < HOUR) return relative.format(Math.trunc(seconds / MINUTE), 'minute')
  if (size < DAY) return relative.format(Math.trunc(seconds / HOUR), 'hour')
  if (size < 28 * DAY) return relative.format(Math.trunc(seconds / DAY), 'day')
  return day.format(new Date(at))
}

export const fullTime = (at: string) => full.format(new Date(at))
export const count = (n: number) => whole.format(n)

/** Seconds as `1:02:03` or `2:03`. */
export function duration(seconds: number): string {
  const s = Math.max(0, Math.floor(seconds))
  const [h, m] = [Math.floor(s / HOUR), Math.floor(s / MINUTE) % 60]
  const tail = `${String(s % 60).padStart(2, '0')}`
  return h > 0 ? `${h}:${String(m).padStart(2, '0')}:${tail}` : `${m}:${tail}`
}

/** Bits per second with the unit people use for it. */
export function bitrate(bps: number): string {
  if (bps >= 1_000_000) return `${trim(bps / 1_000_000)} Mbit/s`
  return `${whole.format(Math.round(bps / 1000))} kbit/s`
}

/** Decimal units, as object stores bill them. */
export function bytes(n: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']
  let value = n
  let unit = 0
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000
    unit += 1
  }
  return `${unit === 0 ? value : trim(value)} ${units[unit]}`
}

const trim = (value: number) => (value >= 100 ? value.toFixed(0) : value.toFixed(1).replace(/\.0$/u, ''))

/** `INGEST_STARVED` as "Ingest starved", `api_token.create` as "API token create". */
export function sentence(name: string): string {
  const words = name.toLowerCase().replaceAll(/[_.]/gu, ' ')
  return words.charAt(0).toUpperCase().concat(words.slice(1)).replace(/^Api\b/u, 'API')
}
