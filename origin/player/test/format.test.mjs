import assert from 'node:assert/strict'
import { test } from 'node:test'
import { load } from './load.mjs'

const { clockTime, spokenTime, latencyText } = await load('ui/format.ts')

test('times are written as on a clock', () => {
  assert.deepEqual([0, 5, 65, 3_599.9, 3_600, 36_061, -3].map(clockTime), ['0:00', '0:05', '1:05', '59:59', '1:00:00', '10:01:01', '0:00'])
})

test('times are spoken in words', () => {
  assert.deepEqual([0, 1, 62, 3_660].map(spokenTime), ['0 seconds', '1 second', '1 minute 2 seconds', '1 hour 1 minute'])
})

test('a delay is as exact as it is short', () => {
  assert.deepEqual([1_840, 9_940, 14_400, 119_000, 125_000].map(latencyText), ['1.8 s', '9.9 s', '14 s', '119 s', '2:05'])
})
