import './welcome.css'
import { Clapperboard, Radio, Video } from 'lucide-react'
import { Link } from 'react-router'
import { usePlace } from '../app/place.tsx'
import { ChannelCreateForm } from '../forms/channel-create.tsx'

const STEPS = [
  { icon: Radio, name: 'Name a channel', about: 'It gets an address to push to and a page to watch.' },
  { icon: Video, name: 'Point your encoder at it', about: 'OBS, ffmpeg, Larix or vMix: the next page has their exact settings.' },
  { icon: Clapperboard, name: 'Be live', about: 'The page turns live by itself, and the replay is there when you stop.' },
]

/** The first page of a new tenant: one field, one button. */
export default function WelcomePage() {
  const { viewer, to } = usePlace()
  return (
    <div className="welcome">
      <title>Create your first channel · Headwater</title>
      <div className="welcome-card">
        <p className="welcome-over">Welcome{viewer.user ? `, ${viewer.user.name.split(' ')[0]}` : ''}</p>
        <h1 className="welcome-title">Create your first channel</h1>
        <ol className="welcome-steps">
          {STEPS.map(({ icon: Icon, name, about }) => (
            <li key={name}><span className="welcome-icon" aria-hidden="true"><Icon /></span><div><strong>{name}</strong><p className="quiet small">{about}</p></div></li>
          ))}
        </ol>
        <ChannelCreateForm brief />
        <p className="small quiet" style={{ marginTop: 'var(--space-4)' }}>Prefer code? <Link to={to.explorer()}>The API explorer</Link> does the same with one mutation.</p>
      </div>
    </div>
  )
}
