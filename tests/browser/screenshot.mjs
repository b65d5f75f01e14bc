#!/usr/bin/env node
// Draws every state of the embed player at several sizes into out/screenshots; names of states as arguments draw those.
import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Double } from './double/server.mjs'
import { launch } from './lib/browser.mjs'
import { STATES, reset } from './lib/states.mjs'

const SIZES = [
  { name: 'desktop', viewport: { width: 1280, height: 720 } },
  { name: 'phone', viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 },
  { name: 'inline-360', viewport: { width: 360, height: 203 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 },
  { name: 'light', viewport: { width: 1280, height: 720 }, colorScheme: 'light', only: ['offline', 'live', 'ended', 'replay', 'unreachable'] },
]

const folder = join(dirname(fileURLToPath(import.meta.url)), 'out/screenshots')
await mkdir(folder, { recursive: true })
const wanted = process.argv.slice(2)
const double = await Double.start()
const browser = await launch()
for (const { name: size, only, ...context } of SIZES) {
  for (const { name, query = '', enter } of STATES) {
    if ((only && !only.includes(name)) || (wanted.length > 0 && !wanted.includes(name))) continue
    reset(double)
    const view = await browser.newContext(context)
    const page = await view.newPage()
    await enter(double, page, (url = double.embedUrl + query) => page.goto(url))
    // The picture shows the state at rest, after its transition.
    await page.waitForTimeout(350)
    await page.screenshot({ path: join(folder, `${name}-${size}.png`) })
    await view.close()
    console.log(`${name}-${size}.png`)
  }
}
await browser.close()
await double.close()
