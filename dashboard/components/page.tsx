import './page.css'
import { ChevronRight } from 'lucide-react'
import { type ComponentProps, Fragment, type ReactNode } from 'react'
import { Link } from 'react-router'
import { buttonStyle } from '../ui/button.tsx'

export interface PageProps {
  title: string
  /** What stands beside the title: a state, a badge. */
  beside?: ReactNode
  about?: ReactNode
  actions?: ReactNode
  crumbs?: readonly (readonly [name: string, to: string])[]
  narrow?: boolean
  tabs?: ReactNode
  children: ReactNode
}

/** One page's heading, its main acts and its content. */
export function Page({ title, beside, about, actions, crumbs, narrow, tabs, children }: PageProps) {
  return (
    <div className={narrow ? 'page page-narrow' : 'page'}>
      <title>{`${title} · Headwater`}</title>
      <header className="page-head">
        {crumbs && (
          <nav aria-label="Breadcrumb" className="crumbs">
            {crumbs.map(([name, to]) => <Fragment key={to}><Link to={to}>{name}</Link><ChevronRight aria-hidden="true" /></Fragment>)}
          </nav>
        )}
        <div className="page-title-row">
          <div className="grow">
            <div className="row gap-3"><h1 className="page-title">{title}</h1>{beside}</div>
            {about && <p className="page-about">{about}</p>}
          </div>
          {actions && <div className="row page-actions">{actions}</div>}
        </div>
        {tabs}
      </header>
      {children}
    </div>
  )
}

type LinkButtonProps = ComponentProps<typeof Link> & Parameters<typeof buttonStyle>[0]

/** A link that looks like what it is: the next thing to do. */
export function LinkButton({ tone, size, icon, block, className, ...rest }: LinkButtonProps) {
  return <Link {...rest} className={buttonStyle({ tone, size, icon, block, className })} />
}
