import './explorer.css'
import { lazy, Suspense, useEffect, useMemo, useState } from 'react'
import { usePlace } from '../../app/place.tsx'
import { useTheme } from '../../app/theme.ts'
import { Page } from '../../components/page.tsx'
import { createTokenClient } from '../../graphql/client.ts'
import { Card } from '../../ui/card.tsx'
import { Input, Select } from '../../ui/field.tsx'
import { Notice, Skeleton } from '../../ui/notice.tsx'

const Editor = lazy(() => import('./graphiql.tsx'))

/** GraphiQL, as the signed-in person in the tenant and environment of the page, or as a program with a token. */
export default function ExplorerPage() {
  const { place, viewer, uncached } = usePlace()
  const theme = useTheme()
  const scope = `${viewer.user?.id}/${viewer.tenant.id}/${place.environment}`
  // Held in memory alone: a token in storage would outlive the visit.
  const [token, setToken] = useState<string | null>(null)
  const program = useMemo(() => (token?.trim() ? createTokenClient(token.trim()) : null), [token])
  useEffect(() => program?.dispose, [program])
  return (
    <Page title="API explorer" about={<>Everything that this dashboard does is one of these requests. They run as you, or as a program with a token, in <strong>{viewer.tenant.name}</strong>, on <strong>{place.environment}</strong> data.</>}>
      {place.environment === 'live' && <Notice tone="warn">Mutations here are real. Switch to Test to try them out.</Notice>}
      <Card bare>
        <div className="explorer-bar">
          <Select aria-label="Run as" value={token === null ? 'me' : 'token'} onChange={(event) => setToken(event.target.value === 'me' ? null : '')}>
            <option value="me">As yourself</option>
            <option value="token">As a program with a token</option>
          </Select>
          {token !== null && <Input className="mono explorer-token" aria-label="API token" placeholder="hw_live_…" autoComplete="off" spellCheck={false} type="password" value={token} onChange={(event) => setToken(event.target.value)} />}
          <span className="quiet small">GraphiQL: Ctrl-Space completes, Ctrl-Enter runs.</span>
        </div>
        <Suspense fallback={<div className="explorer"><Skeleton height={560} /></div>}>
          <Editor key={scope} scope={scope} client={token === null ? uncached : program?.client ?? null} theme={theme} />
        </Suspense>
      </Card>
    </Page>
  )
}
