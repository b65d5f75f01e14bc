import { expect, test } from 'vitest'
import { bounds, linePath, nearest } from './scale.ts'

const points = (...values: (number | null)[]) => values.map((value, index) => ({ at: index * 1000, value }))

test('noise smaller than the span stays flat', () => {
  const { low, high } = bounds(points(29.97, 29.98, 29.96), { fromZero: false, span: 10 })
  expect(high - low).toBeGreaterThan(10)
  expect((high + low) / 2).toBeCloseTo(29.97)
})
test('a measure from zero keeps its zero and shows its top', () => {
  const { low, high } = bounds(points(0, 5_000_000), { fromZero: true, span: 1_000_000 })
  expect(low).toBe(0)
  expect(high).toBeGreaterThan(5_000_000)
})
test('nothing measured still has a scale', () => expect(bounds(points(null), { fromZero: true, span: 10 })).toEqual({ low: 0, high: 10 }))
test('a missing sample and a long pause break the line', () => {
  const box = { low: 0, high: 10 }
  expect(linePath(points(1, 2, null, 3), 0, 3000, box, 5000).match(/M/gu)).toHaveLength(2)
  expect(linePath([{ at: 0, value: 1 }, { at: 9000, value: 2 }], 0, 9000, box, 5000).match(/M/gu)).toHaveLength(2)
  expect(linePath(points(0, 10), 0, 1000, box, 5000)).toBe('M0.0 100.00L1000.0 0.00')
})
test('the nearest point is one that has a value', () => expect(nearest(points(1, null, 3), 1400)).toEqual({ at: 2000, value: 3 }))
