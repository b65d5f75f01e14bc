import { useEffect, useRef } from 'react'
import { NavLink, useParams } from 'react-router'
import { useSubscription } from 'urql'
import { usePlace } from '../../app/place.tsx'
import { ChannelBadge } from '../../components/channel-state.tsx'
import { NotFound } from '../../components/full-page.tsx'
import { Page } from '../../components/page.tsx'
import { explain } from '../../graphql/errors.ts'
import { graphql } from '../../graphql/index.ts'
import { useChange, useQuery } from '../../graphql/use.ts'
import { Button } from '../../ui/button.tsx'
import { Notice, Skeleton } from '../../ui/notice.tsx'
import { useToast } from '../../ui/toast.tsx'
import { EmbedTab } from './embed-tab.tsx'
import { KeysTab } from './keys-tab.tsx'
import { LiveFragment, Overview, SetupFragment } from './overview.tsx'
import { ReplaysTab } from './replays-tab.tsx'
import { SettingsFragment, SettingsTab } from './settings-tab.tsx'
import { ViewFragment } from './view.tsx'

const ChannelQuery = graphql(`
  query Channel($id: ID!, $withKeys: Boolean!, $withReplays: Boolean!) {
    channel(id: $id) {
      id title state reference
      ...Setup_channel
      ...Live_channel
      ...View_channel
      ...Settings_channel
    }
    broadcasts(filter: { channelId: $id }, first: 5) {
      totalCount
      nodes { id startedAt endedAt asset @include(if: $withReplays) { id state } }
    }
  }
`, [SetupFragment, LiveFragment, ViewFragment, SettingsFragment])

const ChannelUpdated = graphql(`
  subscription ChannelUpdated($id: ID!) {
    channelUpdated(id: $id) {
      id title state reference
      ...Live_channel
      ...Settings_channel
    }
  }
`, [LiveFragment, SettingsFragment])

const TABS = [['overview', 'Overview'], ['keys', 'Stream keys'], ['replays', 'Replays'], ['embed', 'Embed'], ['settings', 'Settings']] as const

export default function ChannelPage() {
  const { id = '', tab = 'overview' } = useParams()
  const { to, can } = usePlace()
  const tabs = TABS.filter(([name]) => name !== 'keys' || can('STREAM_KEY_READ'))
  const [{ data, error }, again] = useQuery({ query: ChannelQuery, variables: { id, withKeys: can('STREAM_KEY_READ'), withReplays: can('ASSET_READ') }, requestPolicy: 'cache-and-network' })
  useSubscription({ query: ChannelUpdated, variables: { id } })
  const channel = data?.channel
  useLiveToast(channel?.title, channel?.state)
  // Broadcasts and replays have begun or ended with it.
  useChange(channel?.state, () => again({ requestPolicy: 'network-only' }))
  // On a phone the tabs are wider than the screen: the chosen one is brought into it.
  const nav = useRef<HTMLElement>(null)
  const shown = Boolean(channel)
  useEffect(() => void nav.current?.querySelector('[aria-current=page]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' }), [tab, shown])
  const crumbs = [['Channels', to.channels()]] as const
  if (error && !data) {
    return <Page title="Channel" crumbs={crumbs}><Notice tone="danger" title="The channel could not be loaded" act={<Button size="small" onClick={() => again({ requestPolicy: 'network-only' })}>Try again</Button>}>{explain(error)}</Notice></Page>
  }
  if (!data) {
    return <Page title="Channel" crumbs={crumbs}><div className="grid-2" role="status" aria-label="Loading"><Skeleton height={360} /><Skeleton height={360} /></div></Page>
  }
  if (!channel || !tabs.some(([name]) => name === tab)) return <NotFound inside />
  return (
    <Page
      title={channel.title}
      crumbs={crumbs}
      beside={<ChannelBadge state={channel.state} />}
      tabs={(
        <nav className="tabs-list" aria-label="Channel" ref={nav}>
          {tabs.map(([name, label]) => <NavLink key={name} className="tab" to={to.channel(id, name)} end={name === 'overview'}>{label}</NavLink>)}
        </nav>
      )}
    >
      {tab === 'overview' && <Overview past={data.broadcasts} setup={channel} live={channel} view={channel} />}
      {tab === 'keys' && <KeysTab channelId={id} state={channel.state} />}
      {tab === 'replays' && <ReplaysTab channelId={id} state={channel.state} />}
      {tab === 'embed' && <EmbedTab channelId={id} />}
      {tab === 'settings' && <SettingsTab channel={channel} />}
    </Page>
  )
}

/** Says it aloud when the channel goes on air while its page is open. */
function useLiveToast(title: string | undefined, state: string | undefined) {
  const toast = useToast()
  const before = useRef<string>(undefined)
  useEffect(() => {
    if (!state) return
    if (state === 'LIVE' && before.current && before.current !== 'LIVE') toast({ title: before.current === 'RECONNECTING' ? `${title} is back` : `${title} is live` })
    before.current = state
  }, [state, title, toast])
}
