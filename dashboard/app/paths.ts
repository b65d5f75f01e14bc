/** Whose pages: the tenant's slug, and live or test data. */
export interface Place {
  tenant: string
  environment: 'live' | 'test'
}

const withQuery = (path: string, query: Record<string, string | undefined>) => {
  const search = new URLSearchParams(Object.entries(query).filter((entry): entry is [string, string] => Boolean(entry[1])))
  return search.size > 0 ? `${path}?${search}` : path
}

/** Addresses outside any tenant. */
export const paths = {
  home: () => '/',
  signIn: (next?: string) => withQuery('/sign-in', { next }),
  signUp: (next?: string) => withQuery('/sign-up', { next }),
  forgotPassword: () => '/forgot-password',
  resetPassword: (secret: string) => withQuery('/reset-password', { secret }),
  verifyEmail: (secret: string) => withQuery('/verify-email', { secret }),
  invitation: (secret: string) => withQuery('/invitation', { secret }),
  account: () => '/account',
  newTenant: () => '/new-tenant',
}

/** Every address inside a tenant. */
export function placePaths({ tenant, environment }: Place) {
  const root = `/t/${encodeURIComponent(tenant)}/${environment}`
  const channel = (id: string) => `${root}/channels/${id}`
  return {
    root: () => root,
    welcome: () => `${root}/welcome`,
    channels: () => `${root}/channels`,
    channelNew: () => `${root}/channels/new`,
    channel: (id: string, tab?: string) => (tab && tab !== 'overview' ? `${channel(id)}/${tab}` : channel(id)),
    assets: (query: { channel?: string } = {}) => withQuery(`${root}/assets`, query),
    asset: (id: string) => `${root}/assets/${id}`,
    team: () => `${root}/team`,
    tokens: () => `${root}/tokens`,
    signedPlayback: (tab?: string) => (tab && tab !== 'keys' ? `${root}/signed-playback/${tab}` : `${root}/signed-playback`),
    webhooks: () => `${root}/webhooks`,
    webhook: (id: string) => `${root}/webhooks/${id}`,
    auditLog: (query: { subject?: string } = {}) => withQuery(`${root}/audit-log`, query),
    explorer: () => `${root}/explorer`,
    settings: () => `${root}/settings`,
  }
}
export type PlacePaths = ReturnType<typeof placePaths>
