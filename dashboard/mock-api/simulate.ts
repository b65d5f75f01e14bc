import type { World } from './context.ts'
import { ISSUES } from './health.ts'
import { makeAsset } from './seed.ts'
import { type Broadcast, type Channel, id, now } from './store.ts'

const HEALTH_EVERY_MS = 1000

const changed = (world: World, channel: Channel) => void world.bus.emit('channel', channel.id)

/** What encoders and workers would do to a channel. */
export const simulate = {
  connecting(world: World, channel: Channel) {
    channel.state = 'CONNECTING'
    changed(world, channel)
  },
  live(world: World, channel: Channel) {
    const running = world.store.broadcasts.find((row) => row.id === channel.broadcastId)
    if (running) running.lifecycle = 'LIVE'
    else {
      const broadcast: Broadcast = { id: id('br'), channelId: channel.id, lifecycle: 'LIVE', startedAt: now(), endedAt: null, height: 1080, issues: [], viewers: 128, assetId: null }
      world.store.broadcasts.push(broadcast)
      channel.broadcastId = broadcast.id
      if (channel.recordingEnabled) broadcast.assetId = makeAsset(world.store, channel, broadcast, { state: 'RECORDING', title: `${channel.title}, now` }).id
    }
    const key = world.store.streamKeys.find((row) => row.channelId === channel.id && !row.revokedAt)
    if (key) Object.assign(key, { inUse: true, lastUsedAt: now() })
    channel.state = 'LIVE'
    changed(world, channel)
  },
  reconnecting(world: World, channel: Channel) {
    channel.state = 'RECONNECTING'
    changed(world, channel)
  },
  offline(world: World, channel: Channel) {
    const broadcast = world.store.broadcasts.find((row) => row.id === channel.broadcastId)
    if (broadcast) Object.assign(broadcast, { lifecycle: 'ENDED', endedAt: now() })
    const asset = world.store.assets.find((row) => row.id === broadcast?.assetId)
    if (asset && broadcast) {
      const durationMs = Date.now() - Date.parse(broadcast.startedAt)
      Object.assign(asset, { state: 'READY', durationMs, sizeBytes: durationMs * 1100 })
    }
    for (const key of world.store.streamKeys) if (key.channelId === channel.id) key.inUse = false
    Object.assign(channel, { state: channel.disabled ? 'DISABLED' : 'OFFLINE', broadcastId: null })
    changed(world, channel)
  },
  viewers(world: World, channel: Channel) {
    const broadcast = world.store.broadcasts.find((row) => row.id === channel.broadcastId)
    if (broadcast) broadcast.viewers += 1
    changed(world, channel)
  },
  issue(world: World, channel: Channel, code: string) {
    const broadcast = world.store.broadcasts.find((row) => row.id === channel.broadcastId)
    const issue = ISSUES[code]
    if (!broadcast || !issue) return
    broadcast.issues = [...broadcast.issues.filter((one) => one.code !== code), { code, ...issue, since: now() } as Broadcast['issues'][0]]
    world.bus.emit('health', broadcast.id)
  },
}
export type Simulated = keyof typeof simulate

/** Samples of every broadcast on air, once a second, until it is stopped. */
export function startHealth(world: World): () => void {
  const timer = setInterval(() => {
    for (const broadcast of world.store.broadcasts) if (!broadcast.endedAt) world.bus.emit('health', broadcast.id)
  }, HEALTH_EVERY_MS)
  timer.unref()
  return () => clearInterval(timer)
}
