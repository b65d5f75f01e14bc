import { useState } from 'react'
import { Link } from 'react-router'
import { paths } from '../app/paths.ts'
import { graphql } from '../graphql/index.ts'
import { useAction } from '../graphql/use.ts'
import { Button } from '../ui/button.tsx'
import { Field, Input } from '../ui/field.tsx'
import { Notice } from '../ui/notice.tsx'

const SecondFactorMutation = graphql(`
  mutation SignInSecondFactor($input: SignInSecondFactorInput!) {
    signInSecondFactor(input: $input) { user { id } userErrors { code field message } }
  }
`)

export function CodeField({ label = 'Code', hint, value, onChange, error, digits }: { label?: string; hint?: string; value: string; onChange: (value: string) => void; error?: string | undefined; /** No recovery codes. */ digits?: boolean }) {
  return (
    <Field label={label} error={error} hint={hint}>
      {(parts) => (
        <Input {...parts} required autoFocus className="mono" autoComplete="one-time-code" autoCapitalize="none" spellCheck={false} inputMode={digits ? 'numeric' : 'text'} maxLength={64} value={value} onChange={(event) => onChange(event.target.value)} />
      )}
    </Field>
  )
}

/** The second step of signing in: a code of the app, or one of the codes that were kept for the day when it is lost. */
export function SecondFactorForm({ challenge, onDone }: { challenge: string; onDone: () => void }) {
  const [code, setCode] = useState('')
  const { run, busy, errors, codes } = useAction(SecondFactorMutation, ({ signInSecondFactor }) => signInSecondFactor)
  if (codes.includes('EXPIRED')) {
    return <div className="stack"><Notice tone="warn" title="That took too long">Sign in once more, with your password. <Link to={paths.signIn()} reloadDocument>Begin again</Link></Notice></div>
  }
  const problem = errors['code'] ?? errors['challenge'] ?? errors['']
  return (
    <form
      className="stack"
      onSubmit={async (event) => {
        event.preventDefault()
        if (!busy && (await run({ challenge, code: code.trim() }))) onDone()
        else setCode('')
      }}
    >
      <CodeField value={code} onChange={setCode} error={problem} hint="The six digits that your authenticator app shows, or one of your recovery codes." />
      <Button type="submit" tone="primary" size="large" block busy={busy}>Sign in</Button>
    </form>
  )
}
