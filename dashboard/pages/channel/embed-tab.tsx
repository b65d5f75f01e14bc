import { Ellipsis, Plus } from 'lucide-react'
import { useState } from 'react'
import { usePlace } from '../../app/place.tsx'
import { PlayerFrame } from '../../components/player-frame.tsx'
import { graphql } from '../../graphql/index.ts'
import { explain } from '../../graphql/errors.ts'
import { useAction, useQuery } from '../../graphql/use.ts'
import { Badge } from '../../ui/badge.tsx'
import { Button } from '../../ui/button.tsx'
import { Card, Setting } from '../../ui/card.tsx'
import { Confirm } from '../../ui/confirm.tsx'
import { CodeBlock, CopyField } from '../../ui/copy.tsx'
import { Select, Switch } from '../../ui/field.tsx'
import { Menu, MenuItem } from '../../ui/menu.tsx'
import { Notice, Skeleton } from '../../ui/notice.tsx'
import { Table } from '../../ui/table.tsx'
import { Tabs } from '../../ui/tabs.tsx'
import { Time } from '../../ui/time.tsx'
import { useToast } from '../../ui/toast.tsx'
import { embedSnippets, embedUrl } from './embed-snippets.ts'
import { SignedPreview } from './signed-preview.tsx'

const EmbedQuery = graphql(`
  query Embed($id: ID!) {
    channel(id: $id) { id title playbackIds { id policy createdAt urls { hls dash embed } } }
  }
`)
const CreateMutation = graphql(`
  mutation PlaybackIdCreate($input: PlaybackIdCreateInput!) {
    playbackIdCreate(input: $input) { playbackId { id } userErrors { code field message } }
  }
`)
const DeleteMutation = graphql(`
  mutation PlaybackIdDelete($input: PlaybackIdDeleteInput!) {
    playbackIdDelete(input: $input) { deletedId userErrors { code field message } }
  }
`)

export function EmbedTab({ channelId }: { channelId: string }) {
  const { can, refused } = usePlace()
  const toast = useToast()
  const [{ data, error }, again] = useQuery({ query: EmbedQuery, variables: { id: channelId }, requestPolicy: 'cache-and-network' })
  const [chosen, setChosen] = useState<string | null>(null)
  const [autoplay, setAutoplay] = useState(true)
  const [muted, setMuted] = useState(true)
  const [deleting, setDeleting] = useState<string | null>(null)
  const create = useAction(CreateMutation, ({ playbackIdCreate }) => playbackIdCreate)
  const remove = useAction(DeleteMutation, ({ playbackIdDelete }) => playbackIdDelete)
  if (error && !data) return <Notice tone="danger">{explain(error)}</Notice>
  const channel = data?.channel
  if (!channel) return <Skeleton height={320} />
  const playbackId = channel.playbackIds.find(({ id }) => id === chosen) ?? channel.playbackIds.find(({ policy }) => policy === 'PUBLIC') ?? channel.playbackIds[0]
  const add = async (policy: 'PUBLIC' | 'SIGNED') => {
    const done = await create.run({ channelId, policy })
    if (done?.playbackId) {
      setChosen(done.playbackId.id)
      toast({ title: 'The playback id is made' })
      again({ requestPolicy: 'network-only' })
    }
  }
  const refusal = refused('CHANNEL_WRITE', 'change playback ids')
  return (
    <div className="stack gap-5">
      {playbackId && (
        <div className="grid-2">
          <Card title="Put the player on your page">
            <div className="stack">
              <div>
                <Setting name="Start by itself" about="Browsers allow it for a silent player only."><Switch label="Start by itself" checked={autoplay} onChange={setAutoplay} /></Setting>
                <Setting name="Start silent"><Switch label="Start silent" checked={muted} onChange={setMuted} /></Setting>
                {channel.playbackIds.length > 1 && (
                  <Setting name="Playback id">
                    <Select aria-label="Playback id" style={{ maxWidth: 240 }} value={playbackId.id} onChange={(event) => setChosen(event.target.value)}>
                      {channel.playbackIds.map(({ id, policy }) => <option key={id} value={id}>{id} ({policy.toLowerCase()})</option>)}
                    </Select>
                  </Setting>
                )}
              </div>
              <Tabs label="Kind of page" tabs={embedSnippets({ url: playbackId.urls.embed, playbackId: playbackId.id, title: channel.title, autoplay, muted, signed: playbackId.policy === 'SIGNED' }).map(({ id, name, about, code }) => ({
                id, name, content: <div className="stack gap-3"><p className="quiet small">{about}</p><CodeBlock label={`${name} snippet`} code={code} /></div>,
              }))} />
            </div>
          </Card>
          <div className="stack gap-5">
            <Card title="Preview">
              {playbackId.policy === 'PUBLIC'
                ? <PlayerFrame key={`${playbackId.id}${autoplay}${muted}`} url={embedUrl(playbackId.urls.embed, { autoplay, muted })} title={`Preview: ${channel.title}`} />
                : <SignedPreview key={playbackId.id} playbackId={playbackId.id} title={`Preview: ${channel.title}`} look={{ autoplay, muted }} />}
            </Card>
            <Card title="Addresses for your own player">
              <div className="stack gap-3"><CopyField label="HLS" value={playbackId.urls.hls} /><CopyField label="DASH" value={playbackId.urls.dash} /></div>
            </Card>
          </div>
        </div>
      )}
      <Card
        title="Playback ids"
        about="What viewers' addresses carry instead of the channel's own id. Delete one to make its addresses stop."
        flush
        actions={refusal
          ? <Button disabledBecause={refusal}><Plus aria-hidden="true" />New playback id</Button>
          : (
            <Menu trigger={<Button busy={create.busy}><Plus aria-hidden="true" />New playback id</Button>}>
              <MenuItem onSelect={() => void add('PUBLIC')}>Public<span className="faint small">for whoever has the address</span></MenuItem>
              <MenuItem onSelect={() => void add('SIGNED')}>Signed<span className="faint small">for viewers with a token</span></MenuItem>
            </Menu>
          )}
      >
        {create.errors[''] && <div className="card-body"><Notice tone="danger">{create.errors['']}</Notice></div>}
        <Table label="Playback ids" columns={[{ name: 'Id' }, { name: 'Policy' }, { name: 'Created', wideOnly: true }, { name: 'Acts', hidden: true, align: 'end' }]}>
          {channel.playbackIds.map(({ id, policy, createdAt }) => (
            <tr key={id}>
              <td className="mono">{id}</td>
              <td><Badge tone={policy === 'PUBLIC' ? 'neutral' : 'accent'}>{policy === 'PUBLIC' ? 'Public' : 'Signed'}</Badge></td>
              <td className="wide-only"><Time at={createdAt} /></td>
              <td className="end">{can('CHANNEL_WRITE') && <Menu trigger={<Button tone="quiet" size="small" icon aria-label={`Acts on ${id}`}><Ellipsis aria-hidden="true" /></Button>}><MenuItem danger onSelect={() => setDeleting(id)}>Delete…</MenuItem></Menu>}</td>
            </tr>
          ))}
        </Table>
      </Card>
      <Confirm
        open={deleting !== null}
        onOpenChange={() => setDeleting(null)}
        title="Delete this playback id?"
        about={<>Every page and player that uses <code>{deleting}</code> stops playing, for ever, within a second. The channel and its other playback ids stay.</>}
        act="Delete the playback id"
        onConfirm={async () => {
          const problem = await remove.attempt({ id: deleting! })
          if (!problem) again({ requestPolicy: 'network-only' })
          return problem
        }}
      />
    </div>
  )
}
