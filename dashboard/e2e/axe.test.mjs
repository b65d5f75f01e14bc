// Accessibility of every page, and nothing in the console: policy violations and failures show there.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { after, before, test } from 'node:test'
import { settled, start } from './lib.mjs'
import { PAGES, visit } from './pages.mjs'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']

let farm
before(async () => { farm = await start() })
after(() => farm.close())

/** What GraphiQL does in its own way: its tabs hold their buttons, and its editors scroll by the keys of a text field beside them. */
const THEIRS = { 'nested-interactive': /class="graphiql-tab\b/u, 'scrollable-region-focusable': /class="CodeMirror-scroll"/u }

async function violations(page) {
  // As an expression, because the page's own policy lets no foreign script in.
  await page.evaluate(AXE)
  const found = await page.evaluate((tags) => window.axe.run(document, { runOnly: tags, resultTypes: ['violations'], iframes: false }), TAGS)
  return found.violations.flatMap(({ id, nodes }) => nodes.filter(({ html }) => !THEIRS[id]?.test(html)).map(({ html, any, all, none }) => `${id}: ${html.slice(0, 160)} ${[...any, ...all, ...none].map(({ message }) => message).join('; ').slice(0, 240)}`))
}

for (const [index, spec] of PAGES.entries()) {
  // Both colour schemes and both widths are met over the pages; the pictures show all of them.
  const colorScheme = index % 2 === 0 ? 'light' : 'dark'
  test(`${spec.name} (${colorScheme})`, async () => {
    const session = { ...(await farm.open({ as: spec.as, colorScheme, reducedMotion: 'reduce', ...(index % 3 === 2 && { viewport: { width: 390, height: 844 } }) })), settled }
    await visit(session, spec)
    assert.deepEqual(await violations(session.page), [])
    assert.equal(await session.page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, 'nothing is wider than the screen')
    if (!spec.expectsErrors) assert.deepEqual(session.problems, [])
    await session.context.close()
  })
}
