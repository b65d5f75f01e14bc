// Builds dist/: embed.html and embed.js under their lasting names, and everything else under /player/ with a hash in
// its name, so that the origin may let caches keep it for ever.
import { build } from 'esbuild'
import { createHash } from 'node:crypto'
import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

const here = dirname(fileURLToPath(import.meta.url))
const dist = join(here, 'dist')
const hlsSource = join(here, 'node_modules/hls.js/src')

// hls.js ships its sources; we leave out what our own packaging never needs. Demuxed audio needs ALT_AUDIO, which the
// published light build lacks.
const hlsFeatures = {
  __USE_ALT_AUDIO__: true,
  __USE_CMCD__: false,
  __USE_CONTENT_STEERING__: false,
  __USE_EME_DRM__: false,
  __USE_IFRAMES__: false,
  __USE_INTERSTITIALS__: false,
  __USE_M2TS_ADVANCED_CODECS__: false,
  __USE_MEDIA_CAPABILITIES__: false,
  __USE_SUBTITLES__: false,
  __USE_VARIABLE_SUBSTITUTION__: false,
}
// Modules of hls.js that only a switched-off feature or a container other than CMAF reaches.
const unreachedModules = [
  'controller/cmcd-controller', 'controller/content-steering-controller', 'controller/eme-controller',
  'controller/iframe-controller', 'controller/interstitials-controller', 'controller/interstitial-player',
  'controller/subtitle-stream-controller', 'controller/subtitle-track-controller', 'controller/timeline-controller',
  'demux/audio/aacdemuxer', 'demux/audio/ac3-demuxer', 'demux/audio/mp3demuxer', 'demux/tsdemuxer',
  'utils/cues',
]

const hlsFromSource = {
  name: 'hls-from-source',
  setup(b) {
    b.onResolve({ filter: /^hls\.js$/ }, () => ({ path: join(hlsSource, 'exports-default.ts') }))
    b.onResolve({ filter: /^\.{1,2}\// }, (args) => {
      if (!args.importer.startsWith(hlsSource)) return undefined
      const wanted = join(args.resolveDir, args.path)
      return unreachedModules.some((m) => wanted === join(hlsSource, m))
        ? { path: wanted, namespace: 'unreached' }
        : undefined
    })
    // A demuxer that recognises nothing: hls.js asks each in turn and settles on the one for MP4.
    b.onLoad({ filter: /.*/, namespace: 'unreached' }, () => ({
      contents: 'export default class { static probe() { return false } }',
    }))
  },
}

async function main() {
  const { version } = JSON.parse(await readFile(join(here, 'node_modules/hls.js/package.json'), 'utf8'))
  await rm(dist, { recursive: true, force: true })
  await mkdir(join(dist, 'player'), { recursive: true })
  const common = {
    absWorkingDir: here, bundle: true, minify: true, target: ['chrome94', 'firefox93', 'safari15.4'], legalComments: 'none',
    logLevel: 'warning', write: false,
  }
  const script = await build({
    ...common, entryPoints: ['src/embed/main.ts'], format: 'esm', plugins: [hlsFromSource],
    banner: { js: `/*! Contains hls.js ${version}, Apache License 2.0. */` },
    define: { ...mapValues(hlsFeatures, String), __VERSION__: JSON.stringify(version) },
  })
  const style = await build({ ...common, entryPoints: ['src/embed/embed.css'] })
  const tag = await build({ ...common, entryPoints: ['src/embed/script-tag.ts'], format: 'iife' })

  const scriptName = await writeHashed('player', 'js', script.outputFiles[0].contents)
  const styleName = await writeHashed('player', 'css', style.outputFiles[0].contents)
  await writeFile(join(dist, 'embed.js'), tag.outputFiles[0].contents)
  const page = (await readFile(join(here, 'src/embed/embed.html'), 'utf8'))
    .replaceAll('%SCRIPT%', `/player/${scriptName}`).replaceAll('%STYLE%', `/player/${styleName}`)
  await writeFile(join(dist, 'embed.html'), page)
  await reportSizes()
}

async function writeHashed(stem, extension, contents) {
  const hash = createHash('sha256').update(contents).digest('hex').slice(0, 12)
  const name = `${stem}-${hash}.${extension}`
  await writeFile(join(dist, 'player', name), contents)
  return name
}

async function reportSizes() {
  for (const folder of [dist, join(dist, 'player')]) {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (!entry.isFile()) continue
      const contents = await readFile(join(folder, entry.name))
      const gzipped = gzipSync(contents, { level: 9 }).length
      console.log(`${entry.name}: ${contents.length} bytes, ${gzipped} gzipped`)
    }
  }
}

function mapValues(object, f) {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, f(value)]))
}

await main()
