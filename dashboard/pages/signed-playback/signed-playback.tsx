import { NavLink, useParams } from 'react-router'
import { usePlace } from '../../app/place.tsx'
import { NotFound } from '../../components/full-page.tsx'
import { Page } from '../../components/page.tsx'
import { Notice } from '../../ui/notice.tsx'
import { Revocations } from './revocations.tsx'
import { SigningKeys } from './signing-keys.tsx'
import { Tokens } from './tokens.tsx'

const TABS = [['keys', 'Signing keys'], ['tokens', 'Playback tokens'], ['revocations', 'Revocations']] as const

/** Who may watch what is not public: the keys that sign playback tokens, the tokens, and how to take them back. */
export default function SignedPlaybackPage() {
  const { tab = 'keys' } = useParams()
  const { to, refused } = usePlace()
  const refusal = refused('SIGNING_KEY_READ', 'see signing keys')
  if (refusal) return <Page title="Signed playback"><Notice tone="warn">{refusal}</Notice></Page>
  if (!TABS.some(([name]) => name === tab)) return <NotFound inside />
  return (
    <Page
      title="Signed playback"
      about="A signed playback id plays only with a token that one of your keys has signed."
      tabs={<nav className="tabs-list" aria-label="Signed playback">{TABS.map(([name, label]) => <NavLink key={name} className="tab" to={to.signedPlayback(name)} end>{label}</NavLink>)}</nav>}
    >
      {tab === 'keys' && <SigningKeys />}
      {tab === 'tokens' && <Tokens />}
      {tab === 'revocations' && <Revocations />}
    </Page>
  )
}
