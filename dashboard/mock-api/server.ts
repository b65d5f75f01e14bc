/** The mock of the service: GraphQL over HTTP and WebSocket on an in-memory store, with a control address for tests. */
import { EventEmitter } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { buildSchema, execute, type ExecutionResult, GraphQLError, Kind, parse, subscribe, validate } from 'graphql'
import { useServer } from 'graphql-ws/use/ws'
import { WebSocketServer } from 'ws'
import { type Context, Refusal, type World } from './context.ts'
import { accountMutations, openSession } from './mutations-account.ts'
import { mediaMutations } from './mutations-media.ts'
import { embedPage, thumbnail } from './pictures.ts'
import { queries, subscriptions } from './resolvers.ts'
import { secondFactorMutations } from './second-factor.ts'
import { seed } from './seed.ts'
import { signingMutations, signingQueries } from './signing.ts'
import { type Simulated, simulate, startHealth } from './simulate.ts'
import { webhookMutations, webhookQueries } from './webhooks.ts'

const COOKIE = 'headwater_session'
const BODY_MAX_BYTES = 256 * 1024

export interface Mock {
  world: World
  /** Answers the request if it is one of the service's; false leaves it to the caller. */
  handle: (request: IncomingMessage, response: ServerResponse) => Promise<boolean>
  upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void
  close: () => void
}

/** A mutation that answers `userErrors` where it was refused. */
const refusing = (resolve: (args: never, context: Context) => object) => (args: never, context: Context) => {
  try {
    return { userErrors: [], ...resolve(args, context) }
  } catch (problem) {
    if (problem instanceof Refusal) return { userErrors: problem.userErrors, signedOut: false, requested: false, revokedIds: [] }
    throw problem
  }
}

const mutations = Object.fromEntries(Object.entries({ ...accountMutations, ...mediaMutations, ...secondFactorMutations, ...signingMutations, ...webhookMutations }).map(([name, resolve]) => [name, refusing(resolve as never)]))
const root = { ...queries, ...signingQueries, ...webhookQueries, ...mutations, ...subscriptions }

export function createMock(sdl: string): Mock {
  const world: World = { store: seed(), bus: new EventEmitter().setMaxListeners(0), latencyMs: 0, failures: new Map(), origin: '', schema: buildSchema(sdl), cut: () => { for (const client of sockets.clients) client.terminate() } }
  const stopHealth = startHealth(world)
  const sockets = new WebSocketServer({ noServer: true })
  useServer({
    // Node may load the library's own copy of graphql beside ours, so every step is done with ours.
    execute: execute as never,
    subscribe: subscribe as never,
    onSubscribe: (_socket, _id, { query, variables, operationName }) => {
      const document = parse(query)
      const errors = validate(world.schema, document)
      return errors.length > 0 ? errors : ({ schema: world.schema, document, rootValue: root, variableValues: variables, operationName } as never)
    },
    context: ({ extra, connectionParams }) => contextOf(world, extra.request, (connectionParams ?? {}) as Record<string, string>, () => {}),
  }, sockets)
  return {
    world,
    handle: (request, response) => handle(world, request, response),
    upgrade: (request, socket, head) => sockets.handleUpgrade(request, socket, head, (opened) => sockets.emit('connection', opened, request)),
    close: () => {
      stopHealth()
      world.cut()
      sockets.close()
    },
  }
}

function contextOf(world: World, request: IncomingMessage, which: { tenant?: string; environment?: string }, setCookie: Context['setCookie']): Context {
  const { store } = world
  const cookie = new RegExp(`${COOKIE}=([^;]+)`, 'u').exec(request.headers.cookie ?? '')?.[1]
  const session = store.sessions.find(({ secret }) => secret === cookie) ?? null
  const user = store.users.find(({ id }) => id === session?.userId) ?? null
  const tenant = store.tenants.find(({ id, slug }) => slug === which.tenant || id === which.tenant) ?? null
  const member = store.members.find((row) => row.tenantId === tenant?.id && row.userId === user?.id) ?? null
  return { world, user, session, member, tenant: member ? tenant : null, environment: which.environment === 'test' ? 'TEST' : 'LIVE', userAgent: request.headers['user-agent'] ?? '', setCookie }
}

async function handle(world: World, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
  const { pathname } = new URL(request.url ?? '/', 'http://mock')
  world.origin = `http://${request.headers.host}`
  if (pathname === '/graphql') await answer(world, request, response)
  else if (pathname === '/__mock') await control(world, request, response)
  else if (pathname.startsWith('/__mock/thumbnail/')) send(response, 200, thumbnail(Number.parseInt(pathname.slice(18), 10)), 'image/svg+xml')
  else if (pathname === '/__mock/oidc') {
    // Whoever comes back from there is Devi.
    openSession(contextOf(world, request, {}, (value) => response.setHeader('Set-Cookie', `${COOKIE}=${value}; Path=/; HttpOnly; SameSite=Lax`)), world.store.users.find(({ email }) => email === 'dev@example.com')!)
    response.setHeader('Location', new URL(request.url ?? '/', 'http://mock').searchParams.get('to') ?? '/')
    send(response, 303, '', 'text/plain')
  } else if (pathname === '/__mock/download') send(response, 200, 'no media in the mock', 'text/plain')
  else if (pathname.startsWith('/embed/')) {
    const row = world.store.playbackIds.find(({ id }) => id === pathname.slice(7))
    const live = world.store.channels.find(({ id }) => id === row?.channelId)?.state
    send(response, 200, embedPage(row?.assetId ? 'replay' : live === 'LIVE' ? 'live' : 'offline'), 'text/html; charset=utf-8')
  } else return false
  return true
}

async function answer(world: World, request: IncomingMessage, response: ServerResponse) {
  const headers = request.headers
  let cookie: string | null = null
  const context = contextOf(world, request, { tenant: String(headers['headwater-tenant'] ?? ''), environment: String(headers['headwater-environment'] ?? 'live') }, (value) => { cookie = value })
  const { query, variables, operationName } = JSON.parse(await bodyOf(request)) as { query: string; variables?: Record<string, unknown>; operationName?: string }
  if (world.latencyMs > 0) await new Promise((resolve) => setTimeout(resolve, world.latencyMs))
  const result = headers['headwater-client'] ? await run(world, context, query, variables, operationName) : { errors: [new GraphQLError('Send Headwater-Client with a cookie.', { extensions: { code: 'BAD_INPUT' } })] }
  if (cookie !== null) response.setHeader('Set-Cookie', `${COOKIE}=${cookie as string}; Path=/; HttpOnly; SameSite=Lax${cookie === '' ? '; Max-Age=0' : ''}`)
  send(response, 200, JSON.stringify(result), 'application/graphql-response+json; charset=utf-8')
}

async function run(world: World, context: Context, query: string, variables?: Record<string, unknown>, operationName?: string): Promise<ExecutionResult> {
  const { schema } = world
  let document
  try {
    document = parse(query)
  } catch (problem) {
    return { errors: [problem as GraphQLError] }
  }
  const errors = validate(schema, document)
  if (errors.length > 0) return { errors }
  for (const definition of document.definitions) {
    const name = definition.kind === Kind.OPERATION_DEFINITION ? definition.name?.value : undefined
    const code = name && world.failures.get(name)
    if (!code) continue
    world.failures.delete(name)
    return { errors: [new GraphQLError('The mock was told to fail.', { extensions: { code } })] }
  }
  return execute({ schema, document, rootValue: root, contextValue: context, variableValues: variables ?? null, operationName: operationName ?? null })
}

interface Control {
  reset?: boolean
  latencyMs?: number
  /** An operation's name and the code that it fails with next. */
  fail?: { operation: string; code: string }
  /** A channel, by id or title, and what its encoder does. */
  simulate?: { channel: string; act: Simulated; code?: string }
  /** Cuts the connections of all subscriptions. */
  cut?: boolean
  /** Opens a session as this person; the answer sets the cookie. */
  signIn?: string
}

async function control(world: World, request: IncomingMessage, response: ServerResponse) {
  const { reset, latencyMs, fail, simulate: act, cut, signIn } = JSON.parse(await bodyOf(request)) as Control
  if (reset) Object.assign(world, { store: seed(), latencyMs: 0, failures: new Map() })
  if (latencyMs !== undefined) world.latencyMs = latencyMs
  if (fail) world.failures.set(fail.operation, fail.code)
  if (act) {
    const channel = world.store.channels.find(({ id, title }) => id === act.channel || title === act.channel)
    if (!channel) return send(response, 404, 'no such channel', 'text/plain')
    simulate[act.act](world, channel, act.code ?? '')
  }
  if (cut) world.cut()
  if (signIn) {
    const user = world.store.users.find(({ email }) => email === signIn)!
    openSession(contextOf(world, request, {}, (value) => response.setHeader('Set-Cookie', `${COOKIE}=${value}; Path=/; HttpOnly; SameSite=Lax`)), user)
  }
  send(response, 200, JSON.stringify({ channels: world.store.channels.map(({ id, title, state }) => ({ id, title, state })), assets: world.store.assets.map(({ id, title }) => ({ id, title })), endpoints: world.store.webhookEndpoints.map(({ id, url }) => ({ id, url })) }), 'application/json')
}

function send(response: ServerResponse, status: number, body: string, type: string) {
  response.statusCode = status
  response.setHeader('Content-Type', type)
  response.setHeader('Cache-Control', 'no-store')
  response.end(body)
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > BODY_MAX_BYTES) throw new Error('the body is too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8') || '{}'
}

