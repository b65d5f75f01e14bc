import { useState } from 'react'
import { Link } from 'react-router'
import { usePlace } from '../../app/place.tsx'
import { PlayerFrame } from '../../components/player-frame.tsx'
import { type PlaybackToken, usePlaybackTokenCreate } from '../../forms/playback-token.tsx'
import { Button } from '../../ui/button.tsx'
import { Notice } from '../../ui/notice.tsx'
import { Time } from '../../ui/time.tsx'
import { embedUrl } from './embed-snippets.ts'

const PREVIEW_S = 3600

/** The player of a signed playback id, once somebody who may has made a token to look at it. */
export function SignedPreview({ playbackId, title, look = { autoplay: true, muted: true } }: { playbackId: string; title: string; look?: { autoplay: boolean; muted: boolean } }) {
  const { can, to } = usePlace()
  const [token, setToken] = useState<PlaybackToken | null>(null)
  const { run, busy, errors } = usePlaybackTokenCreate()
  const [problem] = Object.values(errors)
  const mints = can('PLAYBACK_TOKEN_CREATE')
  if (token) {
    return (
      <div className="stack gap-3">
        <PlayerFrame key={`${look.autoplay}${look.muted}`} url={embedUrl(token.urls.embed, look)} title={title} />
        <p className="quiet small">With a token of your own. It expires <Time at={token.expiresAt} />.</p>
      </div>
    )
  }
  return (
    <div className="stack gap-3">
      {problem && <Notice tone="danger">{problem}</Notice>}
      <Notice act={mints && <Button size="small" busy={busy} onClick={async () => setToken((await run({ playbackId, expiresInS: PREVIEW_S }))?.playbackToken ?? null)}>Preview</Button>}>
        Each viewer needs a token. {mints ? 'Look at it with one of an hour.' : 'Your server makes them.'} {can('SIGNING_KEY_READ') && <Link to={to.signedPlayback('tokens')}>How tokens are made</Link>}
      </Notice>
    </div>
  )
}
