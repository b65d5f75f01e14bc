// Runs in every page before its own scripts: watches the video element from outside, whichever player drives it.
(() => {
  if (window.top !== window) return
  const SAMPLE_MS = 50
  // Shorter standstills than this are the granularity of the clock, not something a viewer sees.
  const STALL_MIN_MS = 250
  const probe = {
    openedMs: performance.now(), firstFrameMs: null, firstFrameUnixMs: null, firstTime: null, playedS: 0, presentedFrames: 0,
    stalls: [], errors: [], qualities: [], states: [], latenciesMs: [], sampling: true,
    frames() {
      const quality = find()?.getVideoPlaybackQuality()
      return { total: quality?.totalVideoFrames ?? 0, dropped: quality?.droppedVideoFrames ?? 0, corrupted: quality?.corruptedVideoFrames ?? 0 }
    },
    error(code, detail, fatal) { probe.errors.push({ code: String(code), detail: String(detail).slice(0, 300), fatal, atMs: Math.round(performance.now()) }) },
    quality(label, automatic) {
      if (probe.qualities.at(-1)?.label !== label) probe.qualities.push({ label, automatic, atMs: Math.round(performance.now()) })
    },
  }
  window.probe = probe
  let video = null
  let lastTime = 0
  let movedMs = 0
  const find = () => document.querySelector('video')

  addEventListener('headwater', ({ detail: { event, detail } }) => {
    if (event === 'error') probe.error(detail.code, detail.detail, detail.fatal)
    if (event === 'quality') probe.quality(detail.label, detail.automatic)
    if (event === 'state') probe.states.push(detail.state)
    if (event === 'time' && detail.latency_ms !== null) window.embedLatencyMs = detail.latency_ms
  })

  function attach(element) {
    video = element
    const counted = () => {
      probe.presentedFrames += 1
      if (probe.firstFrameMs === null) {
        probe.firstFrameMs = Math.round(performance.now() - probe.openedMs)
        probe.firstFrameUnixMs = Date.now()
        probe.firstTime = video.currentTime
      }
      video.requestVideoFrameCallback(counted)
    }
    video.requestVideoFrameCallback(counted)
    video.addEventListener('error', () => video.error && probe.error('media-element', `${video.error.code} ${video.error.message}`, true))
    video.addEventListener('seeking', () => { movedMs = performance.now() })
  }

  setInterval(() => {
    const element = find()
    if (!element) return
    if (element !== video) attach(element)
    const now = performance.now()
    const time = video.currentTime
    if (probe.firstFrameMs === null || video.seeking || video.ended || (video.paused && time === 0)) {
      lastTime = time
      movedMs = now
      return
    }
    if (time !== lastTime) {
      const stoodMs = now - movedMs
      if (stoodMs > STALL_MIN_MS && probe.sampling) probe.stalls.push({ atS: Number(lastTime.toFixed(3)), ms: Math.round(stoodMs) })
      const step = time - lastTime
      // A jump is a seek, not playing.
      if (step > 0 && step < 1 + 4 * (stoodMs / 1000)) probe.playedS += step
      lastTime = time
      movedMs = now
    }
    probe.standingMs = Math.round(now - movedMs)
  }, SAMPLE_MS)
  setInterval(() => {
    const latency = window.harness?.latencyMs?.() ?? window.embedLatencyMs
    if (typeof latency === 'number' && Number.isFinite(latency) && probe.firstFrameMs !== null) probe.latenciesMs.push(Math.round(latency))
  }, 500)
})()
