import { useState } from 'react'
import { Link, useNavigate } from 'react-router'
import { useAccount } from '../app/account.tsx'
import { paths, placePaths } from '../app/paths.ts'
import { AuthPage } from '../components/auth-page.tsx'
import { graphql } from '../graphql/index.ts'
import { useAction } from '../graphql/use.ts'
import { Button } from '../ui/button.tsx'
import { Field, Input } from '../ui/field.tsx'
import { Notice } from '../ui/notice.tsx'

const TenantCreateMutation = graphql(`
  mutation TenantCreate($input: TenantCreateInput!) {
    tenantCreate(input: $input) { tenant { id slug } userErrors { code field message } }
  }
`)

export default function NewTenantPage() {
  const [name, setName] = useState('')
  const navigate = useNavigate()
  const { reset } = useAccount()
  const { run, busy, errors } = useAction(TenantCreateMutation, ({ tenantCreate }) => tenantCreate)
  return (
    <AuthPage title="New tenant" about="A tenant has its own channels, keys and team. Nothing is shared between tenants." foot={<Link to={paths.home()}>Back</Link>}>
      <form
        className="stack"
        onSubmit={async (event) => {
          event.preventDefault()
          const done = busy ? null : await run({ name })
          if (!done?.tenant) return
          reset()
          await navigate(placePaths({ tenant: done.tenant.slug, environment: 'live' }).welcome())
        }}
      >
        {errors[''] && <Notice tone="danger">{errors['']}</Notice>}
        <Field label="Name" error={errors['name']}>
          {(parts) => <Input {...parts} required autoFocus maxLength={100} value={name} onChange={(event) => setName(event.target.value)} />}
        </Field>
        <Button type="submit" tone="primary" size="large" block busy={busy}>Create the tenant</Button>
      </form>
    </AuthPage>
  )
}
