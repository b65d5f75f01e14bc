import '../audit-log.css'
import { ChevronDown, ChevronRight, RefreshCw } from 'lucide-react'
import { Fragment, useEffect, useState } from 'react'
import { usePlace } from '../../app/place.tsx'
import { ListTable, useListState } from '../../components/list.tsx'
import { typeName } from '../../forms/webhook-endpoint.tsx'
import { graphql, type ResultOf } from '../../graphql/index.ts'
import { useAction, useQuery } from '../../graphql/use.ts'
import { Badge, type Tone } from '../../ui/badge.tsx'
import { Button } from '../../ui/button.tsx'
import { Card } from '../../ui/card.tsx'
import { CodeBlock } from '../../ui/copy.tsx'
import { Select } from '../../ui/field.tsx'
import { Time } from '../../ui/time.tsx'
import { useToast } from '../../ui/toast.tsx'

const DeliveriesQuery = graphql(`
  query WebhookDeliveries($first: Int, $after: String, $last: Int, $before: String, $filter: WebhookDeliveryFilter) {
    webhookDeliveries(first: $first, after: $after, last: $last, before: $before, filter: $filter) {
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      nodes {
        id state attemptCount createdAt nextAttemptAt
        event { id type objectId body }
        attempts { number at status durationMs error answer }
      }
    }
  }
`)
const ResendMutation = graphql(`
  mutation WebhookEventResend($input: WebhookEventResendInput!) { webhookEventResend(input: $input) { delivery { id } userErrors { code field message } } }
`)
type Delivery = ResultOf<typeof DeliveriesQuery>['webhookDeliveries']['nodes'][number]

const STATES: Record<Delivery['state'], { name: string; tone: Tone }> = {
  DELIVERED: { name: 'Delivered', tone: 'ok' },
  PENDING: { name: 'Waiting', tone: 'accent' },
  FAILED: { name: 'Given up', tone: 'danger' },
  CANCELLED: { name: 'Cancelled', tone: 'neutral' },
}
const LOOK_AGAIN_MS = 3_000

/** The log of an endpoint: every message, its attempts, and what was answered. Looked at again while something waits. */
export function Deliveries({ endpointId, sent }: { endpointId: string; sent: number }) {
  const list = useListState()
  const [open, setOpen] = useState<string | null>(null)
  const state = (Object.keys(STATES) as Delivery['state'][]).find((one) => one === list.get('state'))
  const [{ data, fetching, error }, again] = useQuery({
    query: DeliveriesQuery,
    variables: { ...list.page, filter: { endpointId, ...(state && { state }) } },
    requestPolicy: 'cache-and-network',
  })
  const deliveries = data?.webhookDeliveries.nodes ?? []
  const waiting = deliveries.some((delivery) => delivery.state === 'PENDING')
  useEffect(() => { if (sent > 0) again({ requestPolicy: 'network-only' }) }, [sent, again])
  useEffect(() => {
    if (!waiting) return
    const timer = setInterval(() => again({ requestPolicy: 'network-only' }), LOOK_AGAIN_MS)
    return () => clearInterval(timer)
  }, [waiting, again])
  return (
    <Card
      title="Log"
      about="What was sent in the last 30 days, newest first."
      flush
      actions={(
        <>
          <Select aria-label="State" style={{ width: 'auto' }} value={list.get('state')} onChange={(event) => list.set({ state: event.target.value || null })}>
            <option value="">Every state</option>
            {Object.entries(STATES).map(([value, { name }]) => <option key={value} value={value}>{name}</option>)}
          </Select>
          <Button icon aria-label="Look again" busy={fetching} onClick={() => again({ requestPolicy: 'network-only' })}><RefreshCw aria-hidden="true" /></Button>
        </>
      )}
    >
      <ListTable
        label="Deliveries"
        list={list}
        loading={fetching}
        error={error}
        onRetry={() => again({ requestPolicy: 'network-only' })}
        columns={[{ name: 'Event' }, { name: 'State' }, { name: 'Answer', align: 'end' }, { name: 'When', align: 'end', wideOnly: true }]}
        pageInfo={data?.webhookDeliveries.pageInfo}
        empty={<p className="quiet card-body">Nothing was sent yet.</p>}
        rows={deliveries.map((delivery) => {
          const shown = open === delivery.id
          const last = delivery.attempts.at(-1)
          return (
            <Fragment key={delivery.id}>
              <tr>
                <td>
                  <button type="button" className="audit-toggle" aria-expanded={shown} onClick={() => setOpen(shown ? null : delivery.id)}>
                    {shown ? <ChevronDown aria-hidden="true" /> : <ChevronRight aria-hidden="true" />}
                    <span><strong>{delivery.event?.type ? typeName(delivery.event.type) : 'Forgotten'}</strong><span className="mono faint audit-subject">{delivery.event?.objectId}</span></span>
                  </button>
                </td>
                <td><Badge tone={STATES[delivery.state].tone}>{STATES[delivery.state].name}</Badge></td>
                <td className="num">{last ? (last.status ?? 'None') : '–'}</td>
                <td className="end wide-only"><Time at={delivery.createdAt} /></td>
              </tr>
              {shown && <tr><td colSpan={4} className="audit-detail"><Detail delivery={delivery} endpointId={endpointId} onSent={() => again({ requestPolicy: 'network-only' })} /></td></tr>}
            </Fragment>
          )
        })}
      />
    </Card>
  )
}

function Detail({ delivery: { event, attempts, nextAttemptAt }, endpointId, onSent }: { delivery: Delivery; endpointId: string; onSent: () => void }) {
  const { can } = usePlace()
  const toast = useToast()
  const { attempt, busy } = useAction(ResendMutation, ({ webhookEventResend }) => webhookEventResend)
  const resend = async () => {
    const problem = await attempt({ endpointId, eventId: event!.id })
    toast({ title: problem ?? 'The event is on its way again' })
    if (!problem) onSent()
  }
  return (
    <div className="stack">
      {attempts.map((one) => (
        <p key={one.number} style={{ overflowWrap: 'anywhere' }}>
          <strong>Attempt {one.number}</strong>: {one.status ?? one.error ?? 'no answer'} after {one.durationMs} ms, <Time at={one.at} />
          {one.answer && <> · <code>{one.answer}</code></>}
        </p>
      ))}
      {nextAttemptAt && <p>The next attempt is due <Time at={nextAttemptAt} />.</p>}
      {event && <CodeBlock label="Body of the message" code={pretty(event.body)} />}
      {event && can('WEBHOOK_WRITE') && <div><Button size="small" busy={busy} onClick={() => void resend()}>Send again</Button></div>}
    </div>
  )
}

/** For people; what is signed is the text as it was sent. */
function pretty(body: string): string {
  try {
    return JSON.stringify(JSON.parse(body), null, 2)
  } catch {
    return body
  }
}
