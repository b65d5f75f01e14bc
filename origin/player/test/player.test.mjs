import assert from 'node:assert/strict'
import { test } from 'node:test'
import { load } from './load.mjs'

const { parseState, nextDelayMs, restOfDelayMs, awaitedVersion, isOnAir } = await load('player/state.ts')
const { Recovery } = await load('player/recovery.ts')
const { Progress } = await load('player/progress.ts')
const { qualityLabel } = await load('player/engine.ts')
const { readOptions, withoutToken } = await load('embed/options.ts')
const { readClaims, under } = await load('player/permission.ts')

test('a state is read with nothing in it trusted', () => {
  const live = parseState({ state: 'live', kind: 'channel', title: 'T', broadcast_id: 'br_1', started_ms: 5, replay_playback_id: null, version: 'live.br_1' })
  assert.deepEqual(live, { state: 'live', kind: 'channel', title: 'T', broadcastId: 'br_1', startedMs: 5, replayPlaybackId: null, version: 'live.br_1' })
  for (const wrong of [null, 7, 'live', [], {}, { state: 'LIVE' }, { state: 3 }]) assert.equal(parseState(wrong), null)
  const odd = parseState({ state: 'ended', kind: 9, title: { a: 1 }, broadcast_id: '', started_ms: 'x' })
  assert.deepEqual(odd, { state: 'ended', kind: 'channel', title: '', broadcastId: null, startedMs: null, replayPlaybackId: null, version: null })
  assert.equal(parseState({ state: 'live', title: 'x'.repeat(9999) }).title.length, 300)
})

test('media may come while live, reconnecting or finishing', () => {
  const onAir = ['offline', 'live', 'reconnecting', 'finishing', 'ended'].filter((state) => isOnAir({ state }))
  assert.deepEqual(onAir, ['live', 'reconnecting', 'finishing'])
})

test('looks are frequent before a broadcast, rare during one, spread by jitter, and back off', () => {
  const seen = (state) => ({ ok: true, state: { state } })
  assert.equal(nextDelayMs(seen('offline'), 0, false, 0.5), 1_000)
  assert.equal(nextDelayMs(seen('live'), 0, false, 0.5), 15_000)
  assert.equal(nextDelayMs(seen('offline'), 0, false, 0), 500)
  assert.ok(nextDelayMs(seen('offline'), 0, false, 0.999) < 1_500)
  assert.equal(nextDelayMs(seen('offline'), 0, true, 0.5), 3_000)
  const failure = { ok: false, failure: 'unreachable' }
  assert.deepEqual([1, 2, 3, 9, 99].map((n) => nextDelayMs(failure, n, false, 0.5)), [2_000, 4_000, 8_000, 20_000, 20_000])
})

test('the next state is waited for at the origin, except during a broadcast and after one', () => {
  const seen = (state, version = state) => ({ ok: true, state: { state, version } })
  const awaited = ['offline', 'live', 'reconnecting', 'finishing', 'ended'].map((state) => awaitedVersion(seen(state)))
  assert.deepEqual(awaited, ['offline', null, 'reconnecting', 'finishing', null])
  assert.equal(awaitedVersion(seen('offline', null)), null, 'an origin without versions is polled')
  assert.equal(awaitedVersion({ ok: false, failure: 'unreachable' }), null)
  // Not held yet, held to the end, changed: at once. Asked to be held and not: at the usual pace.
  assert.equal(restOfDelayMs(1_000, seen('offline'), null, 10), 100)
  assert.equal(restOfDelayMs(1_000, seen('offline'), 'offline', 20_000), 100)
  assert.equal(restOfDelayMs(1_000, seen('reconnecting'), 'offline', 3), 100)
  assert.equal(restOfDelayMs(1_000, seen('offline'), 'offline', 5), 995)
  assert.equal(restOfDelayMs(15_000, seen('live'), 'offline', 5), 15_000)
})

test('network failures are retried for ever, ever more slowly, until pictures move', () => {
  const recovery = new Recovery()
  const tries = Array.from({ length: 12 }, () => recovery.networkFailed(0.5))
  assert.deepEqual(tries.slice(0, 4).map(({ delayMs }) => delayMs), [500, 1_000, 2_000, 4_000])
  assert.equal(tries.at(-1).delayMs, 10_000)
  assert.deepEqual(tries.slice(0, 3).map(({ remedy }) => remedy), ['resume-loading', 'resume-loading', 'reload'])
  assert.ok(!tries.some(({ remedy }) => remedy === 'give-up'))
  recovery.succeeded()
  assert.equal(recovery.networkFailed(0.5).delayMs, 500)
})

test('media failures are given up only when they follow closely', () => {
  const recovery = new Recovery()
  assert.deepEqual([0, 1_000, 2_000, 3_000].map((ms) => recovery.mediaFailed(ms)), ['recover-media', 'reload', 'reload', 'give-up'])
  const patient = new Recovery()
  assert.deepEqual([0, 30_000, 60_000, 90_000].map((ms) => patient.mediaFailed(ms)), Array(4).fill('recover-media'))
})

test('a picture that stands is told once, and is hopeless only after a while', () => {
  const progress = new Progress()
  const look = (ms, position, shouldMove = true) => progress.look(1_000_000 + ms, position, shouldMove)
  look(0, 1)
  assert.equal(look(250, 1).waiting, false)
  assert.equal(look(500, 1).stalled, true)
  assert.deepEqual([look(750, 1).stalled, look(1_000, 1).waiting], [false, true])
  const looks = Array.from({ length: 44 }, (_, i) => look(1_250 + i * 250, 1))
  assert.equal(looks.filter(({ hopeless }) => hopeless).length, 1)
  const resumed = look(12_500, 1.2)
  assert.equal(resumed.resumedAfterMs, 12_500)
  assert.equal(resumed.waiting, false)
})

test('a pause is no stall, and a sleep is seen as one', () => {
  const progress = new Progress()
  progress.look(1_000, 5, false)
  assert.equal(progress.look(9_000, 5, false).waiting, false)
  const woke = progress.look(9_000 + 3_600_000, 5, true)
  assert.equal(woke.sleptMs, 3_600_000)
  assert.equal(woke.stalled, false)
})

test('rungs are called what people call them', () => {
  assert.deepEqual([qualityLabel(1080, 30, 1), qualityLabel(720, 59.94, 1), qualityLabel(720, 25, 1), qualityLabel(0, 0, 128_000), qualityLabel(0, 0, 0)],
    ['1080p', '720p60', '720p', '128 kbit/s', 'Source'])
})

test('the address of the page says what to play, and how', () => {
  const read = (address) => readOptions(new URL(address, 'https://host.example'))
  assert.deepEqual(read('/embed/pb_abc'), { playbackId: 'pb_abc', autoplay: true, muted: true, engine: 'auto', token: null })
  assert.deepEqual(read('/embed/pb_abc/?autoplay=0&engine=native'), { playbackId: 'pb_abc', autoplay: false, muted: false, engine: 'native', token: null })
  assert.equal(read('/embed/pb_abc?muted=0').muted, false)
  assert.equal(read('/embed/..%2Fsecret').playbackId, '')
})

test('a token comes behind the # or in the query, and leaves the address', () => {
  const at = (rest) => new URL(`/embed/pb_abc${rest}`, 'https://host.example')
  assert.equal(readOptions(at('#token=a.b.c')).token, 'a.b.c')
  assert.equal(readOptions(at('?muted=0&token=a.b.c')).token, 'a.b.c')
  assert.equal(withoutToken(at('?muted=0&token=a.b.c')), 'https://host.example/embed/pb_abc?muted=0')
  assert.equal(withoutToken(at('?muted=0#token=a.b.c')), 'https://host.example/embed/pb_abc?muted=0')
  assert.equal(withoutToken(at('#chapter-2')), 'https://host.example/embed/pb_abc#chapter-2')
})

test('addresses go under the token of the moment, whatever they were under before', () => {
  for (const before of ['', '/t/old.old.old']) {
    assert.equal(under('new.new.new', `${before}/pb_abc/br_1/720p/3-1.m4s`), '/t/new.new.new/pb_abc/br_1/720p/3-1.m4s')
    assert.equal(under('n.n.n', `https://host.example${before}/pb_abc/dvr.m3u8`), 'https://host.example/t/n.n.n/pb_abc/dvr.m3u8')
    assert.equal(under(null, `${before}/pb_abc/dvr.m3u8`), '/pb_abc/dvr.m3u8')
  }
})

test('a token says when it expires and how often it is good; anything else says nothing', () => {
  const token = (claims) => `h.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.s`
  assert.deepEqual(readClaims(token({ exp: 5, viewer_id: 'ü?>' })), { expMs: 5_000, singleUse: false })
  assert.deepEqual(readClaims(token({ exp: '5', single_use: true })), { expMs: null, singleUse: true })
  for (const wrong of ['', 'a', 'a.b', 'a.!.c', 'a.bbbb.c', `${token({})}.x`, token(7)]) assert.equal(readClaims(wrong), null, wrong)
})
