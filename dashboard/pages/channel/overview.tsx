import { Check } from 'lucide-react'
import { lazy, Suspense, useRef, useState } from 'react'
import { Link } from 'react-router'
import { usePlace } from '../../app/place.tsx'
import { channelState, onAir } from '../../components/channel-state.tsx'
import { LinkButton } from '../../components/page.tsx'
import { type FragmentOf, graphql, readFragment } from '../../graphql/index.ts'
import { useAction } from '../../graphql/use.ts'
import { Badge } from '../../ui/badge.tsx'
import { Button } from '../../ui/button.tsx'
import { Card, Facts } from '../../ui/card.tsx'
import { Confirm } from '../../ui/confirm.tsx'
import { bitrate, count, duration, fullTime, sentence } from '../../ui/format.ts'
import { Notice, Skeleton } from '../../ui/notice.tsx'
import { Since, Time } from '../../ui/time.tsx'
import { Encoders, EncodersFragment } from './encoders.tsx'
import { View, type ViewFragment } from './view.tsx'

const Health = lazy(() => import('./health.tsx'))

export const SetupFragment = graphql(`
  fragment Setup_channel on Channel {
    id
    ...Encoders_channel
  }
`, [EncodersFragment])

export const LiveFragment = graphql(`
  fragment Live_channel on Channel {
    id state latencyMode reconnectWindowS
    broadcast {
      id lifecycle startedAt
      workerClass
      viewers
      source { videoCodec width height framerate bitrateBps hasAudio }
      recording
      renditions { name kind width height framerate bitrateBps passthrough state }
    }
  }
`)

interface Past { id: string; startedAt: string; endedAt: string | null; asset?: { id: string; state: string } | null }

interface OverviewProps {
  /** How many broadcasts the channel had, and the newest of them. */
  past: { totalCount: number; nodes: readonly Past[] }
  setup: FragmentOf<typeof SetupFragment>
  live: FragmentOf<typeof LiveFragment>
  view: FragmentOf<typeof ViewFragment>
}

export function Overview({ past: broadcasts, setup, live, view }: OverviewProps) {
  const channel = readFragment(LiveFragment, live)
  const encoders = readFragment(SetupFragment, setup)
  const { to } = usePlace()
  const isOnAir = onAir(channel.state)
  // A broadcast that began and ended while the page was open counts as well.
  const seen = useRef(false)
  seen.current ||= channel.broadcast !== null && channel.state !== 'CONNECTING'
  const first = broadcasts.totalCount === 0 && !seen.current
  if (channel.state === 'DISABLED') {
    return <Notice tone="warn" title="This channel is disabled" act={<LinkButton size="small" to={to.channel(channel.id, 'settings')}>Settings</LinkButton>}>No publisher is let in until it is enabled again.</Notice>
  }
  // Until pictures exist there is nothing to play: the settings have the room.
  if (first) {
    return (
      <div className="grid-2">
        <Encoders channel={encoders} />
        <Waiting state={channel.state} />
      </div>
    )
  }
  return (
    <div className="grid-2">
      <div className="stack gap-5">
        <View channel={view} />
        {channel.broadcast && <Suspense fallback={<Card title="Stream health"><Skeleton height={220} /></Card>}><Health broadcastId={channel.broadcast.id} /></Suspense>}
        {!isOnAir && <Encoders channel={encoders} />}
      </div>
      <div className="stack gap-5">
        {channel.broadcast ? <OnAir live={live} /> : <PastBroadcasts state={channel.state} past={broadcasts.nodes} />}
        {channel.broadcast && <Renditions live={live} />}
        {isOnAir && <Encoders channel={encoders} brief />}
      </div>
    </div>
  )
}

const STEPS = [
  { name: 'Your encoder connects', about: 'We listen for it now; there is nothing to click.' },
  { name: 'The first pictures arrive', about: 'They are checked and cut into renditions.' },
  { name: 'You are live', about: 'This page turns into the live view by itself.' },
]

function Waiting({ state }: { state: keyof typeof channelState }) {
  const now = state === 'OFFLINE' ? 0 : state === 'CONNECTING' ? 1 : 2
  return (
    <Card>
      <div className="waiting">
        <div className="waiting-head">
          <span className="radar" aria-hidden="true" />
          <div role="status">
            <h2 className="card-title">{now === 0 ? 'Waiting for your stream' : 'Your encoder is connected'}</h2>
            <p className="quiet small">{now === 0 ? 'Start streaming in your encoder.' : 'The first pictures are on their way.'}</p>
          </div>
        </div>
        <ol className="steps">
          {STEPS.map(({ name, about }, index) => (
            <li key={name} className="step" data-state={index < now ? 'done' : index === now ? 'now' : 'next'}>
              <span className="step-mark" aria-hidden="true">{index < now && <Check />}</span>
              <div><p className="step-name">{name}{index < now && <span className="visually-hidden"> (done)</span>}</p><p className="small">{about}</p></div>
            </li>
          ))}
        </ol>
      </div>
    </Card>
  )
}

const EndMutation = graphql(`
  mutation BroadcastEnd($input: BroadcastEndInput!) {
    broadcastEnd(input: $input) { broadcast { id lifecycle } userErrors { code field message } }
  }
`)

function OnAir({ live }: { live: FragmentOf<typeof LiveFragment> }) {
  const { can } = usePlace()
  const { broadcast, state, latencyMode, reconnectWindowS } = readFragment(LiveFragment, live)
  const [ending, setEnding] = useState(false)
  const { attempt } = useAction(EndMutation, ({ broadcastEnd }) => broadcastEnd)
  if (!broadcast) return null
  const { source } = broadcast
  return (
    <Card
      title="On air"
      actions={can('BROADCAST_WRITE') && <Button size="small" tone="quiet-danger" onClick={() => setEnding(true)}>End broadcast</Button>}
    >
      <div className="stack">
        {state === 'RECONNECTING' && <Notice tone="warn" title="The publisher is gone">If it returns within {reconnectWindowS} s the same broadcast goes on, for viewers and in the replay.</Notice>}
        <Facts
          wide
          facts={[
            ['Since', <Since key="since" from={broadcast.startedAt} />],
            broadcast.viewers != null && ['Viewers', count(broadcast.viewers)],
            ['Latency', sentence(latencyMode)],
            broadcast.recording && ['Recording', broadcast.recording === 'RECORD' ? 'Yes' : 'No'],
          ]}
        />
        <Facts
          facts={[
            ['Video in', source.width != null && `${source.videoCodec === 'h264' ? 'H.264 ' : ''}${source.width}×${source.height} at ${source.framerate ?? '?'} fps`],
            ['Audio in', source.hasAudio ? 'Yes' : 'None'],
            source.bitrateBps != null && ['Bit rate in', bitrate(source.bitrateBps)],
          ]}
        />
      </div>
      <Confirm
        open={ending}
        onOpenChange={setEnding}
        title="End this broadcast?"
        about="Viewers see the end within seconds, and the publisher is disconnected. If it connects again, a new broadcast with a new replay begins. The replay so far is kept."
        act="End broadcast"
        onConfirm={() => attempt({ id: broadcast.id })}
      />
    </Card>
  )
}

function Renditions({ live }: { live: FragmentOf<typeof LiveFragment> }) {
  const { broadcast } = readFragment(LiveFragment, live)
  if (!broadcast) return null
  const { renditions, workerClass } = broadcast
  const top = Math.max(1, ...renditions.map(({ bitrateBps }) => bitrateBps ?? 0))
  return (
    <Card title="Renditions" about="What viewers can choose between, made now." actions={workerClass && <Badge tone="accent">{workerClass === 'PASSTHROUGH' ? 'Passthrough' : `${workerClass} worker`}</Badge>}>
      {renditions.some(({ state }) => state === 'SHED') && <div style={{ marginBottom: 'var(--space-4)' }}><Notice tone="warn">The machine cannot encode everything in time. What is left out comes back by itself; viewers get the others.</Notice></div>}
      {renditions.length === 0 ? <p className="quiet">The first rendition is being prepared.</p> : (
        <ul className="renditions">
          {renditions.map((rendition) => (
            <li key={rendition.name} className="rendition">
              <span className="rendition-name">{rendition.name}</span>
              <div>
                <div className="rendition-bar" aria-hidden="true"><span style={{ width: `${Math.max(2, (100 * (rendition.bitrateBps ?? 0)) / top)}%` }} /></div>
                <span className="faint">{rendition.kind === 'VIDEO' ? `${rendition.width}×${rendition.height}` : 'Sound'}{rendition.passthrough && ', untouched'}</span>{rendition.state === 'SHED' && <> <Badge tone="warn">Left out</Badge></>}
              </div>
              <span className="numeric">{rendition.bitrateBps != null && bitrate(rendition.bitrateBps)}</span>
            </li>
          ))}
        </ul>
      )}
    </Card>
  )
}

function PastBroadcasts({ state, past }: { state: keyof typeof channelState; past: readonly Past[] }) {
  const { to } = usePlace()
  return (
    <Card title={channelState[state].name} about={channelState[state].about}>
      <ul className="past" aria-label="Past broadcasts">
        {past.map(({ id, startedAt, endedAt, asset }) => (
          <li key={id}>
            <Time at={startedAt} />
            <span className="quiet numeric">{endedAt ? duration((Date.parse(endedAt) - Date.parse(startedAt)) / 1000) : '–'}</span>
            {asset && asset.state !== 'DELETED' ? <Link to={to.asset(asset.id)}>Replay<span className="visually-hidden"> of {fullTime(startedAt)}</span></Link> : <span className="faint">No replay</span>}
          </li>
        ))}
      </ul>
    </Card>
  )
}
