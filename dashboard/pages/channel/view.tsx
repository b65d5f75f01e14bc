import './channel.css'
import { graphql, type FragmentOf, readFragment } from '../../graphql/index.ts'

export const ViewFragment = graphql(`
  fragment View_channel on Channel {
    title
    playbackIds { id policy urls { embed hls } }
  }
`)

/** The embed player as viewers get it, in a frame of its own. */
export function View({ channel }: { channel: FragmentOf<typeof ViewFragment> }) {
  const { title, playbackIds } = readFragment(ViewFragment, channel)
  const open = playbackIds.find(({ policy }) => policy === 'PUBLIC')
  if (!open) {
    return <div className="player-box" style={{ display: 'grid', placeItems: 'center', color: '#b3c0cd', padding: 24, textAlign: 'center' }}>Every playback id of this channel needs a signed token, so there is no open player to show.</div>
  }
  return <PlayerFrame url={open.urls.embed} title={`Player: ${title}`} />
}

export function PlayerFrame({ url, title }: { url: string; title: string }) {
  return (
    <div className="player-box">
      <iframe src={url} title={title} loading="lazy" allow="autoplay; fullscreen; picture-in-picture; encrypted-media; screen-wake-lock" allowFullScreen referrerPolicy="strict-origin-when-cross-origin" />
    </div>
  )
}
