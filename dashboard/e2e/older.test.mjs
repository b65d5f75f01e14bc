// The dashboard of today on a service that lacks what is newest.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { glob } from '../scripts/files.mjs'
import { HOME, settled, start } from './lib.mjs'

let farm
before(async () => { farm = await start() })
after(() => farm.close())

const root = new URL('..', import.meta.url).pathname
const sources = glob(root, ['pages', 'forms', 'components'], /\.tsx$/u).map((file) => readFileSync(root + file, 'utf8')).join('\n')
const marked = [...sources.matchAll(/@ifServed\(field: "([\w.]+)"\)|(?:[Ss]erved|\.has|useServed\(\))\('([\w.]+)'\)/gu)].map(([, mark, asked]) => mark ?? asked)

test('every page works without the fields that may be missing, and shows nothing that needs them', async () => {
  assert.ok(marked.length > 8, 'the marks are found')
  const { page, problems, mock, context } = await farm.open({ as: 'ada@example.com' })
  await mock({ without: [...new Set([...marked, 'Mutation.passwordResetRequest'])] })
  const { channels, assets } = await mock({ simulate: { channel: 'Town hall', act: 'live' } })
  const channel = `${HOME}/channels/${channels.find(({ title }) => title === 'Town hall').id}`

  await page.goto(channel)
  await page.getByRole('heading', { name: 'On air' }).waitFor()
  await page.getByRole('heading', { name: 'Renditions' }).waitFor()
  assert.equal(await page.getByRole('heading', { name: 'Stream health' }).count(), 0)
  assert.equal(await page.getByRole('button', { name: 'End broadcast' }).count(), 0)
  assert.equal(await page.getByText('Viewers', { exact: true }).count(), 0)

  await page.getByRole('link', { name: 'Stream keys' }).first().click()
  await page.getByText('In use', { exact: true }).waitFor()
  await page.getByRole('button', { name: 'Acts on First key' }).click()
  await page.getByRole('menuitem', { name: 'Revoke…' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke the key' }).click()
  await page.getByRole('heading', { name: 'No working key' }).waitFor()

  await page.goto(`${HOME}/assets/${assets[0].id}`)
  await settled(page)
  assert.equal(await page.getByRole('button', { name: 'Delete' }).count(), 0)
  await page.goto(`${HOME}/assets`)
  await page.getByRole('link', { name: /^Morning show/u }).first().waitFor()

  await context.clearCookies()
  await page.goto('/sign-in')
  await settled(page)
  assert.equal(await page.getByRole('link', { name: 'Forgot your password?' }).count(), 0)
  assert.deepEqual(problems, [])
  await context.close()
})
