import '../../ui/table.css'
import { lazy, Suspense } from 'react'
import { Link } from 'react-router'
import { usePlace } from '../../app/place.tsx'
import { keptSecret, seeSecret } from '../../app/shown-once.ts'
import { type FragmentOf, graphql, readFragment } from '../../graphql/index.ts'
import { Card } from '../../ui/card.tsx'
import { CodeBlock, CopyField } from '../../ui/copy.tsx'
import { Notice, Skeleton } from '../../ui/notice.tsx'
import { Tabs } from '../../ui/tabs.tsx'
import { encoderSettings, ffmpegCommand, larixLink, PLACEHOLDER_KEY } from './encoder-settings.ts'

const QrCode = lazy(() => import('../../components/qr-code.tsx'))

export const EncodersFragment = graphql(`
  fragment Encoders_channel on Channel {
    id title latencyMode bitrateMaxBps
    ingest { rtmp }
    keys: streamKeys(first: 5) @include(if: $withKeys) { nodes { id label hint state } }
  }
`)

/** Where to push and with which settings, exactly, for the encoders that people use. */
export function Encoders({ channel, brief }: { channel: FragmentOf<typeof EncodersFragment>; brief?: boolean }) {
  const { to, can } = usePlace()
  const { id, title, latencyMode, bitrateMaxBps, ingest, keys } = readFragment(EncodersFragment, channel)
  const kept = keptSecret(id)
  const key = kept?.secret ?? PLACEHOLDER_KEY
  const seen = () => seeSecret(id)
  const address = ingest.rtmp
  const settings = encoderSettings(latencyMode, bitrateMaxBps)
  const list = (
    <table className="settings-table">
      <tbody>{settings.map(([name, value]) => <tr key={name}><th scope="row">{name}</th><td>{value}</td></tr>)}</tbody>
    </table>
  )
  const addresses = (
    <div className="stack gap-3">
      <CopyField label="Server" value={address} />
      {kept ? (
        <>
          <CopyField key={kept.secret} label="Stream key" value={kept.secret} secret onSeen={seen} />
          <Notice tone="warn">Copy the key now. It is shown until the dashboard is closed or loaded again, and never after that.</Notice>
        </>
      ) : (
        <Notice>
          {!keys ? 'Ask whoever manages the stream keys of this channel for one.' : keys.nodes.length > 0
            ? `Use the stream key that you saved: ${keys.nodes.map(({ label, hint }) => (label ? `${label} (${hint})` : hint)).join(', ')}. A lost key cannot be shown again; make a new one.`
            : 'This channel has no working stream key. Make one first.'}
          {can('STREAM_KEY_WRITE') && <> <Link to={to.channel(id, 'keys')}>Stream keys</Link></>}
        </Notice>
      )}
    </div>
  )
  if (brief) return <Card title="Publish address">{addresses}</Card>
  return (
    <Card title="Connect your encoder" about="Everything to copy into it. Any encoder that speaks RTMP works the same way.">
      <div className="stack gap-5">
        {addresses}
        <Tabs
          label="Encoder"
          tabs={[
            {
              id: 'obs', name: 'OBS Studio', content: (
                <ol className="encoder-steps">
                  <li><span>Open <strong>Settings › Stream</strong>, choose the service <strong>Custom…</strong>, and paste the server and the stream key from above.</span></li>
                  <li><div className="stack gap-2"><span>In <strong>Settings › Output</strong>, output mode <strong>Advanced</strong>, tab <strong>Streaming</strong>:</span>{list}</div></li>
                  <li><span>Press <strong>Start Streaming</strong>.</span></li>
                </ol>
              ),
            },
            {
              id: 'ffmpeg', name: 'ffmpeg', content: (
                <div className="stack gap-3">
                  <p>Sends a file as if it were live. Replace <code>input.mp4</code>{kept ? '' : ' and the key'}.</p>
                  <CodeBlock label="ffmpeg command" code={ffmpegCommand(address, key, latencyMode, bitrateMaxBps)} onSeen={seen} />
                </div>
              ),
            },
            {
              id: 'larix', name: 'Larix', content: (
                <div className="row" style={{ alignItems: 'flex-start', gap: 'var(--space-5)' }}>
                  {kept && <Suspense fallback={<Skeleton width={176} height={176} />}><QrCode text={larixLink(title, address, key)} label="Larix settings as a QR code" /></Suspense>}
                  <ol className="encoder-steps" style={{ flex: '1 1 260px' }}>
                    {kept && <li><span>Scan the code with the phone that has Larix Broadcaster, and skip the next step.</span></li>}
                    <li><div className="stack gap-2"><span><strong>Settings › Connections › New connection</strong>, URL:</span><CodeBlock label="Larix URL" code={`${address}/${key}`} onSeen={seen} /></div></li>
                    <li><span><strong>Settings › Video</strong>: keyframe interval <strong>2</strong>, H.264; <strong>Audio</strong>: AAC, 48 kHz.</span></li>
                    <li><span>Press the red button.</span></li>
                  </ol>
                </div>
              ),
            },
            {
              id: 'vmix', name: 'vMix', content: (
                <ol className="encoder-steps">
                  <li><span>Click the cog beside <strong>Stream</strong>, destination <strong>Custom RTMP Server</strong>, and paste the server as URL and the key as Stream Name or Key.</span></li>
                  <li><div className="stack gap-2"><span>Choose the quality, click its cog, and set:</span>{list}</div></li>
                  <li><span>Save, then press <strong>Stream</strong>.</span></li>
                </ol>
              ),
            },
          ]}
        />
      </div>
    </Card>
  )
}
