import { expect, test } from 'vitest'
import { embedSnippets, embedUrl } from './embed-snippets.ts'
import { encoderSettings, ffmpegCommand, larixLink } from './encoder-settings.ts'

const url = 'https://play.example.com/embed/abc'

test('the address says only what differs from the player\'s own choice', () => {
  expect(embedUrl(url, { autoplay: true, muted: true })).toBe(url)
  expect(embedUrl(url, { autoplay: false, muted: false })).toBe(`${url}?autoplay=0&muted=0`)
})
test('a title cannot break out of a snippet', () => {
  for (const { code, id } of embedSnippets({ url, playbackId: 'abc', title: '"><script>alert(1)</script>', autoplay: true, muted: true, signed: false })) {
    if (id === 'react') expect(code).toContain(String.raw`title={"\"><script>alert(1)</script>"}`)
    else expect(code).not.toContain('"><script>alert')
  }
})
test('the script tag is of the player\'s own host', () => {
  const script = embedSnippets({ url, playbackId: 'abc', title: 'T', autoplay: false, muted: true, signed: false }).find(({ id }) => id === 'script')
  expect(script?.code).toContain('src="https://play.example.com/embed.js"')
  expect(script?.code).toContain('data-autoplay="false"')
})
test('a signed playback id is shown with the token of each viewer', () => {
  const snippets = embedSnippets({ url, playbackId: 'abc', title: 'T', autoplay: false, muted: true, signed: true })
  expect(snippets.map(({ id }) => id)).toEqual(['iframe', 'script', 'react'])
  expect(snippets[0]?.code).toContain(`src="${url}?autoplay=0#token=TOKEN"`)
  expect(snippets[1]?.code).toContain('data-token="TOKEN"')
  expect(snippets[2]?.code).toContain('src={`' + url + '?autoplay=0#token=${token}`}')
})
test('encoders are kept within the channel\'s limit', () => {
  expect(encoderSettings('LOW', 2_160_000)).toContainEqual(['Rate control', 'CBR, 2000 kbit/s'])
  expect(ffmpegCommand('rtmp://h/live', 'k', 'LOW', null)).toContain('-b:v 6000k')
})
test('Larix gets the whole address, escaped', () => {
  expect(new URL(larixLink('A & B', 'rtmp://h/live', 'sk_1')).searchParams.get('conn[][url]')).toBe('rtmp://h/live/sk_1')
})
