import type { Cache, CacheExchangeOpts, Entity, UpdateResolver } from '@urql/exchange-graphcache'

/** Drops every stored page of the named lists of an entity; lists on screen load again. */
function forget(cache: Cache, entity: Entity, ...fields: string[]) {
  for (const { fieldName, arguments: args } of cache.inspectFields(entity)) {
    if (fields.includes(fieldName)) cache.invalidate(entity, fieldName, args)
  }
}

/** After a mutation without user errors, `fields` of the query root are stale. */
const forgets = (...fields: string[]): UpdateResolver => (_result, _args, cache) => forget(cache, 'Query', ...fields)

/** After it, `fields` of every entity that was ever read under `Query.tenant` are stale. */
const forgetsOfTenant = (...fields: string[]): UpdateResolver => (_result, _args, cache) => {
  const tenant = cache.resolve('Query', 'tenant')
  if (typeof tenant === 'string') forget(cache, tenant, ...fields)
}

const forgetsKeys: UpdateResolver = (result, args, cache) => {
  const input = args['input'] as { channelId?: string; id?: string }
  const payload = Object.values(result)[0] as { streamKey?: { channel?: { id: string } } } | undefined
  const channelId = input.channelId ?? payload?.streamKey?.channel?.id
  if (channelId) forget(cache, { __typename: 'Channel', id: channelId }, 'streamKeys')
}

const forgetsPlaybackIds: UpdateResolver = (_result, args, cache) => {
  const { channelId } = args['input'] as { channelId?: string }
  if (channelId) forget(cache, { __typename: 'Channel', id: channelId }, 'playbackIds')
}

const embedded = () => null

/** Entities are kept by id; the rest lives inside its parent. */
export const cacheConfig: CacheExchangeOpts = {
  keys: {
    PageInfo: embedded, IngestAddresses: embedded, Ladder: embedded, LadderStep: embedded, PlaybackUrls: embedded,
    BroadcastSource: embedded, Rendition: embedded, BroadcastHealth: embedded, HealthIssue: embedded, HealthSample: embedded,
    Viewer: embedded, Membership: embedded, InvitationPreview: embedded, UserError: embedded, WebhookAttempt: embedded,
    ChannelConnection: embedded, StreamKeyConnection: embedded, BroadcastConnection: embedded, AssetConnection: embedded,
    MemberConnection: embedded, InvitationConnection: embedded, ApiTokenConnection: embedded, AuditEntryConnection: embedded,
    SessionConnection: embedded, WebhookEndpointConnection: embedded, WebhookDeliveryConnection: embedded,
    SigningKeyConnection: embedded, PlaybackToken: embedded, PlaybackRevocation: embedded, PlaybackRevocationConnection: embedded,
  },
  updates: {
    Mutation: {
      channelCreate: forgets('channels'),
      channelDelete: forgets('channels', 'assets'),
      streamKeyCreate: forgetsKeys,
      streamKeyRotate: forgetsKeys,
      streamKeyRevoke: forgetsKeys,
      playbackIdCreate: forgetsPlaybackIds,
      playbackIdDelete: (_result, args, cache) => cache.invalidate({ __typename: 'PlaybackId', id: (args['input'] as { id: string }).id }),
      assetDelete: forgets('assets'),
      assetRestore: forgets('assets'),
      memberRemove: forgetsOfTenant('members'),
      invitationCreate: forgetsOfTenant('invitations'),
      invitationRevoke: forgetsOfTenant('invitations'),
      apiTokenCreate: forgetsOfTenant('apiTokens'),
      apiTokenRevoke: forgetsOfTenant('apiTokens'),
      sessionRevoke: (result, _args, cache) => {
        const { revokedIds } = result['sessionRevoke'] as { revokedIds: string[] }
        for (const id of revokedIds) cache.invalidate({ __typename: 'Session', id })
      },
      signingKeyCreate: forgets('signingKeys'),
      signingKeyImport: forgets('signingKeys'),
      playbackTokenCreate: forgets('signingKeys'),
      playbackViewerRevoke: forgets('playbackRevocations'),
      playbackTokenRevoke: forgets('playbackRevocations'),
      webhookEndpointCreate: forgets('webhookEndpoints'),
      webhookEndpointDelete: forgets('webhookEndpoints'),
      webhookEndpointTest: forgets('webhookDeliveries'),
      webhookEventResend: forgets('webhookDeliveries'),
    },
  },
}
