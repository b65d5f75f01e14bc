import type { graphql } from '../graphql/index.ts'
import { Badge, type Tone } from '../ui/badge.tsx'

export type ChannelState = ReturnType<typeof graphql.scalar<'ChannelState'>>

export const channelState: Record<ChannelState, { name: string; tone: Tone; about: string }> = {
  OFFLINE: { name: 'Offline', tone: 'neutral', about: 'Waiting for a publisher' },
  CONNECTING: { name: 'Connecting', tone: 'accent', about: 'A publisher has connected; the first pictures are on their way' },
  LIVE: { name: 'Live', tone: 'live', about: 'On air' },
  RECONNECTING: { name: 'Reconnecting', tone: 'warn', about: 'The publisher is gone; the broadcast goes on if it returns in time' },
  ENDING: { name: 'Ending', tone: 'neutral', about: 'The replay is being completed' },
  DISABLED: { name: 'Disabled', tone: 'neutral', about: 'No publisher is let in' },
  SUSPENDED: { name: 'Suspended', tone: 'danger', about: 'Closed by the service' },
}

export const onAir = (state: ChannelState) => state === 'LIVE' || state === 'RECONNECTING' || state === 'CONNECTING'

export function ChannelBadge({ state }: { state: ChannelState }) {
  const { name, tone } = channelState[state]
  return <Badge tone={tone} dot pulse={state === 'CONNECTING' || state === 'RECONNECTING'}>{name}</Badge>
}
