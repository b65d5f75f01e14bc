import { expect, test } from 'vitest'
import { atSteps, bySize, ladderDraft, ladderInput, ladderProblems, ladderWords, withAnother } from './ladder-steps.ts'

const step = (shortSide: number, bitrateBps: number) => ({ shortSide, bitrateBps, bitrateHighFpsBps: bitrateBps, fpsMax: 30 })
const own = ladderDraft({ kind: 'CUSTOM', passthrough: false, steps: [step(360, 800_000), step(1080, 4_500_000)] })

test('a ladder comes back as it was, the largest step first', () => {
  expect(ladderInput(own)).toEqual({ kind: 'CUSTOM', passthrough: false, steps: [step(1080, 4_500_000), step(360, 800_000)] })
  expect(ladderInput({ ...own, kind: 'SOURCE' })).toEqual({ kind: 'SOURCE' })
})
test('frame rates that are no whole number, and bits that are no whole kilobit, are kept', () => {
  const odd = { ...step(720, 2_500_001), fpsMax: 29.97 }
  expect(ladderInput(ladderDraft({ kind: 'CUSTOM', passthrough: true, steps: [odd] }))).toMatchObject({ steps: [odd] })
})
test('a preset gives the steps to begin with', () => {
  expect(ladderDraft({ kind: 'DEFAULT', passthrough: true, steps: [] }).steps.map(({ size }) => size)).toEqual(['1080', '720', '480', '360'])
  expect(ladderDraft({ kind: 'SOURCE', passthrough: true, steps: [] }).steps).toHaveLength(1)
})
test('another step goes below, then above or between, and is never one that is there', () => {
  let { steps } = own
  for (let count = 2; count < 10; count += 1) steps = withAnother(steps).steps
  const sizes = steps.map(({ size }) => Number(size))
  expect(new Set(sizes).size).toBe(10)
  expect(sizes).toEqual(sizes.toSorted((a, b) => b - a))
  expect(withAnother(own.steps).added.size).toBe('240')
})
test('bounds, doubles and gaps are found where they are', () => {
  const [top, low] = own.steps as [(typeof own.steps)[0], (typeof own.steps)[0]]
  const problems = (changes: object) => Object.keys(ladderProblems({ ...own, steps: [{ ...top, ...changes }, low] })).map((at) => at.replace(top.key, 'top').replace(low.key, 'low'))
  expect(problems({})).toEqual([])
  expect(problems({ size: '95' })).toEqual(['top.size'])
  expect(problems({ size: '360' })).toEqual(['top.size', 'low.size'])
  expect(problems({ size: '360.5' })).toEqual(['top.size'])
  expect(problems({ kbps: '', fps: '61' })).toEqual(['top.kbps', 'top.fps'])
  expect(ladderProblems({ ...own, steps: [] })).toEqual({ '': 'A ladder has at least one step.' })
  expect(ladderProblems({ ...own, kind: 'DEFAULT', steps: [] })).toEqual({})
})
test('what the service says of a step stands at the step', () => {
  const [top, low] = bySize(own.steps) as [(typeof own.steps)[0], (typeof own.steps)[0]]
  expect(atSteps(own.steps, { 'ladder.steps.1.bitrateBps': 'Too much.', 'ladder.steps.0.fpsMax': 'Too fast.', title: 'Blank.' })).toEqual({ [`${low.key}.kbps`]: 'Too much.', [`${top.key}.fps`]: 'Too fast.' })
  expect(atSteps(own.steps, { ladder: 'Two steps have 720 lines.' })).toEqual({ '': 'Two steps have 720 lines.' })
})
test('equal ladders have equal words, others have not', () => {
  expect(ladderWords(ladderDraft({ kind: 'CUSTOM', passthrough: false, steps: [step(1080, 4_500_000), step(360, 800_000)] }))).toBe(ladderWords(own))
  expect(ladderWords({ ...own, passthrough: true })).not.toBe(ladderWords(own))
  expect(ladderWords({ ...own, kind: 'DEFAULT' })).toBe('Adaptive')
})
