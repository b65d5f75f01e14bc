import { Clapperboard } from 'lucide-react'
import { AssetFragment, AssetRow, ASSET_COLUMNS } from '../../components/asset-row.tsx'
import { ListTable, useListState } from '../../components/list.tsx'
import type { ChannelState } from '../../components/channel-state.tsx'
import { graphql } from '../../graphql/index.ts'
import { useChange, useQuery } from '../../graphql/use.ts'
import { Card } from '../../ui/card.tsx'
import { count } from '../../ui/format.ts'
import { Empty } from '../../ui/notice.tsx'

const ReplaysQuery = graphql(`
  query Replays($id: ID!, $first: Int, $after: String, $last: Int, $before: String) {
    assets(filter: { channelId: $id }, first: $first, after: $after, last: $last, before: $before) {
      totalCount
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      nodes { id ...Row_asset }
    }
  }
`, [AssetFragment])

export function ReplaysTab({ channelId, state }: { channelId: string; state: ChannelState }) {
  const list = useListState()
  const [{ data, fetching, error }, again] = useQuery({ query: ReplaysQuery, variables: { id: channelId, ...list.page }, requestPolicy: 'cache-and-network' })
  useChange(state, () => again({ requestPolicy: 'network-only' }))
  const assets = data?.assets
  return (
    <Card title="Replays" about="One for each broadcast of this channel." flush>
      <ListTable
        label="Replays"
        list={list}
        loading={fetching}
        error={error}
        onRetry={() => again({ requestPolicy: 'network-only' })}
        columns={ASSET_COLUMNS.map(({ name, align, wideOnly }) => ({ name, ...(align && { align }), ...(wideOnly && { wideOnly }) }))}
        pageInfo={assets?.pageInfo}
        about={assets && `${count(assets.totalCount)} replays`}
        empty={<Empty icon={<Clapperboard />} title="No replays yet" about="The first one appears here when a broadcast begins, and can be watched while it is still being recorded." />}
        rows={(assets?.nodes ?? []).map((asset) => <AssetRow key={asset.id} asset={asset} />)}
      />
    </Card>
  )
}
