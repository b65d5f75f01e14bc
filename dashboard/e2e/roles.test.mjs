// What each role sees and may do.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { HOME, settled, start } from './lib.mjs'

let farm
before(async () => { farm = await start() })
after(() => farm.close())

const links = (page) => page.getByRole('navigation', { name: 'Main' }).getByRole('link').allInnerTexts()

test('an owner sees every page', async () => {
  const { page, context } = await farm.open({ as: 'ada@example.com' })
  await page.goto(`${HOME}/channels`)
  await settled(page)
  assert.deepEqual(await links(page), ['Channels', 'Assets', 'API tokens', 'Signed playback', 'Webhooks', 'API explorer', 'Team', 'Audit log', 'Settings'])
  await context.close()
})

test('an analyst looks, and every act that is refused says why', async () => {
  const { page, problems, context } = await farm.open({ as: 'kit@example.com' })
  await page.goto(`${HOME}/channels`)
  await settled(page)
  assert.deepEqual(await links(page), ['Channels', 'Assets', 'API explorer', 'Team', 'Settings'])
  const create = page.getByRole('button', { name: 'New channel' })
  assert.equal(await create.getAttribute('aria-disabled'), 'true')
  await create.focus()
  await page.getByRole('tooltip', { name: 'Your role, analyst, may not create channels.' }).waitFor()
  await page.getByRole('link', { name: 'Choir practice' }).click()
  await page.getByRole('navigation', { name: 'Channel' }).getByRole('link', { name: 'Settings' }).click()
  await page.getByText('Your role, analyst, may not change channels.').waitFor()
  assert.equal(await page.getByLabel('Title').isDisabled(), true)
  assert.equal(await page.getByRole('button', { name: 'Delete' }).count(), 0)
  assert.deepEqual(problems, [])
  await context.close()
})

test('a billing member is told what the role is for', async () => {
  const { page, context } = await farm.open({ as: 'bill@example.com' })
  await page.goto(`${HOME}/channels`)
  await page.getByRole('heading', { name: 'Your role does not see channels' }).waitFor()
  await context.close()
})

test('a neighbour sees nothing of the tenant', async () => {
  const { page, context } = await farm.open({ as: 'new@example.com' })
  await page.goto(`${HOME}/channels`)
  await page.getByRole('heading', { name: 'You are not a member of “northlight”' }).waitFor()
  assert.equal(await page.getByText('Northlight Studios').count(), 0)
  await context.close()
})

test('an invited person joins with the role that was given', async () => {
  const { page, context } = await farm.open({ as: 'new@example.com' })
  await page.goto('/invitation?secret=invitation-of-noor')
  await page.getByRole('button', { name: 'Join' }).click()
  await page.getByRole('heading', { name: 'Channels', level: 1 }).waitFor()
  await page.getByRole('link', { name: 'Team' }).click()
  await page.getByRole('row', { name: /Noor Haddad \(you\).*Developer/u }).waitFor()
  await context.close()
})
