import { Ellipsis, KeyRound, Plus } from 'lucide-react'
import { useState } from 'react'
import { usePlace } from '../../app/place.tsx'
import { KeyDialog, RevokeKey, RotateKey } from '../../forms/stream-key.tsx'
import { ListTable } from '../../components/list.tsx'
import { graphql, type ResultOf } from '../../graphql/index.ts'
import type { ChannelState } from '../../components/channel-state.tsx'
import { useChange, useQuery } from '../../graphql/use.ts'
import { Badge } from '../../ui/badge.tsx'
import { Button } from '../../ui/button.tsx'
import { Card } from '../../ui/card.tsx'
import { Check } from '../../ui/field.tsx'
import { Menu, MenuItem, MenuLine } from '../../ui/menu.tsx'
import { Empty } from '../../ui/notice.tsx'
import { Time } from '../../ui/time.tsx'

const KeysQuery = graphql(`
  query StreamKeys($id: ID!, $includeInactive: Boolean!) {
    channel(id: $id) {
      id
      streamKeys(first: 100, includeInactive: $includeInactive) {
        totalCount
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
        nodes { id label hint state inUse lastUsedAt expiresAt createdAt }
      }
    }
  }
`)
type Key = NonNullable<ResultOf<typeof KeysQuery>['channel']>['streamKeys']['nodes'][number]
type Doing = { what: 'create' } | { what: 'edit' | 'rotate' | 'revoke'; key: Key } | null

export function KeysTab({ channelId, state }: { channelId: string; state: ChannelState }) {
  const { can, refused } = usePlace()
  const [all, setAll] = useState(false)
  const [doing, setDoing] = useState<Doing>(null)
  const [{ data, fetching, error }, again] = useQuery({ query: KeysQuery, variables: { id: channelId, includeInactive: all }, requestPolicy: 'cache-and-network' })
  useChange(state, () => again({ requestPolicy: 'network-only' }))
  const keys = data?.channel?.streamKeys.nodes ?? []
  const refusal = refused('STREAM_KEY_WRITE', 'change stream keys')
  const close = () => setDoing(null)
  return (
    <>
      <Card
        title="Stream keys"
        about="Whoever has a key can publish to this channel. Give each encoder its own, so that one can be revoked alone."
        flush
        actions={<Button tone="primary" onClick={() => setDoing({ what: 'create' })} disabledBecause={refusal}><Plus aria-hidden="true" />New key</Button>}
      >
        <ListTable
          label="Stream keys"
          loading={fetching}
          error={error}
          onRetry={() => again({ requestPolicy: 'network-only' })}
          pageInfo={undefined}
          columns={[{ name: 'Label' }, { name: 'State' }, { name: 'Last used', wideOnly: true }, { name: 'Expires', wideOnly: true }, { name: 'Created', wideOnly: true }, { name: 'Acts', align: 'end', hidden: true }]}
          empty={<Empty icon={<KeyRound />} title="No working key" about="Nobody can publish to this channel until it has a key." />}
          rows={keys.map((key) => (
            <tr key={key.id}>
              <td><strong>{key.label || 'Unlabelled'}</strong><div className="mono faint">{key.hint}</div></td>
              <td>
                <span className="row gap-1">
                  <Badge tone={key.state === 'ACTIVE' ? 'ok' : 'neutral'}>{key.state === 'ACTIVE' ? 'Active' : key.state === 'EXPIRED' ? 'Expired' : 'Revoked'}</Badge>
                  {key.inUse && <Badge tone="live" dot>In use</Badge>}
                </span>
              </td>
              <td className="wide-only"><Time at={key.lastUsedAt} /></td>
              <td className="wide-only"><Time at={key.expiresAt} /></td>
              <td className="wide-only"><Time at={key.createdAt} /></td>
              <td className="end">
                {key.state === 'ACTIVE' && can('STREAM_KEY_WRITE') && (
                  <Menu trigger={<Button tone="quiet" size="small" icon aria-label={`Acts on ${key.label} ${key.hint}`.replace('  ', ' ')}><Ellipsis aria-hidden="true" /></Button>}>
                    <MenuItem onSelect={() => setDoing({ what: 'edit', key })}>Label and expiry…</MenuItem>
                    <MenuItem onSelect={() => setDoing({ what: 'rotate', key })}>Rotate…</MenuItem>
                    <MenuLine />
                    <MenuItem danger onSelect={() => setDoing({ what: 'revoke', key })}>Revoke…</MenuItem>
                  </Menu>
                )}
              </td>
            </tr>
          ))}
        />
        <div className="card-foot" style={{ justifyContent: 'flex-start' }}><Check checked={all} onChange={setAll}>Show expired and revoked keys</Check></div>
      </Card>
      {doing?.what === 'create' && <KeyDialog channelId={channelId} onClose={close} />}
      {doing?.what === 'edit' && <KeyDialog channelId={channelId} edited={doing.key} onClose={close} />}
      {doing?.what === 'rotate' && <RotateKey streamKey={doing.key} channelId={channelId} onClose={close} />}
      {doing?.what === 'revoke' && <RevokeKey streamKey={doing.key} onClose={close} />}
    </>
  )
}
