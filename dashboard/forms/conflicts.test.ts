import { expect, test } from 'vitest'
import { conflicts } from './conflicts.ts'

const names = { title: 'Title', mode: 'Mode' }
const base = { title: 'a', mode: 'LOW' }

test('changes to different settings do not clash', () => {
  expect(conflicts(names, base, { ...base, title: 'b' }, { ...base, mode: 'STANDARD' })).toEqual([
    { name: 'Title', mine: 'b', theirs: 'a', clash: false },
    { name: 'Mode', mine: 'Low', theirs: 'Standard', clash: false },
  ])
})
test('the same change on both sides is none', () => expect(conflicts(names, base, { ...base, title: 'b' }, { ...base, title: 'b' })[0]?.clash).toBe(false))
test('different changes to one setting clash, emptying included', () => {
  expect(conflicts(names, base, { ...base, title: '' }, { ...base, title: 'c' })).toEqual([{ name: 'Title', mine: '(empty)', theirs: 'c', clash: true }])
})
