// Gives hls.js, Shaka Player and dash.js one face, for play.mjs: start, levels, chooseLevel, seekWindow, latencyMs.
const video = document.getElementById('video')
const { probe } = window

function script(src) {
  return new Promise((resolve, reject) => {
    const element = document.createElement('script')
    element.src = src
    element.onload = resolve
    element.onerror = () => reject(new Error(`could not load ${src}`))
    document.head.append(element)
  })
}

const seekable = () => (video.seekable.length > 0 ? { start: video.seekable.start(0), end: video.seekable.end(video.seekable.length - 1) } : null)

const adapters = {
  async hlsjs(url) {
    await script('/node_modules/hls.js/dist/hls.min.js')
    const { Hls } = window
    const hls = new Hls({ lowLatencyMode: true, testBandwidth: false, backBufferLength: 60 })
    hls.on(Hls.Events.ERROR, (_, data) => probe.error(data.details, `${data.type} ${data.reason ?? data.error?.message ?? ''} ${data.response?.code ?? ''} ${data.url ?? data.frag?.url ?? ''}`, data.fatal))
    hls.on(Hls.Events.LEVEL_SWITCHED, (_, { level }) => probe.quality(`${hls.levels[level].height}p`, hls.autoLevelEnabled))
    hls.attachMedia(video)
    hls.loadSource(url)
    await new Promise((resolve) => hls.once(Hls.Events.MANIFEST_PARSED, resolve))
    return {
      levels: () => hls.levels.map(({ height }, id) => ({ id, label: `${height}p`, height })),
      chooseLevel: (id) => { hls.nextLevel = id ?? -1 },
      seekWindow: () => { const d = hls.latestLevelDetails; return d ? { start: d.fragmentStart, end: d.live ? (hls.liveSyncPosition ?? d.edge) : d.edge } : null },
      isLive: () => hls.latestLevelDetails?.live ?? null,
      latencyMs: () => (hls.latestLevelDetails?.live && hls.playingDate ? Date.now() - hls.playingDate.getTime() : null),
    }
  },

  async shaka(url) {
    await script('/node_modules/shaka-player/dist/shaka-player.compiled.js')
    const { shaka } = window
    shaka.polyfill.installAll()
    const player = new shaka.Player()
    await player.attach(video)
    player.addEventListener('error', ({ detail }) => probe.error(`shaka-${detail.code}`, JSON.stringify(detail.data ?? ''), detail.severity === 2))
    const name = () => { const track = player.getVariantTracks().find(({ active }) => active); if (track) probe.quality(`${track.height}p`, player.getConfiguration().abr.enabled) }
    player.addEventListener('adaptation', name)
    player.addEventListener('variantchanged', name)
    player.configure({ streaming: { lowLatencyMode: true } })
    await player.load(url)
    name()
    return {
      levels: () => unique(player.getVariantTracks().map(({ id, height }) => ({ id, label: `${height}p`, height }))),
      chooseLevel: (id) => {
        player.configure({ abr: { enabled: id === null } })
        const track = player.getVariantTracks().find((t) => t.id === id)
        if (track) player.selectVariantTrack(track, true)
      },
      seekWindow: () => player.seekRange(),
      isLive: () => player.isLive(),
      latencyMs: () => (player.isLive() ? Date.now() - (player.getPlayheadTimeAsDate()?.getTime() ?? NaN) : null),
    }
  },

  async dashjs(url) {
    await script('/node_modules/dashjs/dist/modern/umd/dash.all.min.js')
    const { dashjs } = window
    const player = dashjs.MediaPlayer().create()
    const { events } = dashjs.MediaPlayer
    player.on(events.ERROR, ({ error }) => probe.error(`dash-${error?.code ?? error}`, error?.message ?? '', true))
    player.on(events.QUALITY_CHANGE_RENDERED, (e) => e.mediaType === 'video' && probe.quality(`${e.newRepresentation?.height}p`, true))
    const started = new Promise((resolve) => player.on(events.STREAM_INITIALIZED, resolve))
    player.initialize(video, url, true)
    await started
    return {
      levels: () => player.getRepresentationsByType('video').map(({ id, height }) => ({ id, label: `${height}p`, height })),
      chooseLevel: (id) => {
        player.updateSettings({ streaming: { abr: { autoSwitchBitrate: { video: id === null } }, buffer: { fastSwitchEnabled: true } } })
        if (id !== null) player.setRepresentationForTypeById('video', id, true)
      },
      seekWindow: () => { const w = player.getDvrWindow(); return w && w.size > 0 ? { start: w.start, end: w.end } : seekable() },
      isLive: () => player.isDynamic(),
      latencyMs: () => (player.isDynamic() ? player.getCurrentLiveLatency() * 1000 : null),
    }
  },
}

function unique(levels) {
  return levels.filter((level, i) => levels.findIndex(({ height }) => height === level.height) === i)
}

const query = new URLSearchParams(location.search)
try {
  window.harness = await adapters[query.get('player')](query.get('url'))
  await video.play()
} catch (error) {
  probe.error('start', error?.message ?? error?.code ?? error, true)
}
