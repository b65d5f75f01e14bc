/** channel.ts TITLE: makes a channel and prints what an encoder and a page need. */
import { ask } from './client.ts'

interface Made {
  channelCreate: {
    channel: { id: string; ingest: { rtmp: string }; playbackIds: { id: string; urls: { hls: string; embed: string } }[] }
    streamKeySecret: string
  }
}

const { channelCreate: { channel, streamKeySecret } } = await ask<Made>('create-channel', { input: { title: process.argv[2] } })
const [playback] = channel.playbackIds
console.log('channel    ', channel.id)
console.log('server     ', channel.ingest.rtmp)
console.log('stream key ', streamKeySecret)
console.log('playback id', playback?.id)
console.log('hls        ', playback?.urls.hls)
console.log('page       ', playback?.urls.embed)
