import { generateKeyPairSync, verify } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { type TokenOptions, tokenSnippets } from './snippets.ts'

const PAIRS = {
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EDDSA: () => generateKeyPairSync('ed25519'),
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
}

test.each(['ES256', 'EDDSA', 'RS256'] as const)('the Node snippet signs %s tokens that check', async (algorithm: TokenOptions['algorithm']) => {
  const folder = mkdtempSync(join(tmpdir(), 'snippet-'))
  try {
    const file = join(folder, 'token.mjs')
    writeFileSync(file, tokenSnippets({ algorithm, keyId: 'sgk_1', playbackId: 'pb_1' })[0]!.code)
    const { playbackToken } = await import(/* @vite-ignore */ pathToFileURL(file).href) as { playbackToken: (key: string, viewer: string) => string }
    const { privateKey, publicKey } = PAIRS[algorithm]()
    const [head, claims, signature] = playbackToken(String(privateKey.export({ type: 'pkcs8', format: 'pem' })), 'viewer-7').split('.') as [string, string, string]
    const read = (text: string) => JSON.parse(Buffer.from(text, 'base64url').toString()) as Record<string, unknown>
    expect(read(head)).toEqual({ alg: algorithm === 'EDDSA' ? 'EdDSA' : algorithm, typ: 'JWT', kid: 'sgk_1' })
    expect(read(claims)).toMatchObject({ sub: 'pb_1', aud: 'v', viewer_id: 'viewer-7' })
    const key = { key: publicKey, ...(algorithm === 'ES256' && { dsaEncoding: 'ieee-p1363' as const }) }
    expect(verify(algorithm === 'EDDSA' ? null : 'sha256', Buffer.from(`${head}.${claims}`), key, Buffer.from(signature, 'base64url'))).toBe(true)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
