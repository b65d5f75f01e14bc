import './full-page.css'
import { Compass, RotateCw } from 'lucide-react'
import type { ReactNode } from 'react'
import { Link, useRouteError } from 'react-router'
import type { CombinedError } from 'urql'
import { paths } from '../app/paths.ts'
import { explain } from '../graphql/errors.ts'
import { Button, buttonStyle } from '../ui/button.tsx'
import { Empty } from '../ui/notice.tsx'

/** `inside` the frame of a tenant, which has the main landmark already. */
const FullPage = ({ inside, children }: { inside?: boolean; children: ReactNode }) => (inside ? <div className="full-page">{children}</div> : <main className="full-page">{children}</main>)

export function FullPageSpinner() {
  return <FullPage><span className="spinner full-page-spinner" role="status" aria-label="Loading" /></FullPage>
}

export function FullPageError({ error, onRetry }: { error: CombinedError; onRetry: () => void }) {
  return (
    <FullPage>
      <Empty page icon={<RotateCw />} title="The dashboard could not load" about={explain(error)}>
        <Button tone="primary" onClick={onRetry}>Try again</Button>
      </Empty>
    </FullPage>
  )
}

export function TenantMissing({ slug }: { slug: string }) {
  return (
    <FullPage>
      <title>No such tenant · Headwater</title>
      <Empty page icon={<Compass />} title={`You are not a member of “${slug}”`} about="Either the address is wrong, or you were removed. An owner or admin can invite you.">
        <Link className={buttonStyle({ tone: 'primary' })} to={paths.home()}>Go to your tenants</Link>
      </Empty>
    </FullPage>
  )
}

export function NotFound({ inside }: { inside?: boolean }) {
  return (
    <FullPage inside={inside ?? false}>
      <title>Not found · Headwater</title>
      <Empty page icon={<Compass />} title="There is nothing at this address" about="The link is wrong, or what it led to was deleted.">
        <Link className={buttonStyle({ tone: 'primary' })} to={paths.home()}>Go to the start</Link>
      </Empty>
    </FullPage>
  )
}

export function PageCrashed({ inside }: { inside?: boolean }) {
  const error = useRouteError()
  const stale = error instanceof Error && /dynamically imported module|Failed to fetch/iu.test(error.message)
  return (
    <FullPage inside={inside ?? false}>
      <Empty
        page
        icon={<RotateCw />}
        title={stale ? 'A new version is out' : 'This page has failed'}
        about={stale ? 'The dashboard was updated while this page was open.' : 'It is our fault. Nothing that you run is affected by it.'}
      >
        <Button tone="primary" onClick={() => location.reload()}>Load it again</Button>
      </Empty>
    </FullPage>
  )
}
