import './line-chart.css'
import { type PointerEvent, useId, useState } from 'react'
import { bounds, linePath, nearest, type Point } from './scale.ts'

export interface LineChartProps {
  name: string
  points: readonly Point[]
  /** The stretch of time that is shown, milliseconds since 1970. */
  from: number
  to: number
  format: (value: number) => string
  /** The smallest difference, in the unit of the values, that may fill the height: noise stays flat. */
  span: number
  fromZero?: boolean
  colour?: string
}

const GAP_MS = 5000
const clock = new Intl.DateTimeFormat('en', { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' })

/** One measure over time, with its newest value as the headline. */
export function LineChart({ name, points, from, to, format, span, fromZero = false, colour = 'var(--chart-1)' }: LineChartProps) {
  const id = useId()
  const [pointed, setPointed] = useState<Point | null>(null)
  const box = bounds(points, { fromZero, span })
  const line = linePath(points, from, to, box, GAP_MS)
  const values = points.map(({ value }) => value).filter((value) => value !== null)
  const last = values.at(-1)
  const point = (event: PointerEvent<HTMLDivElement>) => {
    const { left, width } = event.currentTarget.getBoundingClientRect()
    setPointed(nearest(points, from + ((event.clientX - left) / width) * (to - from)))
  }
  const share = pointed ? ((pointed.at - from) / (to - from)) * 100 : 0
  const summary = values.length > 0 ? `${name}: now ${format(values.at(-1)!)}, lowest ${format(Math.min(...values))}, highest ${format(Math.max(...values))}` : `${name}: no samples yet`
  return (
    <figure className="chart">
      <figcaption className="chart-head">
        <span className="chart-name">{name}</span>
        <span className="chart-value">{last === undefined ? '–' : format(last)}</span>
      </figcaption>
      <div className="chart-plot" onPointerMove={point} onPointerLeave={() => setPointed(null)}>
        <svg viewBox="0 0 1000 100" preserveAspectRatio="none" role="img" aria-labelledby={id}>
          <title id={id}>{summary}</title>
          {[0, 50, 100].map((y) => <line key={y} className="chart-grid" x1="0" x2="1000" y1={y} y2={y} />)}
          {line && !line.includes('M', 1) && <path className="chart-area" d={`${line}L${lastX(line)} 100L${firstX(line)} 100Z`} fill={colour} />}
          <path className="chart-line" d={line} stroke={colour} />
        </svg>
        {pointed && share >= 0 && share <= 100 && (
          <>
            <span className="chart-cursor" style={{ left: `${share}%` }} />
            <span className="chart-tip" style={{ left: `${Math.min(82, Math.max(18, share))}%` }}>{format(pointed.value!)} at {clock.format(pointed.at)}</span>
          </>
        )}
      </div>
      <div className="chart-scale" aria-hidden="true"><span>{clock.format(from)}</span><span>now</span></div>
    </figure>
  )
}

const firstX = (path: string) => /^M([\d.-]+)/u.exec(path)?.[1] ?? '0'
const lastX = (path: string) => /L([\d.-]+) [\d.-]+$/u.exec(path)?.[1] ?? firstX(path)
