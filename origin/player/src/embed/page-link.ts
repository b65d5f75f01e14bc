import type { Player } from '../player/player.ts'
import { CHANNEL } from './messages.ts'

/** Carries events to the page around us and commands back, by postMessage. Nothing in an event is secret. */
export function linkToPage(player: Player): void {
  player.events.listen((event, detail) => {
    window.dispatchEvent(new CustomEvent('headwater', { detail: { event, detail } }))
    if (window.parent !== window) window.parent.postMessage({ channel: CHANNEL, event, detail }, '*')
  })
  window.addEventListener('message', ({ source, data }: MessageEvent<unknown>) => {
    if (source !== window.parent || source === window || typeof data !== 'object' || data === null) return
    const { channel, command, detail } = data as Record<string, unknown>
    if (channel !== CHANNEL || typeof command !== 'string') return
    obey(player, command, typeof detail === 'object' && detail !== null ? (detail as Record<string, unknown>) : {})
  })
}

function obey(player: Player, command: string, detail: Record<string, unknown>): void {
  const number = (name: string, act: (value: number) => void) => {
    const value = detail[name]
    if (typeof value === 'number' && Number.isFinite(value)) act(value)
  }
  switch (command) {
    case 'play': player.play(); break
    case 'pause': player.pause(); break
    case 'go-live': player.goLive(); break
    case 'seek': number('position_s', (value) => player.seek(value)); break
    case 'volume': number('volume', (value) => player.setVolume(value)); break
    case 'rate': number('rate', (value) => player.setRate(value)); break
    case 'token': if (typeof detail['token'] === 'string') player.setToken(detail['token']); break
    case 'mute': player.setMuted(detail['muted'] !== false); break
  }
}
