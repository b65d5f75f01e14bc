import './player-frame.css'

/** The embed player, in a frame of its own. */
export function PlayerFrame({ url, title }: { url: string; title: string }) {
  return (
    <div className="player-box">
      <iframe src={url} title={title} loading="lazy" allow="autoplay; fullscreen; picture-in-picture; encrypted-media; screen-wake-lock" allowFullScreen referrerPolicy="strict-origin-when-cross-origin" />
    </div>
  )
}
