import { cacheExchange } from '@urql/exchange-graphcache'
import { type Client as Socket, type ClientOptions, createClient as createSocket } from 'graphql-ws'
import { Client, type Exchange, fetchExchange, makeOperation, mapExchange, type Operation, subscriptionExchange } from 'urql'
import { cacheConfig } from './cache.ts'
import { codeOf } from './errors.ts'

/** Whose data a client sees. Each scope has a client and a cache of its own, so nothing of one shows in another. */
export interface Scope {
  tenant: string | null
  environment: 'live' | 'test'
}

export type Connection = 'idle' | 'open' | 'lost'

export interface ScopedClient {
  client: Client
  /** The same scope without a cache, for requests that people write themselves. */
  uncached: Client
  /** The state of the subscriptions' socket, and a listener for its changes. */
  connection: { current: Connection; listen: (changed: () => void) => () => void }
  dispose: () => void
}

const CLIENT_NAME = 'dashboard/1'
const RETRY_DELAY_MAX_MS = 10_000
const KEEP_ALIVE_MS = 15_000

export function createScopedClient({ tenant, environment }: Scope, onSignedOut: () => void): ScopedClient {
  const listeners = new Set<() => void>()
  const connection: ScopedClient['connection'] = {
    current: 'idle',
    listen: (changed) => {
      listeners.add(changed)
      return () => listeners.delete(changed)
    },
  }
  const become = (state: Connection) => {
    connection.current = state
    for (const changed of listeners) changed()
  }
  const socket = connect({ tenant, environment }, {
    connected: () => become('open'),
    closed: (event) => become((event as CloseEvent | undefined)?.code === 1000 ? 'idle' : 'lost'),
  })
  const headers: Record<string, string> = { 'Headwater-Client': CLIENT_NAME, 'Headwater-Environment': environment }
  if (tenant) headers['Headwater-Tenant'] = tenant
  const clientWith = (...caches: Exchange[]) => new Client({
    url: '/graphql',
    preferGetMethod: false,
    fetchOptions: { headers, credentials: 'same-origin' },
    exchanges: [
      ...caches,
      mapExchange({ onError: (error) => { if (codeOf(error) === 'UNAUTHENTICATED') onSignedOut() } }),
      mapExchange({ onOperation: (operation) => (operation.kind === 'mutation' ? once(operation, headers) : operation) }),
      fetchExchange,
      subscriptionsOver(socket),
    ],
  })
  return {
    client: clientWith(cacheExchange(cacheConfig)),
    uncached: clientWith(),
    connection,
    dispose: () => void socket.dispose(),
  }
}

/** A client that asks as a program does: with an API token, which fixes tenant and environment, and without the cookie. */
export function createTokenClient(token: string): { client: Client; dispose: () => void } {
  const authorization = `Bearer ${token}`
  const socket = connect({ authorization })
  const client = new Client({
    url: '/graphql',
    preferGetMethod: false,
    fetchOptions: { headers: { 'Headwater-Client': CLIENT_NAME, 'Authorization': authorization }, credentials: 'omit' },
    exchanges: [fetchExchange, subscriptionsOver(socket)],
  })
  return { client, dispose: () => void socket.dispose() }
}

const connect = (connectionParams: Record<string, unknown>, on: ClientOptions['on'] = {}): Socket => createSocket({
  url: `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/graphql`,
  connectionParams,
  keepAlive: KEEP_ALIVE_MS,
  retryAttempts: Infinity,
  shouldRetry: () => true,
  retryWait: (attempt) => new Promise((resume) => setTimeout(resume, Math.min(RETRY_DELAY_MAX_MS, 300 * 2 ** attempt) * (0.5 + Math.random() / 2))),
  on,
})

const subscriptionsOver = (socket: Socket) => subscriptionExchange({
  forwardSubscription: ({ query, variables }) => ({
    subscribe: (sink) => ({ unsubscribe: socket.subscribe({ query: query ?? '', variables: variables as Record<string, unknown> }, sink) }),
  }),
})

/** A mutation that the network repeats is done once. */
const once = (operation: Operation, headers: Record<string, string>) =>
  makeOperation(operation.kind, operation, {
    ...operation.context,
    fetchOptions: { credentials: 'same-origin', headers: { ...headers, 'Idempotency-Key': crypto.randomUUID() } },
  })
