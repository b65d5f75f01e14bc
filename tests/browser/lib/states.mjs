// Brings the double and a page into each state that a viewer can meet, for pictures and for accessibility checks.

const playing = (page) => page.waitForFunction(() => document.querySelector('video').currentTime > 0 && document.querySelector('video').readyState > 2)
const phase = (page, name) => page.waitForSelector(`[data-phase=${name}]`)
const wake = (page) => page.mouse.move(300, 120 + Math.random() * 10)

/** Each state: its name, what it does to get there, and what the address of the embed page adds. */
export const STATES = [
  { name: 'offline', enter: async (double, page, open) => { double.setOffline(); await open(); await phase(page, 'offline') } },
  { name: 'offline-untitled', enter: async (double, page, open) => { double.setOffline(); double.title = ''; await open(); await phase(page, 'offline') } },
  { name: 'ready', query: '?autoplay=0', enter: async (double, page, open) => { double.goLive(); await open(); await phase(page, 'ready') } },
  { name: 'live', enter: async (double, page, open) => { double.goLive({ historyS: 40 }); await open(); await playing(page); await wake(page) } },
  { name: 'live-idle', enter: async (double, page, open) => { double.goLive({ historyS: 40 }); await open(); await playing(page); await page.waitForSelector('[data-controls=hidden]') } },
  { name: 'live-behind', enter: async (double, page, open) => {
    double.goLive({ historyS: 60 })
    await open()
    await playing(page)
    await page.keyboard.press('4')
    await page.waitForSelector('.live-button:not([data-at-edge])')
    const bar = await page.locator('.seek').boundingBox()
    await page.mouse.move(bar.x + bar.width * 0.6, bar.y + bar.height / 2)
  } },
  { name: 'quality-menu', enter: async (double, page, open) => { double.goLive({ historyS: 40 }); await open(); await playing(page); await wake(page); await page.getByRole('button', { name: /^Quality/ }).click() } },
  { name: 'help', enter: async (double, page, open) => { double.goLive({ historyS: 40 }); await open(); await playing(page); await page.keyboard.press('?') } },
  { name: 'reconnecting', enter: async (double, page, open) => { double.goLive({ historyS: 20 }); await open(); await playing(page); double.interrupt(); await page.waitForSelector('.notice:not([hidden])') } },
  { name: 'connection-lost', enter: async (double, page, open) => {
    double.goLive({ historyS: 20 })
    await open()
    await playing(page)
    double.fault = 'refuse'
    await page.waitForSelector('.notice:not([hidden])')
  } },
  { name: 'ended', enter: async (double, page, open) => { double.goLive({ historyS: 20 }); await open(); await playing(page); double.end(); await phase(page, 'ended') } },
  { name: 'ended-unrecorded', enter: async (double, page, open) => { double.goLive({ historyS: 20 }); await open(); await playing(page); double.endUnrecorded(); await phase(page, 'ended') } },
  { name: 'ended-opened-later', enter: async (double, page, open) => { double.goLive({ historyS: 20 }); double.end(); await open(); await phase(page, 'ended') } },
  { name: 'replay', enter: async (double, page, open) => { double.goLive({ historyS: 60 }); double.end(); double.kind = 'replay'; await open(); await playing(page); await wake(page) } },
  { name: 'not-found', enter: async (double, page, open) => { await open(`${double.url}/embed/pb_nobody`); await phase(page, 'error') } },
  { name: 'permission', enter: async (double, page, open) => { double.goLive({ historyS: 20 }); double.token = 'a.b.c'; await open(); await phase(page, 'error') } },
  { name: 'permission-ended', query: '#token=a.b.c', enter: async (double, page, open) => {
    double.goLive({ historyS: 20 })
    double.token = 'd.e.f'
    double.ended.add('a.b.c')
    await open()
    await phase(page, 'error')
  } },
  { name: 'unreachable', enter: async (double, page, open) => { double.fault = '503'; await open(); await phase(page, 'error') } },
]

/** Puts the double back to what it was at its start. */
export function reset(double) {
  double.fault = null
  double.token = null
  double.ended.clear()
  double.kind = 'channel'
  double.title = 'Evening concert'
  double.replayPlaybackId = null
}
