import { Clapperboard, X } from 'lucide-react'
import { usePlace } from '../app/place.tsx'
import { ASSET_COLUMNS, AssetFragment, AssetRow, assetState, type AssetState } from '../components/asset-row.tsx'
import { ListSearch, ListTable, useListState } from '../components/list.tsx'
import { Page } from '../components/page.tsx'
import { graphql } from '../graphql/index.ts'
import { useQuery } from '../graphql/use.ts'
import { Button } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { Select } from '../ui/field.tsx'
import { count } from '../ui/format.ts'
import { Empty } from '../ui/notice.tsx'

const AssetsQuery = graphql(`
  query Assets($first: Int, $after: String, $last: Int, $before: String, $filter: AssetFilter, $orderBy: AssetOrder) {
    assets(first: $first, after: $after, last: $last, before: $before, filter: $filter, orderBy: $orderBy) {
      totalCount
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      nodes { id ...Row_asset }
    }
  }
`, [AssetFragment])

const STATES = Object.keys(assetState) as AssetState[]
const ORDERS = { created: 'CREATED_AT', duration: 'DURATION', size: 'SIZE' } as const

export default function AssetsPage() {
  const { can } = usePlace()
  const list = useListState()
  const state = STATES.find((one) => one === list.get('state'))
  const sort = (list.get('sort') || 'created') as keyof typeof ORDERS
  const descending = list.get('order') !== 'asc'
  const [{ data, fetching, error }, again] = useQuery({
    query: AssetsQuery,
    variables: {
      ...list.page,
      filter: { ...(list.get('q') && { search: list.get('q') }), ...(state && { state }), ...(list.get('channel') && { channelId: list.get('channel') }) },
      orderBy: { field: ORDERS[sort] ?? 'CREATED_AT', direction: descending ? 'DESC' : 'ASC' },
    },
    requestPolicy: 'cache-and-network',
    pause: !can('ASSET_READ'),
  })
  const assets = data?.assets
  return (
    <Page title="Assets" about="The replays of your broadcasts, each from its first second on.">
      <Card bare>
        <div className="toolbar">
          <ListSearch list={list} label="Search by title" />
          <Select aria-label="State" value={list.get('state')} onChange={(event) => list.set({ state: event.target.value || null })}>
            <option value="">Every state</option>
            {STATES.map((one) => <option key={one} value={one}>{assetState[one].name}</option>)}
          </Select>
          {list.get('channel') && <Button tone="quiet" onClick={() => list.set({ channel: null })}>Of one channel<X aria-hidden="true" /><span className="visually-hidden">, show all</span></Button>}
        </div>
        <ListTable
          label="Assets"
          list={list}
          loading={fetching}
          error={error}
          onRetry={() => again({ requestPolicy: 'network-only' })}
          columns={ASSET_COLUMNS}
          sort={{ by: sort, descending, onSort: (by) => list.set({ sort: by === 'created' ? null : by, order: by === sort && descending ? 'asc' : null }) }}
          pageInfo={assets?.pageInfo}
          about={assets && `${count(assets.totalCount)} assets`}
          empty={<Empty icon={<Clapperboard />} title="No assets yet" about="When a channel that records goes on air, its replay appears here at once." />}
          rows={(assets?.nodes ?? []).map((asset) => <AssetRow key={asset.id} asset={asset} />)}
        />
      </Card>
    </Page>
  )
}
