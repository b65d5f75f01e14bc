import type { PlayerEvents } from '../player/events.ts'

/** Marks our messages among all that pass between a page and its frames. */
export const CHANNEL = 'headwater-player'

/** What a page may ask of the player inside the frame. */
export interface Commands {
  play: Record<string, never>
  pause: Record<string, never>
  seek: { position_s: number }
  'go-live': Record<string, never>
  mute: { muted: boolean }
  volume: { volume: number }
  rate: { rate: number }
  /** Another token for what is playing; playback goes on with it. */
  token: { token: string }
}

/** From the frame to the page around it. */
export interface EventMessage<K extends keyof PlayerEvents = keyof PlayerEvents> {
  readonly channel: typeof CHANNEL
  readonly event: K
  readonly detail: PlayerEvents[K]
}

/** From the page to the frame. */
export interface CommandMessage<K extends keyof Commands = keyof Commands> {
  readonly channel: typeof CHANNEL
  readonly command: K
  readonly detail: Commands[K]
}
