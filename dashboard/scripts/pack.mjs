#!/usr/bin/env node
// Puts a brotli and a gzip copy beside every built text, so that the server never compresses the same bytes twice.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const TEXTS = new Set(['.js', '.css', '.svg'])
/** Smaller ones fit into one packet as they are. */
const BYTES_MIN = 512

const dist = fileURLToPath(new URL('../dist/', import.meta.url))
for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
  const file = join(entry.parentPath, entry.name)
  if (!entry.isFile() || !TEXTS.has(extname(file))) continue
  const text = readFileSync(file)
  if (text.length < BYTES_MIN) continue
  const brotli = { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY, [constants.BROTLI_PARAM_SIZE_HINT]: text.length } }
  for (const [ending, packed] of [['br', brotliCompressSync(text, brotli)], ['gz', gzipSync(text, { level: 9 })]]) {
    if (packed.length < text.length) writeFileSync(`${file}.${ending}`, packed)
  }
}
