// GraphiQL under the content security policy of the service, in a chunk of its own.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { HOME, settled, start } from './lib.mjs'

let farm
before(async () => { farm = await start() })
after(() => farm.close())

const editor = (page) => page.getByRole('textbox', { name: 'Query Editor' })
const answer = (page) => page.getByRole('region', { name: 'Result Window' })
const run = (page) => page.getByRole('button', { name: /^Execute query/u }).click()
const write = async (page, text) => {
  await editor(page).focus()
  await page.keyboard.press('Control+a')
  await page.keyboard.press('Delete')
  await page.keyboard.insertText(text)
}

test('it completes, runs, subscribes and keeps nothing, and the browser refuses it nothing', async () => {
  const { page, problems, mock, context } = await farm.open({ as: 'ada@example.com' })
  await page.goto(`${HOME}/explorer`)
  await editor(page).waitFor()
  await run(page)
  await answer(page).getByText('"totalCount": 30').waitFor()
  await write(page, '{ channels { } }')
  for (const _ of ' } }') await page.keyboard.press('ArrowLeft')
  await page.keyboard.press('Control+Space')
  await page.getByRole('option', { name: /totalCount/u }).waitFor()
  await page.keyboard.press('Escape')
  await page.getByRole('tab', { name: 'Changes' }).click()
  await run(page)
  await page.getByRole('button', { name: /^Stop query/u }).waitFor()
  await mock({ simulate: { channel: 'Town hall', act: 'live' } })
  await answer(page).getByText('"title": "Town hall"').waitFor()
  await page.getByRole('button', { name: /^Stop query/u }).click()
  await page.getByRole('button', { name: 'Show Documentation Explorer' }).click()
  await page.getByRole('link', { name: 'Mutation' }).waitFor()
  await page.getByLabel('Run as').selectOption({ label: 'As a program with a token' })
  await run(page)
  await answer(page).getByText('Paste an API token first').waitFor()
  assert.deepEqual(await page.evaluate(() => Object.keys(localStorage).filter((key) => key.startsWith('graphiql'))), [], 'requests may hold secrets')
  assert.deepEqual(problems, [])
  await context.close()
})

test('requests of one environment do not show in another', async () => {
  const { page, problems, context } = await farm.open({ as: 'ada@example.com' })
  await page.goto(`${HOME}/explorer`)
  await editor(page).waitFor()
  await write(page, 'query OfNorthlight { channels { totalCount } }')
  await page.getByRole('tab', { name: 'OfNorthlight' }).waitFor()
  await page.getByRole('navigation', { name: 'Environment' }).getByRole('link', { name: 'Test' }).click()
  await page.getByRole('link', { name: 'API explorer' }).click()
  await page.getByRole('tab', { name: 'Channels' }).waitFor()
  assert.equal(await page.getByText('OfNorthlight').count(), 0, 'live requests in the test environment')
  assert.deepEqual(problems, [])
  await context.close()
})

test('no other page loads it', async () => {
  const manifest = JSON.parse(readFileSync(new URL('../dist/.vite/manifest.json', import.meta.url), 'utf8'))
  const { file } = manifest['pages/explorer/graphiql.tsx']
  const { page, context } = await farm.open({ as: 'ada@example.com' })
  const loaded = []
  page.on('request', (request) => loaded.push(new URL(request.url()).pathname.slice(1)))
  for (const place of ['channels', 'assets', 'team']) {
    await page.goto(`${HOME}/${place}`)
    await settled(page)
  }
  assert.ok(!loaded.includes(file))
  await page.getByRole('link', { name: 'API explorer' }).click()
  await editor(page).waitFor()
  assert.ok(loaded.includes(file))
  await context.close()
})
