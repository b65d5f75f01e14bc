// The dashboard on the real service: people in browsers of their own, and ffmpeg as their encoder. HEADWATER_API says where.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { launch } from '../lib/browser.mjs'

export const API = process.env.HEADWATER_API
export const PASSWORD = 'a sentence as a password'
/** Longest that anything on a page may take. Two cores may encode, draw and store meanwhile. */
export const PATIENCE_MS = 60_000

// Evaluated rather than loaded, because the page's policy rightly forbids foreign scripts.
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const AXE_TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']

/** A browser; `person` opens a page with cookies of its own and notes what goes wrong on it. */
export async function open() {
  assert.ok(API, 'HEADWATER_API is the address of a running api')
  const browser = await launch()
  const person = async (options = {}) => {
    const context = await browser.newContext({ baseURL: API, permissions: ['clipboard-read', 'clipboard-write'], reducedMotion: 'reduce', ...options })
    context.setDefaultTimeout(PATIENCE_MS)
    const page = await context.newPage()
    const problems = []
    page.on('pageerror', (error) => problems.push(`uncaught: ${error.message}`))
    page.on('console', (message) => { if (message.type() === 'error') problems.push(`${message.text()} (${message.location().url})`) })
    return { context, page, problems }
  }
  return { person, close: () => browser.close() }
}

/** Signs somebody new up, with a tenant of their own. Ends on the page that asks for a first channel. */
export async function signUp(page, name, tenant) {
  await page.goto('/')
  await page.getByRole('link', { name: 'Create an account' }).click()
  await page.getByLabel('Your name').fill(name)
  await page.getByLabel('Company or project').fill(tenant)
  await page.getByLabel('E-mail').fill(emailOf(name))
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD)
  await page.getByRole('button', { name: 'Create account' }).click()
}
export const emailOf = (name) => `${name.toLowerCase().replaceAll(' ', '.')}@example.com`

/** Names a channel on the page that asks for one, and reads from the next where to push. */
export async function firstChannel(page, title) {
  await page.getByRole('heading', { name: 'Create your first channel' }).waitFor()
  await page.getByLabel('Title').fill(title)
  await page.getByRole('button', { name: 'Create the channel' }).click()
  await page.getByRole('heading', { name: 'Waiting for your stream' }).waitFor()
  const server = await page.getByRole('textbox', { name: 'Server' }).innerText()
  return { server, key: await secretOn(page) }
}

/** The stream key that is on the page, uncovered. */
export async function secretOn(place) {
  await place.getByRole('button', { name: 'Show Stream key' }).click()
  return place.getByRole('textbox', { name: 'Stream key', exact: true }).innerText()
}

const VIDEO = '-f lavfi -i testsrc2=size=640x360:rate=30 -f lavfi -i sine=frequency=440:sample_rate=48000'
const CODECS = '-c:v libx264 -preset ultrafast -tune zerolatency -pix_fmt yuv420p -g 60 -b:v 800k -c:a aac -b:a 96k'

/** Pushes a moving picture and a tone until it is told to stop. */
export function push(server, key) {
  const child = spawn('ffmpeg', ['-hide_banner', '-loglevel', 'error', '-re', ...VIDEO.split(' '), ...CODECS.split(' '), '-f', 'flv', `${server}/${key}`], { stdio: ['pipe', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', (text) => { said += text })
  const ended = once(child, 'exit').then(([code]) => ({ code, said }))
  return {
    /** Resolves when it has ended, by itself or not. */
    ended,
    /** Ends the broadcast as an encoder does. */
    stop: () => { child.stdin.end('q'); return ended },
    kill: () => child.kill('SIGKILL'),
  }
}

/** The frame of the player whose title is `title`, once pictures move in it. */
export async function plays(page, title) {
  const element = await page.locator(`iframe[title="${title}"]`).elementHandle()
  const frame = await element.contentFrame()
  const start = frame.getByRole('button', { name: /^(Watch from the start|Play)$/u }).first()
  await Promise.race([
    frame.waitForFunction(() => (document.querySelector('video')?.getVideoPlaybackQuality().totalVideoFrames ?? 0) > 5, null, { timeout: PATIENCE_MS }),
    start.click().catch(() => new Promise(() => {})),
  ])
  await frame.waitForFunction(() => {
    const video = document.querySelector('video')
    window.seenFrom ??= video?.currentTime
    return video && video.currentTime > window.seenFrom + 2 && video.getVideoPlaybackQuality().totalVideoFrames > 30
  }, null, { timeout: PATIENCE_MS })
}

/** Waits until nothing is loading any more. */
export async function settled(page) {
  await page.locator('h1').first().waitFor()
  await page.waitForFunction(() => !document.querySelector('.skeleton, .full-page-spinner, [role=status][aria-label=Loading]'))
  await page.evaluate(() => document.fonts.ready)
}

/** What GraphiQL does in its own way: its tabs hold their buttons, and its editors scroll by the keys of a text field beside them. */
const THEIRS = { 'nested-interactive': /class="graphiql-tab\b/u, 'scrollable-region-focusable': /class="CodeMirror-scroll"/u }

/** Accessibility, and nothing wider than the screen. The player in its frame has tests of its own. */
export async function sound(page) {
  await settled(page)
  await page.evaluate(AXE)
  const { violations } = await page.evaluate((tags) => window.axe.run(document, { runOnly: tags, resultTypes: ['violations'], iframes: false }), AXE_TAGS)
  assert.deepEqual(violations.flatMap(({ id, nodes }) => nodes.filter(({ html }) => !THEIRS[id]?.test(html)).map(({ html, failureSummary }) => `${id}: ${html.slice(0, 160)} ${failureSummary.slice(0, 240)}`)), [], page.url())
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, `${page.url()} is wider than the screen`)
}

/** GraphQL as the person whose cookies a context has, past the dashboard. */
export async function ask(context, tenant, query, variables = {}) {
  const answer = await context.request.post('/graphql', { data: { query, variables }, headers: { 'Headwater-Client': 'tests', 'Headwater-Tenant': tenant } })
  return answer.json()
}
