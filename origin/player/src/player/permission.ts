/** What a page hears of the token that it gave: another one is needed, will be soon, or would not help. */
export type PermissionState = 'needed' | 'expiring' | 'ended'

/** A token about to expire is asked for anew this long before. */
const RENEW_BEFORE_MS = 30_000
const TIMER_MAX_MS = 2 ** 31 - 1

interface Claims {
  readonly expMs: number | null
  readonly singleUse: boolean
}

/** Reads what a token says without checking it: the origin does that. Null for what is no JSON Web Token. */
export function readClaims(token: string): Claims | null {
  const payload = token.split('.')[1]
  if (!payload || !/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) return null
  try {
    const claims: unknown = JSON.parse(atob(payload.replace(/-/g, '+').replace(/_/g, '/')))
    if (typeof claims !== 'object' || claims === null) return null
    const { exp, single_use: singleUse } = claims as Record<string, unknown>
    return { expMs: typeof exp === 'number' ? exp * 1000 : null, singleUse: singleUse === true }
  } catch {
    return null
  }
}

/** `address` under the token: playlists name what belongs to them relative to it, so all that follows is under it too. */
export function under(token: string | null, address: string): string {
  const bare = address.replace(/\/t\/[^/]+\/(?=pb_)/, '/')
  return token ? bare.replace(/\/(?=pb_)/, `/t/${token}/`) : bare
}

/** The viewer's token: kept in memory alone, renewed by the page around us, and told to nobody but the origin. */
export class Permission {
  readonly #playbackId: string
  readonly #onExpiring: (inMs: number) => void
  #token: string | null = null
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(playbackId: string, onExpiring: (inMs: number) => void) {
    this.#playbackId = playbackId
    this.#onExpiring = onExpiring
  }

  get given(): boolean {
    return this.#token !== null
  }

  /** Puts an address of the origin under the token of this moment. */
  readonly address = (address: string): string => under(this.#token, address)

  /** Takes a token. One for a single use is used up here, and what the origin gives for it goes on in its place. */
  async take(token: string): Promise<void> {
    const claims = readClaims(token)
    clearTimeout(this.#timer)
    this.#token = claims?.singleUse ? await this.#begin(token) : token
    if (!claims?.expMs) return
    const leftMs = claims.expMs - Date.now()
    const waitMs = Math.min(Math.max(0, leftMs - RENEW_BEFORE_MS), TIMER_MAX_MS)
    this.#timer = setTimeout(() => this.#onExpiring(Math.max(0, (claims.expMs ?? 0) - Date.now())), waitMs)
  }

  async #begin(token: string): Promise<string> {
    try {
      const response = await fetch(`/${this.#playbackId}/main.m3u8?token=${token}`, { credentials: 'omit' })
      return /\/t\/([^/]+)\//.exec(new URL(response.url).pathname)?.[1] ?? token
    } catch {
      return token
    }
  }
}
