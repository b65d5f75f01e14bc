import { useState } from 'react'
import { showOnce } from '../app/shown-once.ts'
import { graphql } from '../graphql/index.ts'
import { useAction } from '../graphql/use.ts'
import { Button } from '../ui/button.tsx'
import { Dialog, DialogFoot } from '../ui/dialog.tsx'
import { Check, ChoiceList, Field, Input } from '../ui/field.tsx'
import { sentence } from '../ui/format.ts'
import { Notice } from '../ui/notice.tsx'
import { useToast } from '../ui/toast.tsx'

export type EventType = ReturnType<typeof graphql.scalar<'WebhookEventType'>>

/** What an endpoint may ask for. A test is sent to whoever it is meant for. */
const GROUPS: readonly { name: string; types: readonly EventType[] }[] = [
  { name: 'Channels', types: ['CHANNEL_CREATED', 'CHANNEL_UPDATED', 'CHANNEL_ENABLED', 'CHANNEL_DISABLED', 'CHANNEL_DELETED'] },
  { name: 'Stream keys', types: ['STREAM_KEY_CREATED', 'STREAM_KEY_UPDATED', 'STREAM_KEY_REVOKED'] },
  { name: 'Broadcasts', types: ['BROADCAST_CONNECTED', 'BROADCAST_ACTIVE', 'BROADCAST_DISCONNECTED', 'BROADCAST_IDLE', 'BROADCAST_ENDED', 'BROADCAST_HEALTH_CHANGED'] },
  { name: 'Assets', types: ['ASSET_CREATED', 'ASSET_READY', 'ASSET_ERRORED', 'ASSET_UPDATED', 'ASSET_DELETED'] },
  { name: 'Team', types: ['MEMBER_CREATED', 'MEMBER_UPDATED', 'MEMBER_DELETED'] },
  { name: 'Webhooks', types: ['WEBHOOK_ENDPOINT_DISABLED'] },
]

/** `STREAM_KEY_CREATED` as messages have it: `stream_key.created`. */
export const typeName = (type: EventType) => type.toLowerCase().replace(/^(stream_key|webhook_endpoint|[a-z]+)_/u, '$1.')

const CreateMutation = graphql(`
  mutation WebhookEndpointCreate($input: WebhookEndpointCreateInput!) {
    webhookEndpointCreate(input: $input) { webhookEndpoint { id } secret userErrors { code field message } }
  }
`)
const UpdateMutation = graphql(`
  mutation WebhookEndpointUpdate($input: WebhookEndpointUpdateInput!) {
    webhookEndpointUpdate(input: $input) {
      webhookEndpoint { id url description eventTypes disabled disabledAt disabledCause failingSince version }
      userErrors { code field message }
    }
  }
`)
export const useEndpointUpdate = () => useAction(UpdateMutation, ({ webhookEndpointUpdate }) => webhookEndpointUpdate)

export const showSigningSecret = (secret: string) => showOnce({
  title: 'Your new signing secret', about: 'Copy it now, for the server that checks the signatures: nobody can show it to you again.', label: 'Signing secret', text: secret, look: 'secret',
})

export interface Endpoint {
  id: string
  url: string
  description: string
  eventTypes: readonly EventType[]
  version: number
}

/** Makes an endpoint, or changes what one is told. */
export function EndpointDialog({ edited, onClose, onMade, onStale }: { edited?: Endpoint; onClose: () => void; onMade?: (id: string) => void; onStale?: () => void }) {
  const [url, setUrl] = useState(edited?.url ?? '')
  const [description, setDescription] = useState(edited?.description ?? '')
  const [every, setEvery] = useState<'every' | 'some'>(edited && edited.eventTypes.length > 0 ? 'some' : 'every')
  const [types, setTypes] = useState<readonly EventType[]>(edited?.eventTypes ?? [])
  const create = useAction(CreateMutation, ({ webhookEndpointCreate }) => webhookEndpointCreate)
  const update = useEndpointUpdate()
  const toast = useToast()
  const { busy, errors, codes } = edited ? update : create
  const toggle = (type: EventType) => (on: boolean) => setTypes(on ? [...types, type] : types.filter((one) => one !== type))
  const submit = async () => {
    const told = { url, description, eventTypes: every === 'every' ? [] : [...types] }
    if (edited) {
      if (!(await update.run({ id: edited.id, expectedVersion: edited.version, ...told }))) return
      toast({ title: 'The endpoint is changed' })
    } else {
      const done = await create.run(told)
      if (!done?.webhookEndpoint || !done.secret) return
      showSigningSecret(done.secret)
      onMade?.(done.webhookEndpoint.id)
    }
    onClose()
  }
  return (
    <Dialog open wide onOpenChange={onClose} title={edited ? 'Change the endpoint' : 'New webhook endpoint'} about="An address of yours that is told what happens, by POST, with a signature.">
      <form className="stack" onSubmit={(event) => { event.preventDefault(); if (!busy) void submit() }}>
        {errors[''] && <Notice tone={codes.includes('STALE') ? 'warn' : 'danger'} act={codes.includes('STALE') && onStale && <Button size="small" onClick={onStale}>Show theirs</Button>}>{errors['']}</Notice>}
        <Field label="Address" error={errors['url']} hint="On the public internet, over https.">{(parts) => <Input {...parts} type="url" required autoFocus maxLength={2000} className="mono" placeholder="https://example.com/hooks" value={url} onChange={(event) => setUrl(event.target.value)} />}</Field>
        <Field label="Description" optional error={errors['description']}>{(parts) => <Input {...parts} maxLength={200} value={description} onChange={(event) => setDescription(event.target.value)} />}</Field>
        <ChoiceList label="Is told" value={every} onChange={setEvery} choices={[{ value: 'every', name: 'Everything', about: 'New kinds of events too.' }, { value: 'some', name: 'What you choose' }]} />
        {every === 'some' && (
          <table className="settings-table">
            <tbody>
              {GROUPS.map(({ name, types: group }) => (
                <tr key={name}>
                  <th scope="row">{name}</th>
                  <td><div className="row gap-3">{group.map((type) => <Check key={type} checked={types.includes(type)} onChange={toggle(type)}>{sentence(typeName(type).split('.')[1]!)}<span className="visually-hidden"> {name.toLowerCase()}</span></Check>)}</div></td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
        <DialogFoot>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" tone="primary" busy={busy} disabledBecause={every === 'some' && types.length === 0 && 'Choose at least one kind of event.'}>{edited ? 'Save' : 'Create the endpoint'}</Button>
        </DialogFoot>
      </form>
    </Dialog>
  )
}
