import './notice.css'
import { CircleAlert, CircleCheck, Info, TriangleAlert } from 'lucide-react'
import { cva } from 'class-variance-authority'
import type { ReactNode } from 'react'

const ICONS = { info: Info, ok: CircleCheck, warn: TriangleAlert, danger: CircleAlert }
const style = cva('notice', { variants: { tone: { info: 'notice-info', ok: 'notice-ok', warn: 'notice-warn', danger: 'notice-danger' } } })

export interface NoticeProps {
  tone?: keyof typeof ICONS
  title?: ReactNode
  children?: ReactNode
  act?: ReactNode
}

/** A sentence that matters, in the page. Problems are announced at once. */
export function Notice({ tone = 'info', title, children, act }: NoticeProps) {
  const Icon = ICONS[tone]
  return (
    <div className={style({ tone })} role={tone === 'danger' ? 'alert' : undefined}>
      <Icon aria-hidden="true" />
      {title && <p className="notice-title">{title}</p>}
      {children && <div className="notice-body">{children}</div>}
      {act && <div className="notice-act">{act}</div>}
    </div>
  )
}

/** What stands where a list or a page has nothing to show yet, and what to do about it. */
export function Empty({ icon, title, about, page, children }: { icon?: ReactNode; title: string; about?: ReactNode; /** It is the whole page. */ page?: boolean; children?: ReactNode }) {
  const Heading = page ? 'h1' : 'h2'
  return (
    <div className="empty">
      {icon && <div className="empty-icon" aria-hidden="true">{icon}</div>}
      <Heading className="empty-title">{title}</Heading>
      {about && <p className="empty-about">{about}</p>}
      {children && <div className="empty-acts">{children}</div>}
    </div>
  )
}

export function Skeleton({ width = '100%', height }: { width?: number | string; height?: number | string }) {
  return <span className="skeleton" style={{ width, height }} aria-hidden="true" />
}
