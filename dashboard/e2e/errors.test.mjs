// What people see when something does not work.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { HOME, settled, start } from './lib.mjs'

let farm
before(async () => { farm = await start() })
after(() => farm.close())

test('a list that fails says so and loads when it is tried again', async () => {
  const { page, mock, context } = await farm.open({ as: 'ada@example.com' })
  await mock({ fail: { operation: 'Channels', code: 'UNAVAILABLE' } })
  await page.goto(`${HOME}/channels`)
  await page.getByRole('alert').getByText('Running broadcasts are not affected.', { exact: false }).waitFor()
  await page.getByRole('button', { name: 'Try again' }).click()
  await page.getByRole('link', { name: 'Science slam' }).waitFor()
  await context.close()
})

test('user errors stand at their fields', async () => {
  const { page, context } = await farm.open({ as: 'ada@example.com' })
  await page.goto(`${HOME}/channels/new`)
  await page.getByLabel('Title').fill('Another')
  await page.getByLabel('Reference').fill('studio-1')
  await page.getByRole('button', { name: 'Create the channel' }).click()
  await page.getByRole('alert').getByText('Another channel has this reference.').waitFor()
  const field = page.getByLabel('Reference')
  assert.equal(await field.getAttribute('aria-invalid'), 'true')
  assert.match(await field.getAttribute('aria-describedby'), /error/u)
  await context.close()
})

test('two people who change one channel overwrite nothing unasked', async () => {
  const mine = await farm.open({ as: 'ada@example.com' })
  const { channels } = await mine.mock({})
  const address = `${HOME}/channels/${channels.find(({ title }) => title === 'Town hall').id}/settings`
  const theirs = await farm.open({ as: 'tomas@example.com', keep: true })
  for (const { page } of [mine, theirs]) {
    await page.goto(address)
    await settled(page)
  }
  await mine.page.getByLabel('Title').fill('Town hall, renamed by me')
  await theirs.page.getByLabel('Title').fill('Town hall, renamed by them')
  await theirs.page.getByLabel('Reconnect window').fill('120')
  await theirs.page.getByRole('button', { name: 'Save changes' }).click()
  await theirs.page.getByText('The settings are saved').first().waitFor()

  await mine.page.getByRole('heading', { name: 'Town hall, renamed by them', level: 1 }).waitFor()
  assert.equal(await mine.page.getByLabel('Title').inputValue(), 'Town hall, renamed by me', 'what is being typed is left alone')
  await mine.page.getByRole('button', { name: 'Save changes' }).click()
  await mine.page.getByText('Somebody else changed this channel meanwhile').waitFor()
  await mine.page.getByRole('button', { name: 'Compare' }).click()
  const dialog = mine.page.getByRole('dialog', { name: 'Two people changed this' })
  await dialog.getByRole('row', { name: /Title Town hall, renamed by me Town hall, renamed by them/u }).waitFor()
  await dialog.getByRole('button', { name: 'Save mine over theirs' }).click()
  await mine.page.getByRole('heading', { name: 'Town hall, renamed by me', level: 1 }).waitFor()
  assert.equal(await mine.page.getByLabel('Reconnect window').inputValue(), '120', 'their other change is kept')
  await mine.context.close()
  await theirs.context.close()
})

test('whoever loses the session signs in and is back where they were', async () => {
  const { page, context } = await farm.open({ as: 'ada@example.com' })
  await page.goto(`${HOME}/channels`)
  await settled(page)
  await context.clearCookies()
  await page.getByRole('link', { name: 'Team' }).click()
  await page.getByRole('heading', { name: 'Sign in' }).waitFor()
  await page.getByLabel('E-mail').fill('ada@example.com')
  await page.getByLabel('Password', { exact: true }).fill('correct horse battery')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('heading', { name: 'Team', level: 1 }).waitFor()
  await context.close()
})

test('a deleted asset can be kept for a while', async () => {
  const { page, mock, context } = await farm.open({ as: 'ada@example.com' })
  const { assets } = await mock({})
  await page.goto(`${HOME}/assets/${assets[0].id}`)
  await settled(page)
  await page.getByRole('button', { name: 'Delete' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
  await page.getByText('This asset is being deleted').waitFor()
  await page.getByRole('button', { name: 'Undo' }).click()
  await page.getByText('This asset is being deleted').waitFor({ state: 'detached' })
  await context.close()
})

test('two people who change one asset, or one endpoint, hear of each other', async () => {
  const mine = await farm.open({ as: 'ada@example.com' })
  const { assets, endpoints } = await mine.mock({})
  const theirs = await farm.open({ as: 'tomas@example.com', keep: true })
  for (const { page } of [mine, theirs]) {
    await page.goto(`${HOME}/assets/${assets[0].id}`)
    await settled(page)
  }
  await theirs.page.getByLabel('Title').fill('Renamed by them')
  await theirs.page.getByRole('button', { name: 'Save' }).click()
  await theirs.page.getByText('The asset is saved').first().waitFor()
  await mine.page.getByLabel('Title').fill('Renamed by me')
  await mine.page.getByRole('button', { name: 'Save' }).click()
  await mine.page.getByText('Somebody else changed the asset since you read it.').waitFor()
  await mine.page.getByRole('button', { name: 'Show theirs' }).click()
  await mine.page.getByRole('heading', { name: 'Renamed by them', level: 1 }).waitFor()
  assert.equal(await mine.page.getByLabel('Title').inputValue(), 'Renamed by them')

  for (const { page } of [mine, theirs]) {
    await page.goto(`${HOME}/webhooks/${endpoints[0].id}`)
    await page.getByRole('button', { name: 'Change…' }).click()
  }
  await theirs.page.getByLabel('Description').fill('Theirs')
  await theirs.page.getByRole('button', { name: 'Save' }).click()
  await theirs.page.getByRole('heading', { name: 'Theirs', level: 1 }).waitFor()
  await mine.page.getByLabel('Description').fill('Mine')
  await mine.page.getByRole('button', { name: 'Save' }).click()
  await mine.page.getByRole('dialog').getByRole('button', { name: 'Show theirs' }).click()
  await mine.page.getByRole('heading', { name: 'Theirs', level: 1 }).waitFor()
  await mine.context.close()
  await theirs.context.close()
})
