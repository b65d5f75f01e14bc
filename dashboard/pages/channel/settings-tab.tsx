import { useState } from 'react'
import { useNavigate } from 'react-router'
import { usePlace } from '../../app/place.tsx'
import { onAir } from '../../components/channel-state.tsx'
import { LATENCIES, RECORDINGS } from '../../forms/channel-choices.ts'
import { ConflictDialog } from '../../forms/conflict.tsx'
import { type Conflict, conflicts } from '../../forms/conflicts.ts'
import { LadderField } from '../../forms/ladder.tsx'
import { type LadderDraft, ladderDraft, ladderInput, ladderProblems, ladderWords } from '../../forms/ladder-steps.ts'
import { type FragmentOf, graphql, readFragment, type ResultOf } from '../../graphql/index.ts'
import { useAction } from '../../graphql/use.ts'
import { Button } from '../../ui/button.tsx'
import { Card, Setting } from '../../ui/card.tsx'
import { Confirm } from '../../ui/confirm.tsx'
import { ChoiceList, Field, Input } from '../../ui/field.tsx'
import { Notice } from '../../ui/notice.tsx'
import { Time } from '../../ui/time.tsx'
import { useToast } from '../../ui/toast.tsx'
import { useClient } from 'urql'

export const SettingsFragment = graphql(`
  fragment Settings_channel on Channel {
    id title reference latencyMode reconnectWindowS bitrateMaxBps disabled state version updatedAt
    recording
    ladder { kind passthrough steps { shortSide bitrateBps bitrateHighFpsBps fpsMax } }
  }
`)
const FreshQuery = graphql(`
  query FreshSettings($id: ID!) { channel(id: $id) { id ...Settings_channel } }
`, [SettingsFragment])
const UpdateMutation = graphql(`
  mutation ChannelUpdate($input: ChannelUpdateInput!) {
    channelUpdate(input: $input) { channel { id ...Settings_channel } userErrors { code field message } }
  }
`, [SettingsFragment])
const DeleteMutation = graphql(`
  mutation ChannelDelete($input: ChannelDeleteInput!) {
    channelDelete(input: $input) { deletedId userErrors { code field message } }
  }
`)

type Settings = ResultOf<typeof SettingsFragment>
interface Draft {
  title: string
  reference: string
  latencyMode: Settings['latencyMode']
  ladder: LadderDraft
  recording: Settings['recording']
  reconnectWindowS: string
  bitrateMaxKbps: string
}

const draftOf = (channel: Settings): Draft => ({
  title: channel.title,
  reference: channel.reference ?? '',
  latencyMode: channel.latencyMode,
  ladder: ladderDraft(channel.ladder),
  recording: channel.recording,
  reconnectWindowS: channel.reconnectWindowS.toString(),
  bitrateMaxKbps: channel.bitrateMaxBps ? String(channel.bitrateMaxBps / 1000) : '',
})

const NAMES: Record<keyof Draft, string> = {
  title: 'Title', reference: 'Reference', latencyMode: 'Latency', ladder: 'Ladder', recording: 'Recording',
  reconnectWindowS: 'Reconnect window, s', bitrateMaxKbps: 'Bit rate limit, kbit/s',
}

/** In words, which are the same for what is the same. */
const words = (draft: Draft): Record<keyof Draft, string> => ({ ...draft, ladder: ladderWords(draft.ladder) })

/** Only what differs is sent, so two people who change different things do not meet. */
function changesOf(base: Draft, draft: Draft) {
  const [before, after] = [words(base), words(draft)]
  const changed = (name: keyof Draft) => before[name] !== after[name]
  return {
    ...(changed('title') && { title: draft.title }),
    ...(changed('reference') && { reference: draft.reference || null }),
    ...(changed('latencyMode') && { latencyMode: draft.latencyMode }),
    ...(changed('ladder') && { ladder: ladderInput(draft.ladder) }),
    ...(changed('recording') && { recording: draft.recording }),
    ...(changed('reconnectWindowS') && { reconnectWindowS: Number(draft.reconnectWindowS) }),
    ...(changed('bitrateMaxKbps') && { bitrateMaxBps: draft.bitrateMaxKbps ? Math.round(Number(draft.bitrateMaxKbps) * 1000) : null }),
  }
}

export function SettingsTab({ channel: masked }: { channel: FragmentOf<typeof SettingsFragment> }) {
  const channel = readFragment(SettingsFragment, masked)
  const { refused } = usePlace()
  const client = useClient()
  const toast = useToast()
  // The form edits what it was opened with; a newer version on the server is met when saving, not under the hands.
  const [base, setBase] = useState({ draft: draftOf(channel), version: channel.version })
  const [draft, setDraft] = useState(base.draft)
  const [conflict, setConflict] = useState<{ theirs: Settings; fields: Conflict[] } | null>(null)
  const { run, busy, errors, codes, clear } = useAction(UpdateMutation, ({ channelUpdate }) => channelUpdate)
  const set = <K extends keyof Draft>(name: K) => (value: Draft[K]) => setDraft({ ...draft, [name]: value })
  const changes = changesOf(base.draft, draft)
  const changed = Object.keys(changes).length > 0
  const wrong = Object.keys(ladderProblems(draft.ladder)).length > 0
  const refusal = refused('CHANNEL_WRITE', 'change channels')

  const adopt = (fresh: Settings, next = draftOf(fresh)) => {
    setBase({ draft: draftOf(fresh), version: fresh.version })
    setDraft(next)
    setConflict(null)
    clear()
  }
  const save = async (version: number, what: ReturnType<typeof changesOf>) => {
    const done = await run({ id: channel.id, expectedVersion: version, ...what })
    if (!done?.channel) return
    adopt(readFragment(SettingsFragment, done.channel))
    toast({ title: 'The settings are saved' })
  }
  const stale = codes.includes('STALE')
  const meet = async () => {
    const { data } = await client.query(FreshQuery, { id: channel.id }, { requestPolicy: 'network-only' })
    const theirs = data?.channel && readFragment(SettingsFragment, data.channel)
    if (theirs) setConflict({ theirs, fields: conflicts(NAMES, words(base.draft), words(draft), words(draftOf(theirs))) })
  }
  return (
    <div className="stack gap-5" style={{ maxWidth: 780 }}>
      {refusal && <Notice>{refusal}</Notice>}
      {!changed && channel.version > base.version && (
        <Notice title="These settings were changed" act={<Button size="small" onClick={() => adopt(channel)}>Show them</Button>}>Somebody saved a change while this page was open.</Notice>
      )}
      <Card
        title="Settings"
        foot={!refusal && (
          <>
            {changed && <Button tone="quiet" onClick={() => adopt(channel)}>Discard</Button>}
            <Button tone="primary" busy={busy} disabledBecause={wrong ? 'The ladder has something to mend.' : !changed && 'Nothing is changed yet.'} onClick={() => void save(base.version, changes)}>Save changes</Button>
          </>
        )}
      >
        <fieldset className="stack gap-5" disabled={Boolean(refusal)}>
          <legend className="visually-hidden">Settings of the channel</legend>
          {errors[''] && !stale && <Notice tone="danger">{errors['']}</Notice>}
          {stale && (
            <Notice tone="warn" title="Somebody else changed this channel meanwhile" act={<Button size="small" onClick={() => void meet()}>Compare</Button>}>
              Nothing of yours was saved, and nothing of theirs was overwritten.
            </Notice>
          )}
          <Field label="Title" error={errors['title']}>{(parts) => <Input {...parts} required maxLength={200} value={draft.title} onChange={(event) => set('title')(event.target.value)} />}</Field>
          <Field label="Reference" optional error={errors['reference']} hint="Your own id for it, unique in this environment.">{(parts) => <Input {...parts} maxLength={100} value={draft.reference} onChange={(event) => set('reference')(event.target.value)} />}</Field>
          {onAir(channel.state) && <Notice>The channel is on air: latency, ladder and recording change with its next broadcast.</Notice>}
          <ChoiceList label="Latency" value={draft.latencyMode} onChange={set('latencyMode')} choices={LATENCIES} />
          <LadderField key={base.version} value={draft.ladder} onChange={set('ladder')} errors={errors} />
          <ChoiceList label="Recording" value={draft.recording} onChange={set('recording')} choices={RECORDINGS} />
          <Field label="Reconnect window" error={errors['reconnectWindowS']} hint="A publisher that drops out and returns within it continues the same broadcast and replay.">
            {(parts) => <Input {...parts} type="number" min={0} max={3600} required suffix="seconds" value={draft.reconnectWindowS} onChange={(event) => set('reconnectWindowS')(event.target.value)} />}
          </Field>
          <Field label="Bit rate limit" optional error={errors['bitrateMaxBps']} hint="A publisher that sends more is refused. Empty: the limit of the service.">
            {(parts) => <Input {...parts} type="number" min={100} suffix="kbit/s" value={draft.bitrateMaxKbps} onChange={(event) => set('bitrateMaxKbps')(event.target.value)} />}
          </Field>
          <p className="small faint">Version {channel.version}, changed <Time at={channel.updatedAt} /></p>
        </fieldset>
      </Card>
      {!refusal && <DangerZone channel={channel} />}
      {conflict && (
        <ConflictDialog
          fields={conflict.fields}
          onClose={() => setConflict(null)}
          onTheirs={() => adopt(conflict.theirs)}
          onMine={() => {
            const theirs = draftOf(conflict.theirs)
            const merged = { ...theirs, ...pickChanged(base.draft, draft) }
            setConflict(null)
            void save(conflict.theirs.version, changesOf(theirs, merged))
          }}
        />
      )}
    </div>
  )
}

function pickChanged(base: Draft, draft: Draft): Partial<Draft> {
  const [before, after] = [words(base), words(draft)]
  return Object.fromEntries(Object.entries(draft).filter(([name]) => before[name as keyof Draft] !== after[name as keyof Draft]))
}

function DangerZone({ channel }: { channel: Settings }) {
  const { to } = usePlace()
  const navigate = useNavigate()
  const toast = useToast()
  const [asking, setAsking] = useState<'disable' | 'delete' | null>(null)
  const update = useAction(UpdateMutation, ({ channelUpdate }) => channelUpdate)
  const remove = useAction(DeleteMutation, ({ channelDelete }) => channelDelete)
  const busyOnAir = onAir(channel.state)
  const toggle = (disabled: boolean) => update.attempt({ id: channel.id, expectedVersion: channel.version, disabled })
  return (
    <Card title="Danger zone" danger>
      <Setting name={channel.disabled ? 'Enable the channel' : 'Disable the channel'} about={channel.disabled ? 'Its keys let publishers in again.' : 'No publisher is let in until it is enabled again. Keys, replays and addresses stay.'}>
        {channel.disabled ? <Button busy={update.busy} onClick={() => void toggle(false)}>Enable</Button> : <Button tone="quiet-danger" onClick={() => setAsking('disable')}>Disable</Button>}
      </Setting>
      <Setting name="Delete the channel" about="Its keys and addresses are gone for ever. Replays stay among the assets.">
        <Button tone="quiet-danger" disabledBecause={busyOnAir && 'The channel is on air. Stop its encoder first.'} onClick={() => setAsking('delete')}>Delete</Button>
      </Setting>
      <Confirm
        open={asking === 'disable'}
        onOpenChange={() => setAsking(null)}
        title={`Disable ${channel.title}?`}
        about={busyOnAir ? 'The channel is on air: its publisher is disconnected within half a minute, and viewers see the broadcast stop.' : 'No publisher is let in until you enable it again.'}
        act="Disable"
        onConfirm={() => toggle(true)}
      />
      <Confirm
        open={asking === 'delete'}
        onOpenChange={() => setAsking(null)}
        title={`Delete ${channel.title}?`}
        about="Destroyed for ever: the channel, its stream keys, and its playback addresses, so pages that embed them show nothing. Kept: its replays, under Assets."
        act="Delete the channel"
        typeToConfirm={channel.title}
        onConfirm={async () => {
          const problem = await remove.attempt({ id: channel.id })
          if (problem) return problem
          await navigate(to.channels(), { replace: true })
          toast({ title: `${channel.title} is deleted` })
          return null
        }}
      />
    </Card>
  )
}
