// A ladder of one's own, in the settings of a channel and for a new one.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { HOME, settled, start } from './lib.mjs'

let farm
before(async () => { farm = await start() })
after(() => farm.close())

const steps = (page) => page.getByRole('group', { name: 'Your own steps' })
const cell = (page, size, name) => steps(page).getByLabel(`${name} of the step of ${size} lines`, { exact: true })
const focused = (page) => page.evaluate(() => document.activeElement.labels?.[0]?.textContent ?? document.activeElement.textContent)
const sizes = async (page) => {
  const fields = steps(page).getByLabel(/^Lines/u)
  return Promise.all(Array.from({ length: await fields.count() }, (_, place) => fields.nth(place).inputValue()))
}
const picture = (page) => page.getByRole('img', { name: /^Renditions: / })

test('steps of one’s own begin as the preset, are changed, refused at their row, and saved', async () => {
  const { page, mock, problems, context } = await farm.open({ as: 'ada@example.com' })
  const { channels } = await mock({})
  await page.goto(`${HOME}/channels/${channels.find(({ title }) => title === 'Town hall').id}/settings`)
  await settled(page)
  assert.equal(await picture(page).getAttribute('aria-label'), 'Renditions: the source as it is, 1080 lines at 5 Mbit/s, 720 lines at 2.8 Mbit/s, 480 lines at 1.4 Mbit/s, 360 lines at 800 kbit/s')
  await page.getByLabel('Source only').check()
  assert.equal(await picture(page).getAttribute('aria-label'), 'Renditions: the source as it is')
  await page.getByLabel('Adaptive, all encoded').check()
  await page.getByLabel('Your own steps').check()
  assert.deepEqual(await sizes(page), ['1080', '720', '480', '360'])
  assert.equal(await steps(page).getByRole('checkbox').isChecked(), false, 'all encoded, as the preset had it')

  await page.getByRole('button', { name: 'Remove the step of 480 lines' }).click()
  assert.equal(await focused(page), 'Lines of the step of 360 lines', 'focus stays near what was removed')
  await page.getByRole('button', { name: 'Add a step' }).click()
  await page.getByText('A step of 240 lines is added.').waitFor({ state: 'attached' })
  await page.waitForFunction(() => document.activeElement.labels?.[0]?.textContent === 'Lines of the step of 240 lines')
  await cell(page, 240, 'Lines').fill('900')
  await page.keyboard.press('Tab')
  assert.deepEqual(await sizes(page), ['1080', '900', '720', '360'], 'the largest first')
  assert.equal(await focused(page), 'kbit/s of the step of 900 lines', 'the field that was gone to keeps the focus while its row moves')

  await cell(page, 900, 'kbit/s').fill('20')
  await page.keyboard.press('Tab')
  await steps(page).getByRole('alert').filter({ hasText: '50 to 100,000 kbit/s.' }).waitFor()
  assert.equal(await page.getByRole('button', { name: 'Save changes' }).getAttribute('aria-disabled'), 'true')
  await cell(page, 900, 'kbit/s').fill('95000')
  await page.getByRole('button', { name: 'Save changes' }).click()
  await steps(page).getByRole('alert').filter({ hasText: 'More than this plan has.' }).waitFor()
  assert.equal(await cell(page, 900, 'kbit/s').getAttribute('aria-invalid'), 'true')
  assert.equal(await cell(page, 720, 'kbit/s').getAttribute('aria-invalid'), null)
  await cell(page, 900, 'kbit/s').fill('4100')
  await page.getByRole('button', { name: 'Save changes' }).click()
  await page.getByText('The settings are saved').first().waitFor()

  await page.reload()
  await settled(page)
  assert.equal(await page.getByLabel('Your own steps').first().isChecked(), true)
  assert.deepEqual(await sizes(page), ['1080', '900', '720', '360'])
  assert.equal(await cell(page, 900, 'kbit/s').inputValue(), '4100')
  assert.equal(await page.getByRole('button', { name: 'Save changes' }).getAttribute('aria-disabled'), 'true', 'nothing is changed')
  assert.deepEqual(problems, [])
  await context.close()
})

test('a new channel gets them by keyboard alone, on a phone', async () => {
  const { page, problems, context } = await farm.open({ as: 'ada@example.com', viewport: { width: 390, height: 844 } })
  await page.goto(`${HOME}/channels/new`)
  await page.getByLabel('Title').fill('Two sizes')
  await page.getByLabel('Adaptive', { exact: false }).first().focus()
  for (let count = 0; count < 3; count += 1) await page.keyboard.press('ArrowDown')
  assert.deepEqual(await sizes(page), ['480'], 'as after the choice before it')
  await page.getByRole('button', { name: 'Add a step' }).focus()
  await page.keyboard.press('Enter')
  await page.waitForFunction(() => document.activeElement.labels?.[0]?.textContent === 'Lines of the step of 360 lines')
  await page.getByRole('button', { name: 'Create the channel' }).focus()
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Two sizes', level: 1 }).waitFor()
  await page.getByRole('link', { name: 'Settings' }).last().click()
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false)
  await cell(page, 480, 'Lines').waitFor()
  assert.deepEqual(await sizes(page), ['480', '360'])
  assert.deepEqual(problems, [])
  await context.close()
})
