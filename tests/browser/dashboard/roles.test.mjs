// Two people of one tenant: an owner who invites, and an analyst who looks. Then what somebody else sees of it: nothing.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { ask, emailOf, firstChannel, open, PASSWORD, settled, signUp, sound } from './lib.mjs'

let farm, owner, analyst
before(async () => {
  farm = await open()
  owner = await farm.person({ viewport: { width: 1280, height: 900 } })
  analyst = await farm.person({ viewport: { width: 1280, height: 900 }, colorScheme: 'dark' })
})
after(() => farm?.close())

const HOME = '/t/north-light/live'
const main = (page) => page.getByRole('navigation', { name: 'Main' })

test('an owner invites somebody, who joins with the role that was given', async () => {
  const { page } = owner
  await signUp(page, 'Ada Marsh', 'North Light')
  await firstChannel(page, 'Choir practice')
  await main(page).getByRole('link', { name: 'Team' }).click()
  await page.getByRole('button', { name: 'Invite' }).click()
  const dialog = page.getByRole('dialog', { name: 'Invite to North Light' })
  await dialog.getByLabel('E-mail').fill(emailOf('Kit Okafor'))
  await dialog.getByLabel('Analyst').check()
  await dialog.getByRole('button', { name: 'Invite' }).click()
  const link = await page.getByRole('textbox', { name: 'Invitation link' }).innerText()
  await page.getByRole('button', { name: 'Done' }).click()
  await page.getByRole('region', { name: 'Open invitations, table' }).getByText(emailOf('Kit Okafor')).waitFor()

  const theirs = analyst.page
  await theirs.goto(link)
  await theirs.getByRole('heading', { name: 'Join North Light' }).waitFor()
  await sound(theirs)
  await theirs.getByRole('link', { name: 'Create an account' }).click()
  await theirs.getByLabel('Your name').fill('Kit Okafor')
  await theirs.getByLabel('Company or project').fill('Kit alone')
  await theirs.getByLabel('E-mail').fill(emailOf('Kit Okafor'))
  await theirs.getByLabel('Password', { exact: true }).fill(PASSWORD)
  await theirs.getByRole('button', { name: 'Create account' }).click()
  await theirs.getByRole('button', { name: 'Join' }).click()
  await theirs.waitForURL(`**${HOME}/channels`)
  await theirs.getByRole('link', { name: 'Choir practice' }).waitFor()
})

test('an analyst is offered nothing that changes or destroys', async () => {
  const { page, problems } = analyst
  assert.deepEqual(await main(page).getByRole('link').allInnerTexts(), ['Channels', 'Assets', 'API explorer', 'Team', 'Settings'])
  const create = page.getByRole('button', { name: 'New channel' })
  assert.equal(await create.getAttribute('aria-disabled'), 'true')
  await create.focus()
  await page.getByRole('tooltip', { name: 'Your role, analyst, may not create channels.' }).waitFor()
  await page.keyboard.press('Escape')
  await page.getByRole('tooltip').waitFor({ state: 'detached' })
  await sound(page)
  await page.getByRole('link', { name: 'Choir practice' }).click()
  const tabs = page.getByRole('navigation', { name: 'Channel' })
  await tabs.waitFor()
  assert.deepEqual(await tabs.getByRole('link').allInnerTexts(), ['Overview', 'Replays', 'Embed', 'Settings'])
  await sound(page)
  for (const name of ['Overview', 'Embed', 'Settings']) {
    await tabs.getByRole('link', { name }).click()
    await settled(page)
    assert.equal(await page.getByRole('button', { name: /Delete|Revoke|Rotate|Disable|End|Remove/u }).count(), 0, name)
  }
  assert.equal(await page.getByLabel('Title').isDisabled(), true)
  await main(page).getByRole('link', { name: 'Team' }).click()
  await page.getByRole('row', { name: /Kit Okafor \(you\).*Analyst/u }).waitFor()
  assert.equal(await page.getByRole('button', { name: /Acts on (the invitation|Ada)/u }).count(), 0)
  assert.deepEqual(problems, [])
})

test('and the service refuses what a page does not offer', async () => {
  const { context } = analyst
  const { data: { channels: { nodes: [channel] } } } = await ask(context, 'north-light', '{ channels { nodes { id } } }')
  for (const [name, query] of [
    ['channelDelete', 'mutation($id: ID!) { channelDelete(input: { id: $id }) { deletedId } }'],
    ['streamKeyCreate', 'mutation($id: ID!) { streamKeyCreate(input: { channelId: $id }) { secret } }'],
    ['streamKeys', 'query($id: ID!) { channel(id: $id) { streamKeys { nodes { id } } } }'],
    ['playbackIdCreate', 'mutation($id: ID!) { playbackIdCreate(input: { channelId: $id }) { playbackId { id } } }'],
  ]) {
    const { data, errors } = await ask(context, 'north-light', query, { id: channel.id })
    assert.equal(errors?.[0]?.extensions?.code, 'FORBIDDEN', name)
    assert.equal(Object.values(data ?? {}).some(Boolean) && name !== 'streamKeys', false, name)
  }
  const { data } = await ask(owner.context, 'north-light', '{ channels { nodes { title streamKeys { totalCount } playbackIds { id } } } }')
  assert.deepEqual(data.channels.nodes.map(({ title, streamKeys, playbackIds }) => [title, streamKeys.totalCount, playbackIds.length]), [['Choir practice', 1, 1]])
})

test('who leaves the tenant sees nothing of it any more', async () => {
  const { page } = analyst
  await page.getByRole('button', { name: 'Acts on Kit Okafor' }).click()
  await page.getByRole('menuitem', { name: 'Leave the tenant…' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Leave' }).click()
  await page.goto(`${HOME}/channels`)
  await page.getByRole('heading', { name: 'You are not a member of “north-light”' }).waitFor()
  assert.equal(await page.getByText('Choir practice').count(), 0)
  await sound(page)
  assert.deepEqual(owner.problems, [])
})
