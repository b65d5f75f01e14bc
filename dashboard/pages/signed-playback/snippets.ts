export interface TokenOptions {
  algorithm: 'ES256' | 'EDDSA' | 'RS256'
  keyId: string
  playbackId: string
}

const SIGN = {
  ES256: "sign('sha256', Buffer.from(text), { key: privateKey, dsaEncoding: 'ieee-p1363' })",
  EDDSA: 'sign(null, Buffer.from(text), privateKey)',
  RS256: "sign('sha256', Buffer.from(text), privateKey)",
} as const
/** As tokens name them (RFC 7518, RFC 8037). */
const NAMES = { ES256: 'ES256', EDDSA: 'EdDSA', RS256: 'RS256' } as const

/** What a server does for each viewer, ready to run with its private key. */
export function tokenSnippets({ algorithm, keyId, playbackId }: TokenOptions): readonly { id: string; name: string; about: string; code: string }[] {
  const name = NAMES[algorithm]
  return [
    {
      id: 'node', name: 'Node', about: 'Without a dependency.',
      code: `import { randomUUID, sign } from 'node:crypto'

const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** A token of an hour for one viewer. */
export function playbackToken(privateKey, viewerId) {
  const now = Math.floor(Date.now() / 1000)
  const head = { alg: '${name}', typ: 'JWT', kid: '${keyId}' }
  const claims = { sub: '${playbackId}', aud: 'v', iat: now, exp: now + 3600, jti: randomUUID(), viewer_id: viewerId }
  const text = \`\${part(head)}.\${part(claims)}\`
  return \`\${text}.\${${SIGN[algorithm]}.toString('base64url')}\`
}`,
    },
    {
      id: 'python', name: 'Python', about: 'With PyJWT and cryptography.',
      code: `import time, uuid
import jwt

def playback_token(private_key: str, viewer_id: str) -> str:
    """A token of an hour for one viewer."""
    now = int(time.time())
    claims = {"sub": "${playbackId}", "aud": "v", "iat": now, "exp": now + 3600,
              "jti": str(uuid.uuid4()), "viewer_id": viewer_id}
    return jwt.encode(claims, private_key, algorithm="${name}", headers={"kid": "${keyId}"})`,
    },
  ]
}
