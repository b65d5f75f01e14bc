/** Rows as the schema shows them. Fields that need more rows are functions, called only when they are asked for. */
import { connection, type Context, inTenant, type PageArguments } from './context.ts'
import { healthOf } from './health.ts'
import type { ApiToken, Asset, AuditEntry, Broadcast, Channel, Invitation, Member, PlaybackId, Session, StreamKey, Tenant, User } from './store.ts'

const found = <Row extends { id: string }>(rows: readonly Row[], id: string | null) => rows.find((row) => row.id === id) ?? null
const newest = <Row extends { createdAt: string }>(rows: Row[]) => rows.toSorted((a, b) => b.createdAt.localeCompare(a.createdAt))

const INGEST = { rtmp: 'rtmp://ingest.headwater.example:1935/live' }

export const userView = (context: Context, user: User) => ({
  __typename: 'User', id: user.id, email: user.email, name: user.name, createdAt: user.createdAt, emailVerified: user.emailVerified, hasPassword: true, totpEnabledAt: user.totpEnabledAt, recoveryCodesLeft: user.recoveryCodes.length,
  memberships: () => context.world.store.members.filter(({ userId }) => userId === user.id).map((member) => ({ role: member.role, joinedAt: member.joinedAt, tenant: tenantSummary(found(context.world.store.tenants, member.tenantId)!) })),
  sessions: (page: PageArguments) => connection(context.world.store.sessions.filter(({ userId }) => userId === user.id).toReversed(), page, (session) => sessionView(context, session)),
})
export const tenantSummary = ({ id, slug, name }: Tenant) => ({ id, slug, name })
const sessionView = (context: Context, { secret: _, userId: __, ...session }: Session) => ({ __typename: 'Session', ...session, current: session.id === context.session?.id })
const personView = (context: Context, id: string | null) => {
  const user = found(context.world.store.users, id)
  return user && { id: user.id, name: user.name, email: user.email }
}

export const tenantView = (context: Context, tenant: Tenant) => {
  const { store } = context.world
  const own = <Row extends { tenantId: string }>(rows: Row[]) => rows.filter(({ tenantId }) => tenantId === tenant.id)
  return {
    __typename: 'Tenant', ...tenant, ingest: INGEST,
    members: ({ filter, ...page }: PageArguments & { filter?: { search?: string; role?: string } }) => {
      inTenant(context, 'MEMBER_READ')
      const rows = own(store.members).filter((member) => (!filter?.role || member.role === filter.role) && (!filter?.search || matches(filter.search, ...Object.values(personView(context, member.userId) ?? {}))))
      return connection(rows, page, (member) => memberView(context, member))
    },
    invitations: (page: PageArguments) => { inTenant(context, 'MEMBER_READ'); return connection(newest(own(store.invitations)), page, (row) => invitationView(context, row)) },
    apiTokens: (page: PageArguments) => { inTenant(context, 'TOKEN_READ'); return connection(newest(own(store.apiTokens)), page, (row) => apiTokenView(context, row)) },
    auditLog: ({ filter, ...page }: PageArguments & { filter?: { action?: string; subjectId?: string; since?: string } }) => {
      inTenant(context, 'AUDIT_READ')
      const rows = own(store.audit).filter((entry) => (!filter?.action || entry.action === filter.action) && (!filter?.subjectId || entry.subjectId === filter.subjectId) && (!filter?.since || entry.at >= filter.since))
      return connection(rows.toSorted((a, b) => b.at.localeCompare(a.at)), page, auditView)
    },
  }
}
export const memberView = (context: Context, member: Member) => ({ __typename: 'Member', ...member, user: personView(context, member.userId), isMe: member.userId === context.user?.id })
export const invitationView = (context: Context, { secret: _, ...invitation }: Invitation) => ({ __typename: 'Invitation', ...invitation, invitedBy: personView(context, invitation.invitedById) })
export const apiTokenView = (context: Context, token: ApiToken) => ({ __typename: 'ApiToken', ...token, createdBy: personView(context, token.createdById) })
const auditView = (entry: AuditEntry) => ({ __typename: 'AuditEntry', ...entry })

export const matches = (search: string, ...texts: (string | null)[]) => texts.some((text) => text?.toLowerCase().includes(search.toLowerCase()))

export const channelView = (context: Context, channel: Channel): Record<string, unknown> => {
  const { store } = context.world
  return {
    __typename: 'Channel', ...channel, recording: channel.recordingEnabled ? 'RECORD' : 'NONE', ingest: INGEST,
    streamKeys: ({ includeInactive, ...page }: PageArguments & { includeInactive?: boolean }) => {
      inTenant(context, 'STREAM_KEY_READ')
      return connection(newest(store.streamKeys.filter((key) => key.channelId === channel.id && (includeInactive || keyState(key) === 'ACTIVE'))), page, (key) => streamKeyView(context, key))
    },
    playbackIds: () => store.playbackIds.filter(({ channelId }) => channelId === channel.id).map((row) => playbackIdView(context, row)),
    broadcast: () => { const row = found(store.broadcasts, channel.broadcastId); return row && broadcastView(context, row) },
  }
}

export const keyState = (key: StreamKey) => (key.revokedAt ? 'REVOKED' : key.expiresAt && Date.parse(key.expiresAt) <= Date.now() ? 'EXPIRED' : 'ACTIVE')
export const streamKeyView = (context: Context, key: StreamKey) => ({ __typename: 'StreamKey', ...key, state: keyState(key), channel: () => channelView(context, found(context.world.store.channels, key.channelId)!) })

export const playbackIdView = (context: Context, row: PlaybackId) => {
  const { store, origin } = context.world
  return {
    __typename: 'PlaybackId', ...row,
    channel: () => { const channel = found(store.channels, row.channelId); return channel && channelView(context, channel) },
    asset: () => { const asset = found(store.assets, row.assetId); return asset && assetView(context, asset) },
    urls: { hls: `https://play.headwater.example/${row.id}/main.m3u8`, dash: `https://play.headwater.example/${row.id}/manifest.mpd`, embed: `${origin}/embed/${row.id}` },
  }
}

const RUNGS = [['1080p', 1920, 1080, 5_800_000], ['720p', 1280, 720, 3_000_000], ['480p', 854, 480, 1_400_000], ['360p', 640, 360, 800_000]] as const

export const broadcastView = (context: Context, broadcast: Broadcast): Record<string, unknown> => {
  const { store } = context.world
  const channel = found(store.channels, broadcast.channelId)!
  return {
    __typename: 'Broadcast', ...broadcast, latencyMode: channel.latencyMode,
    channel: () => channelView(context, channel),
    durationMs: broadcast.endedAt ? Date.parse(broadcast.endedAt) - Date.parse(broadcast.startedAt) : null,
    source: { videoCodec: 'h264', width: 1920, height: 1080, framerate: 30, bitrateBps: 6_020_000, hasAudio: true },
    renditions: [
      ...RUNGS.map(([name, width, height, bitrateBps], index) => ({ name, kind: 'VIDEO', width, height, framerate: 30, bitrateBps, passthrough: index === 0, state: broadcast.endedAt ? null : index === 1 && broadcast.issues.some(({ code }) => code === 'RUNGS_REDUCED') ? 'SHED' : 'PRODUCING' })),
      { name: 'Audio', kind: 'AUDIO', width: null, height: null, framerate: null, bitrateBps: 160_000, passthrough: true, state: broadcast.endedAt ? null : 'PRODUCING' },
    ],
    asset: () => { const asset = found(store.assets, broadcast.assetId); return asset && assetView(context, asset) },
    workerClass: 'GPU',
    recording: broadcast.assetId ? 'RECORD' : 'NONE',
    health: () => healthOf(broadcast),
  }
}

export const assetView = (context: Context, asset: Asset): Record<string, unknown> => {
  const { store, origin } = context.world
  return {
    __typename: 'Asset', ...asset, metadata: {},
    channel: () => { const channel = found(store.channels, asset.channelId); return channel && channelView(context, channel) },
    broadcast: () => { const broadcast = found(store.broadcasts, asset.broadcastId); return broadcast && broadcastView(context, broadcast) },
    playbackIds: () => store.playbackIds.filter(({ assetId }) => assetId === asset.id).map((row) => playbackIdView(context, row)),
    thumbnailUrl: asset.state === 'ERRORED' ? null : `${origin}/__mock/thumbnail/${asset.hue}.svg`,
    downloadUrl: asset.state === 'READY' ? `${origin}/__mock/download` : null,
  }
}
