// The embed player in a real browser, against the double: what a viewer meets, from the wait before a broadcast to its replay.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { after, afterEach, before, beforeEach, test } from 'node:test'
import { Double } from '../double/server.mjs'
import { launch } from '../lib/browser.mjs'
import { STATES, reset } from '../lib/states.mjs'

// Evaluated rather than loaded, because the page's policy rightly forbids foreign scripts.
const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
let browser, double, context, page, problems

before(async () => {
  double = await Double.start()
  browser = await launch()
})
after(async () => {
  await browser?.close()
  await double?.close()
})
beforeEach(async () => {
  reset(double)
  double.setOffline()
  double.requests.length = 0
  context = await browser.newContext({ viewport: { width: 1280, height: 720 } })
  page = await context.newPage()
  problems = []
  page.on('pageerror', (error) => problems.push(`uncaught: ${error.message}`))
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()))
  page.on('request', (request) => request.url().startsWith(double.url) || /^(data|blob):/.test(request.url()) || problems.push(`left the origin: ${request.url()}`))
  await page.addInitScript(() => {
    window.told = []
    addEventListener('headwater', ({ detail }) => window.told.push(detail))
  })
})
afterEach(async () => {
  assert.deepEqual(await context.cookies(), [], 'the player sets no cookies')
  await context.close()
})

const phase = (name, timeout = 15_000) => page.waitForSelector(`[data-phase=${name}]`, { timeout })
const time = () => page.evaluate(() => document.querySelector('video').currentTime)
const told = (name) => page.evaluate((wanted) => window.told.filter(({ event }) => event === wanted).map(({ detail }) => detail), name)
const wake = () => page.mouse.move(300, 100 + Math.random() * 20)
const nothingWrong = () => assert.deepEqual(problems, [])

async function moves(timeout = 20_000) {
  await page.waitForFunction(() => {
    const video = document.querySelector('video')
    const { from } = (window.watch ??= { from: video.currentTime })
    return video.currentTime > from + 0.5 && !video.paused
  }, null, { timeout })
  await page.evaluate(() => { delete window.watch })
}

test('starts by itself when the channel goes live', async () => {
  await page.goto(double.embedUrl)
  await phase('offline')
  assert.match(await page.locator('.card').innerText(), /Evening concert[\s\S]*starts here by itself/)
  double.goLive({ historyS: 4 })
  await phase('media')
  await moves()
  nothingWrong()
})

test('plays near the live edge, says how far behind the encoder it is, and is quiet until asked', async () => {
  double.goLive({ historyS: 20 })
  await page.goto(double.embedUrl)
  await moves()
  await wake()
  assert.match(await page.locator('.latency').innerText(), /^[0-3]\.\d s$/)
  assert.equal(await page.evaluate(() => document.querySelector('video').muted), true)
  await page.locator('.unmute').click()
  assert.equal(await page.evaluate(() => document.querySelector('video').muted), false)
  assert.equal(await page.locator('.unmute').isVisible(), false)
  nothingWrong()
})

test('switches quality by the menu and says which is shown', async () => {
  double.goLive({ historyS: 20 })
  await page.goto(double.embedUrl)
  await moves()
  for (const [label, height] of [['180p', 180], ['360p', 360]]) {
    await wake()
    await page.getByRole('button', { name: /^Quality/ }).click()
    await page.getByRole('menuitemradio', { name: label, exact: true }).click()
    await page.waitForFunction((wanted) => document.querySelector('video').videoHeight === wanted, height, { timeout: 15_000 })
    await page.getByRole('button', { name: `Quality: ${label}` }).waitFor()
  }
  await moves()
  nothingWrong()
})

test('goes back into the recording and to the live edge again', async () => {
  double.goLive({ historyS: 40 })
  await page.goto(double.embedUrl)
  await moves()
  await page.keyboard.press('2')
  await page.waitForFunction(() => document.querySelector('video').currentTime < 15)
  await moves()
  const behind = await page.getByRole('button', { name: /^Go live/ }).getAttribute('aria-label')
  assert.match(behind, /Go live, 0:[23]\d behind/)
  await page.getByRole('button', { name: /^Go live/ }).click()
  await page.getByRole('button', { name: /^Live: you are at the live edge/ }).waitFor()
  await moves()
  nothingWrong()
})

test('says that the broadcast was interrupted, keeps the picture, and goes on with it', async () => {
  double.goLive({ historyS: 10 })
  await page.goto(double.embedUrl)
  await moves()
  double.interrupt()
  await page.getByText('The broadcast was interrupted').first().waitFor({ timeout: 15_000 })
  assert.equal(await page.evaluate(() => document.querySelector('video').readyState >= 2), true, 'the last frame stays')
  double.resume()
  await moves()
  assert.equal(await page.locator('.notice').isVisible(), false)
})

test('survives a restart of the origin', async () => {
  double.goLive({ historyS: 10 })
  await page.goto(double.embedUrl)
  await moves()
  await double.close()
  await page.getByText('Connection lost').first().waitFor({ timeout: 20_000 })
  await double.listen()
  await moves(30_000)
  await page.getByRole('button', { name: /^Live: you are at the live edge/ }).waitFor({ timeout: 20_000 })
})

test('gets over media that cannot be decoded', async () => {
  double.goLive({ historyS: 10 })
  await page.goto(double.embedUrl)
  await moves()
  double.fault = 'corrupt'
  await page.waitForFunction(() => window.told.some(({ event }) => event === 'error' || event === 'stall'), null, { timeout: 15_000 })
  double.fault = null
  await moves(30_000)
  assert.ok(!(await told('error')).some(({ fatal }) => fatal), 'no error card')
})

test('plays by the browser’s own HLS where asked to', async (t) => {
  double.goLive({ historyS: 30 })
  await page.goto(`${double.embedUrl}?engine=native`)
  const native = await page.evaluate(() => document.createElement('video').canPlayType('application/vnd.apple.mpegurl') !== '')
  if (!native) return t.skip('this Chromium has no HLS of its own')
  await moves()
  assert.match(await page.evaluate(() => document.querySelector('video').src), /dvr\.m3u8$/)
})

test('follows the channel to its next broadcast', async () => {
  double.goLive({ historyS: 20 })
  await page.goto(double.embedUrl)
  await moves()
  double.end()
  await phase('ended', 20_000)
  double.goLive({ historyS: 4 })
  await phase('media', 30_000)
  await moves()
})

test('ends, and plays the replay on the same element', async () => {
  double.goLive({ historyS: 10 })
  await page.goto(double.embedUrl)
  await moves()
  await page.evaluate(() => { window.element = document.querySelector('video') })
  double.end()
  await phase('ended', 20_000)
  await page.getByRole('button', { name: 'Watch from the start' }).click()
  await moves()
  assert.ok((await time()) < 6, 'from the start')
  assert.equal(await page.evaluate(() => window.element === document.querySelector('video')), true)
  await wake()
  assert.match(await page.locator('.time').innerText(), /^0:0\d \/ 0:1\d$/)
  await page.getByRole('button', { name: /^Speed/ }).click()
  await page.getByRole('menuitemradio', { name: '2×' }).click()
  assert.equal(await page.evaluate(() => document.querySelector('video').playbackRate), 2)
  nothingWrong()
})

test('a broadcast that leaves no replay is watched to its end, offers nothing more, and the next one starts by itself', async () => {
  double.goLive({ historyS: 10 })
  await page.goto(double.embedUrl)
  await moves()
  double.endUnrecorded()
  await phase('ended', 20_000)
  assert.match(await page.locator('.card').innerText(), /Evening concert[\s\S]*The broadcast has ended/)
  assert.equal(await page.locator('.card').getByRole('button').count(), 0, 'nothing can be watched from its start')
  await wake()
  assert.equal(await page.locator('.play-button').isVisible(), false)
  await page.keyboard.press('k')
  await page.keyboard.press('0')
  await phase('ended')
  double.goLive({ historyS: 4 })
  await phase('media')
  await moves()
  nothingWrong()
})

test('a replay opened by its own address plays from its start', async () => {
  double.goLive({ historyS: 30 })
  double.end()
  double.kind = 'replay'
  await page.goto(double.embedUrl)
  await moves()
  assert.ok((await time()) < 8)
  nothingWrong()
})

test('does what the keys say', async () => {
  double.goLive({ historyS: 40 })
  await page.goto(double.embedUrl)
  await moves()
  const video = (expression) => page.evaluate(`document.querySelector('video').${expression}`)
  await page.keyboard.press('k')
  assert.equal(await video('paused'), true)
  await page.keyboard.press('Space')
  await page.waitForFunction(() => !document.querySelector('video').paused)
  await page.keyboard.press('m')
  assert.equal(await video('muted'), false)
  await page.keyboard.press('ArrowDown')
  assert.equal(Math.round((await video('volume')) * 10), 9)
  const before = await time()
  await page.keyboard.press('ArrowLeft')
  await page.waitForFunction((t) => document.querySelector('video').currentTime < t - 3, before)
  await page.keyboard.press('l')
  await page.waitForFunction((t) => document.querySelector('video').currentTime > t - 1, before)
  await page.keyboard.press('?')
  assert.equal(await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).isVisible(), true)
  await page.keyboard.press('Escape')
  assert.equal(await page.getByRole('dialog').isVisible(), false)
  nothingWrong()
})

test('every control is reached and worked by keyboard alone', async () => {
  double.goLive({ historyS: 40 })
  await page.goto(double.embedUrl)
  await moves()
  const reached = []
  for (let i = 0; i < 12; i += 1) {
    await page.keyboard.press('Tab')
    reached.push(await page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent ?? ''))
  }
  for (const name of ['Unmute', 'Seek', 'Pause', 'Volume', 'Live: you', 'Quality', 'Keyboard shortcuts', 'Full screen']) {
    assert.ok(reached.some((label) => label.startsWith(name)), `${name} is not among ${reached.join(' | ')}`)
  }
})

test('tells the page around it what happens, and obeys it', async () => {
  double.goLive({ historyS: 20 })
  await page.goto(`${double.url}/page`)
  await page.evaluate(() => {
    window.heard = []
    const player = window.Headwater.player('pb_double')
    for (const name of ['state', 'time', 'pause', 'volume']) player.on(name, (detail) => window.heard.push([name, detail]))
  })
  await page.waitForFunction(() => window.heard.some(([name, { live }]) => name === 'time' && live))
  const box = await page.locator('iframe').boundingBox()
  assert.ok(Math.abs(box.width / box.height - 16 / 9) < 0.02, 'the frame is 16:9')
  assert.equal(await page.locator('iframe').getAttribute('title'), 'Concert')
  await page.evaluate(() => window.Headwater.player('pb_double').pause())
  await page.waitForFunction(() => window.heard.some(([name]) => name === 'pause'))
  await page.evaluate(() => window.Headwater.player('pb_double').setVolume(0.3))
  await page.waitForFunction(() => window.heard.some(([name, { volume }]) => name === 'volume' && Math.abs(volume - 0.3) < 0.01))
})

test('waits for a click where the page wants no autoplay', async () => {
  double.goLive({ historyS: 10 })
  await page.goto(`${double.embedUrl}?autoplay=0`)
  await phase('ready')
  assert.ok(!double.requests.some((path) => path.includes('.m3u8')), 'nothing is loaded before the click')
  await page.getByRole('button', { name: 'Play' }).click()
  await moves()
  nothingWrong()
})

test('an unknown address says so, and a refused one too', async () => {
  await page.goto(`${double.url}/embed/pb_nobody`)
  await phase('error')
  assert.match(await page.locator('.card').innerText(), /Nothing to watch here/)
})

const tokenFor = (seconds, id) => ['h', Buffer.from(JSON.stringify({ exp: Math.floor(Date.now() / 1000) + seconds, jti: id })).toString('base64url'), 's'].join('.')

test('what is signed plays with a token that nothing repeats, and asks for the next one in time', async () => {
  const first = tokenFor(32, 'first')
  double.goLive({ historyS: 20 })
  double.token = first
  await page.goto(`${double.embedUrl}?muted=1#token=${first}`)
  await moves()
  assert.equal(page.url(), `${double.embedUrl}?muted=1`, 'the address is without it')
  await page.waitForFunction(() => window.told.some(({ event, detail }) => event === 'permission' && detail.state === 'expiring'))
  assert.ok(!JSON.stringify(await page.evaluate(() => window.told)).includes(first), 'no event carries it')
  nothingWrong()
})

test('the page around it gives the token, renews it while it plays, and is asked when there is none', async () => {
  double.goLive({ historyS: 20 })
  double.token = 'a.b.c'
  // Before the frame says anything.
  await page.addInitScript(() => {
    window.heard = []
    addEventListener('message', ({ data }) => {
      if (data?.event === 'permission') window.heard.push(data.detail.state)
      if (data?.event === 'time') window.position = data.detail.position_s
    })
  })
  await page.goto(`${double.url}/page`)
  await page.evaluate(() => { window.player = window.Headwater.player('pb_double') })
  const frame = page.frameLocator('iframe')
  await frame.getByText('This video needs permission').waitFor()
  await page.waitForFunction(() => window.heard.at(-1) === 'needed')
  const goesOn = async () => {
    const from = await page.evaluate(() => window.position ?? 0)
    await page.waitForFunction((then) => window.position > then + 0.5, from, { timeout: 20_000 })
  }
  await page.evaluate(() => window.player.setToken('a.b.c'))
  await goesOn()
  // Renewed by the attribute of the script tag, before the old one ends: nothing is interrupted.
  double.token = ['a.b.c', 'd.e.f']
  await page.evaluate(() => { document.querySelector('script[data-playback-id]').dataset.token = 'd.e.f' })
  while (!double.requests.some((path) => path.startsWith('/t/d.e.f/'))) await new Promise(setImmediate)
  double.token = 'd.e.f'
  double.ended.add('a.b.c')
  double.requests.length = 0
  await goesOn()
  await page.waitForFunction(() => window.heard.length === 1)
  // Ended: the picture stops and says so, until there is another one.
  double.token = 'g.h.i'
  double.ended.add('d.e.f')
  await frame.getByText('Your permission has ended').waitFor({ timeout: 30_000 })
  await page.waitForFunction(() => window.heard.at(-1) === 'ended')
  await page.evaluate(() => window.player.setToken('g.h.i'))
  await goesOn()
})

for (const { name, query = '', enter } of STATES) {
  test(`no accessibility violation: ${name}`, async () => {
    await enter(double, page, (url = double.embedUrl + query) => page.goto(url))
    await page.evaluate(axe)
    const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }))
    assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join('; ')}`), [])
  })
}
