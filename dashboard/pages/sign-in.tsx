import { useEffect, useState } from 'react'
import { Link, useNavigate, useSearchParams } from 'react-router'
import { useAccount } from '../app/account.tsx'
import { nextAddress } from '../app/next.ts'
import { paths } from '../app/paths.ts'
import { AuthPage } from '../components/auth-page.tsx'
import { PasswordField } from '../forms/password.tsx'
import { SecondFactorForm } from '../forms/second-factor.tsx'
import { graphql } from '../graphql/index.ts'
import { useAction, useQuery } from '../graphql/use.ts'
import { Button, buttonStyle } from '../ui/button.tsx'
import { Field, Input } from '../ui/field.tsx'
import { Notice } from '../ui/notice.tsx'

const OptionsQuery = graphql(`
  query SignInOptions { signInOptions { mail openIdConnect { name startUrl } } }
`)
const SignInMutation = graphql(`
  mutation SignIn($input: SignInInput!) {
    signIn(input: $input) { user { id } challenge userErrors { code field message } }
  }
`)

/** What the service says in the address when signing in elsewhere has failed. */
const PROBLEMS: Record<string, string> = {
  oidc_denied: 'You did not allow it there, or it did not let you in.',
  oidc_expired: 'That took too long. Please begin again.',
  oidc_email_unverified: 'Your address is not shown to be yours there. Verify it there first.',
  oidc_account_unverified: 'An account with this address exists here, and nobody has shown yet that the address is theirs. Sign in with its password, and open the link of the mail.',
}

export default function SignInPage() {
  const [params, setParams] = useSearchParams()
  const next = params.get('next') ?? params.get('to')
  const error = params.get('error')
  const [challenge, setChallenge] = useState(params.get('challenge'))
  const navigate = useNavigate()
  const { reset } = useAccount()
  // A challenge is half of a way in: it does not stay in the address.
  useEffect(() => {
    if (params.has('challenge')) setParams((before) => { before.delete('challenge'); return before }, { replace: true })
  }, [params, setParams])
  const done = async () => {
    reset()
    await navigate(nextAddress(next), { replace: true })
  }
  if (challenge) {
    return (
      <AuthPage title="Second step" about="Your account asks for a code as well." foot={<Link to={paths.signIn(next ?? undefined)} onClick={() => setChallenge(null)}>Begin again</Link>}>
        <SecondFactorForm challenge={challenge} onDone={() => void done()} />
      </AuthPage>
    )
  }
  return (
    <AuthPage title="Sign in" foot={<>New here? <Link to={paths.signUp(next ?? undefined)}>Create an account</Link></>}>
      <SignInForm next={next} problem={error && (PROBLEMS[error] ?? 'Signing in did not work there. Please try again.')} onChallenge={setChallenge} onDone={() => void done()} />
    </AuthPage>
  )
}

function SignInForm({ next, problem, onChallenge, onDone }: { next: string | null; problem: string | null; onChallenge: (challenge: string) => void; onDone: () => void }) {
  const [email, setEmail] = useState('')
  const [password, setPassword] = useState('')
  const [{ data }] = useQuery({ query: OptionsQuery })
  const options = data?.signInOptions
  const { run, busy, errors } = useAction(SignInMutation, ({ signIn }) => signIn)
  return (
    <form
      className="stack"
      onSubmit={async (event) => {
        event.preventDefault()
        if (busy) return
        const answer = await run({ email, password })
        if (answer?.challenge) onChallenge(answer.challenge)
        else if (answer) onDone()
      }}
    >
      {(errors[''] || problem) && <Notice tone="danger">{errors[''] ?? problem}</Notice>}
      <Field label="E-mail" error={errors['email']}>
        {(parts) => <Input {...parts} type="email" autoComplete="username" required autoFocus value={email} onChange={(event) => setEmail(event.target.value)} />}
      </Field>
      <PasswordField label="Password" value={password} onChange={setPassword} error={errors['password']} />
      <Button type="submit" tone="primary" size="large" block busy={busy}>Sign in</Button>
      {options?.openIdConnect && (
        <>
          <p className="auth-or">or</p>
          <a className={buttonStyle({ size: 'large', block: true })} href={withReturn(options.openIdConnect.startUrl, nextAddress(next))}>Continue with {options.openIdConnect.name}</a>
        </>
      )}
      {options?.mail && <Link className="small" to={paths.forgotPassword()} style={{ alignSelf: 'center' }}>Forgot your password?</Link>}
    </form>
  )
}

function withReturn(start: string, to: string): string {
  const url = new URL(start, location.origin)
  url.searchParams.set('to', to)
  return url.href
}
