#!/usr/bin/env node
// Draws every page in light, dark and at phone width into a folder: `npm run screenshots -- [folder] [page…]`.
import { mkdir, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { settled, start } from './lib.mjs'
import { PAGES, visit } from './pages.mjs'

const LOOKS = {
  light: { viewport: { width: 1360, height: 860 }, colorScheme: 'light' },
  dark: { viewport: { width: 1360, height: 860 }, colorScheme: 'dark' },
  phone: { viewport: { width: 390, height: 844 }, colorScheme: 'light', hasTouch: true, isMobile: true, deviceScaleFactor: 2 },
}
// Long enough for the entrance of dialogs to end: pictures show things at rest.
const REST_MS = 250

const [folder = await mkdtemp(join(tmpdir(), 'dashboard-')), ...wanted] = process.argv.slice(2)
await mkdir(folder, { recursive: true })
const farm = await start()
for (const [look, options] of Object.entries(LOOKS)) {
  for (const page of PAGES) {
    if (wanted.length > 0 && !wanted.some((name) => page.name === name || `${page.name}-${look}` === name || look === name)) continue
    const session = { ...(await farm.open({ as: page.as, reducedMotion: 'reduce', ...options })), settled }
    try {
      await visit(session, page)
      await session.page.waitForTimeout(REST_MS)
      await session.page.screenshot({ path: join(folder, `${page.name}-${look}.png`), fullPage: !/palette|account-factor|keys-(revoke|new|import|secret)|team-invite|tokens-new|webhooks-new/u.test(page.name) })
    } catch (problem) {
      console.error(`${page.name}-${look}: ${problem.message.split('\n')[0]} ${session.problems.join('; ')}`)
      await session.page.screenshot({ path: join(folder, `FAILED-${page.name}-${look}.png`) })
    }
    await session.context.close()
  }
}
await farm.close()
console.log(folder)
process.exit(0)
