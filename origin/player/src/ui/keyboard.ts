import type { Player } from '../player/player.ts'
import { togglePlay } from './controls.ts'
import type { Windows } from './fullscreen.ts'

const STEP_S = 5
const VOLUME_STEP = 0.1
const RATE_STEP = 0.25

/** What the keys reach. */
export interface KeyTargets {
  readonly player: Player
  readonly windows: Windows
  readonly toggleHelp: () => void
}

/** Does what a key asks for. Returns false for a key that means nothing here, or that the focused control needs itself. */
export function pressKey(key: string, focused: Element | null, { player, windows, toggleHelp }: KeyTargets): boolean {
  const now = player.snapshot()
  const onButton = focused instanceof HTMLButtonElement
  const onVolume = focused instanceof HTMLInputElement && focused.classList.contains('volume-input')
  if (/^[0-9]$/.test(key)) {
    if (now.window) player.seek(now.window.start + (Number(key) / 10) * (now.window.end - now.window.start))
    return true
  }
  switch (key) {
    case ' ':
      if (onButton) return false
      togglePlay(player)
      return true
    case 'k': togglePlay(player); return true
    case 'ArrowLeft':
    case 'ArrowRight':
      if (onVolume) return false
      player.seek(now.position + (key === 'ArrowLeft' ? -STEP_S : STEP_S))
      return true
    case 'ArrowUp':
    case 'ArrowDown':
      if (onVolume) return false
      player.setVolume((now.muted ? 0 : now.volume) + (key === 'ArrowUp' ? VOLUME_STEP : -VOLUME_STEP))
      return true
    case 'm': player.setMuted(!now.muted); return true
    case 'f': windows.toggleFullscreen(); return true
    case 'i': windows.togglePictureInPicture(); return true
    case 'l':
      if (now.onAir) player.goLive()
      return true
    case '<':
    case '>':
      player.setRate(Math.min(2, Math.max(0.25, now.rate + (key === '>' ? RATE_STEP : -RATE_STEP))))
      return true
    case '?': toggleHelp(); return true
    default: return false
  }
}
