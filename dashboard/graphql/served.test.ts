import { parse, print } from '@0no-co/graphql.web'
import { expect, test } from 'vitest'
import { prune } from './served.ts'

const flat = (text: string) => text.replaceAll(/\s+/gu, ' ').trim()
const document = parse('query A { channel { id viewers @ifServed(field: "Broadcast.viewers") health @ifServed(field: "Broadcast.health") { status } ...F } } fragment F on Channel { id srt @ifServed(field: "I.srt") @include(if: true) }')

test('what is served stays, without its mark; other directives stay too', () => {
  expect(flat(print(prune(document, new Set(['Broadcast.health', 'I.srt']))))).toBe('query A { channel { id health { status } ...F } } fragment F on Channel { id srt @include(if: true) }')
})
test('what is not served is left out', () => {
  expect(flat(print(prune(document, new Set())))).toBe('query A { channel { id ...F } } fragment F on Channel { id }')
})
