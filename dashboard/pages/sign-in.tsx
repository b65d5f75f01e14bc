import { useState } from 'react'
import { Link, useNavigate, useSearchParams } from 'react-router'
import { useAccount } from '../app/account.tsx'
import { nextAddress } from '../app/next.ts'
import { paths } from '../app/paths.ts'
import { AuthPage } from '../components/auth-page.tsx'
import { PasswordField } from '../forms/password.tsx'
import { graphql } from '../graphql/index.ts'
import { useServedAnywhere } from '../graphql/served.ts'
import { useAction } from '../graphql/use.ts'
import { Button } from '../ui/button.tsx'
import { Field, Input } from '../ui/field.tsx'
import { Notice } from '../ui/notice.tsx'

const SignInMutation = graphql(`
  mutation SignIn($input: SignInInput!) {
    signIn(input: $input) { user { id } userErrors { code field message } }
  }
`)

export default function SignInPage() {
  const [email, setEmail] = useState('')
  const [password, setPassword] = useState('')
  const [params] = useSearchParams()
  const next = params.get('next')
  const navigate = useNavigate()
  const { reset } = useAccount()
  const canReset = useServedAnywhere()?.has('Mutation.passwordResetRequest') ?? false
  const { run, busy, errors } = useAction(SignInMutation, ({ signIn }) => signIn)
  return (
    <AuthPage title="Sign in" foot={<>New here? <Link to={paths.signUp(next ?? undefined)}>Create an account</Link></>}>
      <form
        className="stack"
        onSubmit={async (event) => {
          event.preventDefault()
          if (busy || !(await run({ email, password }))) return
          reset()
          await navigate(nextAddress(next), { replace: true })
        }}
      >
        {errors[''] && <Notice tone="danger">{errors['']}</Notice>}
        <Field label="E-mail" error={errors['email']}>
          {(parts) => <Input {...parts} type="email" autoComplete="username" required autoFocus value={email} onChange={(event) => setEmail(event.target.value)} />}
        </Field>
        <PasswordField label="Password" value={password} onChange={setPassword} error={errors['password']} />
        <Button type="submit" tone="primary" size="large" block busy={busy}>Sign in</Button>
        {canReset && <Link className="small" to={paths.forgotPassword()} style={{ alignSelf: 'center' }}>Forgot your password?</Link>}
      </form>
    </AuthPage>
  )
}
