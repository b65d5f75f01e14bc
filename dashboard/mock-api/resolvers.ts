import { ACTIONS, connection, type Context, inTenant, type PageArguments, signedIn } from './context.ts'
import { healthOf } from './health.ts'
import type { Channel } from './store.ts'
import { assetView, broadcastView, channelView, matches, playbackIdView, streamKeyView, tenantView, userView } from './views.ts'

type Args<T> = T & PageArguments
const DIRECTION = (order?: { direction?: string }) => (order?.direction === 'ASC' ? 1 : -1)

const ownChannels = (context: Context) => {
  const tenant = inTenant(context, 'CHANNEL_READ')
  return context.world.store.channels.filter((row) => row.tenantId === tenant.id && row.environment === context.environment)
}
const ownAssets = (context: Context) => {
  const tenant = inTenant(context, 'ASSET_READ')
  return context.world.store.assets.filter((row) => row.tenantId === tenant.id && row.environment === context.environment && row.state !== 'DELETED')
}

export const queries = {
  signInOptions: (_: object, { world }: Context) => ({ mail: true, openIdConnect: { name: 'Example ID', startUrl: `${world.origin}/__mock/oidc` } }),
  me: (_: object, context: Context) => context.user && userView(context, context.user),
  viewer: (_: object, context: Context) => {
    const { user, tenant, member, environment } = context
    if (!user || !tenant || !member) return null
    return { user: userView(context, user), apiToken: null, tenant: tenantView(context, tenant), environment, role: member.role, actions: ACTIONS[member.role] }
  },
  tenant: (_: object, context: Context) => tenantView(context, inTenant(context, 'TENANT_READ')),
  channel: ({ id, reference }: { id?: string; reference?: string }, context: Context) => {
    const row = ownChannels(context).find((channel) => (id ? channel.id === id : channel.reference === reference))
    return row ? channelView(context, row) : null
  },
  channels: ({ filter, orderBy, ...page }: Args<{ filter?: { search?: string; state?: string; reference?: string }; orderBy?: { field: string; direction: string } }>, context: Context) => {
    const rows = ownChannels(context)
      .filter((row) => (!filter?.search || matches(filter.search, row.title, row.reference)) && (!filter?.state || row.state === filter.state) && (!filter?.reference || row.reference === filter.reference))
      .toSorted((a, b) => DIRECTION(orderBy) * (orderBy?.field === 'TITLE' ? a.title.localeCompare(b.title) : a.createdAt.localeCompare(b.createdAt)))
    return connection(rows, page, (row) => channelView(context, row))
  },
  streamKey: ({ id }: { id: string }, context: Context) => {
    const ids = ownChannels(context).map((channel) => channel.id)
    const row = context.world.store.streamKeys.find((key) => key.id === id && ids.includes(key.channelId))
    return row ? streamKeyView(context, row) : null
  },
  broadcast: ({ id }: { id: string }, context: Context) => {
    const ids = ownChannels(context).map((channel) => channel.id)
    const row = context.world.store.broadcasts.find((broadcast) => broadcast.id === id && ids.includes(broadcast.channelId))
    return row ? broadcastView(context, row) : null
  },
  broadcasts: ({ filter, ...page }: Args<{ filter?: { channelId?: string } }>, context: Context) => {
    const ids = ownChannels(context).map((channel) => channel.id)
    return connection(context.world.store.broadcasts.filter(({ channelId }) => ids.includes(channelId) && (!filter?.channelId || channelId === filter.channelId)).toSorted((a, b) => b.startedAt.localeCompare(a.startedAt)), page, (row) => broadcastView(context, row))
  },
  asset: ({ id }: { id: string }, context: Context) => {
    const row = ownAssets(context).find((asset) => asset.id === id)
    return row ? assetView(context, row) : null
  },
  assets: ({ filter, orderBy, ...page }: Args<{ filter?: { search?: string; state?: string; channelId?: string }; orderBy?: { field: string; direction: string } }>, context: Context) => {
    const by = { CREATED_AT: 'createdAt', DURATION: 'durationMs', SIZE: 'sizeBytes' }[orderBy?.field ?? 'CREATED_AT'] as 'createdAt' | 'durationMs'
    const rows = ownAssets(context)
      .filter((row) => (!filter?.search || matches(filter.search, row.title)) && (!filter?.state || row.state === filter.state) && (!filter?.channelId || row.channelId === filter.channelId))
      .toSorted((a, b) => DIRECTION(orderBy) * ((a[by] ?? 0) < (b[by] ?? 0) ? -1 : 1))
    return connection(rows, page, (row) => assetView(context, row))
  },
  playbackId: ({ id }: { id: string }, context: Context) => {
    const row = context.world.store.playbackIds.find((one) => one.id === id)
    return row && (ownChannels(context).some((channel) => channel.id === row.channelId) || ownAssets(context).some((asset) => asset.id === row.assetId)) ? playbackIdView(context, row) : null
  },
  invitationPreview: ({ secret }: { secret: string }, { world: { store } }: Context) => {
    const row = store.invitations.find((one) => one.secret === secret)
    return row ? { tenantName: store.tenants.find(({ id }) => id === row.tenantId)!.name, email: row.email, role: row.role, expiresAt: row.expiresAt } : null
  },
}

/** An event stream of the bus, each event made into one answer; what `view` makes undefined is left out. */
async function* listen<T>(context: Context, event: string, first: string | null, view: (id: string) => T | undefined): AsyncGenerator<T> {
  const waiting: string[] = first ? [first] : []
  let wake = () => {}
  const push = (id: string) => {
    waiting.push(id)
    wake()
  }
  context.world.bus.on(event, push)
  try {
    for (;;) {
      while (waiting.length > 0) {
        const answer = view(waiting.shift()!)
        if (answer !== undefined) yield answer
      }
      await new Promise<void>((resolve) => { wake = resolve })
    }
  } finally {
    context.world.bus.off(event, push)
  }
}

export const subscriptions = {
  channelUpdated: ({ id }: { id: string }, context: Context) => {
    signedIn(context)
    return listen(context, 'channel', id, (changed) => {
      const row = changed === id ? ownChannels(context).find((channel: Channel) => channel.id === id) : undefined
      return row && { channelUpdated: channelView(context, row) }
    })
  },
  channelsUpdated: (_: object, context: Context) => {
    inTenant(context, 'CHANNEL_READ')
    return listen(context, 'channel', null, (changed) => {
      const row = ownChannels(context).find((channel: Channel) => channel.id === changed)
      return row && { channelsUpdated: channelView(context, row) }
    })
  },
  broadcastHealth: ({ id }: { id: string }, context: Context) => {
    inTenant(context, 'BROADCAST_READ')
    return listen(context, 'health', null, (changed) => {
      const row = changed === id ? context.world.store.broadcasts.find((broadcast) => broadcast.id === id) : undefined
      return row && { broadcastHealth: healthOf(row) }
    })
  },
}
