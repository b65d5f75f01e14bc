import './explorer.css'
import { lazy, Suspense } from 'react'
import { usePlace } from '../../app/place.tsx'
import { Page } from '../../components/page.tsx'
import { Card } from '../../ui/card.tsx'
import { Notice, Skeleton } from '../../ui/notice.tsx'

const Workbench = lazy(() => import('./workbench.tsx'))

/** Writes and runs GraphQL as the signed-in person, in the tenant and environment of the page. */
export default function ExplorerPage() {
  const { place, viewer } = usePlace()
  return (
    <Page title="API explorer" about={<>Everything that this dashboard does is one of these requests. They run as you, or as a program with a token, in <strong>{viewer.tenant.name}</strong>, on <strong>{place.environment}</strong> data.</>}>
      {place.environment === 'live' && <Notice tone="warn">Mutations here are real. Switch to Test to try them out.</Notice>}
      <Card bare><Suspense fallback={<div className="explorer"><Skeleton height={480} /></div>}><Workbench key={place.environment} /></Suspense></Card>
    </Page>
  )
}
