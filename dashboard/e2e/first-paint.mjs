#!/usr/bin/env node
// Measures how soon pages show something and work, with an empty cache, on the mock API: `npm run first-paint -- [runs]`. Prints Markdown.
import { HOME, settled, start } from './lib.mjs'

const RUNS = Number(process.argv[2] ?? 7)
/** A processor of this many times less: phones of people who do not buy a new one each year. */
const SLOWDOWNS = [1, 4]
const PAGES = [['sign-in', '/sign-in', null], ['channels', `${HOME}/channels`, 'ada@example.com'], ['API explorer', `${HOME}/explorer`, 'ada@example.com']]

const median = (values) => Math.round(values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)])
const farm = await start()

async function once(address, as, slowdown) {
  const { page, context } = await farm.open({ as })
  const session = await context.newCDPSession(page)
  await session.send('Emulation.setCPUThrottlingRate', { rate: slowdown })
  await session.send('Network.setCacheDisabled', { cacheDisabled: true })
  await page.goto(address)
  await settled(page)
  if (address.endsWith('explorer')) await page.getByRole('textbox', { name: 'Query Editor' }).waitFor()
  const found = await page.evaluate(() => ({ paint: performance.getEntriesByName('first-contentful-paint')[0]?.startTime, works: performance.now() }))
  await context.close()
  return found
}

console.log(`| page | CPU | first contentful paint | works |\n|---|---|---|---|`)
for (const [name, address, as] of PAGES) {
  for (const slowdown of SLOWDOWNS) {
    const runs = []
    for (let run = 0; run < RUNS; run += 1) runs.push(await once(address, as, slowdown))
    console.log(`| ${name} | ${slowdown === 1 ? 'as it is' : `a ${slowdown}th`} | ${median(runs.map(({ paint }) => paint))} ms | ${median(runs.map(({ works }) => works))} ms |`)
  }
}
await farm.close()
process.exit(0)
