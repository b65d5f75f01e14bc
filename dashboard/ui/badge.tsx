import './badge.css'
import { cva, type VariantProps } from 'class-variance-authority'
import type { ReactNode } from 'react'
import { cx } from './cx.ts'

const style = cva('badge', {
  variants: {
    tone: { neutral: '', ok: 'badge-ok', warn: 'badge-warn', danger: 'badge-danger', live: 'badge-live', accent: 'badge-accent' },
    pulse: { true: 'badge-pulse' },
  },
  defaultVariants: { tone: 'neutral' },
})
export type Tone = NonNullable<VariantProps<typeof style>['tone']>

export function Badge({ tone, pulse, dot, children }: { tone?: Tone; pulse?: boolean; dot?: boolean; children: ReactNode }) {
  return <span className={style({ tone, pulse })}>{dot && <span className="badge-dot" aria-hidden="true" />}{children}</span>
}

export function Avatar({ name, square }: { name: string; square?: boolean }) {
  const initials = name.trim().split(/[\s@._-]+/u).slice(0, 2).map((word) => [...word][0] ?? '').join('')
  return <span className={cx('avatar', square && 'avatar-square')} aria-hidden="true" data-initials={initials || '?'} />
}

export const Kbd = ({ children }: { children: ReactNode }) => <kbd className="kbd">{children}</kbd>
