import { useState } from 'react'
import { Link } from 'react-router'
import { usePlace } from '../../app/place.tsx'
import { PlaybackTokenForm } from '../../forms/playback-token.tsx'
import { explain } from '../../graphql/errors.ts'
import { graphql } from '../../graphql/index.ts'
import { useQuery } from '../../graphql/use.ts'
import { Card } from '../../ui/card.tsx'
import { CodeBlock } from '../../ui/copy.tsx'
import { Field, Select } from '../../ui/field.tsx'
import { Notice, Skeleton } from '../../ui/notice.tsx'
import { Tabs } from '../../ui/tabs.tsx'
import { tokenSnippets } from './snippets.ts'

const TokensPageQuery = graphql(`
  query TokensPage {
    signingKeys(first: 50) { nodes { id name algorithm revokedAt } }
    channels(first: 50) { nodes { id title playbackIds { id policy } } }
    assets(first: 25) { nodes { id title playbackIds { id policy } } }
  }
`)

const CLAIMS = [
  ['exp', 'Until when it works, Unix seconds, at most 30 days ahead.'], ['iat', 'When it was issued: a revoked viewer is let in again by a newer token.'],
  ['jti', 'Its own id, to revoke it alone.'], ['viewer_id', 'Your id of the viewer, to revoke all that they have.'], ['single_use', 'true: begins one playback. Needs jti.'],
  ['countries', 'Two-letter codes, as a list.'], ['origins', 'Pages with the player, as a list: https://example.com'], ['ips', 'Networks, as a list: 203.0.113.0/24'], ['downloadable', 'true: the replay may be downloaded.'],
] as const

const PLACEHOLDERS = { key: 'SIGNING_KEY_ID', playbackId: 'PLAYBACK_ID' }

/** How tokens are made: by your server with its private key, or by the service where it keeps the key. */
export function Tokens() {
  const { to, can } = usePlace()
  const [chosen, setChosen] = useState<string | null>(null)
  const [{ data, error }] = useQuery({ query: TokensPageQuery, requestPolicy: 'cache-and-network' })
  if (error && !data) return <Notice tone="danger">{explain(error)}</Notice>
  if (!data) return <Skeleton height={320} />
  const keys = data.signingKeys.nodes.filter(({ revokedAt }) => !revokedAt)
  const key = keys.find(({ id }) => id === chosen) ?? keys[0]
  const signed = [...data.channels.nodes, ...data.assets.nodes]
    .flatMap(({ title, playbackIds }) => playbackIds.filter(({ policy }) => policy === 'SIGNED').map(({ id }) => ({ id, name: title })))
  const mints = can('PLAYBACK_TOKEN_CREATE')
  return (
    <>
      {signed.length === 0 && (
        <Notice title="Nothing asks for a token yet">Make a signed playback id first, under Embed of a <Link to={to.channels()}>channel</Link>, and delete the public one that the channel began with.</Notice>
      )}
      {mints && (
        <Card title="Make a token" about="For one viewer, to try it out or to hand over. Signed with a key that the service keeps; the first token makes one.">
          <PlaybackTokenForm playbackIds={signed} />
        </Card>
      )}
      <Card title="Make tokens on your server" about="A token is a JSON Web Token for one viewer, signed with your private key. No request is needed.">
        <div className="stack">
          {keys.length === 0 && <Notice tone="warn">There is no working signing key. <Link to={to.signedPlayback()}>Make one</Link> first.</Notice>}
          {keys.length > 1 && (
            <Field label="Signing key">{(parts) => <Select {...parts} style={{ maxWidth: 360 }} value={key?.id} onChange={(event) => setChosen(event.target.value)}>{keys.map(({ id, name }) => <option key={id} value={id}>{name}</option>)}</Select>}</Field>
          )}
          <Tabs
            label="Language"
            tabs={tokenSnippets({ algorithm: key?.algorithm ?? 'ES256', keyId: key?.id ?? PLACEHOLDERS.key, playbackId: signed[0]?.id ?? PLACEHOLDERS.playbackId }).map(({ id, name, about, code }) => ({
              id, name, content: <div className="stack gap-3"><p className="quiet small">{about}</p><CodeBlock label={`${name} snippet`} code={code} /></div>,
            }))}
          />
          <p className="quiet">The player gets it with the address: <code>main.m3u8?token=…</code>, <code>manifest.mpd?token=…</code>.</p>
        </div>
      </Card>
      <Card title="What a token can say" flush>
        <div className="table-scroll" tabIndex={0} role="region" aria-label="Claims, table">
          <table className="table">
            <thead><tr><th scope="col">Claim</th><th scope="col">Means</th></tr></thead>
            <tbody>{CLAIMS.map(([claim, means]) => <tr key={claim}><td><code>{claim}</code></td><td>{means}</td></tr>)}</tbody>
          </table>
        </div>
      </Card>
    </>
  )
}
