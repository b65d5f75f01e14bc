// The built dashboard behind the mock API, and Debian's Chromium to use it with.
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'
import { preview } from 'vite'

const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--mute-audio']
export const HOME = '/t/northlight/live'
export const TEST_TIMEOUT_MS = 60_000

/** Starts everything; `open` gives a fresh person with a fresh store, signed in as `as` where it is given. */
export async function start() {
  const server = await preview({ root: fileURLToPath(new URL('..', import.meta.url)), logLevel: 'error', preview: { port: 0, host: '127.0.0.1' } })
  if (!server.httpServer.listening) await once(server.httpServer, 'listening')
  const url = `http://127.0.0.1:${server.httpServer.address().port}`
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', headless: true, args: FLAGS })
  const mock = async (order) => {
    const answer = await fetch(`${url}/__mock`, { method: 'POST', body: JSON.stringify(order) })
    if (!answer.ok) throw new Error(`mock: ${await answer.text()}`)
    return answer.json()
  }
  const open = async ({ as, keep, ...options } = {}) => {
    if (!keep) await mock({ reset: true })
    const context = await browser.newContext({ baseURL: url, permissions: ['clipboard-read', 'clipboard-write'], ...options })
    context.setDefaultTimeout(TEST_TIMEOUT_MS)
    if (as) await context.request.post('/__mock', { data: { signIn: as } })
    const page = await context.newPage()
    const problems = []
    page.on('pageerror', (error) => problems.push(`uncaught: ${error.message}`))
    page.on('console', (message) => { if (message.type() === 'error') problems.push(message.text()) })
    return { page, context, problems, mock }
  }
  return { url, open, mock, browser, close: async () => { await browser.close(); await new Promise((resolve) => server.httpServer.close(resolve)); server.httpServer.closeAllConnections?.() } }
}

/** Waits until nothing is loading any more. */
export async function settled(page) {
  await page.locator('h1').first().waitFor()
  await page.waitForFunction(() => !document.querySelector('.skeleton, [role=status][aria-label=Loading]'))
  await page.evaluate(() => document.fonts.ready)
}
