import { useState } from 'react'
import { Link } from 'react-router'
import { paths } from '../app/paths.ts'
import { AuthPage, NoMailPage } from '../components/auth-page.tsx'
import { graphql } from '../graphql/index.ts'
import { useAction } from '../graphql/use.ts'
import { Button } from '../ui/button.tsx'
import { Field, Input } from '../ui/field.tsx'
import { Notice } from '../ui/notice.tsx'

const RequestMutation = graphql(`
  mutation PasswordResetRequest($input: PasswordResetRequestInput!) {
    passwordResetRequest(input: $input) { requested userErrors { code field message } }
  }
`)

export default function ForgotPasswordPage() {
  const [email, setEmail] = useState('')
  const [sent, setSent] = useState(false)
  const { run, busy, errors, codes } = useAction(RequestMutation, ({ passwordResetRequest }) => passwordResetRequest)
  if (codes.includes('STATE')) return <NoMailPage />
  return (
    <AuthPage title="Reset your password" foot={<Link to={paths.signIn()}>Back to sign in</Link>}>
      {sent ? (
        <div className="stack"><Notice tone="ok" title="Look into your mailbox">If an account has the address {email}, a link is on its way. It works once, for an hour.</Notice></div>
      ) : (
        <form
          className="stack"
          onSubmit={async (event) => {
            event.preventDefault()
            if (!busy && (await run({ email }))) setSent(true)
          }}
        >
          {errors[''] && <Notice tone="danger">{errors['']}</Notice>}
          <Field label="E-mail" error={errors['email']}>
            {(parts) => <Input {...parts} type="email" autoComplete="username" required autoFocus value={email} onChange={(event) => setEmail(event.target.value)} />}
          </Field>
          <Button type="submit" tone="primary" size="large" block busy={busy}>Send the link</Button>
        </form>
      )}
    </AuthPage>
  )
}
