import { useState } from 'react'
import { graphql, type ResultOf } from '../graphql/index.ts'
import { useAction } from '../graphql/use.ts'
import { Button } from '../ui/button.tsx'
import { CopyField } from '../ui/copy.tsx'
import { Check, Field, Input, Select } from '../ui/field.tsx'
import { Notice } from '../ui/notice.tsx'
import { Time } from '../ui/time.tsx'

const CreateMutation = graphql(`
  mutation PlaybackTokenCreate($input: PlaybackTokenCreateInput!) {
    playbackTokenCreate(input: $input) {
      playbackToken { token tokenId expiresAt downloadUrl urls { embed hls dash } }
      userErrors { code field message }
    }
  }
`)
export type PlaybackToken = NonNullable<ResultOf<typeof CreateMutation>['playbackTokenCreate']['playbackToken']>
export const usePlaybackTokenCreate = () => useAction(CreateMutation, ({ playbackTokenCreate }) => playbackTokenCreate)

const LIVES = [['900', 'A quarter of an hour'], ['3600', 'An hour'], ['21600', 'Six hours'], ['86400', 'A day'], ['604800', 'A week'], ['2592000', '30 days']] as const
const listOf = (text: string) => text.split(/[\s,]+/u).filter(Boolean)

/** Makes one token for one viewer. `playbackIds` are offered; any other can be entered. */
export function PlaybackTokenForm({ playbackIds }: { playbackIds: readonly { id: string; name: string }[] }) {
  const [input, setInput] = useState({ playbackId: playbackIds[0]?.id ?? '', expiresInS: '3600', viewerId: '', countries: '', origins: '', ips: '' })
  const [once, setOnce] = useState(false)
  const [downloadable, setDownloadable] = useState(false)
  const [made, setMade] = useState<PlaybackToken | null>(null)
  const { run, busy, errors } = usePlaybackTokenCreate()
  const change = (name: keyof typeof input) => (event: { target: { value: string } }) => setInput({ ...input, [name]: event.target.value })
  return (
    <div className="stack gap-5">
      <form
        className="stack"
        onSubmit={async (event) => {
          event.preventDefault()
          if (busy) return
          setMade(null)
          const [countries, origins, ips] = [listOf(input.countries.toUpperCase()), listOf(input.origins), listOf(input.ips)]
          const done = await run({
            playbackId: input.playbackId.trim(), expiresInS: Number(input.expiresInS), singleUse: once, downloadable,
            ...(input.viewerId.trim() && { viewerId: input.viewerId.trim() }), ...(countries.length > 0 && { countries }), ...(origins.length > 0 && { origins }), ...(ips.length > 0 && { ips }),
          })
          setMade(done?.playbackToken ?? null)
        }}
      >
        {errors[''] && <Notice tone="danger">{errors['']}</Notice>}
        <div className="fields-2">
          <Field label="Playback id" error={errors['playbackId']} hint="Of a channel or a replay.">
            {(parts) => <Input {...parts} required className="mono" list="signed-playback-ids" autoComplete="off" spellCheck={false} value={input.playbackId} onChange={change('playbackId')} />}
          </Field>
          <Field label="Good for" error={errors['expiresInS']} hint="Asked of every request: let it end after what is watched.">
            {(parts) => <Select {...parts} value={input.expiresInS} onChange={change('expiresInS')}>{LIVES.map(([value, name]) => <option key={value} value={value}>{name}</option>)}</Select>}
          </Field>
          <Field label="Viewer id" optional error={errors['viewerId']} hint="Yours, to revoke everything that they have.">
            {(parts) => <Input {...parts} maxLength={200} className="mono" dir="auto" autoComplete="off" value={input.viewerId} onChange={change('viewerId')} />}
          </Field>
          <Field label="Countries" optional error={errors['countries']} hint="Two letters each: SE, NO.">
            {(parts) => <Input {...parts} autoComplete="off" value={input.countries} onChange={change('countries')} />}
          </Field>
          <Field label="Pages" optional error={errors['origins']} hint="Players on other pages are refused: https://example.com.">
            {(parts) => <Input {...parts} autoComplete="off" spellCheck={false} value={input.origins} onChange={change('origins')} />}
          </Field>
          <Field label="Networks" optional error={errors['ips']} hint="203.0.113.0/24">
            {(parts) => <Input {...parts} autoComplete="off" spellCheck={false} value={input.ips} onChange={change('ips')} />}
          </Field>
        </div>
        <datalist id="signed-playback-ids">{playbackIds.map(({ id, name }) => <option key={id} value={id}>{name}</option>)}</datalist>
        <Check checked={once} onChange={setOnce}>Begins one playback only, whoever brings it first</Check>
        <Check checked={downloadable} onChange={setDownloadable}>May download a replay</Check>
        <div className="row"><Button type="submit" tone="primary" busy={busy}>Make the token</Button></div>
      </form>
      {made && (
        <section className="stack gap-3" aria-label="The new token">
          <Notice tone="ok" title="The token is made">It expires <Time at={made.expiresAt} />, and is shown until you leave this page. To revoke it alone, note its id: <code>{made.tokenId}</code>.</Notice>
          <CopyField label="Token" value={made.token} secret />
          <CopyField label="Page with the player" value={made.urls.embed} />
          <CopyField label="HLS" value={made.urls.hls} />
          <CopyField label="DASH" value={made.urls.dash} />
          {made.downloadUrl && <CopyField label="Download" value={made.downloadUrl} />}
        </section>
      )}
    </div>
  )
}
