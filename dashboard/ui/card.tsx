import './card.css'
import { type ReactNode, useId } from 'react'
import { cx } from './cx.ts'

export interface CardProps {
  title?: ReactNode
  about?: ReactNode
  actions?: ReactNode
  foot?: ReactNode
  /** Tables reach the card's edges: `flush` below the heading, `bare` without one. */
  flush?: boolean
  bare?: boolean
  danger?: boolean
  children?: ReactNode
}

export function Card({ title, about, actions, foot, flush, bare, danger, children }: CardProps) {
  const id = useId()
  return (
    <section className={cx('card', danger && 'card-danger')} aria-labelledby={title ? id : undefined}>
      {(title || actions) && (
        <div className="card-head">
          <div className="grow">
            {title && <h2 className="card-title" id={id}>{title}</h2>}
            {about && <p className="card-about">{about}</p>}
          </div>
          {actions && <div className="row">{actions}</div>}
        </div>
      )}
      {children && <div className={cx('card-body', flush && 'card-flush', bare && 'card-bare')}>{children}</div>}
      {foot && <div className="card-foot">{foot}</div>}
    </section>
  )
}

export type Fact = readonly [name: string, value: ReactNode]

export function Facts({ facts, wide }: { facts: readonly (Fact | false | null | undefined | '')[]; wide?: boolean }) {
  return (
    <dl className={wide ? 'facts-wide' : 'facts'}>
      {facts.filter((fact) => Boolean(fact)).map((fact) => fact as Fact).map(([name, value]) => (
        wide ? <div key={name}><dt>{name}</dt><dd>{value}</dd></div> : <FactRow key={name} name={name} value={value} />
      ))}
    </dl>
  )
}

const FactRow = ({ name, value }: { name: string; value: ReactNode }) => <><dt>{name}</dt><dd>{value}</dd></>

export function Setting({ name, about, children }: { name: ReactNode; about?: ReactNode; children: ReactNode }) {
  return (
    <div className="setting">
      <div className="grow"><p className="setting-name">{name}</p>{about && <div className="setting-about">{about}</div>}</div>
      {children}
    </div>
  )
}
