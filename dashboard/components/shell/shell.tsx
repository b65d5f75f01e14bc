import './shell.css'
import { Menu as MenuIcon, Search } from 'lucide-react'
import { lazy, type ReactNode, Suspense, useEffect, useRef, useState } from 'react'
import { useLocation } from 'react-router'
import type { Connection } from '../../graphql/client.ts'
import { usePlace } from '../../app/place.tsx'
import { Button, buttonStyle } from '../../ui/button.tsx'
import { Drawer } from '../../ui/dialog.tsx'
import { Navigation } from './navigation.tsx'

const Palette = lazy(() => import('./palette.tsx'))

const LOST_SHOWN_AFTER_MS = 2500

/** The frame around every page of a tenant. */
export function Shell({ connection, children }: { connection: Connection; children: ReactNode }) {
  const { place, viewer } = usePlace()
  const [drawer, setDrawer] = useState(false)
  const [palette, setPalette] = useState(false)
  const { pathname } = useLocation()
  const main = useRef<HTMLElement>(null)
  const first = useRef(true)
  const lost = useLasting(connection === 'lost', LOST_SHOWN_AFTER_MS)

  // A new page starts at its top, and a screen reader is taken along.
  useEffect(() => {
    setDrawer(false)
    if (first.current) first.current = false
    else {
      window.scrollTo(0, 0)
      main.current?.focus({ preventScroll: true })
    }
  }, [pathname])

  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() === 'k' && (event.metaKey || event.ctrlKey)) {
        event.preventDefault()
        setPalette((open) => !open)
      }
    }
    window.addEventListener('keydown', onKey)
    return () => window.removeEventListener('keydown', onKey)
  }, [])

  const navigation = <Navigation onSearch={() => { setDrawer(false); setPalette(true) }} />
  return (
    <div className="shell">
      <a className={buttonStyle({ tone: 'primary', className: 'skip' })} href="#main">Skip to content</a>
      <aside className="sidebar" aria-label="Sidebar">{navigation}</aside>
      <header className="topbar">
        <Button tone="quiet" icon aria-label="Open navigation" onClick={() => setDrawer(true)}><MenuIcon aria-hidden="true" /></Button>
        <strong className="grow truncate">{viewer.tenant.name}</strong>
        <Button tone="quiet" icon aria-label="Search and commands" onClick={() => setPalette(true)}><Search aria-hidden="true" /></Button>
      </header>
      <Drawer open={drawer} onOpenChange={setDrawer} title="Navigation">{navigation}</Drawer>
      <main className="main" id="main" ref={main} tabIndex={-1}>
        {place.environment === 'test' && <p className="strip">Test data: it has nothing in common with what your viewers watch</p>}
        {viewer.tenant.suspendedAt && <p className="strip strip-danger">This tenant is suspended: no publisher is let in. Please contact support.</p>}
        <p className={lost ? 'strip strip-lost' : 'visually-hidden'} role="status">{lost ? 'Live updates are interrupted; trying again…' : ''}</p>
        {children}
      </main>
      {palette && <Suspense><Palette onClose={() => setPalette(false)} /></Suspense>}
    </div>
  )
}

/** True once `value` has been true for `ms` without a break. */
function useLasting(value: boolean, ms: number): boolean {
  const [lasting, setLasting] = useState(false)
  useEffect(() => {
    if (!value) {
      setLasting(false)
      return
    }
    const timer = setTimeout(() => setLasting(true), ms)
    return () => clearTimeout(timer)
  }, [value, ms])
  return lasting
}
