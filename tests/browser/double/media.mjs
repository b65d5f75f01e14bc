// Test media for the double: a moving picture in two sizes and a tone, cut by ffmpeg into demuxed CMAF with a fragment
// every third of a second, and read back into segments and parts.
import { execFile } from 'node:child_process'
import { access, mkdir, readFile, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

export const MEDIA_S = 120
export const SEGMENT_S = 2
export const PART_TARGET_S = 0.5

const folder = join(dirname(fileURLToPath(import.meta.url)), '../out/media')
const VIDEO = ['-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-pix_fmt', 'yuv420p', '-g', '60', '-keyint_min', '60', '-sc_threshold', '0']
const FRAGMENTS = ['-movflags', '+cmaf+frag_keyframe+empty_moov+default_base_moof', '-frag_duration', '400000', '-f', 'mp4']

export const RENDITIONS = [
  { name: '360p', kind: 'video', bandwidth: 900_000, width: 640, height: 360, codecs: 'avc1.42c01e',
    source: ['-f', 'lavfi', '-i', `testsrc2=size=640x360:rate=30:duration=${MEDIA_S}`], encode: [...VIDEO, '-b:v', '500k', '-maxrate', '700k', '-bufsize', '700k'] },
  { name: '180p', kind: 'video', bandwidth: 300_000, width: 320, height: 180, codecs: 'avc1.42c01e',
    source: ['-f', 'lavfi', '-i', `testsrc2=size=320x180:rate=30:duration=${MEDIA_S}`], encode: [...VIDEO, '-b:v', '150k', '-maxrate', '250k', '-bufsize', '250k'] },
  { name: 'audio', kind: 'audio', bandwidth: 70_000, codecs: 'mp4a.40.2',
    source: ['-f', 'lavfi', '-i', `sine=frequency=330:beep_factor=4:sample_rate=48000:duration=${MEDIA_S}`], encode: ['-ac', '2', '-c:a', 'aac', '-b:a', '64k'] },
]

/** Makes the media unless it is there already, and returns it as `Map<name, {init, segments: [{start, duration, parts}]}>`. */
export async function loadMedia() {
  await mkdir(folder, { recursive: true })
  const media = new Map()
  for (const rendition of RENDITIONS) {
    const file = join(folder, `${rendition.name}-${MEDIA_S}.mp4`)
    if (!(await exists(file))) {
      const unfinished = `${file}.part`
      await promisify(execFile)('ffmpeg', ['-v', 'error', '-y', ...rendition.source, ...rendition.encode, ...FRAGMENTS, unfinished])
      await rename(unfinished, file)
    }
    media.set(rendition.name, cut(await readFile(file)))
  }
  return media
}

function cut(bytes) {
  const boxes = [...boxesOf(bytes)]
  const timescale = mediaTimescale(bytes)
  const fragments = []
  const initEnd = boxes.find(({ type }) => type === 'moov').end
  for (const { type, start, end } of boxes) {
    if (type === 'moof') fragments.push({ start: decodeTime(bytes.subarray(start, end)) / timescale, from: start, to: end })
    else if (type === 'mdat') fragments.at(-1).to = end
  }
  const first = fragments[0].start
  const segments = []
  fragments.forEach((fragment, i) => {
    const start = fragment.start - first
    const duration = (fragments[i + 1]?.start ?? MEDIA_S + first) - fragment.start
    const seq = Math.floor((start + 0.001) / SEGMENT_S)
    const segment = (segments[seq] ??= { start, duration: 0, parts: [] })
    segment.duration += duration
    segment.parts.push({ start, duration, bytes: bytes.subarray(fragment.from, fragment.to) })
  })
  return { init: bytes.subarray(0, initEnd), segments }
}

function* boxesOf(bytes, from = 0, to = bytes.length) {
  for (let at = from; at + 8 <= to;) {
    const size = bytes.readUInt32BE(at)
    yield { type: bytes.toString('latin1', at + 4, at + 8), start: at, body: at + 8, end: at + size }
    at += size
  }
}

function mediaTimescale(bytes) {
  const mdhd = bytes.indexOf('mdhd') + 4
  return bytes.readUInt32BE(mdhd + (bytes[mdhd] === 1 ? 20 : 12))
}

function decodeTime(moof) {
  const tfdt = moof.indexOf('tfdt') + 4
  return moof[tfdt] === 1 ? Number(moof.readBigUInt64BE(tfdt + 4)) : moof.readUInt32BE(tfdt + 4)
}

async function exists(path) {
  return access(path).then(() => true, () => false)
}
