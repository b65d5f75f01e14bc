// Stream keys while a channel is on air.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { HOME, settled, start } from './lib.mjs'

let farm
before(async () => { farm = await start() })
after(() => farm.close())

/** The answer to an operation that has `words` in it, or has not. */
const answer = (page, operation, words, has = true) => page.waitForResponse(async (response) => (
  response.request().postDataJSON()?.operationName === operation && (await response.text()).includes(words) === has
))

async function keysOfTownHall() {
  const session = await farm.open({ as: 'ada@example.com' })
  const { channels } = await session.mock({ simulate: { channel: 'Town hall', act: 'live' } })
  await session.page.goto(`${HOME}/channels/${channels.find(({ title }) => title === 'Town hall').id}/keys`)
  await settled(session.page)
  return session
}

test('rotating with an overlap keeps the publisher on air, shows the new key once, and both work', async () => {
  const { page, problems, context } = await keysOfTownHall()
  await page.getByRole('button', { name: 'Acts on First key' }).click()
  await page.getByRole('menuitem', { name: 'Rotate…' }).click()
  await page.getByRole('dialog', { name: 'Rotate First key' }).getByRole('button', { name: 'Rotate the key' }).click()
  const shown = page.getByRole('dialog', { name: 'Your new stream key' })
  await page.keyboard.press('Escape')
  await shown.getByRole('button', { name: 'Show Stream key' }).click()
  const secret = await shown.getByRole('textbox', { name: 'Stream key' }).innerText()
  assert.match(secret, /^sk_/u, 'Escape does not throw the only copy away')
  await shown.getByRole('button', { name: 'I have saved it' }).click()
  assert.equal(await page.getByText(secret).count(), 0)
  await page.getByRole('row').nth(2).waitFor()
  assert.equal(await page.getByText('Active', { exact: true }).count(), 2)
  assert.equal(await page.getByText('In use', { exact: true }).count(), 1)
  await page.getByText('Live', { exact: true }).first().waitFor()
  assert.deepEqual(problems, [])
  await context.close()
})

test('revoking a key in use says what it does, and does it', async () => {
  const { page, problems, context } = await keysOfTownHall()
  await page.getByRole('button', { name: 'Acts on First key' }).click()
  await page.getByRole('menuitem', { name: 'Revoke…' }).click()
  const dialog = page.getByRole('dialog', { name: 'Revoke First key?' })
  await dialog.getByText('It is disconnected within a second, and viewers see the broadcast stop.').waitFor()
  await dialog.getByRole('button', { name: 'Cancel' }).click()
  await page.getByText('In use', { exact: true }).waitFor()
  await page.getByRole('button', { name: 'Acts on First key' }).click()
  await page.getByRole('menuitem', { name: 'Revoke…' }).click()
  await dialog.getByRole('button', { name: 'Revoke the key' }).click()
  await page.getByRole('heading', { name: 'No working key' }).waitFor()
  await page.getByText('Offline', { exact: true }).first().waitFor()
  await page.getByLabel('Show expired and revoked keys').check()
  await page.getByText('Revoked', { exact: true }).waitFor()
  assert.deepEqual(problems, [])
  await context.close()
})

test('a secret that is shown once outlives whatever happens behind it', async () => {
  const { page, mock, context } = await keysOfTownHall()
  for (const tab of ['Settings', 'Stream keys']) await page.getByRole('navigation', { name: 'Channel' }).getByRole('link', { name: tab }).click()
  await page.getByRole('button', { name: 'Acts on First key' }).click()
  await page.getByRole('menuitem', { name: 'Rotate…' }).click()
  await page.getByRole('dialog', { name: 'Rotate First key' }).getByRole('button', { name: 'Rotate the key' }).click()
  const shown = page.getByRole('dialog', { name: 'Your new stream key' })
  await shown.getByRole('button', { name: 'Show Stream key' }).click()
  const secret = await shown.getByRole('textbox', { name: 'Stream key' }).innerText()
  await shown.evaluate((node) => { window.shownFirst = node })
  const still = async (after) => {
    assert.equal(await shown.evaluate((node) => node === window.shownFirst), true, `the dialog is another one after ${after}`)
    assert.equal(await shown.getByRole('textbox', { name: 'Stream key' }).innerText(), secret, `after ${after}`)
  }
  // What is behind a dialog has no roles.
  const badge = (name) => page.locator('.page-head .badge', { hasText: name }).waitFor({ state: 'attached' })

  for (const [act, state] of [['viewers', 'Live'], ['reconnecting', 'Reconnecting'], ['live', 'Live'], ['offline', 'Offline'], ['connecting', 'Connecting'], ['live', 'Live'], ['viewers', 'Live']]) {
    await mock({ simulate: { channel: 'Town hall', act } })
    await badge(state)
    await still(act)
  }
  for (const [operation, act, state] of [['Channel', 'reconnecting', 'Reconnecting'], ['StreamKeys', 'live', 'Live'], ['Channel', 'reconnecting', 'Reconnecting']]) {
    await mock({ fail: { operation, code: 'UNAVAILABLE' } })
    await Promise.all([answer(page, operation, 'UNAVAILABLE'), mock({ simulate: { channel: 'Town hall', act } })])
    await badge(state)
    await still(`${operation} that failed`)
  }
  await Promise.all([page.waitForEvent('websocket'), mock({ cut: true })])
  await mock({ simulate: { channel: 'Town hall', act: 'live' } })
  await badge('Live')
  await still('a connection that was cut')

  await page.goBack()
  await page.locator('h2', { hasText: 'Danger zone' }).waitFor({ state: 'attached' })
  await still('another address')
  const asked = page.waitForEvent('dialog')
  await page.evaluate(() => setTimeout(() => location.reload()))
  const dialog = await asked
  assert.equal(dialog.type(), 'beforeunload', 'the browser asks before the only copy is thrown away')
  await dialog.dismiss()
  await still('a reload that was thought better of')

  await context.clearCookies()
  await mock({ simulate: { channel: 'Town hall', act: 'reconnecting' } })
  await page.waitForURL(/\/sign-in/u)
  await still('the end of the session')
  await shown.getByRole('button', { name: 'I have saved it' }).click()
  await page.getByRole('heading', { name: 'Sign in' }).waitFor()
  await context.close()
})

test('a refresh that fails leaves the page as it was, says what happened meanwhile, and is made up for', async () => {
  const { page, mock, context } = await farm.open({ as: 'ada@example.com' })
  const { channels } = await mock({})
  await page.goto(`${HOME}/channels/${channels.find(({ title }) => title === 'Town hall').id}`)
  await settled(page)
  await page.getByTitle('Player: Town hall').evaluate((node) => { window.before = node })
  await mock({ fail: { operation: 'Channel', code: 'UNAVAILABLE' } })
  const [refused, mended] = [answer(page, 'Channel', 'UNAVAILABLE'), answer(page, 'Channel', 'UNAVAILABLE', false)]
  await mock({ simulate: { channel: 'Town hall', act: 'connecting' } })
  await refused
  await page.getByText('Connecting', { exact: true }).first().waitFor()
  await mended
  assert.equal(await page.evaluate(() => window.before.isConnected), true, 'the player went on')
  await mock({ simulate: { channel: 'Town hall', act: 'live' } })
  await page.getByText('Town hall is live').first().waitFor()
  await context.close()
})
