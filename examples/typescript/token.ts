/** token.ts PLAYBACK_ID SIGNING_KEY_ID PRIVATE_KEY.pem: a playback token for an hour, signed with an RS256 or ES256 key of one's own. */
import { createPrivateKey, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'

export function playbackToken(playbackId: string, keyId: string, privateKey: string, lifeS = 3600): string {
  const key = createPrivateKey(privateKey)
  const now = Math.floor(Date.now() / 1000)
  const header = { alg: key.asymmetricKeyType === 'ec' ? 'ES256' : 'RS256', typ: 'JWT', kid: keyId }
  const claims = { sub: playbackId, aud: 'v', iat: now, exp: now + lifeS }
  const signed = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' })
  return `${signed}.${signature.toString('base64url')}`
}

const [, , playbackId = '', keyId = '', file = ''] = process.argv
console.log(playbackToken(playbackId, keyId, readFileSync(file, 'utf8')))
