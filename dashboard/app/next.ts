import { paths } from './paths.ts'

/** Where to go after signing in: an address of this dashboard, never another site's. */
export function nextAddress(next: string | null): string {
  if (!next) return paths.home()
  const url = new URL(next, location.origin)
  return url.origin === location.origin && next.startsWith('/') ? url.pathname + url.search : paths.home()
}
