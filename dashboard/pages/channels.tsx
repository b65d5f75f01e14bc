import { Plus, Radio } from 'lucide-react'
import { Link, Navigate } from 'react-router'
import { useSubscription } from 'urql'
import { usePlace } from '../app/place.tsx'
import { ChannelBadge, channelState, type ChannelState } from '../components/channel-state.tsx'
import { ListSearch, ListTable, useListState } from '../components/list.tsx'
import { LinkButton, Page } from '../components/page.tsx'
import { graphql } from '../graphql/index.ts'
import { useQuery } from '../graphql/use.ts'
import { Button } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { Select } from '../ui/field.tsx'
import { count, sentence } from '../ui/format.ts'
import { Empty } from '../ui/notice.tsx'
import { Since, Time } from '../ui/time.tsx'

const ChannelsQuery = graphql(`
  query Channels($first: Int, $after: String, $last: Int, $before: String, $filter: ChannelFilter, $orderBy: ChannelOrder) {
    channels(first: $first, after: $after, last: $last, before: $before, filter: $filter, orderBy: $orderBy) {
      totalCount
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      nodes {
        id title reference state latencyMode createdAt
        broadcast { id startedAt }
      }
    }
  }
`)
const ChannelsUpdated = graphql(`
  subscription ChannelsUpdated {
    channelsUpdated { id title reference state latencyMode broadcast { id startedAt } }
  }
`)

const STATES = Object.keys(channelState) as ChannelState[]

export default function ChannelsPage() {
  const { to, can, refused } = usePlace()
  const list = useListState()
  const state = STATES.find((one) => one === list.get('state'))
  const byTitle = list.get('sort') === 'title'
  const descending = list.get('order') ? list.get('order') === 'desc' : !byTitle
  const [{ data, fetching, error }, again] = useQuery({
    query: ChannelsQuery,
    variables: {
      ...list.page,
      filter: { ...(list.get('q') && { search: list.get('q') }), ...(state && { state }) },
      orderBy: { field: byTitle ? 'TITLE' : 'CREATED_AT', direction: descending ? 'DESC' : 'ASC' },
    },
    requestPolicy: 'cache-and-network',
    pause: !can('CHANNEL_READ'),
  })
  useSubscription({ query: ChannelsUpdated, pause: !can('CHANNEL_READ') })
  if (!can('CHANNEL_READ')) return <NoChannelsForYou />
  const channels = data?.channels
  const none = channels?.totalCount === 0 && !list.filtered
  if (none && can('CHANNEL_WRITE') && !fetching) return <Navigate to={to.welcome()} replace />
  const live = channels?.nodes.filter((channel) => channel.state === 'LIVE').length ?? 0
  return (
    <Page
      title="Channels"
      about="A channel is the lasting address that you publish to and your viewers watch."
      actions={can('CHANNEL_WRITE')
        ? <LinkButton tone="primary" to={to.channelNew()}><Plus aria-hidden="true" />New channel</LinkButton>
        : <Button tone="primary" disabledBecause={refused('CHANNEL_WRITE', 'create channels')}><Plus aria-hidden="true" />New channel</Button>}
    >
      <Card bare>
        <div className="toolbar">
          <ListSearch list={list} label="Search by title or reference" />
          <Select aria-label="State" value={list.get('state')} onChange={(event) => list.set({ state: event.target.value || null })}>
            <option value="">Every state</option>
            {STATES.filter((one) => one !== 'CONNECTING').map((one) => <option key={one} value={one}>{channelState[one].name}</option>)}
          </Select>
        </div>
        <ListTable
          label="Channels"
          list={list}
          loading={fetching}
          error={error}
          onRetry={() => again({ requestPolicy: 'network-only' })}
          columns={[{ name: 'Title', sort: 'title' }, { name: 'State' }, { name: 'On air', wideOnly: true }, { name: 'Latency', wideOnly: true }, { name: 'Created', sort: 'created', align: 'end', wideOnly: true }]}
          sort={{
            by: byTitle ? 'title' : 'created',
            descending,
            onSort: (by) => list.set({ sort: by === 'title' ? 'title' : null, order: (by === 'title') === byTitle ? (descending ? 'asc' : 'desc') : null }),
          }}
          pageInfo={channels?.pageInfo}
          about={channels && `${count(channels.totalCount)} channels${live > 0 ? ` · ${live} live on this page` : ''}`}
          empty={<Empty icon={<Radio />} title="No channels yet" about="Whoever may create channels in this tenant has not done so." />}
          rows={(channels?.nodes ?? []).map((channel) => (
            <tr key={channel.id}>
              <td>
                <Link className="table-link" to={to.channel(channel.id)}>{channel.title}</Link>
                {channel.reference && <div className="faint">{channel.reference}</div>}
              </td>
              <td><ChannelBadge state={channel.state} /></td>
              <td className="wide-only">{channel.broadcast ? <Since from={channel.broadcast.startedAt} /> : <span className="faint">–</span>}</td>
              <td className="wide-only">{sentence(channel.latencyMode)}</td>
              <td className="end wide-only"><Time at={channel.createdAt} /></td>
            </tr>
          ))}
        />
      </Card>
    </Page>
  )
}

function NoChannelsForYou() {
  return (
    <Page title="Channels">
      <Card><Empty icon={<Radio />} title="Your role does not see channels" about="It is for people who keep the tenant’s accounts. An owner or admin can give you another." /></Card>
    </Page>
  )
}
