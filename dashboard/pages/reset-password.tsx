import { useState } from 'react'
import { Link, useNavigate, useSearchParams } from 'react-router'
import { useAccount } from '../app/account.tsx'
import { paths } from '../app/paths.ts'
import { AuthPage } from '../components/auth-page.tsx'
import { PasswordField } from '../forms/password.tsx'
import { graphql } from '../graphql/index.ts'
import { useAction } from '../graphql/use.ts'
import { Button } from '../ui/button.tsx'
import { Notice } from '../ui/notice.tsx'
import { useToast } from '../ui/toast.tsx'

const ResetMutation = graphql(`
  mutation PasswordReset($input: PasswordResetInput!) {
    passwordReset(input: $input) { user { id } userErrors { code field message } }
  }
`)

export default function ResetPasswordPage() {
  const [params] = useSearchParams()
  const [password, setPassword] = useState('')
  const navigate = useNavigate()
  const { reset } = useAccount()
  const toast = useToast()
  const { run, busy, errors, codes } = useAction(ResetMutation, ({ passwordReset }) => passwordReset)
  return (
    <AuthPage title="Choose a new password" about="Every other session of yours ends with it." foot={<Link to={paths.signIn()}>Back to sign in</Link>}>
      <form
        className="stack"
        onSubmit={async (event) => {
          event.preventDefault()
          if (busy || !(await run({ secret: params.get('secret') ?? '', newPassword: password }))) return
          reset()
          toast({ title: 'Your password is changed', about: 'Sign in with it.' })
          await navigate(paths.signIn(), { replace: true })
        }}
      >
        {(errors[''] || errors['secret']) && (
          <Notice tone="danger" act={codes.includes('EXPIRED') && <Link to={paths.forgotPassword()}>New link</Link>}>{errors['secret'] ?? errors['']}</Notice>
        )}
        <PasswordField label="New password" isNew autoFocus value={password} onChange={setPassword} error={errors['newPassword']} />
        <Button type="submit" tone="primary" size="large" block busy={busy}>Change the password</Button>
      </form>
    </AuthPage>
  )
}
