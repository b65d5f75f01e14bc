import { useEffect, useState } from 'react'
import { ago, fullTime } from './format.ts'

const TICK_MS = 15_000

/** A moment as people say it, with the exact time under the pointer. */
export function Time({ at, empty = 'Never' }: { at: string | null | undefined; empty?: string }) {
  const [, tick] = useState(0)
  useEffect(() => {
    const timer = setInterval(() => tick((count) => count + 1), TICK_MS)
    return () => clearInterval(timer)
  }, [])
  if (!at) return <span className="faint">{empty}</span>
  return <time dateTime={at} title={fullTime(at)} className="nowrap">{ago(at, Date.now())}</time>
}

/** Time since `from`, counting. */
export function Since({ from }: { from: string }) {
  const [now, setNow] = useState(Date.now())
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000)
    return () => clearInterval(timer)
  }, [])
  const seconds = Math.max(0, Math.floor((now - Date.parse(from)) / 1000))
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60]
  return <span className="numeric" role="timer">{h > 0 ? `${h}:${String(m).padStart(2, '0')}` : m}:{String(s).padStart(2, '0')}</span>
}
