import './channel.css'
import { graphql, type FragmentOf, readFragment } from '../../graphql/index.ts'
import { PlayerFrame } from '../../components/player-frame.tsx'
import { SignedPreview } from './signed-preview.tsx'

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
  const [first] = playbackIds
  if (!open) return first ? <SignedPreview playbackId={first.id} title={`Player: ${title}`} /> : <div className="player-box player-empty">This channel has no playback id: nobody can watch it.</div>
  return <PlayerFrame url={open.urls.embed} title={`Player: ${title}`} />
}
