import { UserX } from 'lucide-react'
import { useState } from 'react'
import { Link } from 'react-router'
import { usePlace } from '../../app/place.tsx'
import { ListSearch, ListTable, useListState } from '../../components/list.tsx'
import { graphql } from '../../graphql/index.ts'
import { useAction, useQuery } from '../../graphql/use.ts'
import { Button } from '../../ui/button.tsx'
import { Card } from '../../ui/card.tsx'
import { Confirm } from '../../ui/confirm.tsx'
import { Field, Input } from '../../ui/field.tsx'
import { count } from '../../ui/format.ts'
import { Empty, Notice } from '../../ui/notice.tsx'
import { Segments } from '../../ui/tabs.tsx'
import { Time } from '../../ui/time.tsx'
import { useToast } from '../../ui/toast.tsx'

const ViewerMutation = graphql(`
  mutation PlaybackViewerRevoke($input: PlaybackViewerRevokeInput!) { playbackViewerRevoke(input: $input) { viewerId userErrors { code field message } } }
`)
const TokenMutation = graphql(`
  mutation PlaybackTokenRevoke($input: PlaybackTokenRevokeInput!) { playbackTokenRevoke(input: $input) { tokenId userErrors { code field message } } }
`)
const RevocationsQuery = graphql(`
  query Revocations($first: Int, $after: String, $last: Int, $before: String, $filter: PlaybackRevocationFilter) {
    playbackRevocations(first: $first, after: $after, last: $last, before: $before, filter: $filter) {
      totalCount
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      nodes { kind subject revokedAt }
    }
  }
`)

const KINDS = {
  viewer: {
    name: 'Viewers', act: 'Revoke a viewer', label: 'Viewer id', claim: 'viewer_id', kind: 'VIEWER',
    about: 'Ends every token of a viewer that was issued until now. They can be let in again with a new token, if your tokens say when they were issued (iat).',
    destroys: (id: string) => <>Every token with the viewer id <bdi><code>{id}</code></bdi> that was issued until now stops working for ever. On every device, they are cut off at the next segment.</>,
  },
  token: {
    name: 'Tokens', act: 'Revoke a token', label: 'Token id', claim: 'jti', kind: 'TOKEN',
    about: 'Ends one token, and nothing else of its viewer.',
    destroys: (id: string) => <>The token with the id <bdi><code>{id}</code></bdi> stops working for ever. Whoever watches with it is cut off at the next segment; other tokens go on.</>,
  },
} as const
type Of = keyof typeof KINDS

/** Sends viewers away, and lists who was sent away. */
export function Revocations() {
  const { can, refused, to } = usePlace()
  const list = useListState()
  const of: Of = list.get('of') === 'token' ? 'token' : 'viewer'
  const { act, label, claim, about, kind, destroys } = KINDS[of]
  const [id, setId] = useState('')
  const [asked, setAsked] = useState<string | null>(null)
  const toast = useToast()
  const viewer = useAction(ViewerMutation, ({ playbackViewerRevoke }) => playbackViewerRevoke)
  const token = useAction(TokenMutation, ({ playbackTokenRevoke }) => playbackTokenRevoke)
  const [{ data, fetching, error }, again] = useQuery({
    query: RevocationsQuery,
    variables: { ...list.page, filter: { kind, ...(list.get('q') && { search: list.get('q') }) } },
    requestPolicy: 'cache-and-network',
    pause: !can('VIEWER_REVOKE'),
  })
  const revoked = data?.playbackRevocations
  const refusal = refused('VIEWER_REVOKE', 'revoke viewers')
  return (
    <>
      <Segments label="Of what" value={of} onChange={(next) => { setId(''); list.set({ of: next === 'viewer' ? null : next, q: null }) }} options={Object.entries(KINDS).map(([value, { name }]) => [value as Of, name] as const)} />
      <form onSubmit={(event) => { event.preventDefault(); if (!refusal && id.trim()) setAsked(id.trim()) }}>
        <Card title={act} about={about}>
          <div className="stack">
            {refusal && <Notice>{refusal}</Notice>}
            <Field label={label} hint={<>As your tokens have it in <code>{claim}</code>. Nobody else’s are touched, and an id that no token has does no harm.</>}>
              {(parts) => (
                <div className="row" style={{ flexWrap: 'nowrap' }}>
                  <Input {...parts} required maxLength={200} className="mono" dir="auto" autoComplete="off" spellCheck={false} disabled={Boolean(refusal)} value={id} onChange={(event) => setId(event.target.value)} />
                  <Button type="submit" tone="danger" disabledBecause={refusal}>Revoke…</Button>
                </div>
              )}
            </Field>
          </div>
        </Card>
      </form>
      <Card title="Revoked" about="They count for 31 days, longer than any token lives. At most 10,000 at a time; beyond that, revoke the key." flush>
        {can('VIEWER_REVOKE') ? (
          <>
            <div className="toolbar"><ListSearch list={list} label={`Search by ${label.toLowerCase()}`} /></div>
            <ListTable
              label="Revocations"
              list={list}
              loading={fetching}
              error={error}
              onRetry={() => again({ requestPolicy: 'network-only' })}
              columns={[{ name: label }, { name: 'When', align: 'end' }, ...(can('AUDIT_READ') ? [{ name: 'Acts', hidden: true, align: 'end', wideOnly: true } as const] : [])]}
              pageInfo={revoked?.pageInfo}
              about={revoked && `${count(revoked.totalCount)} revoked`}
              empty={<Empty icon={<UserX />} title={of === 'viewer' ? 'No viewer was revoked' : 'No token was revoked'} />}
              rows={(revoked?.nodes ?? []).map(({ subject, revokedAt }) => (
                <tr key={subject}>
                  <td className="long"><bdi className="mono">{subject}</bdi></td>
                  <td className="end"><Time at={revokedAt} /></td>
                  {can('AUDIT_READ') && <td className="end wide-only"><Link className="small" to={to.auditLog({ subject })}>By whom<span className="visually-hidden">: {subject}</span></Link></td>}
                </tr>
              ))}
            />
          </>
        ) : <p className="quiet card-body">Who was revoked is shown to those who may revoke.</p>}
      </Card>
      <Confirm
        open={asked !== null}
        onOpenChange={() => setAsked(null)}
        title={of === 'viewer' ? 'Revoke this viewer?' : 'Revoke this token?'}
        about={destroys(asked ?? '')}
        act={act}
        onConfirm={async () => {
          const problem = of === 'viewer' ? await viewer.attempt({ viewerId: asked! }) : await token.attempt({ tokenId: asked! })
          if (problem) return problem
          toast({ title: of === 'viewer' ? 'The viewer is revoked' : 'The token is revoked' })
          setId('')
          again({ requestPolicy: 'network-only' })
          return null
        }}
      />
    </>
  )
}
