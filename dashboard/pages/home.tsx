import { Navigate } from 'react-router'
import { lastPlace } from '../app/last-place.ts'
import { paths, placePaths } from '../app/paths.ts'
import { FullPageError, FullPageSpinner } from '../components/full-page.tsx'
import { graphql } from '../graphql/index.ts'
import { useQuery } from '../graphql/use.ts'

const HomeQuery = graphql(`
  query Home { me { id memberships { tenant { id slug } } } }
`)

/** The front door: leads to the last tenant, to the first one, or to the sign-in page. */
export default function HomePage() {
  const [{ data, error }, again] = useQuery({ query: HomeQuery, requestPolicy: 'network-only' })
  if (error) return <FullPageError error={error} onRetry={again} />
  if (!data) return <FullPageSpinner />
  if (!data.me) return <Navigate to={paths.signIn()} replace />
  const slugs = data.me.memberships.map(({ tenant }) => tenant.slug)
  const last = lastPlace()
  if (last && slugs.includes(last.tenant)) return <Navigate to={placePaths(last).channels()} replace />
  const [first] = slugs
  return <Navigate to={first ? placePaths({ tenant: first, environment: 'live' }).channels() : paths.newTenant()} replace />
}
