import { useState } from 'react'
import { useNavigate } from 'react-router'
import { useAccount } from '../app/account.tsx'
import { placePaths } from '../app/paths.ts'
import { usePlace } from '../app/place.tsx'
import { Page } from '../components/page.tsx'
import { graphql } from '../graphql/index.ts'
import { useAction } from '../graphql/use.ts'
import { Button } from '../ui/button.tsx'
import { Card, Facts } from '../ui/card.tsx'
import { Field, Input } from '../ui/field.tsx'
import { Notice } from '../ui/notice.tsx'
import { useToast } from '../ui/toast.tsx'

const UpdateMutation = graphql(`
  mutation TenantUpdate($input: TenantUpdateInput!) {
    tenantUpdate(input: $input) { tenant { id slug name version } userErrors { code field message } }
  }
`)

export default function SettingsPage() {
  const { viewer: { tenant }, refused, place } = usePlace()
  const { reset } = useAccount()
  const navigate = useNavigate()
  const toast = useToast()
  const [name, setName] = useState(tenant.name)
  const [slug, setSlug] = useState(tenant.slug)
  const { run, busy, errors, codes } = useAction(UpdateMutation, ({ tenantUpdate }) => tenantUpdate)
  const refusal = refused('TENANT_WRITE', 'change the tenant')
  const changed = name !== tenant.name || slug !== tenant.slug
  return (
    <Page title="Settings" narrow>
      {refusal && <Notice>{refusal}</Notice>}
      <form
        onSubmit={async (event) => {
          event.preventDefault()
          if (busy || !changed) return
          const done = await run({ expectedVersion: tenant.version, ...(name !== tenant.name && { name }), ...(slug !== tenant.slug && { slug }) })
          if (!done?.tenant) return
          toast({ title: 'The settings are saved' })
          if (done.tenant.slug !== place.tenant) await navigate(placePaths({ ...place, tenant: done.tenant.slug }).settings(), { replace: true })
        }}
      >
        <Card title="Tenant" foot={!refusal && <Button type="submit" tone="primary" busy={busy} disabledBecause={!changed && 'Nothing is changed yet.'}>Save changes</Button>}>
          <fieldset className="stack" disabled={Boolean(refusal)}>
            <legend className="visually-hidden">Tenant</legend>
            {errors[''] && <Notice tone={codes.includes('STALE') ? 'warn' : 'danger'} act={codes.includes('STALE') && <Button size="small" onClick={reset}>Show theirs</Button>}>{errors['']}</Notice>}
            <Field label="Name" error={errors['name']}>{(parts) => <Input {...parts} required maxLength={100} value={name} onChange={(event) => setName(event.target.value)} />}</Field>
            <Field label="Slug" error={errors['slug']} hint="Part of the address of this dashboard. Old links stop working when it changes; streams and viewers are not affected.">
              {(parts) => <Input {...parts} required maxLength={60} pattern="[a-z0-9][a-z0-9\-]*" className="mono" value={slug} onChange={(event) => setSlug(event.target.value)} />}
            </Field>
            <Facts facts={[['Id', <code key="id">{tenant.id}</code>]]} />
          </fieldset>
        </Card>
      </form>
    </Page>
  )
}
