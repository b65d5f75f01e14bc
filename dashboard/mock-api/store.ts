/** What the mock holds: plain rows, as the service would keep them. Times are RFC 3339. */
import { randomBytes } from 'node:crypto'

export type Environment = 'LIVE' | 'TEST'
export type Role = 'OWNER' | 'ADMIN' | 'DEVELOPER' | 'ANALYST' | 'BILLING'
export type ChannelState = 'OFFLINE' | 'CONNECTING' | 'LIVE' | 'RECONNECTING' | 'ENDING' | 'DISABLED' | 'SUSPENDED'

export interface User { id: string; email: string; name: string; password: string; createdAt: string; emailVerified: boolean; totpSecret: string | null; totpEnabledAt: string | null; recoveryCodes: string[] }
export interface Tenant { id: string; slug: string; name: string; createdAt: string; version: number; suspendedAt: string | null }
export interface Member { id: string; tenantId: string; userId: string; role: Role; joinedAt: string }
export interface Invitation { id: string; tenantId: string; email: string; role: Role; invitedById: string; secret: string; createdAt: string; expiresAt: string }
export interface Session { id: string; userId: string; secret: string; userAgent: string; ipAddress: string; createdAt: string; lastUsedAt: string; expiresAt: string }
export interface ApiToken { id: string; tenantId: string; name: string; environment: Environment; hint: string; actions: string[]; createdById: string; createdAt: string; lastUsedAt: string | null; expiresAt: string | null; revokedAt: string | null }
export interface AuditEntry { id: string; tenantId: string; at: string; actorKind: string; actorName: string; actorId: string | null; action: string; subjectId: string; subjectName: string; before: object | null; after: object | null; ipAddress: string; userAgent: string; environment: Environment; traceId: string }
export interface Ladder { kind: string; passthrough: boolean; steps: { shortSide: number; bitrateBps: number; bitrateHighFpsBps: number; fpsMax: number }[] }
export interface Channel {
  id: string; tenantId: string; environment: Environment; title: string; reference: string | null; metadata: object; state: ChannelState
  latencyMode: 'LOW' | 'STANDARD'; ladder: Ladder; reconnectWindowS: number; recordingEnabled: boolean; recordingRetentionDays: number | null
  bitrateMaxBps: number | null; disabled: boolean; createdAt: string; updatedAt: string; version: number; broadcastId: string | null
}
export interface StreamKey { id: string; channelId: string; label: string; hint: string; expiresAt: string | null; revokedAt: string | null; lastUsedAt: string | null; createdAt: string; inUse: boolean }
export interface PlaybackId { id: string; policy: 'PUBLIC' | 'SIGNED'; channelId: string | null; assetId: string | null; createdAt: string }
export interface Issue { code: string; severity: 'INFO' | 'WARNING' | 'ERROR'; message: string; advice: string; since: string }
export interface Broadcast { id: string; channelId: string; lifecycle: string; startedAt: string; endedAt: string | null; height: number; issues: Issue[]; viewers: number; assetId: string | null }
export interface Asset { id: string; tenantId: string; environment: Environment; title: string; state: string; channelId: string | null; broadcastId: string | null; durationMs: number | null; sizeBytes: number | null; error: string | null; createdAt: string; updatedAt: string; version: number; deletesAt: string | null; playbackPolicy: 'PUBLIC' | 'SIGNED' | null; hue: number }
export interface SigningKey { id: string; tenantId: string; environment: Environment; name: string; algorithm: 'ES256' | 'EDDSA' | 'RS256' | null; imported: boolean; publicKey: string; privateKey: string | null; createdAt: string; revokedAt: string | null }
export interface WebhookEndpoint { id: string; tenantId: string; environment: Environment; url: string; description: string; eventTypes: string[]; disabled: boolean; disabledAt: string | null; disabledCause: string | null; failingSince: string | null; secret: string; secretHint: string; previousSecretExpiresAt: string | null; createdAt: string; updatedAt: string; version: number }
export interface WebhookEvent { id: string; environment: Environment; type: string; objectId: string; objectType: string; createdAt: string; body: string }
export interface WebhookDelivery { id: string; endpointId: string; eventId: string; state: string; createdAt: string; endedAt: string | null; nextAttemptAt: string | null; attempts: { number: number; at: string; status: number | null; durationMs: number; error: string | null; answer: string }[] }

export interface Store {
  /** Whose password was right, by the challenge that asks them for a code. */
  challenges: Map<string, string>
  users: User[]; tenants: Tenant[]; members: Member[]; invitations: Invitation[]; sessions: Session[]; apiTokens: ApiToken[]; audit: AuditEntry[]
  channels: Channel[]; streamKeys: StreamKey[]; playbackIds: PlaybackId[]; broadcasts: Broadcast[]; assets: Asset[]
  signingKeys: SigningKey[]; webhookEndpoints: WebhookEndpoint[]; webhookEvents: WebhookEvent[]; webhookDeliveries: WebhookDelivery[]
}

export const emptyStore = (): Store => ({
  challenges: new Map(), users: [], tenants: [], members: [], invitations: [], sessions: [], apiTokens: [], audit: [],
  channels: [], streamKeys: [], playbackIds: [], broadcasts: [], assets: [],
  signingKeys: [], webhookEndpoints: [], webhookEvents: [], webhookDeliveries: [],
})

export const newUser = (email: string, name: string, password: string, createdAt: string, emailVerified = true): User => ({ id: id('usr'), email, name, password, createdAt, emailVerified, totpSecret: null, totpEnabledAt: null, recoveryCodes: [] })
export const id = (prefix: string) => `${prefix}_${randomBytes(10).toString('hex')}`
export const secret = (prefix: string) => `${prefix}_${randomBytes(18).toString('base64url')}`
export const hintOf = (text: string) => `${text.slice(0, text.indexOf('_') + 1)}…${text.slice(-4)}`
export const now = () => new Date().toISOString()
export const ago = (ms: number) => new Date(Date.now() - ms).toISOString()
