import { useState } from 'react'
import { dropSecret, keepSecret, showOnce } from '../app/shown-once.ts'
import { graphql } from '../graphql/index.ts'
import { useAction } from '../graphql/use.ts'
import { Button } from '../ui/button.tsx'
import { Confirm } from '../ui/confirm.tsx'
import { Dialog, DialogFoot } from '../ui/dialog.tsx'
import { ChoiceList, Field, Input, Select } from '../ui/field.tsx'
import { Notice } from '../ui/notice.tsx'
import { useToast } from '../ui/toast.tsx'
import { EXPIRIES, expiryDate } from './expiry.ts'

export interface StreamKey {
  id: string
  label: string
  hint: string
  inUse: boolean
  expiresAt: string | null
}

const CreateMutation = graphql(`
  mutation StreamKeyCreate($input: StreamKeyCreateInput!) {
    streamKeyCreate(input: $input) { streamKey { id channel { id } } secret userErrors { code field message } }
  }
`)
const UpdateMutation = graphql(`
  mutation StreamKeyUpdate($input: StreamKeyUpdateInput!) {
    streamKeyUpdate(input: $input) { streamKey { id label expiresAt state } userErrors { code field message } }
  }
`)
const RotateMutation = graphql(`
  mutation StreamKeyRotate($input: StreamKeyRotateInput!) {
    streamKeyRotate(input: $input) {
      streamKey { id channel { id } }
      previous { id state expiresAt }
      secret
      userErrors { code field message }
    }
  }
`)
const RevokeMutation = graphql(`
  mutation StreamKeyRevoke($input: StreamKeyRevokeInput!) {
    streamKeyRevoke(input: $input) { streamKey { id state revokedAt inUse channel { id } } userErrors { code field message } }
  }
`)

const SHOWN_NOW = 'Copy it now: it is stored only as a hash, so nobody can show it to you again.'

function showKey(channelId: string, streamKeyId: string, secret: string) {
  keepSecret(channelId, streamKeyId, secret, true)
  showOnce({ title: 'Your new stream key', about: SHOWN_NOW, label: 'Stream key', text: secret, look: 'secret' })
}

/** Makes a key, or changes the label and expiry of one. */
export function KeyDialog({ channelId, edited, onClose }: { channelId: string; edited?: StreamKey; onClose: () => void }) {
  const [label, setLabel] = useState(edited?.label ?? '')
  const [expiry, setExpiry] = useState(edited ? 'keep' : '')
  const create = useAction(CreateMutation, ({ streamKeyCreate }) => streamKeyCreate)
  const update = useAction(UpdateMutation, ({ streamKeyUpdate }) => streamKeyUpdate)
  const { busy, errors } = edited ? update : create
  const toast = useToast()
  const submit = async () => {
    const expiresAt = expiry === 'keep' ? {} : { expiresAt: expiryDate(expiry) }
    if (edited) {
      if (!(await update.run({ id: edited.id, label, ...expiresAt }))) return
      toast({ title: 'The key is changed' })
    } else {
      const done = await create.run({ channelId, label, ...expiresAt })
      if (!done) return
      if (done.streamKey && done.secret) showKey(channelId, done.streamKey.id, done.secret)
    }
    onClose()
  }
  return (
    <Dialog open onOpenChange={onClose} title={edited ? `Change ${edited.label || edited.hint}` : 'New stream key'} about={edited ? 'The key itself stays the same.' : 'Other keys of the channel go on working.'}>
      <form className="stack" onSubmit={(event) => { event.preventDefault(); if (!busy) void submit() }}>
        {errors[''] && <Notice tone="danger">{errors['']}</Notice>}
        <Field label="Label" optional error={errors['label']} hint="Which encoder has it: “Studio A”, “Backup”.">
          {(parts) => <Input {...parts} autoFocus maxLength={100} value={label} onChange={(event) => setLabel(event.target.value)} />}
        </Field>
        <Field label="Expires" error={errors['expiresAt']} hint="A publisher that is live when its key expires is disconnected within half a minute.">
          {(parts) => (
            <Select {...parts} value={expiry} onChange={(event) => setExpiry(event.target.value)}>
              {edited && <option value="keep">{edited.expiresAt ? 'As it is' : 'As it is: never'}</option>}
              {EXPIRIES.map(({ value, name }) => <option key={value} value={value}>{name}</option>)}
            </Select>
          )}
        </Field>
        <DialogFoot>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" tone="primary" busy={busy}>{edited ? 'Save' : 'Create the key'}</Button>
        </DialogFoot>
      </form>
    </Dialog>
  )
}

const OVERLAPS = [
  { value: '86400', name: 'The old key works for another day', about: 'Time to change every encoder; one that still uses it then is disconnected.' },
  { value: '3600', name: 'The old key works for another hour', about: 'For an encoder that is at hand.' },
  { value: '0', name: 'The old key stops now', about: 'For a key that has leaked.' },
] as const

export function RotateKey({ streamKey, channelId, onClose }: { streamKey: StreamKey; channelId: string; onClose: () => void }) {
  const [overlap, setOverlap] = useState<(typeof OVERLAPS)[number]['value']>('86400')
  const { run, busy, errors } = useAction(RotateMutation, ({ streamKeyRotate }) => streamKeyRotate)
  const name = streamKey.label || streamKey.hint
  return (
    <Dialog open onOpenChange={onClose} title={`Rotate ${name}`} about="A new key with the same label takes its place. Both work until the old one stops.">
      <form
        className="stack"
        onSubmit={async (event) => {
          event.preventDefault()
          if (busy) return
          const done = await run({ id: streamKey.id, overlapS: Number(overlap) })
          if (!done) return
          if (done.streamKey && done.secret) showKey(channelId, done.streamKey.id, done.secret)
          onClose()
        }}
      >
        {errors[''] && <Notice tone="danger">{errors['']}</Notice>}
        <ChoiceList label="Overlap" value={overlap} onChange={setOverlap} choices={OVERLAPS} />
        {overlap === '0' && streamKey.inUse && <Notice tone="danger" title="A publisher is live with this key">It is disconnected within a second, and viewers see the broadcast stop.</Notice>}
        <DialogFoot>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" tone={overlap === '0' ? 'danger' : 'primary'} busy={busy}>Rotate the key</Button>
        </DialogFoot>
      </form>
    </Dialog>
  )
}

export function RevokeKey({ streamKey, onClose }: { streamKey: StreamKey; onClose: () => void }) {
  const { attempt } = useAction(RevokeMutation, ({ streamKeyRevoke }) => streamKeyRevoke)
  const toast = useToast()
  const name = streamKey.label || streamKey.hint
  return (
    <Confirm
      open
      onOpenChange={onClose}
      title={`Revoke ${name}?`}
      about="The key stops working at once, for ever. Encoders that have it can no longer connect until they get another key."
      act="Revoke the key"
      onConfirm={async () => {
        const problem = await attempt({ id: streamKey.id })
        if (problem) return problem
        dropSecret(streamKey.id)
        toast({ title: `${name} is revoked`, ...(streamKey.inUse && { about: 'Its publisher is being disconnected.' }) })
        return null
      }}
    >
      {streamKey.inUse && <Notice tone="danger" title="A publisher is live with this key">It is disconnected within a second, and viewers see the broadcast stop.</Notice>}
    </Confirm>
  )
}
