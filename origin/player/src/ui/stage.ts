import type { Player, Problem, Snapshot } from '../player/player.ts'
import { h, setText } from './dom.ts'
import { icon } from './icons.ts'

const PROBLEMS: Record<Problem, { title: string; text: string; action: string | null }> = {
  'not-found': {
    title: 'Nothing to watch here', action: null,
    text: 'No video has this address. Check the link, or ask whoever sent it for a new one.',
  },
  refused: {
    title: 'This video is not open to you', action: null,
    text: 'It may be limited to certain places or pages. Open it from the page that shares it.',
  },
  permission: {
    title: 'This video needs permission', action: null,
    text: 'Open it from the page that shares it, or ask whoever sent you here.',
  },
  'permission-ended': {
    title: 'Your permission has ended', action: 'Try again',
    text: 'Reload the page that shares this video to go on watching.',
  },
  unreachable: {
    title: 'We can’t reach the stream', action: 'Try now',
    text: 'Check your connection. We keep trying, and start by ourselves when it is back.',
  },
  media: {
    title: 'The picture can’t be shown', action: 'Try again',
    text: 'This browser could not play the video. Try again, or use another browser or an up-to-date one.',
  },
  unsupported: {
    title: 'This browser can’t play live video', action: null,
    text: 'Open this page in an up-to-date Chrome, Edge, Firefox or Safari.',
  },
}

/** What lies over the picture: the cards that say what is up, the big play button, the spinner, the notices. */
export class Stage {
  readonly element: HTMLDivElement
  readonly #player: Player
  readonly #art = h('div', { class: 'art', 'aria-hidden': 'true' }, h('i'), h('i'), h('i'))
  readonly #heading = h('h1', { class: 'card-title' })
  readonly #text = h('p', { class: 'card-text' })
  readonly #action = h('button', { type: 'button', class: 'button primary' })
  readonly #card: HTMLDivElement
  readonly #bigPlay = h('button', { type: 'button', class: 'big-play', 'aria-label': 'Play' }, icon('play'))
  readonly #spinner = h('div', { class: 'spinner', 'aria-hidden': 'true' })
  readonly #noticeText = h('span')
  readonly #notice = h('div', { class: 'notice' }, h('div', { class: 'spinner', 'aria-hidden': 'true' }), this.#noticeText)
  readonly #unmute = h('button', { type: 'button', class: 'button unmute' }, icon('muted'), h('span', {}, 'Unmute'))
  readonly #newBroadcast = h('button', { type: 'button', class: 'button primary new-broadcast' }, h('span', { class: 'dot', 'aria-hidden': 'true' }), h('span', {}, 'Live now: watch'))
  #onAction: () => void = () => undefined

  constructor(player: Player) {
    this.#player = player
    this.#card = h('div', { class: 'card' }, this.#art, this.#bigPlay, this.#heading, this.#text, this.#action)
    this.element = h('div', { class: 'stage' }, this.#card, this.#spinner, this.#notice,
      h('div', { class: 'pills' }, this.#newBroadcast, this.#unmute))
    this.#action.addEventListener('click', () => this.#onAction())
    this.#bigPlay.addEventListener('click', () => player.play())
    this.#unmute.addEventListener('click', () => player.setMuted(false))
    this.#newBroadcast.addEventListener('click', () => player.goLive())
  }

  draw(now: Snapshot): void {
    const card = this.#cardFor(now)
    this.#card.hidden = card === null
    if (card) {
      this.#heading.hidden = card.title === ''
      setText(this.#heading, card.title)
      this.#text.hidden = card.text === ''
      setText(this.#text, card.text)
      this.#action.hidden = card.action === null
      setText(this.#action, card.action ?? '')
      this.#onAction = card.onAction
    }
    this.#bigPlay.hidden = !(now.phase === 'ready' || isStopped(now))
    const notice = noticeFor(now)
    this.#spinner.hidden = !(now.phase === 'loading' || (now.phase === 'media' && now.waiting && notice === ''))
    this.#unmute.hidden = !(now.phase === 'media' && now.mutedByUs && !now.paused)
    this.#newBroadcast.hidden = !now.newBroadcast
    this.#notice.hidden = notice === ''
    setText(this.#noticeText, notice)
  }

  #cardFor(now: Snapshot): { title: string; text: string; action: string | null; onAction: () => void } | null {
    const player = this.#player
    if (now.phase === 'offline') {
      return { title: now.title || 'Not live yet', text: 'Waiting for the broadcast. It starts here by itself.', action: null, onAction: () => undefined }
    }
    if (now.phase === 'ended') {
      return {
        title: now.title || 'The broadcast has ended',
        text: now.title ? 'The broadcast has ended.' : 'Thank you for watching.',
        action: now.replayOffered ? 'Watch from the start' : null, onAction: () => player.playReplay(),
      }
    }
    if (now.phase === 'ready') {
      return { title: now.title, text: now.onAir ? 'Live now' : 'Recording', action: null, onAction: () => undefined }
    }
    if (isStopped(now)) return { title: '', text: '', action: null, onAction: () => undefined }
    if (now.phase === 'error' && now.problem) return { ...PROBLEMS[now.problem], onAction: () => player.retry() }
    return null
  }
}

/** Loaded, but the browser wants a click before anything moves. */
function isStopped(now: Snapshot): boolean {
  return now.phase === 'media' && now.paused && now.position === 0
}

/** The one sentence that explains a standing picture, or nothing while it moves. */
export function noticeFor(now: Snapshot): string {
  if (now.phase !== 'media' || !now.waiting) return ''
  if (now.offlineNetwork) return 'Connection lost. Trying again…'
  if (now.reconnecting) return 'The broadcast was interrupted. Waiting…'
  return ''
}
