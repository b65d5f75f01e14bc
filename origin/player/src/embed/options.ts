import type { Options } from '../player/player.ts'

/**
 * Reads the address of the page: `/embed/{playback_id}` with `?autoplay=0` to wait for a click, `?muted=0` to start
 * with sound where the browser allows it, `?engine=native` or `?engine=hls.js` to override the choice of engine. A token comes
 * behind `#token=`, which no server sees, or as `?token=`.
 */
export function readOptions(url: URL): Options {
  const playbackId = /^\/embed\/([A-Za-z0-9_-]+)\/?$/.exec(url.pathname)?.[1] ?? ''
  const engine = url.searchParams.get('engine')
  const autoplay = url.searchParams.get('autoplay') !== '0'
  return {
    playbackId,
    autoplay,
    muted: autoplay && url.searchParams.get('muted') !== '0',
    engine: engine === 'native' || engine === 'hls.js' ? engine : 'auto',
    token: new URLSearchParams(url.hash.slice(1)).get('token') ?? url.searchParams.get('token'),
  }
}

/** The address without its token, for the browser's bar and history. */
export function withoutToken(url: URL): string {
  const bare = new URL(url)
  bare.searchParams.delete('token')
  if (new URLSearchParams(bare.hash.slice(1)).has('token')) bare.hash = ''
  return bare.href
}
