/** Webhook endpoints and their log. What is sent is answered at once: 200, or 500 from addresses that say `broken`. */
import { connection, type Context, inTenant, notFound, type PageArguments, record, Refusal } from './context.ts'
import { ago, type Environment, hintOf, id, now, secret, type Store, type WebhookDelivery, type WebhookEndpoint, type WebhookEvent } from './store.ts'

const ENDPOINTS_MAX = 20
const OVERLAP_MS = 86_400_000

const own = (context: Context, action = 'WEBHOOK_READ') => {
  const tenant = inTenant(context, action)
  return context.world.store.webhookEndpoints.filter((row) => row.tenantId === tenant.id && row.environment === context.environment)
}
function endpointOf(context: Context, endpointId: string) {
  const row = own(context, 'WEBHOOK_WRITE').find((endpoint) => endpoint.id === endpointId)
  if (!row) throw notFound()
  return row
}
const endpointView = (context: Context, { secret: _, ...endpoint }: WebhookEndpoint) => ({
  __typename: 'WebhookEndpoint', ...endpoint,
  waiting: context.world.store.webhookDeliveries.filter(({ endpointId, state }) => endpointId === endpoint.id && state === 'PENDING').length,
})
const eventView = (event: WebhookEvent) => ({ __typename: 'WebhookEvent', ...event, data: {}, cursor: event.id, sequence: 1, deliveries: [] })
const deliveryView = (context: Context, delivery: WebhookDelivery) => ({
  __typename: 'WebhookDelivery', ...delivery, attemptCount: delivery.attempts.length,
  event: () => { const event = context.world.store.webhookEvents.find((row) => row.id === delivery.eventId); return event ? eventView(event) : null },
})
const checkUrl = (url: string) => {
  if (!/^https:\/\/[^/]+\.[^/]+/u.test(url)) throw new Refusal('INVALID', 'url', 'An address on the public internet, over https.')
}
const touch = (row: WebhookEndpoint) => Object.assign(row, { version: row.version + 1, updatedAt: now() })

export function makeEvent(store: Store, environment: Environment, type: string, objectId: string, createdAt = now()): WebhookEvent {
  const name = type.toLowerCase().replace(/^(stream_key|webhook_endpoint|[a-z]+)_/u, '$1.')
  const event: WebhookEvent = { id: id('evt'), environment, type, objectId, objectType: name.split('.')[0]!, createdAt, body: '' }
  event.body = JSON.stringify({ id: event.id, type: name, timestamp: createdAt, environment, object: { type: event.objectType, id: objectId, sequence: 1 }, cursor: event.id, data: { id: objectId } })
  store.webhookEvents.push(event)
  return event
}
export function deliver(store: Store, endpoint: WebhookEndpoint, event: WebhookEvent): WebhookDelivery {
  const broken = endpoint.url.includes('broken')
  const attempt = { number: 1, at: event.createdAt, status: broken ? 500 : 200, durationMs: broken ? 412 : 38, error: null, answer: broken ? 'Internal Server Error' : 'ok' }
  const delivery: WebhookDelivery = {
    id: id('dlv'), endpointId: endpoint.id, eventId: event.id, state: broken ? 'PENDING' : 'DELIVERED', createdAt: event.createdAt,
    endedAt: broken ? null : event.createdAt, nextAttemptAt: broken ? ago(-120_000) : null, attempts: [attempt],
  }
  store.webhookDeliveries.push(delivery)
  return delivery
}

export function makeEndpoint(store: Store, tenantId: string, environment: Environment, fields: Pick<WebhookEndpoint, 'url' | 'description' | 'eventTypes'>, more: Partial<WebhookEndpoint> = {}): WebhookEndpoint {
  const text = secret('whsec')
  const endpoint: WebhookEndpoint = {
    id: id('whe'), tenantId, environment, disabled: false, disabledAt: null, disabledCause: null, failingSince: null, previousSecretExpiresAt: null,
    secret: text, secretHint: hintOf(text), createdAt: now(), updatedAt: now(), version: 1, ...fields, ...more,
  }
  store.webhookEndpoints.push(endpoint)
  return endpoint
}

export const webhookQueries = {
  webhookEndpoints: (page: PageArguments, context: Context) => connection(own(context).toReversed(), page, (row) => endpointView(context, row)),
  webhookEndpoint: ({ id: wanted }: { id: string }, context: Context) => {
    const row = own(context).find((endpoint) => endpoint.id === wanted)
    return row ? endpointView(context, row) : null
  },
  webhookDeliveries: ({ filter, ...page }: PageArguments & { filter?: { endpointId?: string; state?: string } }, context: Context) => {
    const ids = own(context).map((row) => row.id)
    const rows = context.world.store.webhookDeliveries.filter((row) => ids.includes(row.endpointId) && (!filter?.endpointId || row.endpointId === filter.endpointId) && (!filter?.state || row.state === filter.state))
    return connection(rows.toSorted((a, b) => b.createdAt.localeCompare(a.createdAt)), page, (row) => deliveryView(context, row))
  },
}

type Input<T> = { input: T }
interface Told { url: string; description?: string; eventTypes?: string[] }

export const webhookMutations = {
  webhookEndpointCreate: ({ input }: Input<Told>, context: Context) => {
    const tenant = inTenant(context, 'WEBHOOK_WRITE')
    checkUrl(input.url)
    if (own(context).length >= ENDPOINTS_MAX) throw new Refusal('LIMIT_REACHED', null, `An environment has at most ${ENDPOINTS_MAX} endpoints.`)
    const endpoint = makeEndpoint(context.world.store, tenant.id, context.environment, { url: input.url, description: input.description ?? '', eventTypes: input.eventTypes ?? [] })
    record(context, 'webhook_endpoint.create', { id: endpoint.id, name: endpoint.url }, null, { url: endpoint.url })
    return { webhookEndpoint: endpointView(context, endpoint), secret: endpoint.secret }
  },
  webhookEndpointUpdate: ({ input: { id: endpointId, expectedVersion, disabled, ...fields } }: Input<{ id: string; expectedVersion: number; disabled?: boolean } & Partial<Told>>, context: Context) => {
    const endpoint = endpointOf(context, endpointId)
    if (expectedVersion !== endpoint.version) throw new Refusal('STALE', 'expectedVersion', 'Somebody else changed the endpoint since you read it.')
    if (fields.url !== undefined) checkUrl(fields.url)
    Object.assign(endpoint, fields)
    if (disabled !== undefined) Object.assign(endpoint, disabled ? { disabled, disabledAt: now(), disabledCause: 'OWNER' } : { disabled, disabledAt: null, disabledCause: null, failingSince: null })
    if (disabled) for (const row of context.world.store.webhookDeliveries) if (row.endpointId === endpointId && row.state === 'PENDING') Object.assign(row, { state: 'CANCELLED', nextAttemptAt: null })
    touch(endpoint)
    return { webhookEndpoint: endpointView(context, endpoint) }
  },
  webhookEndpointDelete: ({ input }: Input<{ id: string }>, context: Context) => {
    const endpoint = endpointOf(context, input.id)
    const { store } = context.world
    store.webhookEndpoints = store.webhookEndpoints.filter((row) => row !== endpoint)
    store.webhookDeliveries = store.webhookDeliveries.filter(({ endpointId }) => endpointId !== endpoint.id)
    record(context, 'webhook_endpoint.delete', { id: endpoint.id, name: endpoint.url }, { url: endpoint.url }, null)
    return { deletedId: endpoint.id }
  },
  webhookEndpointRotateSecret: ({ input }: Input<{ id: string }>, context: Context) => {
    const endpoint = endpointOf(context, input.id)
    const text = secret('whsec')
    Object.assign(endpoint, { secret: text, secretHint: hintOf(text), previousSecretExpiresAt: new Date(Date.now() + OVERLAP_MS).toISOString() })
    touch(endpoint)
    return { webhookEndpoint: endpointView(context, endpoint), secret: text }
  },
  webhookEndpointTest: ({ input }: Input<{ id: string }>, context: Context) => {
    const endpoint = endpointOf(context, input.id)
    const event = makeEvent(context.world.store, context.environment, 'WEBHOOK_TEST', endpoint.id)
    deliver(context.world.store, endpoint, event)
    return { event: eventView(event) }
  },
  webhookEventResend: ({ input }: Input<{ endpointId: string; eventId: string }>, context: Context) => {
    const endpoint = endpointOf(context, input.endpointId)
    const event = context.world.store.webhookEvents.find((row) => row.id === input.eventId)
    if (!event) throw notFound()
    return { delivery: deliveryView(context, deliver(context.world.store, endpoint, { ...event, createdAt: now() })) }
  },
}
