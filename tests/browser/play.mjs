#!/usr/bin/env node
// Plays a live broadcast or a replay in a real browser and says what a viewer would have seen. See README.md.
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { launch } from './lib/browser.mjs'
import { servePages } from './lib/static-server.mjs'
import { embedHarness } from './lib/embed-harness.mjs'
import { verdict } from './lib/verdict.mjs'

const HELP = `usage: play.mjs --url URL [options]
  --url URL             embed page, playlist or manifest; or an origin's address together with --id
  --id PLAYBACK_ID      with --url ORIGIN: the address is derived from the player and --format
  --player NAME         embed (default), hlsjs, shaka, dashjs
  --format hls|dash     for shaka with --id (default dash)
  --path FILE           with --id: the playlist or manifest, for instance dvr.m3u8
  --await               wait until the address answers before the page is opened
  --seconds N           how long to watch (default 10)
  --levels              choose each quality in turn, and wait until its pictures are on screen
  --seek                seek back to a quarter of the window, then to the end, and wait for pictures each time
  --start-timeout-s N   how long to wait for the first picture (default 20)
  --viewport WxH        default 1280x720
  --screenshot FILE     write a picture at the end
  --json                print the report as JSON on standard output
what must hold, else exit code 1:
  --expect-state NAME   the embed player's state at the end: offline, ready, live, reconnecting, replay, ended, error
  --expect-live yes|no  what the playlist or manifest says
  --min-frames N  --min-played-s N  --max-startup-ms N  --max-stall-ms N (in sum)  --max-stalls N
  --max-dropped N  --max-latency-ms N (median)  --min-levels N  --max-errors N (not fatal; fatal ones always fail)
  --no-media            nothing is expected to play; only --expect-state counts`

const OPTIONS = {
  url: 'string', id: 'string', player: 'string', format: 'string', path: 'string', await: 'boolean', seconds: 'string', levels: 'boolean', seek: 'boolean',
  'start-timeout-s': 'string', viewport: 'string', screenshot: 'string', json: 'boolean', 'expect-state': 'string',
  'expect-live': 'string', 'min-frames': 'string', 'min-played-s': 'string', 'max-startup-ms': 'string', 'max-stall-ms': 'string',
  'max-stalls': 'string', 'max-dropped': 'string', 'max-latency-ms': 'string', 'min-levels': 'string', 'max-errors': 'string',
  'no-media': 'boolean', help: 'boolean',
}
const LEVEL_TIMEOUT_MS = 25_000
const SEEK_TIMEOUT_MS = 15_000
const SWITCH_WATCH_MS = 2_000

const { values: args } = parseArgs({ options: Object.fromEntries(Object.entries(OPTIONS).map(([name, type]) => [name, { type }])) })
if (args.help || !args.url) {
  console.log(HELP)
  process.exit(args.help ? 0 : 2)
}

const report = await run(args)
report.failures = verdict(report, args)
if (args.json) console.log(JSON.stringify(report, null, 2))
else console.log(`${report.player}: ${report.playedS} s played, ${report.frames.total} frames, ${report.stalls.count} stalls, ${report.errors.length} errors`)
for (const failure of report.failures) console.error(`FAIL ${failure}`)
process.exit(report.failures.length > 0 ? 1 : 0)

async function run(args) {
  const player = args.player ?? 'embed'
  const pages = player === 'embed' ? null : await servePages()
  const browser = await launch()
  try {
    const [width, height] = (args.viewport ?? '1280x720').split('x').map(Number)
    const context = await browser.newContext({ viewport: { width, height }, ignoreHTTPSErrors: true })
    const page = await context.newPage()
    const consoleErrors = []
    page.on('console', (message) => message.type() === 'error' && consoleErrors.push(message.text().slice(0, 300)))
    page.on('pageerror', (error) => consoleErrors.push(`uncaught: ${error.message}`.slice(0, 300)))
    await page.addInitScript(await readFile(join(dirname(fileURLToPath(import.meta.url)), 'pages/probe.js'), 'utf8'))
    const url = targetUrl(args, player)
    if (args.await) await untilThere(url)
    await page.goto(pages ? `${pages.url}/pages/player.html?player=${player}&url=${encodeURIComponent(url)}` : url)
    const harness = player === 'embed' ? embedHarness(page) : pageHarness(page)
    return { player, url, consoleErrors, ...(await watch(page, harness, args)) }
  } finally {
    await browser.close()
    await pages?.close()
  }
}

/** Asks until there is an answer: the origin holds a request for what a broadcast is about to have. */
async function untilThere(url) {
  while (!(await fetch(url).then(({ ok }) => ok, () => false))) await new Promise((resolve) => setTimeout(resolve, 50))
}

function targetUrl({ url, id, format, path }, player) {
  if (!id) return url
  const base = url.replace(/\/$/, '')
  if (player === 'embed') return `${base}/embed/${id}`
  if (path) return `${base}/${id}/${path}`
  return player === 'hlsjs' || format === 'hls' ? `${base}/${id}/main.m3u8` : `${base}/${id}/manifest.mpd`
}

async function watch(page, harness, args) {
  const report = { levels: [], switches: [], seeks: [], live: null }
  const startTimeoutMs = Number(args['start-timeout-s'] ?? 20) * 1000
  // A channel whose broadcast is over, or a page without autoplay, first asks; a viewer who wants to watch answers.
  const asked = args['no-media'] ? null : harness.answer?.(startTimeoutMs)
  const started = args['no-media'] ? false
    : await page.waitForFunction(() => window.probe.firstFrameMs !== null, null, { timeout: startTimeoutMs }).then(() => true, () => false)
  await asked
  await page.waitForTimeout(Number(args.seconds ?? 10) * 1000)
  const watchedLatencies = await page.evaluate(() => window.probe.latenciesMs.slice())
  if (started) {
    report.levels = await harness.levels()
    report.live = await harness.isLive()
    // Deliberate jumps and switches are judged by their own times, not as stalls.
    await page.evaluate(() => { window.probe.sampling = false })
    if (args.levels) report.switches = await switchLevels(page, harness, report.levels)
    if (args.seek) report.seeks = await seekTest(page, harness)
  }
  if (args.screenshot) await page.screenshot({ path: args.screenshot })
  const seen = await page.evaluate(() => {
    const { firstFrameMs, firstFrameUnixMs, firstTime, playedS, presentedFrames, stalls, errors, qualities, states, standingMs } = window.probe
    return { firstFrameMs, firstFrameUnixMs, firstTime, playedS, presentedFrames, stalls, errors, qualities, states, standingMs, frames: window.probe.frames(), endTime: document.querySelector('video')?.currentTime ?? null }
  })
  return {
    ...report,
    started, firstFrameMs: seen.firstFrameMs, firstFrameUnixMs: seen.firstFrameUnixMs, firstTime: seen.firstTime, endTime: seen.endTime, playedS: Number(seen.playedS.toFixed(2)),
    frames: { ...seen.frames, presented: seen.presentedFrames },
    stalls: { count: seen.stalls.length, totalMs: seen.stalls.reduce((sum, { ms }) => sum + ms, 0), list: seen.stalls },
    standingMs: seen.standingMs ?? null, latencyMs: quantiles(watchedLatencies), qualities: seen.qualities,
    state: seen.states.at(-1) ?? null, states: seen.states, errors: seen.errors,
  }
}

async function switchLevels(page, harness, levels) {
  const switches = []
  for (const level of levels) {
    const from = Date.now()
    await harness.chooseLevel(level)
    const reached = await page.waitForFunction(
      (height) => height === 0 || Math.min(document.querySelector('video').videoHeight, document.querySelector('video').videoWidth) === height || document.querySelector('video').videoHeight === height,
      level.height, { timeout: LEVEL_TIMEOUT_MS }).then(() => true, () => false)
    const before = await page.evaluate(() => window.probe.playedS)
    await page.waitForTimeout(SWITCH_WATCH_MS)
    const after = await page.evaluate(() => window.probe.playedS)
    switches.push({ label: level.label, reached, tookMs: Date.now() - from - SWITCH_WATCH_MS, thenPlayedS: Number((after - before).toFixed(2)) })
  }
  await harness.chooseLevel(null)
  return switches
}

async function seekTest(page, harness) {
  const seeks = []
  for (const share of [0.25, 1]) {
    const window_ = await harness.seekWindow()
    if (!window_ || window_.end - window_.start < 4) return [{ share, ok: false, why: 'no window to seek in' }]
    // A replay is sought to a little before its end, where something is left to play.
    const end = (await harness.isLive()) ? window_.end : window_.end - 4
    const target = window_.start + share * (end - window_.start)
    const from = Date.now()
    const frames = await page.evaluate(() => window.probe.presentedFrames)
    await harness.seek(target)
    const ok = await page.waitForFunction(
      ([to, count]) => { const v = document.querySelector('video'); return !v.seeking && v.currentTime > to - 3 && v.currentTime < to + 12 && window.probe.presentedFrames > count + 15 },
      [target, frames], { timeout: SEEK_TIMEOUT_MS }).then(() => true, () => false)
    seeks.push({ share, targetS: Number(target.toFixed(2)), ok, tookMs: Date.now() - from })
  }
  return seeks
}

function pageHarness(page) {
  return {
    levels: () => page.evaluate(() => window.harness?.levels() ?? []),
    isLive: () => page.evaluate(() => window.harness?.isLive() ?? null),
    chooseLevel: (level) => page.evaluate((id) => window.harness.chooseLevel(id), level?.id ?? null),
    seekWindow: () => page.evaluate(() => window.harness.seekWindow()),
    seek: (to) => page.evaluate((time) => { document.querySelector('video').currentTime = time }, to),
  }
}

function quantiles(values) {
  if (values.length === 0) return null
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]
  return { samples: values.length, min: sorted[0], p50: at(0.5), p95: at(0.95), max: sorted.at(-1), last: values.at(-1) }
}
