import { useState } from 'react'
import { Link, useNavigate, useSearchParams } from 'react-router'
import { useAccount } from '../app/account.tsx'
import { nextAddress } from '../app/next.ts'
import { paths, placePaths } from '../app/paths.ts'
import { AuthPage } from '../components/auth-page.tsx'
import { PasswordField } from '../forms/password.tsx'
import { graphql } from '../graphql/index.ts'
import { useAction } from '../graphql/use.ts'
import { Button } from '../ui/button.tsx'
import { Field, Input } from '../ui/field.tsx'
import { Notice } from '../ui/notice.tsx'

const SignUpMutation = graphql(`
  mutation SignUp($input: SignUpInput!) {
    signUp(input: $input) { user { id } tenant { id slug } userErrors { code field message } }
  }
`)

export default function SignUpPage() {
  const [input, setInput] = useState({ name: '', tenantName: '', email: '', password: '' })
  const change = (name: keyof typeof input) => (value: string) => setInput({ ...input, [name]: value })
  const [params] = useSearchParams()
  const next = params.get('next')
  const navigate = useNavigate()
  const { reset } = useAccount()
  const { run, busy, errors } = useAction(SignUpMutation, ({ signUp }) => signUp)
  return (
    <AuthPage
      title="Create your account"
      about="Your first stream is two minutes away."
      foot={<>Have an account? <Link to={paths.signIn(next ?? undefined)}>Sign in</Link></>}
    >
      <form
        className="stack"
        onSubmit={async (event) => {
          event.preventDefault()
          if (busy) return
          const done = await run(input)
          if (!done) return
          reset()
          const welcome = done.tenant ? placePaths({ tenant: done.tenant.slug, environment: 'live' }).welcome() : paths.home()
          await navigate(next ? nextAddress(next) : welcome, { replace: true })
        }}
      >
        {errors[''] && <Notice tone="danger">{errors['']}</Notice>}
        <Field label="Your name" error={errors['name']}>
          {(parts) => <Input {...parts} autoComplete="name" required autoFocus maxLength={100} value={input.name} onChange={(event) => change('name')(event.target.value)} />}
        </Field>
        <Field label="Company or project" error={errors['tenantName']} hint="Your team shares it. You can rename it later.">
          {(parts) => <Input {...parts} autoComplete="organization" required maxLength={100} value={input.tenantName} onChange={(event) => change('tenantName')(event.target.value)} />}
        </Field>
        <Field label="E-mail" error={errors['email']}>
          {(parts) => <Input {...parts} type="email" autoComplete="username" required value={input.email} onChange={(event) => change('email')(event.target.value)} />}
        </Field>
        <PasswordField label="Password" isNew value={input.password} onChange={change('password')} error={errors['password']} />
        <Button type="submit" tone="primary" size="large" block busy={busy}>Create account</Button>
      </form>
    </AuthPage>
  )
}
