/** One quality a viewer can choose. */
export interface Quality {
  readonly id: number
  readonly label: string
  readonly height: number
  readonly bitrateBps: number
}

/** The stretch of media that can be sought, in seconds of the media element's own clock. */
export interface SeekWindow {
  readonly start: number
  readonly end: number
}

/** Where playback begins: at the live edge, or at a second of the media element's clock. */
export type StartAt = 'edge' | number

/** What an engine tells its player. */
export interface EngineEvents {
  qualitiesChanged(): void
  /** The playlist says whether more media may come; called when that changes and when it is first known. */
  liveChanged(live: boolean): void
  /** Loading failed and the engine has given up trying by itself. */
  networkFailed(detail: string): void
  /** Media could not be decoded or appended. */
  mediaFailed(detail: string): void
}

/** Turns playlists into pictures on one media element. `hls.js` where Media Source exists, else the browser's own HLS. */
export interface Engine {
  readonly name: 'hls.js' | 'native'
  load(url: string, startAt: StartAt): void
  /** Goes on after a failure without losing what is buffered. */
  resumeLoading(): void
  recoverMedia(): void
  destroy(): void
  qualities(): readonly Quality[]
  /** The id that the viewer chose, or null while the choice is automatic. */
  chosenQuality(): number | null
  /** The id of what is on screen, or null before the first picture. */
  shownQuality(): number | null
  chooseQuality(id: number | null): void
  seekWindow(): SeekWindow | null
  /** Where a viewer who wants to be live should be; null on a replay. */
  edge(): number | null
  /** The wall clock time of a position, in milliseconds since 1970, from EXT-X-PROGRAM-DATE-TIME. */
  dateAt(position: number): number | null
  /** Eases back the caution that earlier stalls added; called now and then while all is well. */
  relax(): void
}

/** Labels a rung the way people know it: `1080p`, `720p60`. */
export function qualityLabel(height: number, frameRate: number, bitrateBps: number): string {
  if (height > 0) return `${height}p${frameRate > 31 ? Math.round(frameRate) : ''}`
  return bitrateBps > 0 ? `${Math.round(bitrateBps / 1000)} kbit/s` : 'Source'
}
