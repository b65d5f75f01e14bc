/** Signing keys, playback tokens and revocations. Keys are real pairs, so tokens can be checked. */
import { generateKeyPairSync, sign } from 'node:crypto'
import { connection, type Context, inTenant, notFound, type PageArguments, record, Refusal } from './context.ts'
import { checkText } from './mutations-account.ts'
import { id, now, secret, type SigningKey } from './store.ts'

type Algorithm = NonNullable<SigningKey['algorithm']>

const GENERATORS = {
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EDDSA: () => generateKeyPairSync('ed25519'),
}
function pairOf(algorithm: Algorithm) {
  const { publicKey, privateKey } = GENERATORS[algorithm]()
  return { publicKey: String(publicKey.export({ type: 'spki', format: 'pem' })), privateKey: String(privateKey.export({ type: 'pkcs8', format: 'pem' })) }
}

const ownKeys = (context: Context, action: string) => {
  const tenant = inTenant(context, action)
  return context.world.store.signingKeys.filter((key) => key.tenantId === tenant.id && key.environment === context.environment)
}
const keyView = ({ privateKey, ...key }: SigningKey) => ({ __typename: 'SigningKey', ...key, managed: privateKey !== null })

function addKey(context: Context, fields: Pick<SigningKey, 'name' | 'algorithm' | 'imported' | 'publicKey' | 'privateKey'>): SigningKey {
  checkText(fields.name, 'name', 200)
  const key: SigningKey = { id: id('sgk'), tenantId: context.tenant!.id, environment: context.environment, createdAt: now(), revokedAt: null, ...fields }
  context.world.store.signingKeys.push(key)
  record(context, 'signing_key.create', { id: key.id, name: key.name }, null, { algorithm: key.algorithm, imported: key.imported })
  return key
}

export const signingQueries = {
  playbackRevocations: ({ filter, ...page }: PageArguments & { filter?: { kind?: string; search?: string; subject?: string } }, context: Context) => {
    const tenant = inTenant(context, 'VIEWER_REVOKE')
    const rows = new Map<string, { id: string; kind: string; subject: string; revokedAt: string }>()
    for (const { tenantId, environment, action, subjectId, at } of context.world.store.audit) {
      const kind = { 'playback_viewer.revoke': 'VIEWER', 'playback_token.revoke': 'TOKEN' }[action]
      if (!kind || tenantId !== tenant.id || environment !== context.environment || rows.has(`${kind} ${subjectId}`)) continue
      rows.set(`${kind} ${subjectId}`, { id: `${kind} ${subjectId}`, kind, subject: subjectId, revokedAt: at })
    }
    const wanted = [...rows.values()].filter(({ kind, subject }) => (!filter?.kind || kind === filter.kind) && (!filter?.subject || subject === filter.subject) && (!filter?.search || subject.toLowerCase().includes(filter.search.toLowerCase())))
    return connection(wanted, page, (row) => row)
  },
  signingKeys: (page: PageArguments, context: Context) => connection(ownKeys(context, 'SIGNING_KEY_READ').toReversed(), page, keyView),
  signingKey: ({ id: wanted }: { id: string }, context: Context) => {
    const key = ownKeys(context, 'SIGNING_KEY_READ').find((row) => row.id === wanted)
    return key ? keyView(key) : null
  },
}

interface TokenInput { playbackId: string; signingKeyId?: string | null; expiresInS: number; tokenId?: string | null; viewerId?: string | null; singleUse: boolean; downloadable: boolean; countries?: string[]; origins?: string[]; ips?: string[] }
type Input<T> = { input: T }

export const signingMutations = {
  signingKeyCreate: ({ input: { name, algorithm, managed } }: Input<{ name: string; algorithm: Algorithm; managed?: boolean }>, context: Context) => {
    inTenant(context, 'SIGNING_KEY_WRITE')
    const { publicKey, privateKey } = pairOf(algorithm)
    const key = addKey(context, { name, algorithm, imported: false, publicKey, privateKey: managed ? privateKey : null })
    return { signingKey: keyView(key), privateKey: managed ? null : privateKey }
  },
  signingKeyImport: ({ input: { name, algorithm, publicKey } }: Input<{ name: string; algorithm: Algorithm; publicKey: string }>, context: Context) => {
    inTenant(context, 'SIGNING_KEY_WRITE')
    if (!publicKey.includes('-----BEGIN PUBLIC KEY-----')) throw new Refusal('INVALID', 'publicKey', 'This is not a public key in PEM.')
    return { signingKey: keyView(addKey(context, { name, algorithm, imported: true, publicKey, privateKey: null })) }
  },
  signingKeyRevoke: ({ input }: Input<{ id: string }>, context: Context) => {
    const key = ownKeys(context, 'SIGNING_KEY_WRITE').find((row) => row.id === input.id)
    if (!key) throw notFound()
    key.revokedAt ??= now()
    record(context, 'signing_key.revoke', { id: key.id, name: key.name }, null, { revokedAt: key.revokedAt })
    return { signingKey: keyView(key) }
  },
  playbackViewerRevoke: ({ input: { viewerId } }: Input<{ viewerId: string }>, context: Context) => {
    inTenant(context, 'VIEWER_REVOKE')
    checkText(viewerId, 'viewerId', 200)
    record(context, 'playback_viewer.revoke', { id: viewerId, name: viewerId }, null, { revoked: 'viewer' })
    return { viewerId }
  },
  playbackTokenRevoke: ({ input: { tokenId } }: Input<{ tokenId: string }>, context: Context) => {
    inTenant(context, 'VIEWER_REVOKE')
    checkText(tokenId, 'tokenId', 200)
    record(context, 'playback_token.revoke', { id: tokenId, name: tokenId }, null, { revoked: 'token' })
    return { tokenId }
  },
  playbackTokenCreate: ({ input }: Input<TokenInput>, context: Context) => {
    const tenant = inTenant(context, 'PLAYBACK_TOKEN_CREATE')
    const { store, origin } = context.world
    const playbackId = store.playbackIds.find((row) => row.id === input.playbackId)
    const owner = [...store.channels, ...store.assets].find((row) => row.id === (playbackId?.channelId ?? playbackId?.assetId))
    if (!playbackId || owner?.tenantId !== tenant.id) throw new Refusal('NOT_FOUND', 'playbackId', 'There is no such playback id.')
    for (const country of input.countries ?? []) if (!/^[A-Z]{2}$/u.test(country)) throw new Refusal('INVALID', 'countries', `${country} is no country of two letters.`)
    const found = ownKeys(context, 'PLAYBACK_TOKEN_CREATE').findLast((key) => key.privateKey && !key.revokedAt && (!input.signingKeyId || key.id === input.signingKeyId))
    const key = found ?? addKey(context, { name: 'Playback tokens', algorithm: 'ES256', imported: false, ...pairOf('ES256') })
    const tokenId = input.tokenId ?? secret('tok')
    const expires = Math.floor(Date.now() / 1000) + input.expiresInS
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const claims = { sub: playbackId.id, aud: 'v', exp: expires, jti: tokenId, viewer_id: input.viewerId ?? undefined, single_use: input.singleUse || undefined, countries: input.countries, origins: input.origins, ips: input.ips }
    const text = `${part({ alg: 'ES256', typ: 'JWT', kid: key.id })}.${part(claims)}`
    const token = `${text}.${sign('sha256', Buffer.from(text), { key: key.privateKey!, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
    const play = `https://play.headwater.example/${playbackId.id}`
    return {
      playbackToken: {
        token, tokenId, signingKeyId: key.id, playbackId: playbackId.id, expiresAt: new Date(expires * 1000).toISOString(), downloadUrl: null,
        urls: { hls: `${play}/main.m3u8?token=${token}`, dash: `${play}/manifest.mpd?token=${token}`, embed: `${origin}/embed/${playbackId.id}#token=${token}`, thumbnail: `${play}/thumbnail.jpg?token=${token}` },
      },
    }
  },
}
