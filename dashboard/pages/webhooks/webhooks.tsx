import { Plus, Webhook } from 'lucide-react'
import { useState } from 'react'
import { Link, useNavigate } from 'react-router'
import { usePlace } from '../../app/place.tsx'
import { EndpointBadge } from '../../components/endpoint-badge.tsx'
import { ListTable, useListState } from '../../components/list.tsx'
import { Page } from '../../components/page.tsx'
import { EndpointDialog } from '../../forms/webhook-endpoint.tsx'
import { graphql } from '../../graphql/index.ts'
import { useQuery } from '../../graphql/use.ts'
import { Button } from '../../ui/button.tsx'
import { Card } from '../../ui/card.tsx'
import { count } from '../../ui/format.ts'
import { Empty, Notice } from '../../ui/notice.tsx'
import { Time } from '../../ui/time.tsx'

const WebhooksQuery = graphql(`
  query Webhooks($first: Int, $after: String, $last: Int, $before: String) {
    webhookEndpoints(first: $first, after: $after, last: $last, before: $before) {
      totalCount
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      nodes { id url description eventTypes disabled disabledCause failingSince waiting createdAt }
    }
  }
`)

export default function WebhooksPage() {
  const { to, refused } = usePlace()
  const list = useListState()
  const navigate = useNavigate()
  const [creating, setCreating] = useState(false)
  const refusal = refused('WEBHOOK_READ', 'see webhooks')
  const [{ data, fetching, error }, again] = useQuery({ query: WebhooksQuery, variables: list.page, requestPolicy: 'cache-and-network', pause: Boolean(refusal) })
  if (refusal) return <Page title="Webhooks"><Notice tone="warn">{refusal}</Notice></Page>
  const endpoints = data?.webhookEndpoints
  return (
    <Page
      title="Webhooks"
      about="Your own servers, told within a second of what happens here."
      actions={<Button tone="primary" disabledBecause={refused('WEBHOOK_WRITE', 'make webhook endpoints')} onClick={() => setCreating(true)}><Plus aria-hidden="true" />New endpoint</Button>}
    >
      <Card bare>
        <ListTable
          label="Webhook endpoints"
          list={list}
          loading={fetching}
          error={error}
          onRetry={() => again({ requestPolicy: 'network-only' })}
          columns={[{ name: 'Address' }, { name: 'State' }, { name: 'Is told', wideOnly: true }, { name: 'Waiting', align: 'end', wideOnly: true }, { name: 'Created', align: 'end', wideOnly: true }]}
          pageInfo={endpoints?.pageInfo}
          about={endpoints && `${count(endpoints.totalCount)} endpoints`}
          empty={<Empty icon={<Webhook />} title="No endpoint yet" about="Make one, and it is told of channels, broadcasts, replays and keys as they change." />}
          rows={(endpoints?.nodes ?? []).map((endpoint) => (
            <tr key={endpoint.id}>
              <td style={{ overflowWrap: 'anywhere' }}>
                <Link className="table-link mono" to={to.webhook(endpoint.id)}>{endpoint.url}</Link>
                {endpoint.description && <div className="faint">{endpoint.description}</div>}
              </td>
              <td><EndpointBadge endpoint={endpoint} /></td>
              <td className="wide-only">{endpoint.eventTypes.length === 0 ? 'Everything' : `${endpoint.eventTypes.length} kinds`}</td>
              <td className="num wide-only">{count(endpoint.waiting)}</td>
              <td className="end wide-only"><Time at={endpoint.createdAt} /></td>
            </tr>
          ))}
        />
      </Card>
      {creating && <EndpointDialog onClose={() => setCreating(false)} onMade={(id) => void navigate(to.webhook(id))} />}
    </Page>
  )
}
