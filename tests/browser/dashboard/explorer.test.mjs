// The API explorer on the real service: as the person, and as a program with a token.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { ask, firstChannel, open, signUp, sound } from './lib.mjs'

let farm, page, context, problems
before(async () => {
  farm = await open()
  ;({ page, context, problems } = await farm.person({ viewport: { width: 1280, height: 900 } }))
})
after(() => farm?.close())

const answer = () => page.getByRole('region', { name: 'Result Window' })
const example = (name) => page.getByRole('tab', { name }).click()
/** The first tab, whatever it is called by now: GraphiQL names a tab after what is written in it. */
const own = () => page.getByRole('tab').first().click()
const editor = () => page.getByRole('textbox', { name: 'Query Editor' })
/** As a person does: over what is there. */
const write = async (text) => {
  await editor().focus()
  await page.keyboard.press('Control+a')
  await page.keyboard.press('Delete')
  await page.keyboard.insertText(text)
}
const run = async () => {
  await editor().waitFor()
  await page.getByRole('button', { name: /^Execute query/u }).click()
}
const stop = () => page.getByRole('button', { name: /^Stop query/u })

test('queries run as the person, with the schema of the service at hand', async () => {
  await signUp(page, 'Devi Rao', 'Tidewater')
  await firstChannel(page, 'Harbour')
  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'API explorer' }).click()
  await run()
  await answer().getByText('"title": "Harbour"').waitFor()
  assert.match(await answer().innerText(), /"totalCount"[^]*"nodes"[^]*"id"[^]*"title"[^]*"state"/u, 'in the order in which it was asked for')
  await sound(page)
  // Completion knows the schema.
  await write('{ channels { } }')
  for (const _ of ' } }') await page.keyboard.press('ArrowLeft')
  await page.keyboard.press('Control+Space')
  await page.getByRole('option', { name: /totalCount/u }).waitFor()
  await page.keyboard.press('Escape')
  await write('{ nothing }')
  await run()
  await answer().getByText('GRAPHQL_VALIDATION_FAILED').waitFor()
})

test('a subscription goes on until it is stopped', async () => {
  await example('Changes')
  await run()
  await stop().waitFor()
  const changed = 'mutation($input: ChannelUpdateInput!) { channelUpdate(input: $input) { channel { id version } userErrors { code } } }'
  const { data } = await ask(context, 'tidewater', '{ channels { nodes { id version } } }')
  const [{ id, version }] = data.channels.nodes
  await ask(context, 'tidewater', changed, { input: { id, expectedVersion: version, title: 'Harbour, renamed' } })
  await answer().getByText('Harbour, renamed').waitFor()
  await stop().click()
  await page.getByRole('button', { name: /^Execute query/u }).waitFor()
})

test('with a token, a request may do what the token may', async () => {
  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'API tokens' }).click()
  await page.getByRole('button', { name: 'New token' }).first().click()
  await page.getByLabel('Name').fill('Scheduling')
  await page.getByRole('button', { name: 'Create the token' }).click()
  const shown = page.getByRole('dialog', { name: 'Your new API token' })
  await shown.getByRole('button', { name: 'Show API token' }).click()
  const token = await shown.getByRole('textbox', { name: 'API token' }).innerText()
  assert.match(token, /^hw_live_/u)
  await shown.getByRole('button', { name: 'I have saved it' }).click()
  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'API explorer' }).click()
  await page.getByLabel('Run as').selectOption({ label: 'As a program with a token' })
  await page.getByLabel('API token').fill(token)
  await own()
  await write('{ me { id } viewer { role actions } }')
  await run()
  await answer().getByText('"CHANNEL_READ"').waitFor()
  await answer().getByText('"me": null').waitFor()
  await example('CreateChannel')
  await run()
  await answer().getByText('FORBIDDEN').waitFor()
  await example('Changes')
  await run()
  await stop().waitFor()
  const { data } = await ask(context, 'tidewater', '{ channels { nodes { id version } } }')
  const [{ id, version }] = data.channels.nodes
  await ask(context, 'tidewater', 'mutation($input: ChannelUpdateInput!) { channelUpdate(input: $input) { userErrors { code } } }', { input: { id, expectedVersion: version, title: 'Harbour, for programs' } })
  await answer().getByText('Harbour, for programs').waitFor()
  await sound(page)
  // The request that was not valid.
  assert.deepEqual(problems.filter((problem) => !problem.includes('status of 422')), [])
})
