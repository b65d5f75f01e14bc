export const PLACEHOLDER_KEY = 'YOUR_STREAM_KEY'

const VIDEO_KBPS = 6000
const AUDIO_KBPS = 160

/** What to send: a keyframe every 2 s passes through untouched; the bit rate stays within the channel's limit. */
const rates = (bitrateMaxBps: number | null) => ({
  videoKbps: Math.min(VIDEO_KBPS, bitrateMaxBps ? Math.floor(bitrateMaxBps / 1000) - AUDIO_KBPS : VIDEO_KBPS),
  audioKbps: AUDIO_KBPS,
})

export function encoderSettings(latencyMode: 'LOW' | 'STANDARD', bitrateMaxBps: number | null): readonly (readonly [name: string, value: string])[] {
  const { videoKbps, audioKbps } = rates(bitrateMaxBps)
  return [
    ['Video encoder', 'H.264 (x264, NVENC, QuickSync or Apple)'],
    ['Rate control', `CBR, ${videoKbps} kbit/s`],
    ['Keyframe interval', '2 s'],
    ['Profile', 'high'],
    ['B-frames', latencyMode === 'LOW' ? '0 for the lowest latency, up to 2 otherwise' : '2'],
    ['Size and rate', '1920×1080 at 30 or 60 fps'],
    ['Audio', `AAC, 48 kHz, stereo, ${audioKbps} kbit/s`],
  ]
}

export function ffmpegCommand(address: string, key: string, latencyMode: 'LOW' | 'STANDARD', bitrateMaxBps: number | null): string {
  const { videoKbps, audioKbps } = rates(bitrateMaxBps)
  return [
    'ffmpeg -re -i input.mp4',
    `  -c:v libx264 -preset veryfast -profile:v high${latencyMode === 'LOW' ? ' -bf 0' : ' -bf 2'}`,
    `  -b:v ${videoKbps}k -maxrate ${videoKbps}k -bufsize ${videoKbps}k`,
    '  -pix_fmt yuv420p -force_key_frames "expr:gte(t,n_forced*2)"',
    `  -c:a aac -b:a ${audioKbps}k -ar 48000 -ac 2`,
    `  -f flv "${address}/${key}"`,
  ].join(' \\\n')
}

/** The link that Larix Broadcaster takes a connection from, for instance out of a QR code. */
export function larixLink(title: string, address: string, key: string): string {
  const query = [['conn[][url]', `${address}/${key}`], ['conn[][name]', title], ['conn[][overwrite]', 'on']]
  return `larix://set/v1?${query.map(([name, value]) => `${name}=${encodeURIComponent(value!)}`).join('&')}`
}
