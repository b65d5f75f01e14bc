/** watch.ts CHANNEL [STATE]: prints the channel's state whenever it has changed, until it is STATE. */
import { subscribe } from './client.ts'

const [, , id, wanted] = process.argv
let seen = ''
// The first message tells how it is now.
for await (const { channelUpdated: { state } } of subscribe<{ channelUpdated: { state: string } }>('watch-channel', { id })) {
  if (state !== seen) console.log(state)
  seen = state
  if (state === wanted) break
}
