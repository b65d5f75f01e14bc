/**
 * Secrets that the service shows once, held until the page is loaded again. Never in the address, the history or storage.
 * Keyed by the id of the channel, newest key first.
 */
const secrets = new Map<string, { streamKeyId: string; secret: string }>()

export const keepSecret = (channelId: string, streamKeyId: string, secret: string) => void secrets.set(channelId, { streamKeyId, secret })
export const keptSecret = (channelId: string) => secrets.get(channelId) ?? null
export const dropSecret = (streamKeyId: string) => {
  for (const [channelId, kept] of secrets) if (kept.streamKeyId === streamKeyId) secrets.delete(channelId)
}
