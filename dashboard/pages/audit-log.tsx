import { ChevronDown, ChevronRight, ScrollText } from 'lucide-react'
import { Fragment, useState } from 'react'
import { usePlace } from '../app/place.tsx'
import { ListTable, useListState } from '../components/list.tsx'
import { Page } from '../components/page.tsx'
import { differences } from '../components/differences.ts'
import { graphql, type ResultOf } from '../graphql/index.ts'
import { useQuery } from '../graphql/use.ts'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Card, Facts } from '../ui/card.tsx'
import { Select } from '../ui/field.tsx'
import { sentence } from '../ui/format.ts'
import { Empty, Notice } from '../ui/notice.tsx'
import { Time } from '../ui/time.tsx'
import './audit-log.css'

const AuditQuery = graphql(`
  query AuditLog($first: Int, $after: String, $last: Int, $before: String, $filter: AuditFilter) {
    tenant {
      id
      auditLog(first: $first, after: $after, last: $last, before: $before, filter: $filter) {
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
        nodes { id at actorKind actorName action subjectId subjectName before after ipAddress userAgent environment traceId }
      }
    }
  }
`)
type Entry = NonNullable<ResultOf<typeof AuditQuery>['tenant']>['auditLog']['nodes'][number]

const ACTIONS = [
  'channel.create', 'channel.update', 'channel.delete', 'stream_key.create', 'stream_key.update', 'stream_key.rotate', 'stream_key.revoke',
  'playback_id.create', 'playback_id.delete', 'signing_key.create', 'signing_key.revoke', 'playback_token.create', 'playback_token.revoke', 'playback_viewer.revoke', 'broadcast.end', 'asset.update', 'asset.delete', 'asset.restore', 'api_token.create', 'api_token.revoke', 'member.update', 'member.remove',
  'invitation.create', 'invitation.resend', 'invitation.accept', 'invitation.revoke', 'webhook_endpoint.create', 'webhook_endpoint.update',
  'webhook_endpoint.rotate_secret', 'webhook_endpoint.delete', 'tenant.create', 'tenant.update',
]
const PERIODS = [['', 'All time'], ['1', 'Last day'], ['7', 'Last week'], ['30', 'Last 30 days']] as const
const DAY_MS = 86_400_000

export default function AuditLogPage() {
  const { refused } = usePlace()
  const list = useListState()
  const [open, setOpen] = useState<string | null>(null)
  const days = Number(list.get('days'))
  // Whole hours, so that the question stays the same while the page is drawn again.
  const since = days > 0 ? new Date(Math.floor(Date.now() / 3_600_000) * 3_600_000 - days * DAY_MS).toISOString() : undefined
  const refusal = refused('AUDIT_READ', 'read the audit log')
  const [{ data, fetching, error }, again] = useQuery({
    query: AuditQuery,
    variables: { ...list.page, filter: { ...(list.get('action') && { action: list.get('action') }), ...(list.get('subject') && { subjectId: list.get('subject') }), ...(since && { since }) } },
    requestPolicy: 'cache-and-network',
    pause: Boolean(refusal),
  })
  const log = data?.tenant?.auditLog
  if (refusal) return <Page title="Audit log"><Notice tone="warn">{refusal}</Notice></Page>
  return (
    <Page title="Audit log" about="Who changed what, when, and from where. It cannot be edited.">
      <Card bare>
        <div className="toolbar">
          <Select aria-label="Action" value={list.get('action')} onChange={(event) => list.set({ action: event.target.value || null })}>
            <option value="">Every action</option>
            {ACTIONS.map((action) => <option key={action} value={action}>{sentence(action)}</option>)}
          </Select>
          <Select aria-label="Period" value={list.get('days')} onChange={(event) => list.set({ days: event.target.value || null })}>
            {PERIODS.map(([value, name]) => <option key={value} value={value}>{name}</option>)}
          </Select>
          {list.get('subject') && <Button tone="quiet" onClick={() => list.set({ subject: null })}>About one thing: show all</Button>}
        </div>
        <ListTable
          label="Audit log"
          list={list}
          loading={fetching}
          error={error}
          onRetry={() => again({ requestPolicy: 'network-only' })}
          columns={[{ name: 'What' }, { name: 'Who', wideOnly: true }, { name: 'From', wideOnly: true }, { name: 'When', align: 'end' }]}
          pageInfo={log?.pageInfo}
          empty={<Empty icon={<ScrollText />} title="Nothing has been changed yet" />}
          rows={(log?.nodes ?? []).map((entry) => (
            <Fragment key={entry.id}>
              <tr>
                <td>
                  <button type="button" className="audit-toggle" aria-expanded={open === entry.id} onClick={() => setOpen(open === entry.id ? null : entry.id)}>
                    {open === entry.id ? <ChevronDown aria-hidden="true" /> : <ChevronRight aria-hidden="true" />}
                    <span><strong>{sentence(entry.action)}</strong><span className="quiet audit-subject">{entry.subjectName}</span><span className="faint audit-subject narrow-only">{entry.actorName}</span></span>
                  </button>
                </td>
                <td className="wide-only">{entry.actorName}{entry.actorKind !== 'USER' && <> <Badge>{sentence(entry.actorKind)}</Badge></>}</td>
                <td className="wide-only mono faint">{entry.ipAddress ?? '–'}</td>
                <td className="end"><Time at={entry.at} /></td>
              </tr>
              {open === entry.id && <tr><td colSpan={4} className="audit-detail"><Detail entry={entry} onSubject={() => list.set({ subject: entry.subjectId })} /></td></tr>}
            </Fragment>
          ))}
        />
      </Card>
    </Page>
  )
}

function Detail({ entry, onSubject }: { entry: Entry; onSubject: () => void }) {
  const changes = differences(entry.before, entry.after)
  return (
    <div className="stack">
      {changes.length > 0 && (
        <table className="settings-table audit-changes">
          <thead><tr><th scope="col">Field</th><th scope="col">Before</th><th scope="col">After</th></tr></thead>
          <tbody>
            {changes.map(({ field, before, after }) => (
              <tr key={field}><th scope="row">{field}</th><td>{before === undefined ? <span className="faint">–</span> : <del className="audit-before">{before}</del>}</td><td>{after === undefined ? <span className="faint">–</span> : <ins className="audit-after">{after}</ins>}</td></tr>
            ))}
          </tbody>
        </table>
      )}
      <Facts facts={[
        ['Subject', <span key="subject"><code>{entry.subjectId}</code> <Button tone="quiet" size="small" onClick={onSubject}>All about it</Button></span>],
        ['Data', sentence(entry.environment)],
        entry.ipAddress && ['Address', entry.ipAddress],
        entry.userAgent && ['Client', entry.userAgent],
        entry.traceId && ['Trace', <code key="trace">{entry.traceId}</code>],
      ]} />
    </div>
  )
}
