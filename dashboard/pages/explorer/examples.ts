/** Requests to begin with. */
export const EXAMPLES: readonly { name: string; query: string; variables: string }[] = [
  {
    name: 'Channels and who is on air',
    query: `# Ctrl-Space completes, Ctrl-Enter runs.
query Channels {
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
    name: 'Create a channel',
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
    name: 'Watch channels change',
    query: `subscription Changes {
  channelsUpdated { id title state }
}`,
    variables: '{}',
  },
  {
    name: 'Newest assets',
    query: `query Assets {
  assets(first: 5) { nodes { id title state durationMs sizeBytes playbackIds { policy urls { hls } } } }
}`,
    variables: '{}',
  },
]
