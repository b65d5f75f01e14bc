/** Drives the embed player as a viewer does: by its menu, its seek bar and its buttons. */
export function embedHarness(page) {
  const qualityButton = page.getByRole('button', { name: /^Quality:/ })
  const wake = () => page.mouse.move(200 + Math.random() * 50, 200)
  const openMenu = async () => {
    await wake()
    await qualityButton.click()
  }
  return {
    /** Presses the button that starts playback, if the player shows one before its first picture. */
    async answer(timeout) {
      const start = page.locator('.card button:visible', { hasText: 'Watch from the start' }).or(page.locator('.big-play:visible'))
      const giveUpMs = Date.now() + timeout
      while (Date.now() < giveUpMs && (await page.evaluate(() => window.probe.firstFrameMs === null))) {
        if (await start.isVisible()) return start.click()
        await page.waitForTimeout(100)
      }
    },
    async levels() {
      await wake()
      if (!(await qualityButton.isVisible())) return []
      await openMenu()
      const labels = await page.getByRole('menuitemradio').locator('span:first-of-type').allTextContents()
      await page.keyboard.press('Escape')
      return labels.filter((label) => label !== 'Auto').map((label) => ({ id: label, label, height: Number.parseInt(label, 10) || 0 }))
    },
    async chooseLevel(level) {
      await openMenu()
      await page.getByRole('menuitemradio', { name: level ? level.label : /^Auto/, exact: Boolean(level) }).click()
    },
    isLive: () => page.evaluate(() => (document.querySelector('.live-button') ? !document.querySelector('.live-button').hidden : null)),
    async seekWindow() {
      return page.evaluate(() => { const bar = document.querySelector('.seek-input'); return bar.max > 0 ? { start: Number(bar.min), end: Number(bar.max) } : null })
    },
    seek: (to) => page.evaluate((time) => {
      const bar = document.querySelector('.seek-input')
      bar.value = String(time)
      bar.dispatchEvent(new Event('input', { bubbles: true }))
      bar.dispatchEvent(new Event('change', { bubbles: true }))
    }, to),
  }
}
