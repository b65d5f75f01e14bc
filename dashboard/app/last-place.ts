import type { Place } from './paths.ts'

const KEY = 'headwater-last-place'

/** Where this browser was last, so that the front door leads there again. */
export function rememberPlace(place: Place) {
  try {
    localStorage.setItem(KEY, JSON.stringify(place))
  } catch {
    // Storage can be off; the first tenant is as good a place.
  }
}

export function lastPlace(): Place | null {
  try {
    const { tenant, environment } = JSON.parse(localStorage.getItem(KEY) ?? 'null') as Partial<Place>
    return typeof tenant === 'string' && (environment === 'live' || environment === 'test') ? { tenant, environment } : null
  } catch {
    return null
  }
}
