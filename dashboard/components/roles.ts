import type { graphql } from '../graphql/index.ts'

export type Role = ReturnType<typeof graphql.scalar<'Role'>>

export const ROLES: readonly { role: Role; name: string; about: string }[] = [
  { role: 'OWNER', name: 'Owner', about: 'Everything, and the only role that can make other owners.' },
  { role: 'ADMIN', name: 'Admin', about: 'Channels, keys, team, tokens and settings.' },
  { role: 'DEVELOPER', name: 'Developer', about: 'Channels, keys, assets and API tokens; sees the team.' },
  { role: 'ANALYST', name: 'Analyst', about: 'Looks at channels, broadcasts and assets; changes nothing.' },
  { role: 'BILLING', name: 'Billing', about: 'The tenant and its team, and nothing that is broadcast.' },
]

export const roleName = (role: Role) => ROLES.find((one) => one.role === role)?.name ?? role
