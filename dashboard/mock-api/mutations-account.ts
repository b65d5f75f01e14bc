import { ACTIONS, type Context, failed, inTenant, notFound, record, Refusal, signedIn } from './context.ts'
import { firstStep } from './second-factor.ts'
import { type Environment, hintOf, id, newUser, now, type Role, secret, type Tenant, type User } from './store.ts'
import { apiTokenView, invitationView, memberView, tenantSummary, tenantView, userView } from './views.ts'

const DAY_MS = 86_400_000
const PASSWORD_MIN = 12

const checkPassword = (password: string, field: string) => {
  if (password.length < PASSWORD_MIN) throw new Refusal('TOO_SHORT', field, `A password has at least ${PASSWORD_MIN} characters.`)
}
export const checkText = (text: string, field: string, max = 100) => {
  if (!text.trim()) throw new Refusal('BLANK', field, 'This cannot be empty.')
  if (text.length > max) throw new Refusal('TOO_LONG', field, `This may have at most ${max} characters.`)
}

export function openSession(context: Context, user: User) {
  const session = { id: id('ses'), userId: user.id, secret: secret('s'), userAgent: context.userAgent, ipAddress: '127.0.0.1', createdAt: now(), lastUsedAt: now(), expiresAt: new Date(Date.now() + 30 * DAY_MS).toISOString() }
  context.world.store.sessions.push(session)
  context.setCookie(session.secret)
  Object.assign(context, { user, session })
}

function newTenant(context: Context, name: string, owner: User): Tenant {
  const { store } = context.world
  const base = name.toLowerCase().replaceAll(/[^a-z0-9]+/gu, '-').replaceAll(/^-|-$/gu, '') || 'tenant'
  const slug = store.tenants.some((tenant) => tenant.slug === base) ? `${base}-${store.tenants.length}` : base
  const tenant = { id: id('ten'), slug, name, createdAt: now(), version: 1, suspendedAt: null }
  store.tenants.push(tenant)
  store.members.push({ id: id('mem'), tenantId: tenant.id, userId: owner.id, role: 'OWNER', joinedAt: now() })
  return tenant
}

/** The last owner stays one. */
function keepAnOwner(context: Context, memberId: string) {
  const owners = context.world.store.members.filter((member) => member.tenantId === context.tenant?.id && member.role === 'OWNER')
  if (owners.length === 1 && owners[0]?.id === memberId) throw new Refusal('ROLE', null, 'The last owner cannot leave or step down. Make somebody else an owner first.')
}
const checkGrant = (context: Context, role: Role) => {
  if (role === 'OWNER' && context.member?.role !== 'OWNER') throw new Refusal('ROLE', 'role', 'Only an owner can make an owner.')
}

type Input<T> = { input: T }

export const accountMutations = {
  signUp: ({ input }: Input<{ email: string; password: string; name: string; tenantName: string }>, context: Context) => {
    checkText(input.name, 'name')
    checkText(input.tenantName, 'tenantName')
    checkPassword(input.password, 'password')
    if (context.world.store.users.some(({ email }) => email === input.email.toLowerCase())) throw new Refusal('TAKEN', 'email', 'An account with this address exists. Sign in instead.')
    const user = newUser(input.email.toLowerCase(), input.name, input.password, now(), false)
    context.world.store.users.push(user)
    const tenant = newTenant(context, input.tenantName, user)
    openSession(context, user)
    return { user: userView(context, user), tenant: tenantSummary(tenant) }
  },
  signIn: ({ input }: Input<{ email: string; password: string }>, context: Context) => {
    const user = context.world.store.users.find(({ email }) => email === input.email.toLowerCase())
    if (!user || user.password !== input.password) throw new Refusal('CREDENTIALS', null, 'E-mail or password is wrong.')
    return firstStep(context, user)
  },
  signOut: (_: object, context: Context) => {
    context.world.store.sessions = context.world.store.sessions.filter((session) => session !== context.session)
    context.setCookie('')
    return { signedOut: true }
  },
  sessionRevoke: ({ input }: Input<{ id?: string | null }>, context: Context) => {
    const user = signedIn(context)
    const gone = context.world.store.sessions.filter((session) => session.userId === user.id && (input.id ? session.id === input.id : session.id !== context.session?.id))
    context.world.store.sessions = context.world.store.sessions.filter((session) => !gone.includes(session))
    return { revokedIds: gone.map((session) => session.id) }
  },
  userUpdate: ({ input }: Input<{ name: string }>, context: Context) => {
    const user = signedIn(context)
    checkText(input.name, 'name')
    user.name = input.name
    return { user: userView(context, user) }
  },
  passwordChange: ({ input }: Input<{ currentPassword: string; newPassword: string }>, context: Context) => {
    const user = signedIn(context)
    if (user.password !== input.currentPassword) throw new Refusal('CREDENTIALS', 'currentPassword', 'This is not your password.')
    checkPassword(input.newPassword, 'newPassword')
    user.password = input.newPassword
    context.world.store.sessions = context.world.store.sessions.filter((session) => session.userId !== user.id || session === context.session)
    return { user: userView(context, user) }
  },
  passwordResetRequest: () => ({ requested: true }),
  passwordReset: ({ input }: Input<{ secret: string; newPassword: string }>, context: Context) => {
    const user = input.secret === 'reset-of-ada' ? context.world.store.users[0] : undefined
    if (!user) throw new Refusal('EXPIRED', 'secret', 'This link was used or is older than an hour.')
    checkPassword(input.newPassword, 'newPassword')
    user.password = input.newPassword
    context.world.store.sessions = context.world.store.sessions.filter(({ userId }) => userId !== user.id)
    return { user: null }
  },

  tenantCreate: ({ input }: Input<{ name: string }>, context: Context) => {
    const user = signedIn(context)
    checkText(input.name, 'name')
    return { tenant: tenantSummary(newTenant(context, input.name, user)) }
  },
  tenantUpdate: ({ input }: Input<{ expectedVersion: number; name?: string; slug?: string }>, context: Context) => {
    const tenant = inTenant(context, 'TENANT_WRITE')
    if (input.expectedVersion !== tenant.version) throw new Refusal('STALE', 'expectedVersion', 'Somebody else changed the tenant since you read it.')
    if (input.name !== undefined) checkText(input.name, 'name')
    if (input.slug && context.world.store.tenants.some((other) => other !== tenant && other.slug === input.slug)) throw new Refusal('TAKEN', 'slug', 'Another tenant has this slug.')
    const before = { name: tenant.name, slug: tenant.slug }
    Object.assign(tenant, { ...(input.name && { name: input.name }), ...(input.slug && { slug: input.slug }), version: tenant.version + 1 })
    record(context, 'tenant.update', tenant, before, { name: tenant.name, slug: tenant.slug })
    return { tenant: tenantView(context, tenant) }
  },
  memberUpdate: ({ input }: Input<{ id: string; role: Role }>, context: Context) => {
    const tenant = inTenant(context, 'MEMBER_WRITE')
    const member = context.world.store.members.find((row) => row.id === input.id && row.tenantId === tenant.id)
    if (!member) throw notFound()
    checkGrant(context, input.role)
    if (input.role !== 'OWNER') keepAnOwner(context, member.id)
    const before = { role: member.role }
    member.role = input.role
    record(context, 'member.update', { id: member.id, name: memberView(context, member).user?.name ?? '' }, before, { role: input.role })
    return { member: memberView(context, member) }
  },
  memberRemove: ({ input }: Input<{ id: string }>, context: Context) => {
    const { store } = context.world
    const member = store.members.find((row) => row.id === input.id && row.tenantId === context.tenant?.id)
    if (member?.userId !== context.user?.id) inTenant(context, 'MEMBER_WRITE')
    if (!member) throw notFound()
    keepAnOwner(context, member.id)
    record(context, 'member.remove', { id: member.id, name: memberView(context, member).user?.name ?? '' }, { role: member.role }, null)
    store.members = store.members.filter((row) => row !== member)
    return { removedId: member.id }
  },
  invitationCreate: ({ input }: Input<{ email: string; role: Role }>, context: Context) => {
    const tenant = inTenant(context, 'MEMBER_WRITE')
    checkGrant(context, input.role)
    const { store } = context.world
    if (store.invitations.some((row) => row.tenantId === tenant.id && row.email === input.email)) throw new Refusal('TAKEN', 'email', 'This address is invited already.')
    if (store.members.some((row) => row.tenantId === tenant.id && store.users.find(({ id: one }) => one === row.userId)?.email === input.email)) throw new Refusal('TAKEN', 'email', 'This person is a member already.')
    const invitation = { id: id('inv'), tenantId: tenant.id, email: input.email, role: input.role, invitedById: context.user!.id, secret: secret('invitation'), createdAt: now(), expiresAt: new Date(Date.now() + 7 * DAY_MS).toISOString() }
    store.invitations.push(invitation)
    record(context, 'invitation.create', { id: invitation.id, name: input.email }, null, { email: input.email, role: input.role })
    return { invitation: invitationView(context, invitation), secret: invitation.secret, mailed: true }
  },
  invitationResend: ({ input }: Input<{ id: string }>, context: Context) => {
    const tenant = inTenant(context, 'MEMBER_WRITE')
    const row = context.world.store.invitations.find((one) => one.id === input.id && one.tenantId === tenant.id)
    if (!row) throw notFound()
    Object.assign(row, { secret: secret('invitation'), expiresAt: new Date(Date.now() + 7 * DAY_MS).toISOString() })
    return { invitation: invitationView(context, row), secret: row.secret, mailed: true }
  },
  invitationRevoke: ({ input }: Input<{ id: string }>, context: Context) => {
    const tenant = inTenant(context, 'MEMBER_WRITE')
    const { store } = context.world
    const row = store.invitations.find((one) => one.id === input.id && one.tenantId === tenant.id)
    if (!row) throw notFound()
    store.invitations = store.invitations.filter((one) => one !== row)
    return { revokedId: row.id }
  },
  invitationAccept: ({ input }: Input<{ secret: string }>, context: Context) => {
    const user = signedIn(context)
    const { store } = context.world
    const row = store.invitations.find((one) => one.secret === input.secret)
    if (!row) throw new Refusal('EXPIRED', 'secret', 'This invitation was used or withdrawn.')
    if (row.email !== user.email) throw new Refusal('INVALID', 'secret', `This invitation is for ${row.email}.`)
    store.members.push({ id: id('mem'), tenantId: row.tenantId, userId: user.id, role: row.role, joinedAt: now() })
    store.invitations = store.invitations.filter((one) => one !== row)
    return { tenant: tenantSummary(store.tenants.find((tenant) => tenant.id === row.tenantId)!) }
  },
  apiTokenCreate: ({ input }: Input<{ name: string; environment: Environment; actions: string[]; expiresAt?: string | null }>, context: Context) => {
    const tenant = inTenant(context, 'TOKEN_WRITE')
    checkText(input.name, 'name')
    if (input.actions.some((action) => !ACTIONS[context.member!.role].includes(action))) throw failed('FORBIDDEN', 'A token can do no more than its maker.')
    const text = secret(`hw_${input.environment.toLowerCase()}`)
    const token = { id: id('tok'), tenantId: tenant.id, name: input.name, environment: input.environment, hint: hintOf(text), actions: input.actions, createdById: context.user!.id, createdAt: now(), lastUsedAt: null, expiresAt: input.expiresAt ?? null, revokedAt: null }
    context.world.store.apiTokens.push(token)
    record(context, 'api_token.create', { id: token.id, name: token.name }, null, { name: token.name, environment: token.environment })
    return { apiToken: apiTokenView(context, token), secret: text }
  },
  apiTokenRevoke: ({ input }: Input<{ id: string }>, context: Context) => {
    const tenant = inTenant(context, 'TOKEN_WRITE')
    const token = context.world.store.apiTokens.find((row) => row.id === input.id && row.tenantId === tenant.id)
    if (!token) throw notFound()
    token.revokedAt ??= now()
    record(context, 'api_token.revoke', { id: token.id, name: token.name }, null, null)
    return { apiToken: apiTokenView(context, token) }
  },
}
