// What is recorded, kept, published and left out; and names that layouts have to bear.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { HOME, settled, start } from './lib.mjs'

let farm
before(async () => { farm = await start() })
after(() => farm.close())

const channelId = ({ channels }, title) => channels.find((channel) => channel.title === title).id

test('a channel that does not record says so on air, and its next broadcast has no replay', async () => {
  const { page, problems, mock, context } = await farm.open({ as: 'ada@example.com' })
  const address = `${HOME}/channels/${channelId(await mock({}), 'Town hall')}`
  await page.goto(`${address}/settings`)
  await page.getByRole('radio', { name: /^Do not record/u }).check()
  await page.getByRole('button', { name: 'Save changes' }).click()
  await page.getByText('The settings are saved').first().waitFor()
  await page.goto(address)
  await mock({ simulate: { channel: 'Town hall', act: 'live' } })
  await page.getByRole('heading', { name: 'On air' }).waitFor()
  await page.getByRole('definition').filter({ hasText: /^No$/u }).waitFor()
  await mock({ simulate: { channel: 'Town hall', act: 'issue', code: 'RUNGS_REDUCED' } })
  await page.getByText('720p is left out').waitFor()
  assert.deepEqual(problems, [])
  await context.close()
})

test('a replay is signed on its own, watched with a token, and follows its channel again', async () => {
  const { page, problems, mock, context } = await farm.open({ as: 'ada@example.com' })
  const { assets } = await mock({})
  await page.goto(`${HOME}/assets/${assets[0].id}`)
  await settled(page)
  await page.getByTitle(/^Player:/u).waitFor()
  await page.getByRole('radio', { name: /^Signed/u }).check()
  await page.getByRole('button', { name: 'Save' }).click()
  await page.getByRole('button', { name: 'Preview' }).click()
  const source = await page.getByTitle(/^Player:/u).getAttribute('src')
  assert.match(source, /token=/u)
  await page.getByRole('radio', { name: /^As its channel/u }).check()
  await page.getByRole('button', { name: 'Save' }).click()
  await page.getByRole('button', { name: 'Download' }).or(page.getByRole('link', { name: 'Download' })).waitFor()
  await page.waitForFunction(() => !document.querySelector('iframe')?.src.includes('token='))
  assert.deepEqual(problems, [])
  await context.close()
})

test('very long names, and names from right to left, stay within their pages', async () => {
  const { page, problems, mock, context } = await farm.open({ as: 'ada@example.com', viewport: { width: 390, height: 844 } })
  const names = ['W'.repeat(200), 'غرفة الأخبار الكبرى، البث المباشر على مدار الساعة '.repeat(4).trim(), 'שידור חי (Live) מהאולם הגדול – 3']
  for (const name of names) {
    await page.goto(`${HOME}/channels/new`)
    await page.getByLabel('Title').fill(name)
    await page.getByRole('button', { name: 'Create the channel' }).click()
    await page.getByRole('heading', { name: 'Waiting for your stream' }).waitFor()
    const fits = () => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)
    assert.ok(await fits(), 'the channel')
    await mock({ simulate: { channel: name, act: 'live' } })
    await page.getByRole('heading', { name: 'On air' }).waitFor()
    assert.ok(await fits(), 'on air')
    for (const tab of ['embed', 'replays', 'settings', 'keys']) {
      await page.goto(`${HOME}/channels/${channelId(await mock({}), name)}/${tab}`)
      await settled(page)
      assert.ok(await fits(), tab)
    }
  }
  for (const place of ['channels', 'assets', 'audit-log']) {
    for (const width of [390, 1280]) {
      await page.setViewportSize({ width, height: 844 })
      await page.goto(`${HOME}/${place}`)
      await settled(page)
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${place} at ${width}`)
      // A table that scrolls by itself would hide its last columns.
      assert.ok(await page.evaluate(() => [...document.querySelectorAll('.table-scroll')].every((box) => box.scrollWidth <= box.clientWidth)), `the table of ${place} at ${width}`)
    }
  }
  assert.deepEqual(problems, [])
  await context.close()
})
