import { expect, test } from 'vitest'
import { differences } from './differences.ts'

test('only what differs, with nothing for what was not there', () => {
  expect(differences({ a: 1, b: 'x', same: true }, { a: 2, c: { d: [1] }, same: true })).toEqual([
    { field: 'a', before: '1', after: '2' },
    { field: 'b', before: 'x', after: undefined },
    { field: 'c', before: undefined, after: '{"d":[1]}' },
  ])
})
test('nothing before, nothing after', () => expect(differences(null, null)).toEqual([]))
