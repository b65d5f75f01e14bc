/** Requests to begin with, a tab each. */
export const EXAMPLES: readonly { query: string; variables: string }[] = [
  {
    query: `query Channels {
  channels(first: 10) {
    totalCount
    nodes {
      id
      title
      state
      broadcast { startedAt renditions { name bitrateBps } }
    }
  }
}`,
    variables: '{}',
  },
  {
    query: `mutation CreateChannel($input: ChannelCreateInput!) {
  channelCreate(input: $input) {
    channel { id ingest { rtmp } playbackIds { id urls { embed hls } } }
    streamKeySecret
    userErrors { code field message }
  }
}`,
    variables: '{\n  "input": { "title": "Town hall", "latencyMode": "LOW" }\n}',
  },
  {
    query: `subscription Changes {
  channelsUpdated { id title state }
}`,
    variables: '{}',
  },
  {
    query: `query Assets {
  assets(first: 5) { nodes { id title state durationMs sizeBytes playbackIds { policy urls { hls } } } }
}`,
    variables: '{}',
  },
]
