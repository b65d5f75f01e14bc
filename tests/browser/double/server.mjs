// A stand-in for the origin: one playback id whose broadcast starts, is interrupted, goes on and ends on command, with
// LL-HLS from the start of the broadcast, a plain MPD, state.json, and faults. For the player's own tests; the
// end-to-end tests use the real origin.
import { createReadStream } from 'node:fs'
import { access } from 'node:fs/promises'
import { createServer } from 'node:http'
import { dirname, extname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PART_TARGET_S, RENDITIONS, SEGMENT_S, loadMedia } from './media.mjs'

const dist = join(dirname(fileURLToPath(import.meta.url)), '../../../origin/player/dist')
const TARGET_DURATION_S = 4
const CONTENT_TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.m3u8': 'application/vnd.apple.mpegurl', '.mpd': 'application/dash+xml', '.m4s': 'video/mp4', '.mp4': 'video/mp4', '.json': 'application/json', '.jpg': 'image/jpeg' }
/** The policy that the player promises to work under. */
const EMBED_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self' blob:; connect-src 'self'"

export class Double {
  playbackId = 'pb_double'
  title = 'Evening concert'
  replayPlaybackId = null
  kind = 'channel'
  /** Null, or how every request but the page itself fails: `refuse` hangs up, `503` answers so, `corrupt` spoils media. */
  fault = null
  /** Null, or the token, or the tokens, that open what is played; those in `ended` have expired. */
  token = null
  ended = new Set()
  requests = []
  #state = 'offline'
  /** What has ended leaves no replay: it is there for those who watch its last seconds. */
  #unrecorded = false
  #media
  #broadcast = 0
  #anchors = []
  #server
  #sockets = new Set()
  #port = 0

  static async start() {
    const double = new Double()
    double.#media = await loadMedia()
    await double.listen()
    return double
  }

  get url() { return `http://127.0.0.1:${this.#port}` }
  get embedUrl() { return `${this.url}/embed/${this.playbackId}` }

  async listen() {
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error) => {
        response.writeHead(500).end(String(error))
      })
    })
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
    })
    await new Promise((resolve) => this.#server.listen(this.#port, '127.0.0.1', resolve))
    this.#port = this.#server.address().port
  }

  /** Stops listening and hangs up on everybody, as a killed process does. `listen` brings it back on the same port. */
  async close() {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  /** Starts a broadcast that has already run for `historyS` seconds. */
  goLive({ historyS = 6 } = {}) {
    this.#broadcast += 1
    this.#state = 'live'
    this.#unrecorded = false
    this.#anchors = [{ mediaS: 0, wallMs: Date.now() - historyS * 1000, endS: Infinity }]
  }

  /** The publisher is gone, and may come back. */
  interrupt() {
    this.#anchors.at(-1).endS = this.#positionS()
    this.#state = 'reconnecting'
  }

  resume() {
    const mediaS = this.#anchors.at(-1).endS
    this.#anchors.push({ mediaS, wallMs: Date.now(), endS: Infinity })
    this.#state = 'live'
  }

  end() {
    this.#anchors.at(-1).endS = Math.min(this.#anchors.at(-1).endS, this.#positionS())
    this.#state = 'ended'
  }

  endUnrecorded() {
    this.end()
    this.#unrecorded = true
  }

  setOffline() { this.#state = 'offline' }

  #positionS() {
    const { mediaS, wallMs, endS } = this.#anchors.at(-1)
    return Math.min(endS, mediaS + (Date.now() - wallMs) / 1000)
  }

  #dateMs(mediaS) {
    const anchor = this.#anchors.findLast((a) => a.mediaS <= mediaS + 0.001) ?? this.#anchors[0]
    return anchor.wallMs + (mediaS - anchor.mediaS) * 1000
  }

  async #answer(request, response) {
    const url = new URL(request.url, this.url)
    this.requests.push(url.pathname + url.search)
    response.setHeader('access-control-allow-origin', '*')
    const send = (status, body, type = '.json') => {
      response.writeHead(status, { 'content-type': CONTENT_TYPES[type] ?? 'application/octet-stream', 'cache-control': 'no-store' }).end(body)
    }
    const under = /^\/t\/([^/]+)(\/.*)$/.exec(url.pathname)
    const [, head, ...rest] = (under?.[2] ?? url.pathname).split('/')
    if (head === 'embed') return this.#file(response, 'embed.html', { 'content-security-policy': EMBED_POLICY })
    if (head === 'embed.js') return this.#file(response, 'embed.js')
    if (head === 'player') return this.#file(response, url.pathname)
    if (this.fault === 'refuse') return request.socket.destroy()
    if (this.fault === '503') return send(503, '{}')
    if (head === 'time') return send(200, new Date().toISOString())
    if (head === 'page') return send(200, `<!doctype html><html lang="en"><title>A page</title><h1>A page</h1><script src="/embed.js" data-playback-id="${this.playbackId}" data-title="Concert"></script>`, '.html')
    if (head !== this.playbackId) return send(404, '{}')
    if (this.token !== null && ![this.token].flat().includes(under?.[1])) {
      const error = !under ? 'token_missing' : this.ended.has(under[1]) ? 'token_expired' : 'token_invalid'
      return send(401, JSON.stringify({ error }))
    }
    if (rest[0] === 'thumbnail.jpg') return send(200, PICTURE, '.jpg')
    if (rest[0] === 'state.json') return send(200, JSON.stringify(await this.#stateAfter(url.searchParams.get('after'))))
    if (this.#state === 'offline' || (this.#unrecorded && rest.length === 1)) return send(404, '{}')
    if (rest[0] === 'dvr.m3u8' || rest[0] === 'main.m3u8') return send(200, this.#multivariant(), '.m3u8')
    if (rest[0] === 'manifest.mpd') return send(200, this.#manifest(), '.mpd')
    if (Number(rest[0]) !== this.#broadcast) return send(404, '{}')
    return this.#rendition(rest[1], rest[2], url, send)
  }

  async #rendition(name, file, url, send) {
    const media = this.#media.get(name)
    if (!media) return send(404, '')
    if (file === 'init.mp4') return send(200, media.init, '.mp4')
    if (file === 'index.m3u8') {
      const msn = url.searchParams.get('_HLS_msn')
      if (msn !== null && !(await this.#waitFor(media, Number(msn), Number(url.searchParams.get('_HLS_part') ?? Infinity)))) return send(503, '')
      return send(200, this.#playlist(name, media), '.m3u8')
    }
    const [seq, part] = file.split('.').map(Number)
    const segment = media.segments[seq]
    if (!segment) return send(404, '')
    if (!(await this.#waitFor(media, seq, Number.isInteger(part) ? part : Infinity))) return send(404, '')
    const body = Number.isInteger(part) ? segment.parts[part]?.bytes : Buffer.concat(segment.parts.map(({ bytes }) => bytes))
    return send(200, this.fault === 'corrupt' ? spoilt(body) : body, '.m4s')
  }

  /** Waits until a part, or with `Infinity` a whole segment, exists; false when it does not in time. */
  async #waitFor(media, msn, part) {
    const segment = media.segments[msn]
    if (!segment) return false
    const wanted = segment.parts[Math.min(part, segment.parts.length - 1)]
    const endS = wanted.start + wanted.duration
    const giveUpMs = Date.now() + TARGET_DURATION_S * 3000
    while (this.#positionS() < endS) {
      if (this.#state === 'ended') return true
      if (Date.now() > giveUpMs || this.fault === 'refuse' || this.fault === '503') return false
      await new Promise((resolve) => setTimeout(resolve, 25))
    }
    return true
  }

  #playlist(name, media) {
    const position = this.#positionS()
    const ended = this.#state === 'ended'
    const lines = ['#EXTM3U', '#EXT-X-VERSION:9', `#EXT-X-TARGETDURATION:${TARGET_DURATION_S}`]
    if (!ended) lines.push(`#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=${PART_TARGET_S * 3},HOLD-BACK=${TARGET_DURATION_S * 3}`, `#EXT-X-PART-INF:PART-TARGET=${PART_TARGET_S}`)
    lines.push('#EXT-X-MEDIA-SEQUENCE:0', '#EXT-X-MAP:URI="init.mp4"')
    const done = ({ start, duration }) => start + duration <= position + 0.0005
    media.segments.forEach((segment, seq) => {
      const parts = segment.parts.filter(done)
      if (parts.length === 0) return
      lines.push(`#EXT-X-PROGRAM-DATE-TIME:${new Date(this.#dateMs(segment.start)).toISOString()}`)
      const whole = parts.length === segment.parts.length
      if (!ended && segment.start > position - TARGET_DURATION_S * 3) {
        parts.forEach((part, i) => lines.push(`#EXT-X-PART:DURATION=${part.duration.toFixed(5)},URI="${seq}.${i}.m4s"${i === 0 ? ',INDEPENDENT=YES' : ''}`))
      }
      if (whole) lines.push(`#EXTINF:${segment.duration.toFixed(5)},`, `${seq}.m4s`)
    })
    if (ended) return [...lines, '#EXT-X-ENDLIST', ''].join('\n')
    const open = media.segments.findIndex((segment) => !segment.parts.every(done))
    if (open >= 0) lines.push(`#EXT-X-PRELOAD-HINT:TYPE=PART,URI="${open}.${media.segments[open].parts.filter(done).length}.m4s"`)
    for (const { name: other } of RENDITIONS) {
      if (other !== name) lines.push(`#EXT-X-RENDITION-REPORT:URI="../${other}/index.m3u8",LAST-MSN=${Math.max(0, open - 1)}`)
    }
    return [...lines, ''].join('\n')
  }

  #multivariant() {
    const audio = RENDITIONS.find(({ kind }) => kind === 'audio')
    const lines = ['#EXTM3U', '#EXT-X-VERSION:9', '#EXT-X-INDEPENDENT-SEGMENTS',
      `#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="Main",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="${this.#broadcast}/audio/index.m3u8"`]
    for (const { name, kind, bandwidth, width, height, codecs } of RENDITIONS) {
      if (kind !== 'video') continue
      lines.push(`#EXT-X-STREAM-INF:BANDWIDTH=${bandwidth + audio.bandwidth},RESOLUTION=${width}x${height},FRAME-RATE=30.000,CODECS="${codecs},${audio.codecs}",AUDIO="audio",CLOSED-CAPTIONS=NONE`, `${this.#broadcast}/${name}/index.m3u8`)
    }
    return [...lines, ''].join('\n')
  }

  #manifest() {
    const ended = this.#state === 'ended'
    const set = (kind, mime, extra) => `<AdaptationSet contentType="${kind}" mimeType="${mime}" segmentAlignment="true" startWithSAP="1">
<SegmentTemplate timescale="1000" duration="${SEGMENT_S * 1000}" startNumber="0" initialization="${this.#broadcast}/$RepresentationID$/init.mp4" media="${this.#broadcast}/$RepresentationID$/$Number$.m4s"/>
${RENDITIONS.filter((r) => r.kind === kind).map((r) => `<Representation id="${r.name}" bandwidth="${r.bandwidth}" codecs="${r.codecs}" ${extra(r)}/>`).join('\n')}
</AdaptationSet>`
    const timing = ended
      ? `type="static" mediaPresentationDuration="PT${Math.floor(this.#positionS() / SEGMENT_S) * SEGMENT_S}S"`
      : `type="dynamic" availabilityStartTime="${new Date(this.#anchors[0].wallMs).toISOString()}" minimumUpdatePeriod="PT2S" suggestedPresentationDelay="PT6S" timeShiftBufferDepth="PT600S"`
    return `<?xml version="1.0"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-live:2011" minBufferTime="PT2S" ${timing}>
<Period id="0" start="PT0S">
${set('video', 'video/mp4', (r) => `width="${r.width}" height="${r.height}" frameRate="30"`)}
${set('audio', 'audio/mp4', () => 'audioSamplingRate="48000"')}
</Period>
${ended ? '' : '<UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="/time"/>'}
</MPD>`
  }

  /** The state; where `version` names the present one, the next, within 20 s. */
  async #stateAfter(version) {
    const giveUpMs = Date.now() + 20_000
    while (version === this.#stateJson().version && Date.now() < giveUpMs && !this.fault) {
      await new Promise((resolve) => setTimeout(resolve, 25))
    }
    return this.#stateJson()
  }

  #stateJson() {
    const state = this.#unrecorded ? 'offline' : this.#state
    return {
      version: `${state}.${this.#broadcast}`,
      state, kind: this.kind, title: this.title, latency_mode: 'low',
      broadcast_id: state === 'offline' ? null : `br_${this.#broadcast}`,
      started_ms: this.#anchors[0]?.wallMs ?? null, replay_playback_id: this.replayPlaybackId,
    }
  }

  async #file(response, path, headers = {}) {
    const file = join(dist, normalize(`/${path}`))
    const found = await access(file).then(() => true, () => false)
    if (!found) {
      response.writeHead(404).end('run npm ci && npm run build in origin/player first')
      return
    }
    response.writeHead(200, { 'content-type': CONTENT_TYPES[extname(file)] ?? 'application/octet-stream', ...headers })
    createReadStream(file).pipe(response)
  }
}

/** A grey JPEG of one pixel. */
const PICTURE = Buffer.from('/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAP//////////////////////////////////////////////////////////////////////////////////////wAALCAABAAEBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAAA//EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAIAQEAAD8AN//Z', 'base64')

/** The same boxes around samples that no decoder understands. */
function spoilt(fragment) {
  const copy = Buffer.from(fragment)
  copy.fill(0xff, copy.indexOf('mdat') + 4)
  return copy
}

// Run by hand, it is live at once, for looking at the player in one's own browser.
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const double = await Double.start()
  double.goLive({ historyS: 20 })
  console.log(`live at ${double.embedUrl}; type: interrupt, resume, end, goLive, setOffline`)
  process.stdin.on('data', (line) => {
    const command = String(line).trim()
    if (['interrupt', 'resume', 'end', 'goLive', 'setOffline'].includes(command)) double[command]()
  })
}
