import './auth-page.css'
import type { ReactNode } from 'react'
import { Link } from 'react-router'
import { paths } from '../app/paths.ts'
import { ThemeMenu } from './shell/navigation.tsx'

/** The frame of the pages before a tenant: one card, the mark above it. */
export function AuthPage({ title, about, foot, wide, children }: { title: string; about?: ReactNode; foot?: ReactNode; wide?: boolean; children: ReactNode }) {
  return (
    <div className="auth">
      <title>{`${title} · Headwater`}</title>
      <header className="auth-top"><Mark /><ThemeMenu /></header>
      <main className={wide ? 'auth-main auth-wide' : 'auth-main'}>
        <div className="auth-card">
          <h1 className="auth-title">{title}</h1>
          {about && <p className="auth-about">{about}</p>}
          {children}
        </div>
        {foot && <p className="auth-foot">{foot}</p>}
      </main>
    </div>
  )
}

/** Where a password could be reset if the service sent e-mail. */
export function NoMailPage() {
  return (
    <AuthPage title="Passwords are not reset here" about="This service sends no e-mail, so it cannot tell that an address is yours. Ask whoever runs it." foot={<Link to={paths.signIn()}>Back to sign in</Link>}>
      {null}
    </AuthPage>
  )
}

export function Mark() {
  return (
    <span className="mark">
      <svg viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="8" /><path d="M7 12c3-3.2 6-3.2 9 0s6 3.2 9 0M7 20c3-3.2 6-3.2 9 0s6 3.2 9 0" /></svg>
      Headwater
    </span>
  )
}
