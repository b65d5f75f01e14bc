import { useState } from 'react'
import { useNavigate } from 'react-router'
import { usePlace } from '../app/place.tsx'
import { keepSecret } from '../app/shown-once.ts'
import { graphql, type VariablesOf } from '../graphql/index.ts'
import { useAction } from '../graphql/use.ts'
import { Button } from '../ui/button.tsx'
import { ChoiceList, Field, Input } from '../ui/field.tsx'
import { Notice } from '../ui/notice.tsx'
import { LATENCIES, RECORDINGS } from './channel-choices.ts'
import { LadderField } from './ladder.tsx'
import { ladderDraft, ladderInput, ladderProblems } from './ladder-steps.ts'

const ChannelCreateMutation = graphql(`
  mutation ChannelCreate($input: ChannelCreateInput!) {
    channelCreate(input: $input) {
      channel { id title }
      streamKey { id }
      streamKeySecret
      userErrors { code field message }
    }
  }
`)
type Input_ = VariablesOf<typeof ChannelCreateMutation>['input']

/** Makes a channel and goes to it. `brief` asks for the title alone: everything else has a good default. */
export function ChannelCreateForm({ brief }: { brief?: boolean }) {
  const { to } = usePlace()
  const navigate = useNavigate()
  const [title, setTitle] = useState('')
  const [reference, setReference] = useState('')
  const [latencyMode, setLatencyMode] = useState<NonNullable<Input_['latencyMode']>>('LOW')
  const [ladder, setLadder] = useState(() => ladderDraft({ kind: 'DEFAULT', passthrough: true, steps: [] }))
  const [recording, setRecording] = useState<NonNullable<Input_['recording']>>('RECORD')
  const { run, busy, errors } = useAction(ChannelCreateMutation, ({ channelCreate }) => channelCreate)
  const wrong = Object.keys(ladderProblems(ladder)).length > 0
  return (
    <form
      className="stack gap-5"
      onSubmit={async (event) => {
        event.preventDefault()
        if (busy || wrong) return
        const done = await run(brief ? { title } : { title, ...(reference && { reference }), latencyMode, ladder: ladderInput(ladder), recording })
        if (!done?.channel) return
        if (done.streamKey && done.streamKeySecret) keepSecret(done.channel.id, done.streamKey.id, done.streamKeySecret)
        await navigate(to.channel(done.channel.id))
      }}
    >
      {errors[''] && <Notice tone="danger">{errors['']}</Notice>}
      <Field label="Title" error={errors['title']} hint={brief ? undefined : 'For you and your team; viewers see it where your page shows it.'}>
        {(parts) => <Input {...parts} required autoFocus maxLength={200} placeholder="Town hall" value={title} onChange={(event) => setTitle(event.target.value)} />}
      </Field>
      {!brief && (
        <>
          <Field label="Reference" optional error={errors['reference']} hint="Your own id for it, unique in this environment. The API finds the channel by it.">
            {(parts) => <Input {...parts} maxLength={100} value={reference} onChange={(event) => setReference(event.target.value)} />}
          </Field>
          <ChoiceList label="Latency" value={latencyMode} onChange={setLatencyMode} choices={LATENCIES} />
          <LadderField value={ladder} onChange={setLadder} errors={errors} />
          <ChoiceList label="Recording" value={recording} onChange={setRecording} choices={RECORDINGS} />
        </>
      )}
      <div className="row">
        <Button type="submit" tone="primary" size={brief ? 'large' : 'medium'} busy={busy} disabledBecause={wrong && 'Its ladder has something to mend.'}>Create the channel</Button>
        {!brief && <Button tone="quiet" onClick={() => void navigate(to.channels())}>Cancel</Button>}
      </div>
    </form>
  )
}
