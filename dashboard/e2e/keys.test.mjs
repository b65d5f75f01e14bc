// Stream keys while a channel is on air.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { HOME, settled, start } from './lib.mjs'

let farm
before(async () => { farm = await start() })
after(() => farm.close())

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
