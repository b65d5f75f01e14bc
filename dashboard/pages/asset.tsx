import { Download, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { Link, useParams } from 'react-router'
import { usePlace } from '../app/place.tsx'
import { AssetBadge } from '../components/asset-row.tsx'
import { NotFound } from '../components/full-page.tsx'
import { Page } from '../components/page.tsx'
import { PlayerFrame } from '../components/player-frame.tsx'
import { usePlaybackTokenCreate } from '../forms/playback-token.tsx'
import { explain } from '../graphql/errors.ts'
import { graphql, type ResultOf } from '../graphql/index.ts'
import { useAction, useQuery } from '../graphql/use.ts'
import { Button, buttonStyle } from '../ui/button.tsx'
import { Card, Facts } from '../ui/card.tsx'
import { Confirm } from '../ui/confirm.tsx'
import { CopyField } from '../ui/copy.tsx'
import { ChoiceList, Field, Input } from '../ui/field.tsx'
import { bytes, duration } from '../ui/format.ts'
import { Notice, Skeleton } from '../ui/notice.tsx'
import { Time } from '../ui/time.tsx'
import { useToast } from '../ui/toast.tsx'
import { SignedPreview } from './channel/signed-preview.tsx'

const AssetQuery = graphql(`
  query Asset($id: ID!) {
    asset(id: $id) {
      id title state durationMs sizeBytes error createdAt version
      deletesAt
      downloadUrl
      channel { id title }
      broadcast { id startedAt endedAt source { videoCodec width height framerate } renditions { name kind } }
      playbackPolicy
      playbackIds { id policy urls { embed hls dash } }
    }
  }
`)
const UpdateMutation = graphql(`
  mutation AssetUpdate($input: AssetUpdateInput!) {
    assetUpdate(input: $input) { asset { id title version playbackPolicy playbackIds { id policy urls { embed hls dash } } } userErrors { code field message } }
  }
`)
const DeleteMutation = graphql(`
  mutation AssetDelete($input: AssetDeleteInput!) {
    assetDelete(input: $input) { asset { id state deletesAt version } userErrors { code field message } }
  }
`)
const RestoreMutation = graphql(`
  mutation AssetRestore($input: AssetRestoreInput!) {
    assetRestore(input: $input) { asset { id state deletesAt version } userErrors { code field message } }
  }
`)

type Asset = NonNullable<ResultOf<typeof AssetQuery>['asset']>

const POLICIES = [
  { value: 'FOLLOW', name: 'As its channel', about: 'Public where the channel has a public playback id, signed where all of them are.' },
  { value: 'PUBLIC', name: 'Public', about: 'Whoever has the address can watch.' },
  { value: 'SIGNED', name: 'Signed', about: 'Only with a token that your server makes for each viewer.' },
] as const

export default function AssetPage() {
  const { id = '' } = useParams()
  const { to, can } = usePlace()
  const toast = useToast()
  const [deleting, setDeleting] = useState(false)
  const [{ data, error }, again] = useQuery({ query: AssetQuery, variables: { id }, requestPolicy: 'cache-and-network' })
  const remove = useAction(DeleteMutation, ({ assetDelete }) => assetDelete)
  const restore = useAction(RestoreMutation, ({ assetRestore }) => assetRestore)
  const crumbs = [['Assets', to.assets()]] as const
  if (error && !data) return <Page title="Asset" crumbs={crumbs}><Notice tone="danger" act={<Button size="small" onClick={() => again({ requestPolicy: 'network-only' })}>Try again</Button>}>{explain(error)}</Notice></Page>
  if (!data) return <Page title="Asset" crumbs={crumbs}><div className="grid-2" role="status" aria-label="Loading"><Skeleton height={360} /><Skeleton height={240} /></div></Page>
  const { asset } = data
  if (!asset) return <NotFound inside />
  const playback = asset.playbackIds.find(({ policy }) => policy === 'PUBLIC') ?? asset.playbackIds[0]
  const gone = asset.deletesAt !== null && asset.deletesAt !== undefined || asset.state === 'DELETED'
  const undo = async () => {
    if (!(await restore.attempt({ id }))) toast({ title: `${asset.title} is kept` })
  }
  return (
    <Page
      title={asset.title}
      crumbs={crumbs}
      beside={<AssetBadge state={asset.state} deletesAt={asset.deletesAt} />}
      actions={(
        <>
          {asset.downloadUrl && !gone && playback && <DownloadLink url={asset.downloadUrl} playback={playback} />}
          {can('ASSET_WRITE') && !gone && (
            <Button tone="quiet-danger" disabledBecause={(asset.state === 'RECORDING' && 'It is still being recorded. End the broadcast first.') || (asset.state === 'PREPARING' && 'The last of it is being stored. In a moment it can be deleted.')} onClick={() => setDeleting(true)}><Trash2 aria-hidden="true" />Delete</Button>
          )}
        </>
      )}
    >
      {asset.deletesAt && (
        <Notice tone="warn" title="This asset is being deleted" act={can('ASSET_WRITE') && <Button size="small" busy={restore.busy} onClick={() => void undo()}>Keep it</Button>}>
          It no longer plays. Its media is destroyed <Time at={asset.deletesAt} />; until then it can be kept.
        </Notice>
      )}
      {asset.error && <Notice tone="danger" title="This replay is not whole">{asset.error}</Notice>}
      <div className="grid-2">
        <div className="stack gap-5">
          {playback?.policy === 'PUBLIC' && !gone
            ? <PlayerFrame url={playback.urls.embed} title={`Player: ${asset.title}`} />
            : playback && !gone ? <SignedPreview playbackId={playback.id} title={`Player: ${asset.title}`} />
              : <div className="player-box player-empty">It no longer plays.</div>}
          {playback && !gone && <Card title="Addresses"><div className="stack gap-3"><CopyField label="Page" value={playback.urls.embed} /><CopyField label="HLS" value={playback.urls.hls} /><CopyField label="DASH" value={playback.urls.dash} /></div></Card>}
        </div>
        <div className="stack gap-5">
          <Card title="About">
            <Facts
              facts={[
                asset.channel && ['Channel', <Link key="channel" to={to.channel(asset.channel.id)}>{asset.channel.title}</Link>],
                ['Length', asset.durationMs != null ? duration(asset.durationMs / 1000) : 'Still growing'],
                asset.sizeBytes != null && ['Size', bytes(asset.sizeBytes)],
                asset.broadcast?.source.width != null && ['Source', `${asset.broadcast.source.width}×${asset.broadcast.source.height}`],
                asset.broadcast && ['Renditions', asset.broadcast.renditions.map(({ name }) => name).join(', ')],
                ['Created', <Time key="created" at={asset.createdAt} />],
                ['Id', <code key="id">{asset.id}</code>],
              ]}
            />
          </Card>
          {can('ASSET_WRITE') && !gone && <Publish key={asset.version} asset={asset} onStale={() => again({ requestPolicy: 'network-only' })} />}
        </div>
      </div>
      <Confirm
        open={deleting}
        onOpenChange={setDeleting}
        title={`Delete ${asset.title}?`}
        about={<>It stops playing at once, everywhere. For a while you can still keep it; after that its media{asset.sizeBytes != null && ` (${bytes(asset.sizeBytes)})`} is destroyed for ever.</>}
        act="Delete"
        onConfirm={async () => {
          const problem = await remove.attempt({ id })
          if (problem) return problem
          toast({ title: `${asset.title} is being deleted`, durationMs: 12_000, undo: { label: 'Undo', act: () => void undo() } })
          return null
        }}
      />
    </Page>
  )
}

/** Signed replays are downloaded with a token of their own, by those who may make one. */
function DownloadLink({ url, playback }: { url: string; playback: Asset['playbackIds'][number] }) {
  const { can } = usePlace()
  const toast = useToast()
  const { run, busy } = usePlaybackTokenCreate()
  const name = <><Download aria-hidden="true" />Download</>
  if (playback.policy === 'PUBLIC') return <a className={buttonStyle()} href={url} download>{name}</a>
  const download = async () => {
    const token = (await run({ playbackId: playback.id, downloadable: true }))?.playbackToken
    if (token?.downloadUrl) location.assign(token.downloadUrl)
    else toast({ tone: 'danger', title: 'It cannot be downloaded now' })
  }
  return <Button busy={busy} disabledBecause={!(can('PLAYBACK_TOKEN_CREATE')) && 'It needs a playback token that allows it.'} onClick={() => void download()}>{name}</Button>
}

function Publish({ asset, onStale }: { asset: Asset; onStale: () => void }) {
  const policy = asset.playbackPolicy ?? 'FOLLOW'
  const [title, setTitle] = useState(asset.title)
  const [chosen, setChosen] = useState<(typeof POLICIES)[number]['value']>(policy)
  const toast = useToast()
  const { run, busy, errors, codes } = useAction(UpdateMutation, ({ assetUpdate }) => assetUpdate)
  const changed = title !== asset.title || chosen !== policy
  return (
    <form
      onSubmit={async (event) => {
        event.preventDefault()
        if (busy || !changed) return
        const done = await run({ id: asset.id, expectedVersion: asset.version, ...(title !== asset.title && { title }), ...(chosen !== policy && { playbackPolicy: chosen === 'FOLLOW' ? null : chosen }) })
        if (done) toast({ title: 'The asset is saved' })
      }}
    >
      <Card title="Publishing" foot={<Button type="submit" tone="primary" busy={busy} disabledBecause={!changed && 'Nothing is changed yet.'}>Save</Button>}>
        <div className="stack">
          {errors[''] && <Notice tone={codes.includes('STALE') ? 'warn' : 'danger'} act={codes.includes('STALE') && <Button size="small" onClick={onStale}>Show theirs</Button>}>{errors['']}</Notice>}
          <Field label="Title" error={errors['title']}>{(parts) => <Input {...parts} required maxLength={200} dir="auto" value={title} onChange={(event) => setTitle(event.target.value)} />}</Field>
          <ChoiceList label="Who may watch" value={chosen} onChange={setChosen} choices={POLICIES} />
        </div>
      </Card>
    </form>
  )
}
