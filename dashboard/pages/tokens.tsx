import '../ui/table.css'
import { KeyRound, Plus } from 'lucide-react'
import { useState } from 'react'
import { type Action, usePlace } from '../app/place.tsx'
import { showOnce } from '../app/shown-once.ts'
import { ListTable, useListState } from '../components/list.tsx'
import { Page } from '../components/page.tsx'
import { EXPIRIES, expiryDate } from '../forms/expiry.ts'
import { graphql } from '../graphql/index.ts'
import { useAction, useQuery } from '../graphql/use.ts'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { Confirm } from '../ui/confirm.tsx'
import { CodeBlock } from '../ui/copy.tsx'
import { Dialog, DialogFoot } from '../ui/dialog.tsx'
import { Check, ChoiceList, Field, Input, Select } from '../ui/field.tsx'
import { count, sentence } from '../ui/format.ts'
import { Empty, Notice } from '../ui/notice.tsx'
import { Time } from '../ui/time.tsx'
import { useToast } from '../ui/toast.tsx'

const TokensQuery = graphql(`
  query Tokens($first: Int, $after: String, $last: Int, $before: String) {
    tenant {
      id
      apiTokens(first: $first, after: $after, last: $last, before: $before) {
        totalCount
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
        nodes { id name environment hint actions createdAt lastUsedAt expiresAt revokedAt createdBy { id name } }
      }
    }
  }
`)
const CreateMutation = graphql(`
  mutation ApiTokenCreate($input: ApiTokenCreateInput!) {
    apiTokenCreate(input: $input) { apiToken { id } secret userErrors { code field message } }
  }
`)
const RevokeMutation = graphql(`
  mutation ApiTokenRevoke($input: ApiTokenRevokeInput!) {
    apiTokenRevoke(input: $input) { apiToken { id revokedAt } userErrors { code field message } }
  }
`)

export default function TokensPage() {
  const { refused, can } = usePlace()
  const list = useListState()
  const toast = useToast()
  const [creating, setCreating] = useState(false)
  const [revoking, setRevoking] = useState<{ id: string; name: string } | null>(null)
  const [{ data, fetching, error }, again] = useQuery({ query: TokensQuery, variables: list.page, requestPolicy: 'cache-and-network' })
  const revoke = useAction(RevokeMutation, ({ apiTokenRevoke }) => apiTokenRevoke)
  const tokens = data?.tenant?.apiTokens
  return (
    <Page
      title="API tokens"
      about="For your servers: each is bound to live or test data and may do only what you choose."
      actions={<Button tone="primary" disabledBecause={refused('TOKEN_WRITE', 'make API tokens')} onClick={() => setCreating(true)}><Plus aria-hidden="true" />New token</Button>}
    >
      <Card bare>
        <ListTable
          label="API tokens"
          list={list}
          loading={fetching}
          error={error}
          onRetry={() => again({ requestPolicy: 'network-only' })}
          columns={[{ name: 'Name' }, { name: 'Data' }, { name: 'May', wideOnly: true }, { name: 'Last used', wideOnly: true }, { name: 'Expires', wideOnly: true }, { name: 'Acts', hidden: true, align: 'end' }]}
          pageInfo={tokens?.pageInfo}
          about={tokens && `${count(tokens.totalCount)} tokens`}
          empty={<Empty icon={<KeyRound />} title="No API tokens yet" about="Everything that this dashboard does, your own programs can do with a token." />}
          rows={(tokens?.nodes ?? []).map((token) => (
            <tr key={token.id}>
              <td><strong>{token.name}</strong><div className="mono faint">{token.hint}</div></td>
              <td><Badge tone={token.environment === 'LIVE' ? 'accent' : 'warn'}>{sentence(token.environment)}</Badge></td>
              <td className="wide-only"><span title={token.actions.map(sentence).join(', ')}>{token.actions.length === 1 ? sentence(token.actions[0]!) : `${token.actions.length} actions`}</span></td>
              <td className="wide-only"><Time at={token.lastUsedAt} /></td>
              <td className="wide-only"><Time at={token.expiresAt} /></td>
              <td className="end">
                {token.revokedAt ? <Badge>Revoked</Badge> : can('TOKEN_WRITE') && <Button tone="quiet-danger" size="small" aria-label={`Revoke ${token.name}`} onClick={() => setRevoking(token)}>Revoke</Button>}
              </td>
            </tr>
          ))}
        />
      </Card>
      <Card title="Try one" about="A first request, from any shell.">
        <CodeBlock label="curl command" code={`curl ${location.origin}/graphql \\\n  -H "Authorization: Bearer $HEADWATER_TOKEN" \\\n  -H "Content-Type: application/json" \\\n  -d '{"query":"{ channels(first: 10) { nodes { id title state } } }"}'`} />
      </Card>
      {creating && <CreateDialog onClose={() => setCreating(false)} />}
      <Confirm
        open={revoking !== null}
        onOpenChange={() => setRevoking(null)}
        title={`Revoke ${revoking?.name}?`}
        about="Every program that uses it is refused at once, for ever. Nothing that it made is deleted."
        act="Revoke the token"
        onConfirm={async () => {
          const problem = await revoke.attempt({ id: revoking!.id })
          if (!problem) toast({ title: `${revoking!.name} is revoked` })
          return problem
        }}
      />
    </Page>
  )
}

const GROUPS: readonly { name: string; prefix: string }[] = [
  { name: 'Channels', prefix: 'CHANNEL' }, { name: 'Stream keys', prefix: 'STREAM_KEY' }, { name: 'Broadcasts', prefix: 'BROADCAST' },
  { name: 'Assets', prefix: 'ASSET' }, { name: 'Signing keys', prefix: 'SIGNING_KEY' }, { name: 'Team', prefix: 'MEMBER' }, { name: 'Tokens', prefix: 'TOKEN' }, { name: 'Webhooks', prefix: 'WEBHOOK' },
  { name: 'Tenant', prefix: 'TENANT' }, { name: 'Audit log', prefix: 'AUDIT' },
]
/** What is neither looking nor changing. */
const SINGLE: readonly (readonly [Action, string])[] = [['PLAYBACK_TOKEN_CREATE', 'Make tokens'], ['VIEWER_REVOKE', 'Revoke viewers']]

function CreateDialog({ onClose }: { onClose: () => void }) {
  const { viewer, place } = usePlace()
  const [name, setName] = useState('')
  const [environment, setEnvironment] = useState<'LIVE' | 'TEST'>(place.environment === 'live' ? 'LIVE' : 'TEST')
  const [actions, setActions] = useState<readonly Action[]>(viewer.actions.filter((action) => /^(CHANNEL|BROADCAST|ASSET)_READ$/u.test(action)))
  const [expiry, setExpiry] = useState('90')
  const { run, busy, errors } = useAction(CreateMutation, ({ apiTokenCreate }) => apiTokenCreate)
  const toggle = (action: Action) => (on: boolean) => setActions(on ? [...actions, action] : actions.filter((one) => one !== action))
  return (
    <Dialog open wide onOpenChange={onClose} title="New API token" about="It can never do more than your own role allows.">
      <form
        className="stack"
        onSubmit={async (event) => {
          event.preventDefault()
          const done = busy ? null : await run({ name, environment, actions: [...actions], expiresAt: expiryDate(expiry) })
          if (!done) return
          if (done.secret) showOnce({ title: 'Your new API token', about: 'Copy it now: it is stored only as a hash, so nobody can show it to you again.', label: 'API token', text: done.secret, look: 'secret' })
          onClose()
        }}
      >
        {errors[''] && <Notice tone="danger">{errors['']}</Notice>}
        <Field label="Name" error={errors['name']} hint="What uses it: “Scheduling service”.">{(parts) => <Input {...parts} required autoFocus maxLength={100} value={name} onChange={(event) => setName(event.target.value)} />}</Field>
        <ChoiceList label="Data" value={environment} onChange={setEnvironment} choices={[{ value: 'LIVE', name: 'Live' }, { value: 'TEST', name: 'Test' }]} />
        <fieldset className="field">
          <legend className="field-label">May</legend>
          {errors['actions'] && <p className="field-error" role="alert">{errors['actions']}</p>}
          <table className="settings-table">
            <tbody>
              {GROUPS.map(({ name: group, prefix }) => {
                const [read, write] = [`${prefix}_READ`, `${prefix}_WRITE`].map((action) => viewer.actions.find((one) => one === action))
                if (!read && !write) return null
                return (
                  <tr key={prefix}>
                    <th scope="row">{group}</th>
                    <td>{read && <Check checked={actions.includes(read)} onChange={toggle(read)}>Read<span className="visually-hidden"> {group.toLowerCase()}</span></Check>}</td>
                    <td>{write && <Check checked={actions.includes(write)} onChange={toggle(write)}>Change<span className="visually-hidden"> {group.toLowerCase()}</span></Check>}</td>
                  </tr>
                )
              })}
              {SINGLE.some(([action]) => viewer.actions.includes(action)) && (
                <tr>
                  <th scope="row">Playback</th>
                  {SINGLE.map(([action, label]) => <td key={action}>{viewer.actions.includes(action) && <Check checked={actions.includes(action)} onChange={toggle(action)}>{label}</Check>}</td>)}
                </tr>
              )}
            </tbody>
          </table>
        </fieldset>
        <Field label="Expires" error={errors['expiresAt']}>{(parts) => <Select {...parts} value={expiry} onChange={(event) => setExpiry(event.target.value)}>{EXPIRIES.map(({ value, name: label }) => <option key={value} value={value}>{label}</option>)}</Select>}</Field>
        <DialogFoot><Button onClick={onClose}>Cancel</Button><Button type="submit" tone="primary" busy={busy} disabledBecause={actions.length === 0 && 'Choose at least one thing that it may do.'}>Create the token</Button></DialogFoot>
      </form>
    </Dialog>
  )
}
