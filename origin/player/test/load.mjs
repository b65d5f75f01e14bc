import { build } from 'esbuild'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const source = join(dirname(fileURLToPath(import.meta.url)), '../src')

/** Imports one TypeScript module of the player's sources. */
export async function load(path) {
  const { outputFiles } = await build({ entryPoints: [join(source, path)], bundle: true, write: false, format: 'esm', logLevel: 'error' })
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`)
}
