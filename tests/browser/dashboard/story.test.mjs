// From nothing to a replay, as a new customer does it, with a real encoder.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { firstChannel, open, plays, push, secretOn, settled, signUp, sound } from './lib.mjs'

let farm, page, context, problems, channel, encoder
before(async () => {
  farm = await open()
  ;({ page, context, problems } = await farm.person({ viewport: { width: 1280, height: 900 } }))
})
after(async () => {
  encoder?.kill()
  await farm?.close()
})

const tab = (name) => page.getByRole('navigation', { name: 'Channel' }).getByRole('link', { name }).click()
const keys = () => page.getByRole('region', { name: 'Stream keys, table' }).getByRole('row')

test('somebody new signs up, names a channel and is told where to push', async () => {
  await page.goto('/')
  await page.getByRole('heading', { name: 'Sign in' }).waitFor()
  await sound(page)
  await page.getByRole('link', { name: 'Forgot your password?' }).waitFor()
  await signUp(page, 'Grace Lind', 'Lind Films')
  await page.waitForURL('**/t/lind-films/live/welcome')
  await sound(page)
  channel = await firstChannel(page, 'Premiere')
  assert.match(channel.server, /^rtmp:\/\/127\.0\.0\.1:\d+\/live$/u)
  assert.match(channel.key, /^sk_/u)
  await page.getByRole('button', { name: 'Copy Stream key' }).click()
  await page.getByRole('status').filter({ hasText: 'Stream key copied' }).waitFor()
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), channel.key)
  await page.getByRole('tab', { name: 'ffmpeg' }).click()
  const command = await page.getByRole('region', { name: 'ffmpeg command' }).innerText()
  assert.ok(command.includes(`"${channel.server}/${channel.key}"`), 'the command can be run as it is')
  await sound(page)
})

test('the page turns live by itself when the encoder pushes, and the player plays', async () => {
  await page.evaluate(() => { window.sameDocument = true })
  encoder = push(channel.server, channel.key)
  await page.getByRole('heading', { name: 'On air' }).waitFor()
  await page.getByText('Premiere is live').first().waitFor()
  await page.getByText('640×360').first().waitFor()
  await plays(page, 'Player: Premiere')
  await page.getByText('untouched').first().waitFor()
  await page.getByRole('heading', { name: 'Stream health' }).waitFor()
  await page.getByRole('button', { name: 'End broadcast' }).waitFor()
  await sound(page)
})

test('a key is rotated on air; both work, the new one continues the broadcast, and the old one is revoked', async () => {
  await tab('Stream keys')
  await page.getByText('In use', { exact: true }).waitFor()
  await page.getByRole('button', { name: /^Acts on/u }).click()
  await page.getByRole('menuitem', { name: 'Rotate…' }).click()
  await page.getByRole('dialog', { name: /^Rotate/u }).getByRole('button', { name: 'Rotate the key' }).click()
  const shown = page.getByRole('dialog', { name: 'Your new stream key' })
  const secret = await secretOn(shown)
  assert.match(secret, /^sk_/u)
  assert.notEqual(secret, channel.key)
  await shown.getByRole('button', { name: 'I have saved it' }).click()
  await keys().nth(2).waitFor()
  assert.equal(await page.getByText('Active', { exact: true }).count(), 2)
  await page.getByText('Live', { exact: true }).first().waitFor()
  await sound(page)

  // The encoder drops out, and comes back with the new key.
  encoder.kill()
  await page.getByText('Reconnecting', { exact: true }).first().waitFor()
  encoder = push(channel.server, secret)
  await page.getByText('Premiere is back').first().waitFor()
  await keys().filter({ hasText: channel.key.slice(-4) }).getByRole('button', { name: /^Acts on/u }).click()
  await page.getByRole('menuitem', { name: 'Revoke…' }).click()
  await page.getByRole('dialog', { name: /^Revoke/u }).getByRole('button', { name: 'Revoke the key' }).click()
  await keys().filter({ hasText: channel.key.slice(-4) }).waitFor({ state: 'detached' })
  await page.getByText('Live', { exact: true }).first().waitFor()
  const refused = await push(channel.server, channel.key).ended
  assert.notEqual(refused.code, 0, 'the old key lets nobody in')
  channel.key = secret
})

test('when the encoder stops, the replay is listed and plays', async () => {
  await tab('Overview')
  await encoder.stop()
  await page.getByRole('heading', { name: 'Offline' }).waitFor()
  await tab('Replays')
  const row = page.getByRole('row').filter({ has: page.getByRole('link', { name: 'Premiere' }) })
  await row.getByText('Ready', { exact: true }).waitFor()
  assert.equal(await row.count(), 1, 'one broadcast, one replay, over a change of keys')
  await sound(page)
  await row.getByRole('link', { name: 'Premiere' }).click()
  await page.getByRole('heading', { name: 'Premiere', level: 1 }).waitFor()
  await plays(page, 'Player: Premiere')
  await sound(page)
  assert.equal(await page.evaluate(() => window.sameDocument), true, 'the page was never loaded again')
})

test('a secret was for that visit alone', async () => {
  await page.getByRole('link', { name: 'Channels' }).first().click()
  await page.getByRole('link', { name: 'Premiere' }).click()
  await page.getByRole('textbox', { name: 'Stream key', exact: true }).waitFor()
  await page.reload()
  await settled(page)
  assert.equal(await page.getByRole('textbox', { name: 'Stream key', exact: true }).count(), 0)
  assert.equal((await page.content()).includes(channel.key), false)
})

test('every other page of a tenant works on the real service', async () => {
  for (const [name, heading] of [['Assets', 'Assets'], ['API tokens', 'API tokens'], ['Team', 'Team'], ['Audit log', 'Audit log'], ['Settings', 'Settings'], ['Channels', 'Channels']]) {
    await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name, exact: true }).click()
    await page.getByRole('heading', { name: heading, level: 1 }).waitFor()
    await sound(page)
  }
  await page.getByRole('link', { name: 'Premiere' }).click()
  for (const name of ['Embed', 'Settings']) {
    await tab(name)
    await sound(page)
  }
  await page.goto('/account')
  await sound(page)
  await page.goto('/nothing/here')
  await page.getByRole('heading', { name: 'There is nothing at this address' }).waitFor()
  await context.close()
})

test('nothing went wrong on any page', () => {
  const expected = /\/nothing\/here\)$/u
  assert.deepEqual(problems.filter((problem) => !expected.test(problem)), [])
})
