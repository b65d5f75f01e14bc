/**
 * What the service shows once. It is held here, in memory, above every page: no failed refresh, lost connection or other address takes
 * it away, and the browser asks before it is left behind unseen. Never in the address, the history or storage.
 */
export interface ShownOnce {
  title: string
  about: string
  /** What it is, as the name of its field. */
  label: string
  text: string
  /** A line that is covered until it is asked for, a line in the open, or several lines. */
  look: 'secret' | 'line' | 'block'
  note?: string
  file?: { name: string; type: string }
  /** What closes it says. */
  done?: string
}

let waiting: readonly ShownOnce[] = []
/** First keys of new channels, which their pages show, by the id of the channel; newest key first. */
const kept = new Map<string, { streamKeyId: string; secret: string; seen: boolean }>()
const listeners = new Set<() => void>()

const ask = (event: BeforeUnloadEvent) => event.preventDefault()
const guard = () => {
  const unseen = waiting.length > 0 || [...kept.values()].some(({ seen }) => !seen)
  if (unseen) addEventListener('beforeunload', ask)
  else removeEventListener('beforeunload', ask)
}
const become = (next: readonly ShownOnce[]) => {
  waiting = next
  guard()
  for (const changed of listeners) changed()
}

/** Shows it over whatever page there is, after what is shown already. */
export const showOnce = (what: ShownOnce) => become([...waiting, what])
export const closeShown = () => become(waiting.slice(1))
export const currentlyShown = () => waiting[0] ?? null
export const listenShown = (changed: () => void) => {
  listeners.add(changed)
  return () => listeners.delete(changed)
}

/** A stream key, for the encoder settings of its channel. It counts as seen once it was uncovered or copied anywhere. */
export function keepSecret(channelId: string, streamKeyId: string, secret: string, seen = false) {
  kept.set(channelId, { streamKeyId, secret, seen })
  guard()
}
export const keptSecret = (channelId: string) => kept.get(channelId) ?? null
export function seeSecret(channelId: string) {
  const found = kept.get(channelId)
  if (found) found.seen = true
  guard()
}
/** When whoever made them signs out. */
export function forgetSecrets() {
  kept.clear()
  become([])
}
export function dropSecret(streamKeyId: string) {
  for (const [channelId, found] of kept) if (found.streamKeyId === streamKeyId) kept.delete(channelId)
  guard()
}
