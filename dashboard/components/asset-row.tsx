import './asset-row.css'
import { Clapperboard } from 'lucide-react'
import { useState } from 'react'
import { Link } from 'react-router'
import { usePlace } from '../app/place.tsx'
import { type FragmentOf, graphql, readFragment } from '../graphql/index.ts'
import { Badge, type Tone } from '../ui/badge.tsx'
import { bytes, duration } from '../ui/format.ts'
import type { Column } from '../ui/table.tsx'
import { Time } from '../ui/time.tsx'

export const AssetFragment = graphql(`
  fragment Row_asset on Asset {
    id title state durationMs sizeBytes createdAt
    deletesAt
    thumbnailUrl
    channel { id title }
    playbackIds { id policy }
  }
`)

export type AssetState = ReturnType<typeof graphql.scalar<'AssetState'>>

export const assetState: Record<AssetState, { name: string; tone: Tone }> = {
  RECORDING: { name: 'Recording', tone: 'live' },
  PREPARING: { name: 'Preparing', tone: 'accent' },
  READY: { name: 'Ready', tone: 'ok' },
  ERRORED: { name: 'Not whole', tone: 'danger' },
  DELETED: { name: 'Deleted', tone: 'neutral' },
}

export const ASSET_COLUMNS: readonly Column[] = [
  { name: 'Title' }, { name: 'State' }, { name: 'Policy', wideOnly: true }, { name: 'Length', sort: 'duration', align: 'end', wideOnly: true }, { name: 'Size', sort: 'size', align: 'end', wideOnly: true }, { name: 'Created', sort: 'created', align: 'end', wideOnly: true },
]

export function AssetBadge({ state, deletesAt }: { state: AssetState; deletesAt: string | null | undefined }) {
  if (deletesAt && state !== 'DELETED') return <Badge tone="warn">Being deleted</Badge>
  const { name, tone } = assetState[state]
  return <Badge tone={tone} dot={state === 'RECORDING'}>{name}</Badge>
}

export function Thumbnail({ url, durationMs }: { url: string | null | undefined; durationMs: number | null }) {
  // Of a signed replay, or not made yet.
  const [failed, setFailed] = useState(false)
  return (
    <span className="thumbnail">
      <Clapperboard aria-hidden="true" />
      {url && !failed && <img src={url} alt="" loading="lazy" onError={() => setFailed(true)} />}
      {durationMs != null && <span className="thumbnail-time">{duration(durationMs / 1000)}</span>}
    </span>
  )
}

export function AssetRow({ asset: masked }: { asset: FragmentOf<typeof AssetFragment> }) {
  const { to } = usePlace()
  const asset = readFragment(AssetFragment, masked)
  return (
    <tr>
      <td>
        <div className="asset-cell">
          <Thumbnail url={asset.thumbnailUrl} durationMs={asset.durationMs} />
          <div style={{ minWidth: 0 }}>
            <Link className="table-link" to={to.asset(asset.id)}>{asset.title}</Link>
            {asset.channel && <div className="faint">{asset.channel.title}</div>}
          </div>
        </div>
      </td>
      <td><AssetBadge state={asset.state} deletesAt={asset.deletesAt} /></td>
      <td className="wide-only">{asset.playbackIds.some(({ policy }) => policy === 'PUBLIC') ? 'Public' : 'Signed'}</td>
      <td className="num wide-only">{asset.durationMs != null ? duration(asset.durationMs / 1000) : '–'}</td>
      <td className="num wide-only">{asset.sizeBytes != null ? bytes(asset.sizeBytes) : '–'}</td>
      <td className="end wide-only"><Time at={asset.createdAt} /></td>
    </tr>
  )
}
