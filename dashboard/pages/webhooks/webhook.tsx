import { Send } from 'lucide-react'
import { useState } from 'react'
import { useNavigate, useParams } from 'react-router'
import { usePlace } from '../../app/place.tsx'
import { EndpointBadge } from '../../components/endpoint-badge.tsx'
import { NotFound } from '../../components/full-page.tsx'
import { Page } from '../../components/page.tsx'
import { EndpointDialog, showSigningSecret, typeName, useEndpointUpdate } from '../../forms/webhook-endpoint.tsx'
import { explain } from '../../graphql/errors.ts'
import { graphql } from '../../graphql/index.ts'
import { useAction, useQuery } from '../../graphql/use.ts'
import { Button } from '../../ui/button.tsx'
import { Card, Facts, Setting } from '../../ui/card.tsx'
import { Confirm } from '../../ui/confirm.tsx'
import { count } from '../../ui/format.ts'
import { Notice, Skeleton } from '../../ui/notice.tsx'
import { Time } from '../../ui/time.tsx'
import { useToast } from '../../ui/toast.tsx'
import { Deliveries } from './deliveries.tsx'

const WebhookQuery = graphql(`
  query Webhook($id: ID!) {
    webhookEndpoint(id: $id) {
      id url description eventTypes disabled disabledAt disabledCause failingSince secretHint previousSecretExpiresAt waiting
      createdAt version
    }
  }
`)
const TestMutation = graphql(`
  mutation WebhookEndpointTest($input: WebhookEndpointTestInput!) { webhookEndpointTest(input: $input) { event { id } userErrors { code field message } } }
`)
const RotateMutation = graphql(`
  mutation WebhookEndpointRotateSecret($input: WebhookEndpointRotateSecretInput!) {
    webhookEndpointRotateSecret(input: $input) {
      webhookEndpoint { id secretHint previousSecretExpiresAt version }
      secret
      userErrors { code field message }
    }
  }
`)
const DeleteMutation = graphql(`
  mutation WebhookEndpointDelete($input: WebhookEndpointDeleteInput!) { webhookEndpointDelete(input: $input) { deletedId userErrors { code field message } } }
`)

const CAUSES = {
  FAILING: 'It took nothing for five days, so the service gave it up. What waited is cancelled; enable it to begin anew.',
  GONE: 'It answered 410, so the service gave it up. What waited is cancelled; enable it to begin anew.',
  OWNER: 'It is told nothing until it is enabled again.',
} as const

/** One endpoint: what it is told, its secret, and the log of what was sent. */
export default function WebhookPage() {
  const { id = '' } = useParams()
  const { to, can, refused } = usePlace()
  const navigate = useNavigate()
  const toast = useToast()
  const [doing, setDoing] = useState<'edit' | 'rotate' | 'disable' | 'delete' | null>(null)
  const [sent, setSent] = useState(0)
  const refusal = refused('WEBHOOK_READ', 'see webhooks')
  const [{ data, error }, again] = useQuery({ query: WebhookQuery, variables: { id }, requestPolicy: 'cache-and-network', pause: Boolean(refusal) })
  const test = useAction(TestMutation, ({ webhookEndpointTest }) => webhookEndpointTest)
  const rotate = useAction(RotateMutation, ({ webhookEndpointRotateSecret }) => webhookEndpointRotateSecret)
  const remove = useAction(DeleteMutation, ({ webhookEndpointDelete }) => webhookEndpointDelete)
  const update = useEndpointUpdate()
  const crumbs = [['Webhooks', to.webhooks()]] as const
  if (refusal) return <Page title="Webhook" crumbs={crumbs}><Notice tone="warn">{refusal}</Notice></Page>
  if (error && !data) return <Page title="Webhook" crumbs={crumbs}><Notice tone="danger" act={<Button size="small" onClick={() => again({ requestPolicy: 'network-only' })}>Try again</Button>}>{explain(error)}</Notice></Page>
  if (!data) return <Page title="Webhook" crumbs={crumbs}><div role="status" aria-label="Loading"><Skeleton height={320} /></div></Page>
  const endpoint = data.webhookEndpoint
  if (!endpoint) return <NotFound inside />
  const writes = can('WEBHOOK_WRITE')
  const close = () => setDoing(null)
  const enable = (disabled: boolean) => update.attempt({ id, expectedVersion: endpoint.version, disabled })
  const tryIt = async () => {
    const problem = await test.attempt({ id })
    toast({ title: problem ?? 'A test message is on its way', ...(!problem && { about: 'The log below says what became of it.' }) })
    if (!problem) setSent(sent + 1)
  }
  return (
    <Page
      title={endpoint.description || new URL(endpoint.url).host}
      beside={<EndpointBadge endpoint={endpoint} />}
      crumbs={crumbs}
      actions={writes && !endpoint.disabled && <Button tone="primary" busy={test.busy} onClick={() => void tryIt()}><Send aria-hidden="true" />Send a test</Button>}
    >
      {endpoint.disabled && <Notice tone={endpoint.disabledCause === 'OWNER' ? 'info' : 'danger'} title="This endpoint is disabled" act={writes && <Button size="small" busy={update.busy} onClick={() => void enable(false)}>Enable</Button>}>{CAUSES[endpoint.disabledCause ?? 'OWNER']}</Notice>}
      {!endpoint.disabled && endpoint.failingSince && <Notice tone="warn" title="It takes nothing">No attempt has succeeded since <Time at={endpoint.failingSince} />. After five days without success the service gives it up.</Notice>}
      <Card title="Endpoint" actions={writes && <Button size="small" onClick={() => setDoing('edit')}>Change…</Button>}>
        <Facts
          facts={[
            ['Address', <code key="url" style={{ overflowWrap: 'anywhere' }}>{endpoint.url}</code>],
            ['Is told', endpoint.eventTypes.length === 0 ? 'Everything' : endpoint.eventTypes.map(typeName).join(', ')],
            ['Waiting', `${count(endpoint.waiting)} ${endpoint.waiting === 1 ? 'message' : 'messages'}`],
            ['Signing secret', <span key="secret"><code>{endpoint.secretHint}</code>{endpoint.previousSecretExpiresAt && <> · the one before it signs as well until <Time at={endpoint.previousSecretExpiresAt} /></>}</span>],
            ['Created', <Time key="created" at={endpoint.createdAt} />],
          ]}
        />
      </Card>
      <Deliveries endpointId={id} sent={sent} />
      {writes && (
        <Card title="Danger zone" danger>
          <Setting name="New signing secret" about="For a day messages are signed with both, so that your server can be changed meanwhile."><Button tone="quiet-danger" onClick={() => setDoing('rotate')}>Rotate</Button></Setting>
          {!endpoint.disabled && <Setting name="Disable the endpoint" about="What waits is cancelled, and nothing is sent until it is enabled again."><Button tone="quiet-danger" onClick={() => setDoing('disable')}>Disable</Button></Setting>}
          <Setting name="Delete the endpoint" about="With its secret and its log. What waits is not sent."><Button tone="quiet-danger" onClick={() => setDoing('delete')}>Delete</Button></Setting>
        </Card>
      )}
      {doing === 'edit' && <EndpointDialog edited={endpoint} onClose={close} onStale={() => { close(); again({ requestPolicy: 'network-only' }) }} />}
      <Confirm
        open={doing === 'rotate'}
        onOpenChange={close}
        tone="primary"
        title="Make a new signing secret?"
        about="It is shown once. For a day each message carries a signature of the old secret too."
        act="Rotate the secret"
        onConfirm={async () => {
          const done = await rotate.run({ id })
          if (!done) return Object.values(rotate.errors)[0] ?? 'It did not work.'
          if (done.secret) showSigningSecret(done.secret)
          return null
        }}
      />
      <Confirm open={doing === 'disable'} onOpenChange={close} title="Disable this endpoint?" about="What waits for it is cancelled. Events can be sent again later, for 30 days." act="Disable" onConfirm={() => enable(true)} />
      <Confirm
        open={doing === 'delete'}
        onOpenChange={close}
        title="Delete this endpoint?"
        about={<>Nothing is sent to <code>{endpoint.url}</code> any more. Its secret and its log are destroyed.</>}
        act="Delete the endpoint"
        onConfirm={async () => {
          const problem = await remove.attempt({ id })
          if (problem) return problem
          await navigate(to.webhooks(), { replace: true })
          toast({ title: 'The endpoint is deleted' })
          return null
        }}
      />
    </Page>
  )
}
