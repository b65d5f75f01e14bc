import { createContext, useContext, useMemo, useSyncExternalStore } from 'react'
import { Navigate, Outlet, useParams } from 'react-router'
import { Provider } from 'urql'
import { graphql, type ResultOf } from '../graphql/index.ts'
import type { ScopedClient } from '../graphql/client.ts'
import { useQuery } from '../graphql/use.ts'
import { Shell } from '../components/shell/shell.tsx'
import { FullPageError, FullPageSpinner, TenantMissing } from '../components/full-page.tsx'
import { useAccount, useScopedClient } from './account.tsx'
import { paths, type Place, type PlacePaths, placePaths } from './paths.ts'
import { rememberPlace } from './last-place.ts'

const PlaceQuery = graphql(`
  query Place {
    viewer {
      environment
      role
      actions
      user { id name email }
      tenant { id slug name suspendedAt version }
    }
    me { id memberships { role tenant { id slug name } } }
  }
`)

type Asker = NonNullable<ResultOf<typeof PlaceQuery>['viewer']>
export type Viewer = Asker & { tenant: NonNullable<Asker['tenant']> }
export type Action = Viewer['actions'][number]
type Memberships = NonNullable<ResultOf<typeof PlaceQuery>['me']>['memberships']

interface PlaceValue {
  place: Place
  to: PlacePaths
  viewer: Viewer
  memberships: Memberships
  uncached: ScopedClient['uncached']
  can: (action: Action) => boolean
  /** Why an act is refused to this role, or false where it is allowed. */
  refused: (action: Action, act: string) => string | false
}

const PlaceContext = createContext<PlaceValue | null>(null)

/** The tenant and environment of the page, who looks at it, and the addresses inside it. */
export function usePlace(): PlaceValue {
  const value = useContext(PlaceContext)
  if (!value) throw new Error('usePlace is used outside a tenant')
  return value
}

export function PlaceLayout() {
  const { tenant = '', environment } = useParams()
  if (environment !== 'live' && environment !== 'test') return <Navigate to={placePaths({ tenant, environment: 'live' }).channels()} replace />
  return <ScopedPlace key={`${tenant}/${environment}`} tenant={tenant} environment={environment} />
}

function ScopedPlace({ tenant, environment }: Place) {
  const { epoch, signedOut } = useAccount()
  const scoped = useScopedClient(tenant, environment, epoch, signedOut)
  return <Provider value={scoped.client}><LoadedPlace place={{ tenant, environment }} scoped={scoped} /></Provider>
}

function LoadedPlace({ place: { tenant, environment }, scoped: { connection, uncached } }: { place: Place; scoped: ScopedClient }) {
  const [{ data, error, fetching }, again] = useQuery({ query: PlaceQuery })
  const state = useSyncExternalStore(connection.listen, () => connection.current)
  const asker = data?.viewer
  const viewer = useMemo(() => (asker?.tenant ? { ...asker, tenant: asker.tenant } : null), [asker])
  const memberships = data?.me?.memberships
  const value = useMemo<PlaceValue | null>(() => {
    if (!viewer) return null
    const place = { tenant, environment }
    rememberPlace(place)
    const can = (action: Action) => viewer.actions.includes(action)
    return {
      place, to: placePaths(place), viewer, memberships: memberships ?? [], uncached, can,
      refused: (action, act) => (can(action) ? false : `Your role, ${(viewer.role ?? 'token').toLowerCase()}, may not ${act}.`),
    }
  }, [tenant, environment, viewer, memberships, uncached])
  if (error && !data) return <FullPageError error={error} onRetry={() => again({ requestPolicy: 'network-only' })} />
  if (!data || (fetching && !value)) return <FullPageSpinner />
  if (!data.me) return <Navigate to={paths.signIn(location.pathname + location.search)} replace />
  if (!value) return <TenantMissing slug={tenant} />
  return <PlaceContext value={value}><Shell connection={state}><Outlet /></Shell></PlaceContext>
}
