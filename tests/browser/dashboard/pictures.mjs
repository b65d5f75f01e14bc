#!/usr/bin/env node
// Draws every page of the dashboard on the real service, in light, dark and at phone width: node dashboard/pictures.mjs FOLDER [page…]
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ask, emailOf, firstChannel, open, PASSWORD, plays, push, settled, signUp } from './lib.mjs'

const LOOKS = {
  light: { viewport: { width: 1360, height: 860 }, colorScheme: 'light' },
  dark: { viewport: { width: 1360, height: 860 }, colorScheme: 'dark' },
  phone: { viewport: { width: 390, height: 844 }, colorScheme: 'light', hasTouch: true, isMobile: true, deviceScaleFactor: 2 },
}
/** Long enough for dialogs to have entered: pictures show things at rest. */
const REST_MS = 300
const HOME = '/t/northlight-studios/live'

const [folder, ...wanted] = process.argv.slice(2)
await mkdir(folder, { recursive: true })
const farm = await open()

// A tenant with a week's work: channels, one of them on air, a replay, a team, tokens, a log.
const { page: maker, context: makers } = await farm.person({ viewport: { width: 1280, height: 900 } })
await signUp(maker, 'Ada Marsh', 'Northlight Studios')
const hall = await firstChannel(maker, 'Town hall')
const gql = (query, variables) => ask(makers, 'northlight-studios', query, variables)
const create = 'mutation($input: ChannelCreateInput!) { channelCreate(input: $input) { channel { id } streamKeySecret } }'
const made = {}
for (const input of [
  { title: 'Morning show', reference: 'studio-1' }, { title: 'Concert hall, main stage', latencyMode: 'STANDARD' }, { title: 'Harbour webcam', reference: 'cam-7', ladder: { kind: 'SOURCE' } },
  { title: 'Chess finals', metadata: { season: 4 } }, { title: 'Lecture theatre 3, the one with the very long name that somebody copied from a timetable' },
]) made[input.title] = (await gql(create, { input })).data.channelCreate
for (const [email, role] of [['kit.okafor@example.com', 'ANALYST'], ['tomas@example.com', 'ADMIN'], ['bill@example.com', 'BILLING']]) {
  const { data } = await gql('mutation($input: InvitationCreateInput!) { invitationCreate(input: $input) { secret } }', { input: { email, role } })
  made[email] = data.invitationCreate.secret
}
for (const [name, actions] of [['Scheduling service', ['CHANNEL_READ', 'CHANNEL_WRITE']], ['Statistics', ['BROADCAST_READ', 'ASSET_READ']]]) {
  await gql('mutation($input: ApiTokenCreateInput!) { apiTokenCreate(input: $input) { secret } }', { input: { name, environment: 'LIVE', actions } })
}
const { data: { webhookEndpointCreate: { webhookEndpoint } } } = await gql('mutation($input: WebhookEndpointCreateInput!) { webhookEndpointCreate(input: $input) { webhookEndpoint { id } } }', { input: { url: 'http://127.0.0.1:9/hooks', description: 'Scheduling' } })
for (const [name, algorithm] of [['Web shop', 'ES256'], ['Set-top boxes', 'RS256']]) {
  await gql('mutation($input: SigningKeyCreateInput!) { signingKeyCreate(input: $input) { signingKey { id } } }', { input: { name, algorithm } })
}
await gql('mutation($input: PlaybackIdCreateInput!) { playbackIdCreate(input: $input) { playbackId { id } } }', { input: { channelId: made['Chess finals'].channel.id, policy: 'SIGNED' } })
await gql('mutation($input: PlaybackViewerRevokeInput!) { playbackViewerRevoke(input: $input) { viewerId } }', { input: { viewerId: 'viewer-1042' } })
const chess = made['Chess finals'].channel.id
await gql('mutation($input: ChannelUpdateInput!) { channelUpdate(input: $input) { channel { id } } }', { input: { id: chess, expectedVersion: 1, title: 'Chess finals', disabled: true } })
const { person: kit } = { person: await farm.person() }
await kit.page.goto(`/sign-up?next=${encodeURIComponent(`/invitation?secret=${made['kit.okafor@example.com']}`)}`)
await kit.page.getByLabel('Your name').fill('Kit Okafor')
await kit.page.getByLabel('Company or project').fill('Kit alone')
await kit.page.getByLabel('E-mail').fill('kit.okafor@example.com')
await kit.page.getByLabel('Password', { exact: true }).fill(PASSWORD)
await kit.page.getByRole('button', { name: 'Create account' }).click()
await kit.page.getByRole('button', { name: 'Join' }).click()
await kit.page.getByRole('link', { name: 'Town hall' }).waitFor()

const morning = made['Morning show']
const first = push(hall.server, morning.streamKeySecret)
await maker.goto(`${HOME}/channels/${morning.channel.id}`)
await maker.getByRole('heading', { name: 'On air' }).waitFor()
await plays(maker, 'Player: Morning show')
await first.stop()
await maker.getByRole('heading', { name: 'Offline' }).waitFor()
const onAir = push(hall.server, hall.key)
const { data: { channels: { nodes: channels } } } = await gql('{ channels { nodes { id title } } }')
const idOf = (title) => channels.find((channel) => channel.title === title).id
await maker.goto(`${HOME}/channels/${idOf('Town hall')}`)
await maker.getByRole('heading', { name: 'On air' }).waitFor()
const { data: { assets } } = await gql('{ assets { nodes { id state } } }')
const replay = assets.nodes.find(({ state }) => state === 'READY').id
const states = { ada: await makers.storageState(), kit: await kit.context.storageState() }

const channel = (title, tab = '') => `${HOME}/channels/${idOf(title)}${tab && `/${tab}`}`
const click = (role, name) => (page) => page.getByRole(role, { name }).first().click()
const dialog = (item) => async (page) => {
  await page.getByRole('button', { name: /^Acts on/u }).first().click()
  await page.getByRole('menuitem', { name: item }).click()
  await page.getByRole('dialog').waitFor()
}
const moving = async (page) => {
  await plays(page, 'Player: Town hall')
  await page.mouse.move(5, 5)
}
const PAGES = [
  ['sign-in', '/sign-in', { as: null }],
  ['sign-in-wrong', '/sign-in', { as: null, then: async (page) => {
    await page.getByLabel('E-mail').fill(emailOf('Ada Marsh'))
    await page.getByLabel('Password', { exact: true }).fill('not the password')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('alert').first().waitFor()
  } }],
  ['sign-up', '/sign-up', { as: null }],
  ['forgot-password', '/forgot-password', { as: null, then: (page) => page.getByRole('heading', { name: 'Passwords are not reset here' }).waitFor() }],
  ['invitation', `/invitation?secret=${made['tomas@example.com']}`, { as: null }],
  ['invitation-over', '/invitation?secret=hwi_gone', { as: null }],
  ['new-tenant', '/new-tenant'],
  ['account', '/account'],
  ['welcome', `${HOME}/welcome`],
  ['channels', `${HOME}/channels`],
  ['channels-none-found', `${HOME}/channels?q=zeppelin`],
  ['channel-new', `${HOME}/channels/new`],
  ['channel-waiting', channel('Concert hall, main stage')],
  ['channel-larix', channel('Concert hall, main stage'), { then: click('tab', 'Larix') }],
  ['channel-live', channel('Town hall'), { then: moving }],
  ['channel-past', channel('Morning show')],
  ['channel-disabled', channel('Chess finals')],
  ['channel-keys', channel('Town hall', 'keys')],
  ['channel-keys-new', channel('Town hall', 'keys'), { then: click('button', 'New key'), part: true }],
  ['channel-keys-rotate', channel('Town hall', 'keys'), { then: dialog('Rotate…'), part: true }],
  ['channel-keys-revoke', channel('Town hall', 'keys'), { then: dialog('Revoke…'), part: true }],
  ['channel-replays', channel('Morning show', 'replays')],
  ['channel-embed', channel('Town hall', 'embed')],
  ['channel-settings', channel('Town hall', 'settings')],
  ['assets', `${HOME}/assets`],
  ['asset', `${HOME}/assets/${replay}`, { then: (page) => plays(page, 'Player: Morning show') }],
  ['tokens', `${HOME}/tokens`],
  ['tokens-new', `${HOME}/tokens`, { then: click('button', 'New token'), part: true }],
  ['webhooks', `${HOME}/webhooks`],
  ['webhooks-new', `${HOME}/webhooks`, { then: async (page) => { await page.getByRole('button', { name: 'New endpoint' }).click(); await page.getByLabel('What you choose').check() }, part: true }],
  ['webhook', `${HOME}/webhooks/${webhookEndpoint.id}`, { then: (page) => page.getByRole('button', { expanded: false, name: /channel\./u }).first().click() }],
  ['signing-keys', `${HOME}/signed-playback`],
  ['signing-keys-new', `${HOME}/signed-playback`, { then: click('button', 'New key'), part: true }],
  ['signing-keys-revoke', `${HOME}/signed-playback`, { then: dialog('Revoke…'), part: true }],
  ['playback-tokens', `${HOME}/signed-playback/tokens`],
  ['revocations', `${HOME}/signed-playback/revocations`],
  ['explorer', `${HOME}/explorer`, { then: async (page) => {
    await page.getByRole('textbox', { name: 'Query Editor' }).waitFor()
    await page.getByRole('button', { name: /^Execute query/u }).click()
    await page.getByText('"totalCount"').waitFor()
  } }],
  ['explorer-token', `${HOME}/explorer`, { then: (page) => page.getByLabel('Run as').selectOption('token') }],
  ['team', `${HOME}/team`],
  ['team-invite', `${HOME}/team`, { then: click('button', 'Invite'), part: true }],
  ['audit-log', `${HOME}/audit-log`, { then: (page) => page.getByRole('button', { expanded: false, name: /Channel update/u }).first().click() }],
  ['settings', `${HOME}/settings`],
  ['test-data', '/t/northlight-studios/test/channels'],
  ['palette', `${HOME}/channels`, { part: true, then: async (page) => {
    await page.keyboard.press('Control+k')
    await page.getByRole('combobox', { name: 'Search and commands' }).fill('hall')
    await page.getByRole('option', { name: /Town hall/u }).first().waitFor()
  } }],
  ['navigation', `${HOME}/channels`, { part: true, look: 'phone', then: click('button', 'Open navigation') }],
  ['analyst-channels', `${HOME}/channels`, { as: 'kit' }],
  ['analyst-channel', channel('Town hall'), { as: 'kit' }],
  ['analyst-settings', channel('Town hall', 'settings'), { as: 'kit' }],
  ['not-a-member', '/t/somebody-else/live/channels'],
  ['not-found', `${HOME}/channels/ch_gone`],
]

let failed = 0
for (const [look, options] of Object.entries(LOOKS)) {
  for (const [name, address, { as = 'ada', then, part = false, look: only } = {}] of PAGES) {
    if ((only && only !== look) || (wanted.length > 0 && !wanted.some((one) => one === name || one === look || one === `${name}-${look}`))) continue
    const { page, context, problems } = await farm.person({ ...options, ...(as && { storageState: states[as] }) })
    context.setDefaultTimeout(20_000)
    try {
      await page.goto(address)
      await settled(page)
      await then?.(page)
      await settled(page)
      await page.waitForTimeout(REST_MS)
      await page.screenshot({ path: join(folder, `${name}-${look}.png`), fullPage: !part })
    } catch (problem) {
      failed += 1
      console.error(`${name}-${look}: ${problem.message.split('\n')[0]} ${problems.join('; ')}`)
      await page.screenshot({ path: join(folder, `FAILED-${name}-${look}.png`) })
    }
    await context.close()
  }
}
await onAir.stop()
await farm.close()
console.log(folder)
process.exit(failed > 0 ? 1 : 0)
