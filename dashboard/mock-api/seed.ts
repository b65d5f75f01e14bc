import { deliver, makeEndpoint, makeEvent } from './webhooks.ts'
import { type Asset, type Broadcast, type Channel, ago, emptyStore, hintOf, id, newUser, now, type Role, secret, type Store } from './store.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

export const PASSWORD = 'correct horse battery'

const PEOPLE: readonly [email: string, name: string, role: Role][] = [
  ['ada@example.com', 'Ada Marsh', 'OWNER'],
  ['tomas@example.com', 'Tomás Vega', 'ADMIN'],
  ['dev@example.com', 'Devi Rao', 'DEVELOPER'],
  ['kit@example.com', 'Kit Okafor', 'ANALYST'],
  ['bill@example.com', 'Bill Novak', 'BILLING'],
]

const TITLES = [
  'Morning show', 'Town hall', 'Concert hall, main stage', 'Concert hall, balcony camera', 'Sunday service', 'Press room', 'Chess finals',
  'Harbour webcam', 'Cooking with Yuki', 'Marathon, finish line', 'Marathon, helicopter', 'Lecture theatre 3', 'Radio studio', 'Auction room',
  'Robotics club', 'Night sky', 'Council meeting', 'Product launch', 'Esports arena A', 'Esports arena B', 'Garden birds', 'Opera rehearsal',
  'Training room', 'Charity telethon', 'Surf report', 'Film festival Q&A', 'Weather desk', 'Workshop: woodwork', 'Choir practice', 'Science slam',
]

const PUBLIC_KEY = '-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEVs/o5+uQbTjL3chynL4wXgUg2R9\nq9UU8I5mEovUf86QZ7kOBIjJwqnzD1omageEHWwHdBO6B+dFabmdT9POxg==\n-----END PUBLIC KEY-----\n'

export function makeChannel(store: Store, tenantId: string, environment: 'LIVE' | 'TEST', title: string, more: Partial<Channel> = {}): { channel: Channel; secret: string } {
  const createdAt = more.createdAt ?? now()
  const channel: Channel = {
    id: id('ch'), tenantId, environment, title, reference: null, metadata: {}, state: 'OFFLINE', latencyMode: 'LOW', ladder: { kind: 'DEFAULT', passthrough: true, steps: [] },
    reconnectWindowS: 60, recordingEnabled: true, recordingRetentionDays: null, bitrateMaxBps: null, disabled: false, createdAt, updatedAt: createdAt,
    version: 1, broadcastId: null, ...more,
  }
  store.channels.push(channel)
  const key = secret('sk')
  store.streamKeys.push({ id: id('key'), channelId: channel.id, label: 'First key', hint: hintOf(key), expiresAt: null, revokedAt: null, lastUsedAt: null, createdAt, inUse: false })
  store.playbackIds.push({ id: id('pb').slice(3), policy: 'PUBLIC', channelId: channel.id, assetId: null, createdAt })
  return { channel, secret: key }
}

export function makeAsset(store: Store, channel: Channel, broadcast: Broadcast | null, more: Partial<Asset>): Asset {
  const createdAt = more.createdAt ?? now()
  const asset: Asset = {
    id: id('as'), tenantId: channel.tenantId, environment: channel.environment, title: channel.title, state: 'READY', channelId: channel.id,
    broadcastId: broadcast?.id ?? null, durationMs: null, sizeBytes: null, error: null, createdAt, updatedAt: createdAt, version: 1, deletesAt: null, playbackPolicy: null,
    hue: (store.assets.length * 47) % 360, ...more,
  }
  store.assets.push(asset)
  store.playbackIds.push({ id: id('pb').slice(3), policy: 'PUBLIC', channelId: null, assetId: asset.id, createdAt })
  return asset
}

/** A tenant with a history, people of every role, and a second tenant that they must never see. */
export function seed(): Store {
  const store = emptyStore()
  const createdAt = ago(200 * DAY)
  for (const [slug, name] of [['northlight', 'Northlight Studios'], ['tidewater', 'Tidewater Media']] as const) {
    store.tenants.push({ id: id('ten'), slug, name, createdAt, version: 1, suspendedAt: null })
  }
  const [tenant, other] = store.tenants as [Store['tenants'][0], Store['tenants'][0]]
  PEOPLE.forEach(([email, name, role], index) => {
    const user = newUser(email, name, PASSWORD, ago((190 - index) * DAY))
    store.users.push(user)
    store.members.push({ id: id('mem'), tenantId: tenant.id, userId: user.id, role, joinedAt: user.createdAt })
  })
  const [ada] = store.users as [Store['users'][0]]
  store.members.push({ id: id('mem'), tenantId: other.id, userId: ada.id, role: 'ANALYST', joinedAt: ago(30 * DAY) })
  store.users.push(newUser('new@example.com', 'Noor Haddad', PASSWORD, now(), false))
  store.invitations.push({ id: id('inv'), tenantId: tenant.id, email: 'new@example.com', role: 'DEVELOPER', invitedById: ada.id, secret: 'invitation-of-noor', createdAt: ago(DAY), expiresAt: ago(-6 * DAY) })
  store.sessions.push({ id: id('ses'), userId: ada.id, secret: secret('s'), userAgent: 'Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Version/19.0 Mobile Safari/604.1', ipAddress: '198.51.100.24', createdAt: ago(9 * DAY), lastUsedAt: ago(5 * HOUR), expiresAt: ago(-20 * DAY) })
  for (const [name, environment, lastUsedAt] of [['Scheduling service', 'LIVE', ago(3 * MINUTE)], ['Continuous integration', 'TEST', ago(2 * DAY)]] as const) {
    store.apiTokens.push({ id: id('tok'), tenantId: tenant.id, name, environment, hint: `hw_${environment.toLowerCase()}_…k3Pq`, actions: ['CHANNEL_READ', 'CHANNEL_WRITE', 'ASSET_READ'], createdById: ada.id, createdAt: ago(60 * DAY), lastUsedAt, expiresAt: ago(-30 * DAY), revokedAt: null })
  }

  TITLES.forEach((title, index) => {
    const { channel } = makeChannel(store, tenant.id, 'LIVE', title, {
      createdAt: ago((TITLES.length - index) * 3 * DAY), reference: index % 3 === 0 ? `studio-${index + 1}` : null,
      latencyMode: index % 4 === 3 ? 'STANDARD' : 'LOW', recordingEnabled: index % 5 !== 4,
    })
    if (index % 7 === 6) Object.assign(channel, { disabled: true, state: 'DISABLED' })
    if (index > 20) return
    for (let each = 0; each < 2; each += 1) {
      const startedAt = ago((index + 1 + each * 20) * DAY + 3 * HOUR)
      const durationMs = (35 + ((index * 13 + each * 29) % 140)) * MINUTE
      const broadcast: Broadcast = { id: id('br'), channelId: channel.id, lifecycle: 'ENDED', startedAt, endedAt: new Date(Date.parse(startedAt) + durationMs).toISOString(), height: 1080, issues: [], viewers: 0, assetId: null }
      store.broadcasts.push(broadcast)
      if (!channel.recordingEnabled) continue
      const asset = makeAsset(store, channel, broadcast, { title: `${title}, ${new Date(startedAt).toLocaleDateString('en', { day: 'numeric', month: 'long' })}`, durationMs, sizeBytes: durationMs * 1100, createdAt: startedAt })
      broadcast.assetId = asset.id
      if (index === 4 && each === 0) Object.assign(asset, { state: 'ERRORED', error: '42 s of media were lost with the ingest edge at 14:02; the rest plays.' })
    }
  })
  makeChannel(store, tenant.id, 'TEST', 'Sandbox', { createdAt: ago(20 * DAY) })
  makeChannel(store, other.id, 'LIVE', 'Ferry camera', { createdAt: ago(40 * DAY) })
  seedAudit(store, tenant.id)
  seedHooks(store, tenant.id)
  return store
}

function seedAudit(store: Store, tenantId: string) {
  const acts: readonly [action: string, before: object | null, after: object | null][] = [
    ['channel.update', { title: 'Town Hall', reconnectWindowS: 0 }, { title: 'Town hall', reconnectWindowS: 60 }],
    ['stream_key.rotate', null, { label: 'Studio A', overlapS: 86400 }],
    ['member.update', { role: 'ANALYST' }, { role: 'DEVELOPER' }],
    ['channel.create', null, { title: 'Town hall', latencyMode: 'LOW' }],
    ['api_token.create', null, { name: 'Scheduling service', environment: 'LIVE' }],
    ['asset.delete', { state: 'READY' }, { state: 'DELETED' }],
  ]
  for (let index = 0; index < 64; index += 1) {
    const [action, before, after] = acts[index % acts.length]!
    const actor = store.users[index % 3]!
    const channel = store.channels[index % 20]!
    store.audit.push({
      id: id('aud'), tenantId, at: ago(index * 7 * HOUR + 20 * MINUTE), actorKind: index % 6 === 4 ? 'API_TOKEN' : 'USER', actorName: index % 6 === 4 ? 'Scheduling service' : actor.name,
      actorId: actor.id, action, subjectId: channel.id, subjectName: channel.title, before, after, ipAddress: `203.0.113.${index % 200}`,
      userAgent: 'Mozilla/5.0 (X11; Linux x86_64) Chrome/156.0', environment: 'LIVE', traceId: id('').slice(1),
    })
  }
}

/** An endpoint that takes everything, and one that fails. */
function seedHooks(store: Store, tenantId: string) {
  const well = makeEndpoint(store, tenantId, 'LIVE', { url: 'https://hooks.example.com/headwater', description: 'Scheduling service', eventTypes: [] }, { createdAt: ago(40 * DAY) })
  const failing = makeEndpoint(store, tenantId, 'LIVE', { url: 'https://broken.example.com/very/long/path/that/somebody/has/chosen/for/reasons/of/their/own', description: '', eventTypes: ['BROADCAST_CONNECTED', 'BROADCAST_ENDED'] }, { createdAt: ago(8 * DAY), failingSince: ago(5 * HOUR) })
  for (let index = 0; index < 30; index += 1) {
    const type = ['CHANNEL_UPDATED', 'BROADCAST_CONNECTED', 'BROADCAST_ACTIVE', 'BROADCAST_ENDED', 'ASSET_READY', 'STREAM_KEY_CREATED'][index % 6]!
    const event = makeEvent(store, 'LIVE', type, store.channels[index % 10]!.id, ago((30 - index) * 2 * HOUR))
    deliver(store, well, event)
    if (failing.eventTypes.includes(type)) deliver(store, failing, event)
  }
  // Of one pair, made once: RSA keys take their time.
  store.signingKeys.push({ id: id('sgk'), tenantId, environment: 'LIVE', name: 'Web shop', algorithm: 'ES256', imported: true, publicKey: PUBLIC_KEY, privateKey: null, createdAt: ago(70 * DAY), revokedAt: null })
  store.signingKeys.push({ id: id('sgk'), tenantId, environment: 'LIVE', name: 'Web shop, before', algorithm: 'RS256', imported: false, publicKey: PUBLIC_KEY, privateKey: null, createdAt: ago(160 * DAY), revokedAt: ago(60 * DAY) })
}
