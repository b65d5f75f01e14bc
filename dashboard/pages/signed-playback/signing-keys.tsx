import { Ellipsis, FileKey, Plus, Upload } from 'lucide-react'
import { useState } from 'react'
import { usePlace } from '../../app/place.tsx'
import { ListTable, useListState } from '../../components/list.tsx'
import { ImportKeyDialog, KeyDialog, RevokeSigningKey } from '../../forms/signing-key.tsx'
import { graphql, type ResultOf } from '../../graphql/index.ts'
import { useQuery } from '../../graphql/use.ts'
import { Badge } from '../../ui/badge.tsx'
import { Button } from '../../ui/button.tsx'
import { Card } from '../../ui/card.tsx'
import { CodeBlock } from '../../ui/copy.tsx'
import { Dialog } from '../../ui/dialog.tsx'
import { count } from '../../ui/format.ts'
import { Menu, MenuItem, MenuLine } from '../../ui/menu.tsx'
import { Empty } from '../../ui/notice.tsx'
import { Time } from '../../ui/time.tsx'
import { ALGORITHMS } from '../../forms/signing-algorithms.ts'

const KeysQuery = graphql(`
  query SigningKeys($first: Int, $after: String, $last: Int, $before: String) {
    signingKeys(first: $first, after: $after, last: $last, before: $before) {
      totalCount
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      nodes { id name algorithm imported publicKey createdAt revokedAt managed }
    }
  }
`)
type Key = ResultOf<typeof KeysQuery>['signingKeys']['nodes'][number]

type Doing = { what: 'create' | 'import' } | { what: 'rotate' | 'show' | 'revoke'; key: Key } | null

const halfOf = ({ managed, imported }: Key) => (managed ? 'With the service, sealed' : imported ? 'Yours, never seen here' : 'Yours, shown once')

export function SigningKeys() {
  const { can, refused } = usePlace()
  const list = useListState()
  const [doing, setDoing] = useState<Doing>(null)
  const [{ data, fetching, error }, again] = useQuery({ query: KeysQuery, variables: list.page, requestPolicy: 'cache-and-network' })
  const keys = data?.signingKeys
  const working = keys?.nodes.filter(({ revokedAt }) => !revokedAt) ?? []
  const onlyOne = working.length === 1 && keys?.pageInfo.hasNextPage === false && !keys.pageInfo.hasPreviousPage
  const refusal = refused('SIGNING_KEY_WRITE', 'change signing keys')
  const close = () => setDoing(null)
  return (
    <>
      <Card
        title="Signing keys"
        about="Several count at a time, so that one is replaced without a gap. Of a pair that is made here only the public half is kept, unless you say otherwise."
        flush
        actions={(
          <>
            <Button disabledBecause={refusal} onClick={() => setDoing({ what: 'import' })}><Upload aria-hidden="true" />Import</Button>
            <Button tone="primary" disabledBecause={refusal} onClick={() => setDoing({ what: 'create' })}><Plus aria-hidden="true" />New key</Button>
          </>
        )}
      >
        <ListTable
          label="Signing keys"
          list={list}
          loading={fetching}
          error={error}
          onRetry={() => again({ requestPolicy: 'network-only' })}
          columns={[{ name: 'Name' }, { name: 'State' }, { name: 'Algorithm', wideOnly: true }, { name: 'Private half', wideOnly: true }, { name: 'Created', wideOnly: true }, { name: 'Acts', hidden: true, align: 'end' }]}
          pageInfo={keys?.pageInfo}
          about={keys && `${count(keys.totalCount)} keys`}
          empty={<Empty icon={<FileKey />} title="No signing key yet" about="Make one before the first signed playback id: without a key nobody can watch it." />}
          rows={(keys?.nodes ?? []).map((key) => (
            <tr key={key.id}>
              <td className="long"><strong dir="auto">{key.name}</strong><div className="mono faint">{key.id}</div></td>
              <td>{key.revokedAt ? <Badge>Revoked</Badge> : <Badge tone="ok">Active</Badge>}</td>
              <td className="wide-only">{ALGORITHMS.find(({ value }) => value === key.algorithm)?.name ?? 'Unknown'}</td>
              <td className="wide-only">{halfOf(key)}</td>
              <td className="wide-only"><Time at={key.createdAt} /></td>
              <td className="end">
                <Menu trigger={<Button tone="quiet" size="small" icon aria-label={`Acts on ${key.name}`}><Ellipsis aria-hidden="true" /></Button>}>
                  <MenuItem onSelect={() => setDoing({ what: 'show', key })}>Public key…</MenuItem>
                  {!key.revokedAt && can('SIGNING_KEY_WRITE') && (
                    <>
                      <MenuItem onSelect={() => setDoing({ what: 'rotate', key })}>Rotate…</MenuItem>
                      <MenuLine />
                      <MenuItem danger onSelect={() => setDoing({ what: 'revoke', key })}>Revoke…</MenuItem>
                    </>
                  )}
                </Menu>
              </td>
            </tr>
          ))}
        />
      </Card>
      {(doing?.what === 'create' || doing?.what === 'rotate') && <KeyDialog {...(doing.what === 'rotate' && { replaced: doing.key })} onClose={close} />}
      {doing?.what === 'import' && <ImportKeyDialog onClose={close} />}
      {doing?.what === 'revoke' && <RevokeSigningKey signingKey={doing.key} last={onlyOne} onClose={close} />}
      {doing?.what === 'show' && (
        <Dialog open wide onOpenChange={close} title={<bdi>{doing.key.name}</bdi>} about={<>Whoever checks your tokens needs this half, such as a CDN. In tokens the key is called <code>{doing.key.id}</code> (<code>kid</code>).</>}>
          <CodeBlock label="Public key" code={doing.key.publicKey} />
        </Dialog>
      )}
    </>
  )
}
