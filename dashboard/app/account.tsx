import { createContext, type ReactNode, useCallback, useContext, useEffect, useMemo, useState } from 'react'
import { Provider } from 'urql'
import { createScopedClient, type ScopedClient } from '../graphql/client.ts'
import { paths } from './paths.ts'
import { router } from './router.tsx'

interface Account {
  /** Forgets everything that was read as the person before: after signing in, signing out, or changing tenants. */
  reset: () => void
  /** Sends whoever lost the session to the sign-in page, and back here afterwards. */
  signedOut: () => void
  /** Counts resets; clients of tenants are made anew with it. */
  epoch: number
}

const AccountContext = createContext<Account | null>(null)

export function useAccount(): Account {
  const account = useContext(AccountContext)
  if (!account) throw new Error('useAccount is used outside AccountProvider')
  return account
}

/** The client that sees the signed-in person and no tenant. */
export function AccountProvider({ children }: { children: ReactNode }) {
  const [epoch, setEpoch] = useState(0)
  const reset = useCallback(() => setEpoch((count) => count + 1), [])
  const signedOut = useCallback(() => {
    const { pathname, search } = router.state.location
    if (pathname === '/sign-in') return
    setEpoch((count) => count + 1)
    void router.navigate(paths.signIn(pathname === '/' ? undefined : pathname + search), { replace: true })
  }, [])
  const scoped = useScopedClient(null, 'live', epoch, signedOut)
  const account = useMemo(() => ({ reset, signedOut, epoch }), [reset, signedOut, epoch])
  return <AccountContext value={account}><Provider value={scoped.client}>{children}</Provider></AccountContext>
}

/** A client for one scope, replaced when the scope or the epoch changes. */
export function useScopedClient(tenant: string | null, environment: 'live' | 'test', epoch: number, signedOut: () => void): ScopedClient {
  const scoped = useMemo(() => createScopedClient({ tenant, environment }, signedOut), [tenant, environment, epoch, signedOut])
  useEffect(() => scoped.dispose, [scoped])
  return scoped
}
