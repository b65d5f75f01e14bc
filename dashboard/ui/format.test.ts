import { expect, test } from 'vitest'
import { ago, bitrate, bytes, duration, sentence } from './format.ts'

const NOW = Date.parse('2026-05-01T12:00:00Z')
const at = (seconds: number) => new Date(NOW + seconds * 1000).toISOString()

test.each([
  [-3, 'just now'], [3, 'in a moment'], [-59, '59 seconds ago'], [-60, '1 minute ago'], [-3599, '59 minutes ago'], [-3600, '1 hour ago'],
  [-86_399, '23 hours ago'], [-86_400, 'yesterday'], [86_400 * 6.4, 'in 6 days'], [-86_400 * 28, 'Apr 3, 2026'],
])('%d s is "%s"', (seconds, text) => expect(ago(at(seconds), NOW)).toBe(text))

test.each([[999, '999 B'], [1000, '1 kB'], [999_499, '999 kB'], [999_500, '1 MB'], [2_345_678_901, '2.3 GB'], [0, '0 B']])('%d bytes are "%s"', (n, text) => expect(bytes(n)).toBe(text))
test.each([[160_000, '160 kbit/s'], [999_999, '1,000 kbit/s'], [1_000_000, '1 Mbit/s'], [5_840_000, '5.8 Mbit/s'], [120_400_000, '120 Mbit/s']])('%d bit/s are "%s"', (n, text) => expect(bitrate(n)).toBe(text))
test.each([[0, '0:00'], [59.9, '0:59'], [3599, '59:59'], [3600, '1:00:00'], [-1, '0:00']])('%d s last "%s"', (n, text) => expect(duration(n)).toBe(text))
test('words of the API are read as sentences', () => expect(sentence('stream_key.rotate')).toBe('Stream key rotate'))
