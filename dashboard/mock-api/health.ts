import type { Broadcast } from './store.ts'

const SAMPLES = 180

/** A steady encoder with small waves; issues bend the measure that they are about. The same second gives the same sample. */
export function sampleAt(broadcast: Broadcast, atMs: number) {
  const second = Math.floor(atMs / 1000)
  const wave = (period: number, phase = 0) => Math.sin((second + phase) / period)
  const has = (code: string) => broadcast.issues.some((issue) => issue.code === code)
  const starved = has('STARVED') ? 0.35 : 1
  return {
    at: new Date(second * 1000).toISOString(),
    videoBitrateBps: Math.round((5_800_000 + 260_000 * wave(7) + 140_000 * wave(2.3, 5)) * starved),
    audioBitrateBps: Math.round(160_000 + 2_000 * wave(3)),
    framerate: has('FRAMERATE_LOW') ? 21 + 3 * wave(4) : 29.97 + 0.05 * wave(3),
    keyframeIntervalMs: has('GOP_LONG') ? 8_333 : 2_000,
    avOffsetMs: Math.round((has('AV_DRIFT') ? 120 : 6) + 8 * wave(11)),
    droppedFrames: has('FRAMES_DROPPED') ? Math.max(0, Math.round(6 * wave(5))) : 0,
    latencyMs: Math.round(2_350 + 180 * wave(13)),
    rttMs: Math.round(24 + 4 * wave(9)),
  }
}

export function healthOf(broadcast: Broadcast) {
  const worst = broadcast.issues.some(({ severity }) => severity === 'ERROR') ? 'BAD' : broadcast.issues.some(({ severity }) => severity === 'WARNING') ? 'DEGRADED' : 'GOOD'
  const to = Date.now()
  return {
    status: worst,
    issues: broadcast.issues.map((issue) => ({ ...issue, docsUrl: `https://docs.example.com/health/${issue.code.toLowerCase()}` })),
    latest: sampleAt(broadcast, to),
    samples: ({ first }: { first?: number | null }) => {
      const count = Math.min(first ?? SAMPLES, SAMPLES)
      return Array.from({ length: count }, (_, index) => sampleAt(broadcast, to - (count - index) * 1000))
    },
  }
}

export const ISSUES: Record<string, { severity: 'INFO' | 'WARNING' | 'ERROR'; message: string; advice: string }> = {
  GOP_LONG: { severity: 'WARNING', message: 'Keyframes are 8.3 s apart', advice: 'Set the keyframe interval of your encoder to 2 s. Until then the top rendition is encoded again, and viewers join later.' },
  STARVED: { severity: 'ERROR', message: 'The encoder sends less than real time', advice: 'Its connection or its machine is too slow: lower its bit rate to 4,000 kbit/s or use a wired network.' },
  RUNGS_REDUCED: { severity: 'WARNING', message: '720p is left out', advice: 'The machine cannot encode every rendition in time. Viewers get the others; nothing has to be done in your encoder.' },
  AV_DRIFT: { severity: 'WARNING', message: 'Sound is 120 ms behind the picture', advice: 'Check the sync offset of the audio source in your encoder.' },
}
