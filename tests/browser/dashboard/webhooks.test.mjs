// Webhooks: an endpoint of one's own, made, tried and told, with a real server behind it.
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { after, before, test } from 'node:test'
import { firstChannel, open, settled, signUp, sound } from './lib.mjs'

let farm, page, problems, secret
const got = []
const server = createServer((request, response) => {
  let body = ''
  request.on('data', (text) => { body += text })
  request.on('end', () => {
    got.push({ headers: request.headers, body })
    response.statusCode = 202
    response.end('taken')
  })
})
before(async () => {
  farm = await open()
  ;({ page, problems } = await farm.person({ viewport: { width: 1280, height: 900 } }))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})
after(async () => {
  await farm?.close()
  server.closeAllConnections()
  server.close()
})

const signed = ({ headers, body }, key) => {
  const hash = createHmac('sha256', Buffer.from(key.replace(/^whsec_/u, ''), 'base64')).update(`${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`)
  return headers['webhook-signature'].split(' ').includes(`v1,${hash.digest('base64')}`)
}

test('an endpoint is made, and its secret is shown once', async () => {
  await signUp(page, 'Noor Haddad', 'Harbour')
  await page.getByRole('heading', { name: 'Create your first channel' }).waitFor()
  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Webhooks' }).click()
  await page.getByRole('heading', { name: 'No endpoint yet' }).waitFor()
  await sound(page)
  await page.getByRole('button', { name: 'New endpoint' }).first().click()
  const dialog = page.getByRole('dialog', { name: 'New webhook endpoint' })
  await dialog.getByLabel('Address').fill('http://192.0.2.1/hooks')
  await dialog.getByRole('button', { name: 'Create the endpoint' }).click()
  await dialog.getByRole('alert').waitFor()
  await dialog.getByLabel('Address').fill(`http://127.0.0.1:${server.address().port}/hooks`)
  await dialog.getByLabel('What you choose').check()
  await dialog.getByRole('checkbox', { name: 'Created channels' }).check()
  await sound(page)
  await dialog.getByRole('button', { name: 'Create the endpoint' }).click()
  const shown = page.getByRole('dialog', { name: 'Your new signing secret' })
  await shown.getByRole('button', { name: 'Show Signing secret' }).click()
  secret = await shown.getByRole('textbox', { name: 'Signing secret' }).innerText()
  assert.match(secret, /^whsec_/u)
  await shown.getByRole('button', { name: 'I have saved it' }).click()
  await page.getByText('Nothing was sent yet.').waitFor()
})

test('a test message and an event arrive, signed, and stand in the log', async () => {
  await page.getByRole('button', { name: 'Send a test' }).click()
  const row = page.getByRole('row').filter({ hasText: 'webhook.test' })
  await row.getByText('Delivered', { exact: true }).waitFor()
  await row.getByText('202', { exact: true }).waitFor()
  await row.getByRole('button', { name: /webhook.test/u }).click()
  await page.getByText('taken', { exact: true }).waitFor()
  await sound(page)
  const address = page.url()
  await page.getByRole('link', { name: 'Channels' }).first().click()
  await firstChannel(page, 'Pier')
  await page.goto(address)
  await settled(page)
  await page.getByRole('row').filter({ hasText: 'channel.created' }).getByText('Delivered', { exact: true }).waitFor()
  assert.deepEqual(got.map(({ body }) => JSON.parse(body).type), ['webhook.test', 'channel.created'])
  for (const message of got) assert.ok(signed(message, secret), message.body)
})

test('it is disabled, and goes', async () => {
  await page.getByRole('button', { name: 'Disable' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Disable' }).click()
  await page.getByText('It is told nothing until it is enabled again.').waitFor()
  await sound(page)
  await page.getByRole('button', { name: 'Delete' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Delete the endpoint' }).click()
  await page.getByRole('heading', { name: 'No endpoint yet' }).waitFor()
  assert.deepEqual(problems, [])
})
