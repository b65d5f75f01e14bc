#!/usr/bin/env node
// Asserts from the build's manifest what a browser must load before the first page: what index.html imports statically.
import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'

const BUDGET_KB = 250
const dist = new URL('../dist/', import.meta.url)
const manifest = JSON.parse(readFileSync(new URL('.vite/manifest.json', dist), 'utf8'))
const sizeOf = (file) => gzipSync(readFileSync(new URL(file, dist)), { level: 9 }).length

/** The files that `keys` need before they run. */
function closure(keys) {
  const seen = new Set()
  const visit = (key) => {
    if (seen.has(key)) return
    seen.add(key)
    for (const next of manifest[key].imports ?? []) visit(next)
  }
  keys.forEach(visit)
  return [...seen]
}
const page = (name) => Object.keys(manifest).find((key) => key === `pages/${name}.tsx`) ?? fail(`no page ${name} in the manifest`)
function fail(message) {
  console.error(message)
  process.exit(1)
}

const pages = process.argv.slice(2).length > 0 ? process.argv.slice(2) : ['sign-in', 'channels', 'channel/channel']
for (const name of pages) {
  const keys = closure(['index.html', page(name)])
  const scripts = [...new Set(keys.map((key) => manifest[key].file))]
  const styles = [...new Set(keys.flatMap((key) => manifest[key].css ?? []))]
  const kb = scripts.reduce((sum, file) => sum + sizeOf(file), 0) / 1000
  const cssKb = styles.reduce((sum, file) => sum + sizeOf(file), 0) / 1000
  console.log(`${name}: ${kb.toFixed(1)} kB of JavaScript and ${cssKb.toFixed(1)} kB of CSS, compressed, before the page works (budget ${BUDGET_KB} kB)`)
  if (kb > BUDGET_KB) fail(`${name} is over its budget`)
}
