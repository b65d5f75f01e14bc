import { type Context, inTenant, notFound, record, Refusal } from './context.ts'
import { checkText } from './mutations-account.ts'
import { makeChannel } from './seed.ts'
import { simulate } from './simulate.ts'
import { type Channel, hintOf, type Ladder, id, now, secret, type StreamKey } from './store.ts'
import { assetView, broadcastView, channelView, playbackIdView, streamKeyView } from './views.ts'

type Input<T> = { input: T }
const ON_AIR = ['LIVE', 'RECONNECTING', 'CONNECTING']
const UNDO_MS = 86_400_000
const CHANGEABLE = ['title', 'reference', 'latencyMode', 'reconnectWindowS', 'bitrateMaxBps', 'disabled'] as const

function channelOf(context: Context, action: string, channelId: string): Channel {
  const tenant = inTenant(context, action)
  const row = context.world.store.channels.find((channel) => channel.id === channelId && channel.tenantId === tenant.id)
  if (!row) throw notFound()
  return row
}
function keyOf(context: Context, keyId: string): { key: StreamKey; channel: Channel } {
  const key = context.world.store.streamKeys.find((row) => row.id === keyId)
  if (!key) throw notFound()
  return { key, channel: channelOf(context, 'STREAM_KEY_WRITE', key.channelId) }
}
function assetOf(context: Context, assetId: string) {
  const tenant = inTenant(context, 'ASSET_WRITE')
  const row = context.world.store.assets.find((asset) => asset.id === assetId && asset.tenantId === tenant.id)
  if (!row) throw notFound()
  return row
}
const touch = (row: { version: number; updatedAt: string }) => Object.assign(row, { version: row.version + 1, updatedAt: now() })
const changed = (context: Context, channel: Channel) => void context.world.bus.emit('channel', channel.id)

function addKey(context: Context, channel: Channel, label: string, expiresAt: string | null) {
  const text = secret('sk')
  const key: StreamKey = { id: id('key'), channelId: channel.id, label, hint: hintOf(text), expiresAt, revokedAt: null, lastUsedAt: null, createdAt: now(), inUse: false }
  context.world.store.streamKeys.push(key)
  return { key, text }
}

interface LadderInput { kind: string; passthrough: boolean; steps: { shortSide: number; bitrateBps: number; bitrateHighFpsBps?: number | null; fpsMax: number }[] }

/** A ladder that can be made. */
function ladderOf({ kind, passthrough, steps }: LadderInput): Ladder {
  if (kind !== 'CUSTOM') return { kind, passthrough: kind !== 'ENCODED', steps: [] }
  if (steps.length === 0 || steps.length > 10) throw new Refusal('INVALID', 'ladder', `A ladder has 1 to 10 steps, not ${steps.length}.`)
  for (const [place, { shortSide, bitrateBps }] of steps.entries()) {
    if (shortSide < 96 || shortSide > 4320) throw new Refusal('OUT_OF_RANGE', `ladder.steps.${place}.shortSide`, 'It lies between 96 and 4,320.')
    // No bound of the real one: for what only the service can know.
    if (bitrateBps > 90_000_000) throw new Refusal('OUT_OF_RANGE', `ladder.steps.${place}.bitrateBps`, 'More than this plan has.')
  }
  return { kind, passthrough, steps: steps.map(({ bitrateHighFpsBps, ...step }) => ({ ...step, bitrateHighFpsBps: bitrateHighFpsBps ?? step.bitrateBps })) }
}

/** The publisher that sends with the key is gone within a second. */
function disconnect(context: Context, key: StreamKey, channel: Channel) {
  if (!key.inUse) return
  key.inUse = false
  simulate.offline(context.world, channel)
}

export const mediaMutations = {
  channelCreate: ({ input }: Input<{ title: string; reference?: string; latencyMode?: Channel['latencyMode']; ladder?: LadderInput; recording?: 'RECORD' | 'NONE' }>, context: Context) => {
    const tenant = inTenant(context, 'CHANNEL_WRITE')
    checkText(input.title, 'title', 200)
    if (input.reference && context.world.store.channels.some((row) => row.tenantId === tenant.id && row.reference === input.reference)) throw new Refusal('TAKEN', 'reference', 'Another channel has this reference.')
    const made = makeChannel(context.world.store, tenant.id, context.environment, input.title, {
      reference: input.reference ?? null, latencyMode: input.latencyMode ?? 'LOW', ...(input.ladder && { ladder: ladderOf(input.ladder) }), recordingEnabled: input.recording !== 'NONE',
    })
    record(context, 'channel.create', { id: made.channel.id, name: input.title }, null, { title: input.title })
    const key = context.world.store.streamKeys.find((row) => row.channelId === made.channel.id)!
    changed(context, made.channel)
    return { channel: channelView(context, made.channel), streamKey: streamKeyView(context, key), streamKeySecret: made.secret }
  },
  channelUpdate: ({ input: { id: channelId, expectedVersion, ladder, recording, ...fields } }: Input<{ id: string; expectedVersion: number; ladder?: LadderInput; recording?: 'RECORD' | 'NONE' } & Omit<Partial<Channel>, 'ladder'>>, context: Context) => {
    const channel = channelOf(context, 'CHANNEL_WRITE', channelId)
    if (expectedVersion !== channel.version) throw new Refusal('STALE', 'expectedVersion', 'Somebody else changed the channel since you read it.')
    if (fields.title !== undefined) checkText(fields.title, 'title', 200)
    if (fields.reconnectWindowS !== undefined && (fields.reconnectWindowS < 0 || fields.reconnectWindowS > 3600)) throw new Refusal('OUT_OF_RANGE', 'reconnectWindowS', 'The window is 0 to 3600 seconds.')
    if (fields.reference && context.world.store.channels.some((row) => row !== channel && row.tenantId === channel.tenantId && row.reference === fields.reference)) throw new Refusal('TAKEN', 'reference', 'Another channel has this reference.')
    const before: Record<string, unknown> = {}
    const after: Record<string, unknown> = {}
    for (const name of CHANGEABLE) {
      if (fields[name] === undefined || fields[name] === channel[name]) continue
      before[name] = channel[name]
      after[name] = fields[name]
    }
    if (ladder) {
      before['ladder'] = channel.ladder
      channel.ladder = ladderOf(ladder)
      after['ladder'] = channel.ladder
    }
    if (recording) channel.recordingEnabled = recording === 'RECORD'
    Object.assign(channel, after)
    touch(channel)
    if (after['disabled'] === true) simulate.offline(context.world, channel)
    if (after['disabled'] === false) channel.state = 'OFFLINE'
    record(context, 'channel.update', { id: channel.id, name: channel.title }, before, after)
    changed(context, channel)
    return { channel: channelView(context, channel) }
  },
  channelDelete: ({ input }: Input<{ id: string }>, context: Context) => {
    const channel = channelOf(context, 'CHANNEL_WRITE', input.id)
    if (ON_AIR.includes(channel.state)) throw new Refusal('STATE', null, 'The channel is on air. End its broadcast first.')
    const { store } = context.world
    store.channels = store.channels.filter((row) => row !== channel)
    for (const asset of store.assets) if (asset.channelId === channel.id) asset.channelId = null
    for (const broadcast of store.broadcasts) if (broadcast.channelId === channel.id) for (const asset of store.assets) if (asset.broadcastId === broadcast.id) asset.broadcastId = null
    record(context, 'channel.delete', { id: channel.id, name: channel.title }, { title: channel.title }, null)
    return { deletedId: channel.id }
  },
  streamKeyCreate: ({ input }: Input<{ channelId: string; label?: string; expiresAt?: string | null }>, context: Context) => {
    const channel = channelOf(context, 'STREAM_KEY_WRITE', input.channelId)
    const { key, text } = addKey(context, channel, input.label ?? '', input.expiresAt ?? null)
    record(context, 'stream_key.create', { id: key.id, name: key.label }, null, { label: key.label })
    return { streamKey: streamKeyView(context, key), secret: text }
  },
  streamKeyUpdate: ({ input }: Input<{ id: string; label?: string; expiresAt?: string | null }>, context: Context) => {
    const { key } = keyOf(context, input.id)
    if (input.label !== undefined) key.label = input.label
    if (input.expiresAt !== undefined) key.expiresAt = input.expiresAt
    return { streamKey: streamKeyView(context, key) }
  },
  streamKeyRotate: ({ input }: Input<{ id: string; overlapS: number }>, context: Context) => {
    const { key: old, channel } = keyOf(context, input.id)
    const { key, text } = addKey(context, channel, old.label, null)
    old.expiresAt = new Date(Date.now() + input.overlapS * 1000).toISOString()
    if (input.overlapS === 0) disconnect(context, old, channel)
    record(context, 'stream_key.rotate', { id: old.id, name: old.label }, null, { overlapS: input.overlapS })
    return { streamKey: streamKeyView(context, key), previous: streamKeyView(context, old), secret: text }
  },
  streamKeyRevoke: ({ input }: Input<{ id: string }>, context: Context) => {
    const { key, channel } = keyOf(context, input.id)
    key.revokedAt = now()
    disconnect(context, key, channel)
    record(context, 'stream_key.revoke', { id: key.id, name: key.label }, null, null)
    return { streamKey: streamKeyView(context, key) }
  },
  playbackIdCreate: ({ input }: Input<{ channelId: string; policy: 'PUBLIC' | 'SIGNED' }>, context: Context) => {
    const channel = channelOf(context, 'CHANNEL_WRITE', input.channelId)
    const row = { id: id('pb').slice(3), policy: input.policy, channelId: channel.id, assetId: null, createdAt: now() }
    context.world.store.playbackIds.push(row)
    return { playbackId: playbackIdView(context, row) }
  },
  playbackIdDelete: ({ input }: Input<{ id: string }>, context: Context) => {
    const { store } = context.world
    const row = store.playbackIds.find((one) => one.id === input.id)
    if (!row?.channelId) throw notFound()
    channelOf(context, 'CHANNEL_WRITE', row.channelId)
    if (store.playbackIds.filter(({ channelId }) => channelId === row.channelId).length === 1) throw new Refusal('STATE', null, 'A channel keeps at least one playback id.')
    store.playbackIds = store.playbackIds.filter((one) => one !== row)
    return { deletedId: row.id }
  },
  broadcastEnd: ({ input }: Input<{ id: string }>, context: Context) => {
    const broadcast = context.world.store.broadcasts.find((row) => row.id === input.id)
    if (!broadcast) throw notFound()
    simulate.offline(context.world, channelOf(context, 'BROADCAST_WRITE', broadcast.channelId))
    return { broadcast: broadcastView(context, broadcast) }
  },
  assetUpdate: ({ input }: Input<{ id: string; expectedVersion: number; title?: string; playbackPolicy?: 'PUBLIC' | 'SIGNED' | null }>, context: Context) => {
    const asset = assetOf(context, input.id)
    if (input.expectedVersion !== asset.version) throw new Refusal('STALE', 'expectedVersion', 'Somebody else changed the asset since you read it.')
    if (input.title !== undefined) {
      checkText(input.title, 'title', 200)
      asset.title = input.title
    }
    if (input.playbackPolicy !== undefined) asset.playbackPolicy = input.playbackPolicy
    if (input.playbackPolicy !== undefined) for (const row of context.world.store.playbackIds) if (row.assetId === asset.id) row.policy = input.playbackPolicy ?? 'PUBLIC'
    touch(asset)
    return { asset: assetView(context, asset) }
  },
  assetDelete: ({ input }: Input<{ id: string }>, context: Context) => {
    const asset = assetOf(context, input.id)
    asset.deletesAt = new Date(Date.now() + UNDO_MS).toISOString()
    touch(asset)
    record(context, 'asset.delete', { id: asset.id, name: asset.title }, { state: asset.state }, { state: 'DELETED' })
    return { asset: assetView(context, asset) }
  },
  assetRestore: ({ input }: Input<{ id: string }>, context: Context) => {
    const asset = assetOf(context, input.id)
    if (!asset.deletesAt) throw new Refusal('STATE', null, 'This asset is not being deleted.')
    asset.deletesAt = null
    touch(asset)
    record(context, 'asset.restore', { id: asset.id, name: asset.title }, null, null)
    return { asset: assetView(context, asset) }
  },
}
