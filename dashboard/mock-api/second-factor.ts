/** Time-based codes (RFC 6238: SHA-1, six digits, 30 s), recovery codes, and the second step of signing in. */
import { createHmac, randomBytes } from 'node:crypto'
import { type Context, Refusal, signedIn } from './context.ts'
import { openSession } from './mutations-account.ts'
import { now, secret, type User } from './store.ts'
import { userView } from './views.ts'

const STEP_S = 30
const RECOVERY_CODES = 10
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** The code of a base32 secret at a moment. */
export function totp(base32: string, atMs: number): string {
  const bits = [...base32].map((letter) => BASE32.indexOf(letter).toString(2).padStart(5, '0')).join('')
  const key = Buffer.from(bits.match(/.{8}/gu)!.map((byte) => Number.parseInt(byte, 2)))
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(Math.floor(atMs / 1000 / STEP_S)))
  const hash = createHmac('sha1', key).update(counter).digest()
  const offset = hash.at(-1)! & 15
  return String((hash.readUInt32BE(offset) & 0x7fff_ffff) % 1_000_000).padStart(6, '0')
}
const isCode = (base32: string, code: string) => [-1, 0, 1].some((step) => totp(base32, Date.now() + step * STEP_S * 1000) === code)
const recoveryCodes = () => Array.from({ length: RECOVERY_CODES }, () => randomBytes(5).toString('hex').replace(/^(.{5})/u, '$1-'))

/** Takes a code of the app, or a recovery code, which is used up. */
function useCode(user: User, code: string): boolean {
  if (user.totpSecret && isCode(user.totpSecret, code)) return true
  const known = user.recoveryCodes.includes(code)
  user.recoveryCodes = user.recoveryCodes.filter((one) => one !== code)
  return known
}
function known(user: User, { password, code }: { password?: string | null; code?: string | null }) {
  if (password != null && password !== user.password) throw new Refusal('CREDENTIALS', 'password', 'This is not your password.')
  if (password == null && !useCode(user, code ?? '')) throw new Refusal('CREDENTIALS', 'code', 'This code is wrong or was used.')
}

type Input<T> = { input: T }

export const secondFactorMutations = {
  signInSecondFactor: ({ input: { challenge, code } }: Input<{ challenge: string; code: string }>, context: Context) => {
    const { store } = context.world
    const user = store.users.find(({ id }) => id === store.challenges.get(challenge))
    if (!user) throw new Refusal('EXPIRED', 'challenge', 'This took too long. Sign in once more.')
    if (!useCode(user, code)) throw new Refusal('CREDENTIALS', 'code', 'This code is wrong or was used.')
    store.challenges.delete(challenge)
    openSession(context, user)
    return { user: userView(context, user) }
  },
  totpEnrol: ({ input }: Input<{ password?: string | null }>, context: Context) => {
    const user = signedIn(context)
    known(user, input)
    if (user.totpEnabledAt) throw new Refusal('STATE', null, 'There is a second factor already.')
    user.totpSecret = [...randomBytes(32)].map((byte) => BASE32[byte % 32]).join('')
    return { secret: user.totpSecret, uri: `otpauth://totp/Headwater:${encodeURIComponent(user.email)}?secret=${user.totpSecret}&issuer=Headwater` }
  },
  totpConfirm: ({ input }: Input<{ code: string }>, context: Context) => {
    const user = signedIn(context)
    if (!user.totpSecret || !isCode(user.totpSecret, input.code)) throw new Refusal('CREDENTIALS', 'code', 'This code is not right. Is the clock of your phone?')
    Object.assign(user, { totpEnabledAt: now(), recoveryCodes: recoveryCodes() })
    context.world.store.sessions = context.world.store.sessions.filter((session) => session.userId !== user.id || session === context.session)
    return { user: userView(context, user), recoveryCodes: user.recoveryCodes }
  },
  totpDisable: ({ input }: Input<{ password?: string | null; code?: string | null }>, context: Context) => {
    const user = signedIn(context)
    known(user, input)
    Object.assign(user, { totpEnabledAt: null, totpSecret: null, recoveryCodes: [] })
    return { user: userView(context, user) }
  },
  recoveryCodesReplace: ({ input }: Input<{ password?: string | null; code?: string | null }>, context: Context) => {
    const user = signedIn(context)
    known(user, input)
    user.recoveryCodes = recoveryCodes()
    return { user: userView(context, user), recoveryCodes: user.recoveryCodes }
  },
  emailVerificationRequest: (_: object, context: Context) => { signedIn(context); return { requested: true } },
  emailVerify: ({ input }: Input<{ secret: string }>, context: Context) => {
    const user = context.world.store.users.find((one) => input.secret === `verify-${one.email}`)
    if (!user) throw new Refusal('EXPIRED', 'secret', 'This link was used or is older than a week.')
    user.emailVerified = true
    return { email: user.email }
  },
}

/** What a right password opens: a session, or the question for a code. */
export function firstStep(context: Context, user: User) {
  if (!user.totpEnabledAt) {
    openSession(context, user)
    return { user: userView(context, user), challenge: null }
  }
  const challenge = secret('hwc')
  context.world.store.challenges.set(challenge, user.id)
  return { user: null, challenge }
}
