// Every page, and how to get there: for the accessibility checks and the pictures.
import { HOME } from './lib.mjs'

const ADA = 'ada@example.com'
const live = (channel, ...codes) => async ({ mock }) => {
  await mock({ simulate: { channel, act: 'live' } })
  for (const code of codes) await mock({ simulate: { channel, act: 'issue', code } })
}
const channelId = async (mock, title) => (await mock({})).channels.find((channel) => channel.title === title).id
const channel = (title, tab = '') => async ({ mock }) => `${HOME}/channels/${await channelId(mock, title)}${tab && `/${tab}`}`
const asset = async ({ mock }) => `${HOME}/assets/${(await mock({})).assets[0].id}`
const endpoint = (part) => async ({ mock }) => `${HOME}/webhooks/${(await mock({})).endpoints.find(({ url }) => url.includes(part)).id}`
const click = (role, name) => ({ page }) => page.getByRole(role, { name, exact: true }).first().click()

export const PAGES = [
  { name: 'sign-in', to: '/sign-in' },
  { name: 'sign-in-wrong', to: '/sign-in', then: async ({ page }) => {
    await page.getByLabel('E-mail').fill(ADA)
    await page.getByLabel('Password', { exact: true }).fill('not the password')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('alert').waitFor()
  } },
  { name: 'sign-in-second', to: '/sign-in?challenge=hwc_1' },
  { name: 'sign-up', to: '/sign-up' },
  { name: 'forgot-password', to: '/forgot-password' },
  { name: 'reset-password', to: '/reset-password?secret=x' },
  { name: 'invitation', as: 'new@example.com', to: '/invitation?secret=invitation-of-noor' },
  { name: 'verify-email', to: '/verify-email?secret=verify-new@example.com' },
  { name: 'account-factor', as: ADA, to: '/account', then: async ({ page }) => {
    await page.getByRole('button', { name: 'Set up' }).click()
    await page.getByLabel('Your password').fill('correct horse battery')
    await page.getByRole('button', { name: 'Go on' }).click()
    await page.getByRole('img', { name: 'QR code for the authenticator app' }).waitFor()
  } },
  { name: 'signing-keys-secret', as: ADA, to: `${HOME}/signed-playback`, then: async ({ page }) => {
    await page.getByRole('button', { name: 'New key' }).click()
    await page.getByLabel('Name').fill('Web shop, next')
    await page.getByRole('button', { name: 'Create the key' }).click()
    await page.getByRole('region', { name: 'Private key' }).waitFor()
  } },
  { name: 'new-tenant', as: ADA, to: '/new-tenant' },
  { name: 'account', as: ADA, to: '/account' },
  { name: 'welcome', as: ADA, to: `${HOME}/welcome` },
  { name: 'channels', as: ADA, before: async (session) => { await live('Town hall')(session); await live('Press room')(session); await session.mock({ simulate: { channel: 'Harbour webcam', act: 'live' } }); await session.mock({ simulate: { channel: 'Harbour webcam', act: 'reconnecting' } }) }, to: `${HOME}/channels?sort=title` },
  { name: 'channels-none-found', as: ADA, to: `${HOME}/channels?q=zeppelin` },
  { name: 'channels-error', as: ADA, before: ({ mock }) => mock({ fail: { operation: 'Channels', code: 'UNAVAILABLE' } }), to: `${HOME}/channels`, expectsErrors: true },
  { name: 'channel-new', as: ADA, to: `${HOME}/channels/new` },
  { name: 'channel-waiting', as: ADA, to: `${HOME}/welcome`, then: async ({ page }) => {
    await page.getByLabel('Title').fill('My first channel')
    await page.getByRole('button', { name: 'Create the channel' }).click()
    await page.getByRole('heading', { name: 'Waiting for your stream' }).waitFor()
  } },
  { name: 'channel-larix', as: ADA, to: `${HOME}/welcome`, then: async ({ page }) => {
    await page.getByLabel('Title').fill('My first channel')
    await page.getByRole('button', { name: 'Create the channel' }).click()
    await page.getByRole('tab', { name: 'Larix' }).click()
    await page.getByRole('img', { name: /QR code/u }).waitFor()
  } },
  { name: 'channel-live', as: ADA, before: live('Town hall'), to: channel('Town hall') },
  { name: 'channel-issues', as: ADA, before: live('Press room', 'GOP_LONG', 'STARVED'), to: channel('Press room') },
  { name: 'channel-shed', as: ADA, before: live('Press room', 'RUNGS_REDUCED', 'AV_DRIFT'), to: channel('Press room') },
  { name: 'channel-signed', as: ADA, to: channel('Town hall', 'embed'), then: async ({ page }) => {
    await page.getByRole('button', { name: 'New playback id' }).click()
    await page.getByRole('menuitem', { name: /^Signed/u }).click()
    await page.getByText('The playback id is made').first().waitFor()
    await page.getByRole('button', { name: 'Preview' }).click()
    await page.getByTitle('Preview: Town hall').waitFor()
  } },
  { name: 'channel-offline', as: ADA, to: channel('Morning show') },
  { name: 'channel-keys', as: ADA, before: live('Town hall'), to: channel('Town hall', 'keys') },
  { name: 'channel-keys-revoke', as: ADA, before: live('Town hall'), to: channel('Town hall', 'keys'), then: async ({ page }) => {
    await page.getByRole('button', { name: 'Acts on First key' }).click()
    await page.getByRole('menuitem', { name: 'Revoke…' }).click()
    await page.getByRole('dialog').waitFor()
  } },
  { name: 'channel-keys-secret', as: ADA, to: channel('Town hall', 'keys'), then: async ({ page }) => {
    await page.getByRole('button', { name: 'New key' }).click()
    await page.getByRole('button', { name: 'Create the key' }).click()
    await page.getByRole('button', { name: 'Show Stream key' }).click()
  } },
  { name: 'channel-replays', as: ADA, to: channel('Town hall', 'replays') },
  { name: 'channel-embed', as: ADA, to: channel('Town hall', 'embed') },
  { name: 'channel-settings', as: ADA, to: channel('Town hall', 'settings') },
  { name: 'channel-ladder', as: ADA, to: channel('Town hall', 'settings'), then: async ({ page }) => {
    await page.getByLabel('Your own steps').check()
    await page.getByLabel('Lines of the step of 720 lines').fill('1080')
    await page.keyboard.press('Tab')
    await page.getByRole('alert').first().waitFor()
  } },
  { name: 'assets', as: ADA, to: `${HOME}/assets` },
  { name: 'asset', as: ADA, to: asset },
  { name: 'tokens', as: ADA, to: `${HOME}/tokens` },
  { name: 'tokens-new', as: ADA, to: `${HOME}/tokens`, then: click('button', 'New token') },
  { name: 'signing-keys', as: ADA, to: `${HOME}/signed-playback` },
  { name: 'signing-keys-new', as: ADA, to: `${HOME}/signed-playback`, then: click('button', 'New key') },
  { name: 'signing-keys-import', as: ADA, to: `${HOME}/signed-playback`, then: click('button', 'Import') },
  { name: 'signing-keys-revoke', as: ADA, to: `${HOME}/signed-playback`, then: async ({ page }) => {
    await page.getByRole('button', { name: 'Acts on Web shop', exact: true }).click()
    await page.getByRole('menuitem', { name: 'Revoke…' }).click()
    await page.getByRole('dialog').waitFor()
  } },
  { name: 'playback-tokens', as: ADA, to: `${HOME}/signed-playback/tokens` },
  { name: 'revocations', as: ADA, to: `${HOME}/signed-playback/revocations` },
  { name: 'webhooks', as: ADA, to: `${HOME}/webhooks` },
  { name: 'webhooks-new', as: ADA, to: `${HOME}/webhooks`, then: async ({ page }) => {
    await page.getByRole('button', { name: 'New endpoint' }).click()
    await page.getByLabel('What you choose').check()
  } },
  { name: 'webhook', as: ADA, to: endpoint('hooks.example'), then: ({ page }) => page.getByRole('button', { expanded: false, name: /asset\.ready/u }).first().click() },
  { name: 'webhook-failing', as: ADA, to: endpoint('broken.example') },
  { name: 'team', as: ADA, to: `${HOME}/team` },
  { name: 'team-invite', as: ADA, to: `${HOME}/team`, then: click('button', 'Invite') },
  { name: 'audit-log', as: ADA, to: `${HOME}/audit-log`, then: ({ page }) => page.getByRole('button', { expanded: false, name: /Channel update/u }).first().click() },
  { name: 'explorer', as: ADA, to: `${HOME}/explorer`, then: async ({ page }) => {
    await page.getByRole('textbox', { name: 'Query Editor' }).waitFor()
    await page.getByRole('button', { name: /^Execute query/u }).click()
    await page.getByText('"totalCount"').waitFor()
  } },
  { name: 'settings', as: ADA, to: `${HOME}/settings` },
  { name: 'palette', as: ADA, to: `${HOME}/channels`, then: async ({ page }) => {
    await page.keyboard.press('Control+k')
    await page.getByRole('combobox', { name: 'Search and commands' }).fill('hall')
    await page.getByRole('option', { name: /^Town hall Offline/u }).waitFor()
  } },
  { name: 'analyst', as: 'kit@example.com', to: `${HOME}/channels` },
  { name: 'billing', as: 'bill@example.com', to: `${HOME}/channels` },
  { name: 'not-a-member', as: ADA, to: '/t/somebody-else/live/channels' },
  { name: 'not-found', as: ADA, to: `${HOME}/channels/ch_gone` },
]

/** Opens one of them, at rest. */
export async function visit(session, { before, to, then }) {
  await before?.(session)
  await session.page.goto(typeof to === 'function' ? await to(session) : to)
  await session.settled(session.page)
  await then?.(session)
  await session.settled(session.page)
}
