import { EventEmitter } from 'node:events'
import { GraphQLError, type GraphQLSchema } from 'graphql'
import { type AuditEntry, type Environment, id, type Member, now, type Session, type Store, type Tenant, type User } from './store.ts'

/** What the mock shares between requests. */
export interface World {
  store: Store
  /** `channel` with a channel id, `health` with a broadcast id. */
  bus: EventEmitter
  /** Milliseconds before every answer. */
  latencyMs: number
  /** Operation names that fail, with the code that they fail with, once each. */
  failures: Map<string, string>
  origin: string
  /** Ends every subscription's connection, as a network does. */
  cut: () => void
  schema: GraphQLSchema
}

export interface Context {
  world: World
  user: User | null
  session: Session | null
  member: Member | null
  tenant: Tenant | null
  environment: Environment
  userAgent: string
  setCookie: (value: string) => void
}

const READ = ['TENANT_READ', 'CHANNEL_READ', 'BROADCAST_READ', 'ASSET_READ', 'MEMBER_READ']
const DEVELOP = [
  ...READ, 'CHANNEL_WRITE', 'STREAM_KEY_READ', 'STREAM_KEY_WRITE', 'BROADCAST_WRITE', 'ASSET_WRITE', 'TOKEN_READ', 'TOKEN_WRITE', 'WEBHOOK_READ', 'WEBHOOK_WRITE',
  'SIGNING_KEY_READ', 'SIGNING_KEY_WRITE', 'PLAYBACK_TOKEN_CREATE', 'VIEWER_REVOKE',
]
const ADMIN = [...DEVELOP, 'TENANT_WRITE', 'MEMBER_WRITE', 'AUDIT_READ']

export const ACTIONS: Record<Member['role'], readonly string[]> = { OWNER: ADMIN, ADMIN, DEVELOPER: DEVELOP, ANALYST: READ, BILLING: ['TENANT_READ', 'MEMBER_READ'] }

const failed = (code: string, message: string) => new GraphQLError(message, { extensions: { code } })
export const unauthenticated = () => failed('UNAUTHENTICATED', 'Sign in first.')
export const forbidden = (action: string) => failed('FORBIDDEN', `Your role may not do this: ${action}.`)
export const notFound = () => failed('NOT_FOUND', 'There is no such thing here.')
export { failed }

export function signedIn(context: Context): User {
  if (!context.user) throw unauthenticated()
  return context.user
}

/** The tenant of the request, for somebody who may do `action` there. */
export function inTenant(context: Context, action: string): Tenant {
  signedIn(context)
  if (!context.tenant || !context.member) throw notFound()
  if (!ACTIONS[context.member.role].includes(action)) throw forbidden(action)
  return context.tenant
}

export function record(context: Context, action: string, subject: { id: string; name: string }, before: object | null, after: object | null) {
  const entry: AuditEntry = {
    id: id('aud'), tenantId: context.tenant!.id, at: now(), actorKind: 'USER', actorName: context.user!.name, actorId: context.user!.id, action,
    subjectId: subject.id, subjectName: subject.name, before, after, ipAddress: '127.0.0.1', userAgent: context.userAgent, environment: context.environment, traceId: id('').slice(1),
  }
  context.world.store.audit.unshift(entry)
}

export interface UserError { code: string; field: string[] | null; message: string; docsUrl: string }

/** Refuses a mutation in a way that its caller can mend. */
export class Refusal extends Error {
  readonly userErrors: UserError[]
  constructor(code: string, field: string | null, message: string) {
    super(message)
    this.userErrors = [{ code, field: field ? ['input', ...field.split('.')] : null, message, docsUrl: `https://docs.example.com/errors/${code.toLowerCase()}` }]
  }
}

export interface PageArguments { first?: number | null; after?: string | null; last?: number | null; before?: string | null }

const PAGE_MAX = 100

/** A page of rows that are already in their order. */
export function connection<Row extends { id: string }, View>(rows: readonly Row[], { first, after, last, before }: PageArguments, view: (row: Row) => View) {
  const cursor = (row: Row) => Buffer.from(row.id).toString('base64url')
  const at = (text: string) => rows.findIndex((row) => cursor(row) === text)
  let start = after ? at(after) + 1 : 0
  let end = before ? at(before) : rows.length
  if (last != null) start = Math.max(start, end - Math.min(last, PAGE_MAX))
  else end = Math.min(end, start + Math.min(first ?? 25, PAGE_MAX))
  const page = rows.slice(start, end)
  const nodes = page.map(view)
  return {
    nodes,
    edges: page.map((row, index) => ({ cursor: cursor(row), node: nodes[index] })),
    totalCount: rows.length,
    pageInfo: { hasPreviousPage: start > 0, hasNextPage: end < rows.length, startCursor: page[0] ? cursor(page[0]) : null, endCursor: page.at(-1) ? cursor(page.at(-1)!) : null },
  }
}
