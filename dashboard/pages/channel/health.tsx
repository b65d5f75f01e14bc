import { CircleAlert, CircleCheck, Info, TriangleAlert } from 'lucide-react'
import { useEffect, useMemo, useState } from 'react'
import { useSubscription } from 'urql'
import { LineChart } from '../../charts/line-chart.tsx'
import type { Point } from '../../charts/scale.ts'
import { explain } from '../../graphql/errors.ts'
import { graphql, readFragment, type ResultOf } from '../../graphql/index.ts'
import { useQuery } from '../../graphql/use.ts'
import { Badge, type Tone } from '../../ui/badge.tsx'
import { Card } from '../../ui/card.tsx'
import { bitrate } from '../../ui/format.ts'
import { Notice, Skeleton } from '../../ui/notice.tsx'
import { Time } from '../../ui/time.tsx'

const SampleFragment = graphql(`
  fragment Sample on HealthSample @_unmask {
    at videoBitrateBps audioBitrateBps framerate keyframeIntervalMs avOffsetMs droppedFrames latencyMs rttMs
  }
`)
const IssueFragment = graphql(`
  fragment Issue on HealthIssue { code severity message advice docsUrl since }
`)
const HealthQuery = graphql(`
  query Health($id: ID!) {
    broadcast(id: $id) { id health { status issues { code ...Issue } samples(first: 300) { ...Sample } } }
  }
`, [SampleFragment, IssueFragment])
const HealthSubscription = graphql(`
  subscription HealthUpdates($id: ID!) {
    broadcastHealth(id: $id) { status issues { code ...Issue } latest { ...Sample } }
  }
`, [SampleFragment, IssueFragment])

type Sample = ResultOf<typeof SampleFragment>

const WINDOW_MS = 5 * 60_000
const SAMPLES_MAX = 400

const STATUS: Record<string, { name: string; tone: Tone }> = {
  UNKNOWN: { name: 'Measuring', tone: 'neutral' },
  GOOD: { name: 'Good', tone: 'ok' },
  DEGRADED: { name: 'Degraded', tone: 'warn' },
  BAD: { name: 'Bad', tone: 'danger' },
}

const CHARTS: readonly { name: string; of: (sample: Sample) => number | null; format: (value: number) => string; span: number; fromZero?: boolean; colour?: string }[] = [
  { name: 'Video bit rate', of: (sample) => sample.videoBitrateBps, format: bitrate, span: 1_000_000, fromZero: true },
  { name: 'Frame rate', of: (sample) => sample.framerate, format: (value) => `${value.toFixed(1)} fps`, span: 10, colour: 'var(--chart-2)' },
  { name: 'Keyframe interval', of: (sample) => sample.keyframeIntervalMs, format: (value) => `${(value / 1000).toFixed(2)} s`, span: 2000, fromZero: true, colour: 'var(--chart-3)' },
  { name: 'Sound against picture', of: (sample) => sample.avOffsetMs, format: (value) => `${value > 0 ? '+' : ''}${Math.round(value)} ms`, span: 100, colour: 'var(--chart-4)' },
  { name: 'Dropped frames', of: (sample) => sample.droppedFrames, format: (value) => String(Math.round(value)), span: 10, fromZero: true, colour: 'var(--danger)' },
  { name: 'Latency', of: (sample) => sample.latencyMs, format: (value) => `${(value / 1000).toFixed(2)} s`, span: 2000, fromZero: true, colour: 'var(--chart-2)' },
]

export default function Health({ broadcastId }: { broadcastId: string }) {
  const [{ data, error }] = useQuery({ query: HealthQuery, variables: { id: broadcastId }, requestPolicy: 'network-only' })
  const [{ data: update }] = useSubscription({ query: HealthSubscription, variables: { id: broadcastId } })
  const [live, setLive] = useState<readonly Sample[]>([])
  const latest = update?.broadcastHealth.latest
  useEffect(() => {
    if (latest) setLive((samples) => (samples.at(-1)?.at === latest.at ? samples : [...samples, latest].slice(-SAMPLES_MAX)))
  }, [latest])

  const history = data?.broadcast?.health?.samples
  const samples = useMemo(() => {
    const known = [...(history ?? [])]
    const newest = known.at(-1)?.at ?? ''
    return [...known, ...live.filter(({ at }) => at > newest)]
  }, [history, live])
  const current = update?.broadcastHealth ?? data?.broadcast?.health
  if (error && !data) return <Card title="Stream health"><Notice tone="danger">{explain(error)}</Notice></Card>
  if (!current) return <Card title="Stream health"><Skeleton height={220} /></Card>
  const to = samples.length > 0 ? Date.parse(samples.at(-1)!.at) : Date.now()
  const from = Math.max(to - WINDOW_MS, samples.length > 1 ? Date.parse(samples[0]!.at) : to - 60_000)
  const shown = samples.filter(({ at }) => Date.parse(at) >= from)
  const status = STATUS[current.status]!
  return (
    <Card title="Stream health" about="What arrives from your encoder, each second." actions={<Badge tone={status.tone} dot>{status.name}</Badge>}>
      <div className="stack gap-5">
        <Issues issues={current.issues} />
        <div className="charts">
          {CHARTS.map(({ name, of, ...look }) => (
            <LineChart key={name} name={name} from={from} to={to} points={shown.map((sample): Point => ({ at: Date.parse(sample.at), value: of(sample) }))} {...look} />
          ))}
        </div>
      </div>
    </Card>
  )
}

const ICONS = { ERROR: CircleAlert, WARNING: TriangleAlert, INFO: Info }

function Issues({ issues }: { issues: NonNullable<ResultOf<typeof HealthSubscription>['broadcastHealth']>['issues'] }) {
  if (issues.length === 0) return <p className="row quiet"><CircleCheck size={18} color="var(--ok)" aria-hidden="true" />Nothing to mend.</p>
  return (
    <ul aria-label="Issues">
      {issues.map((masked) => {
        const { code, severity, message, advice, docsUrl, since } = readFragment(IssueFragment, masked)
        const Icon = ICONS[severity]
        return (
          <li key={code} className={`issue issue-${severity.toLowerCase()}`}>
            <Icon aria-label={severity.toLowerCase()} />
            <div>
              <p className="issue-message">{message}</p>
              <p className="quiet">{advice}</p>
              <p className="small faint"><code>{code}</code> · <Time at={since} /> · <a href={docsUrl} target="_blank" rel="noreferrer">More about it<span className="visually-hidden"> ({code})</span></a></p>
            </div>
          </li>
        )
      })}
    </ul>
  )
}
