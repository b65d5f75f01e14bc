import { lazy, Suspense, useState } from 'react'
import { showOnce } from '../app/shown-once.ts'
import { graphql } from '../graphql/index.ts'
import { useAction } from '../graphql/use.ts'
import { Button } from '../ui/button.tsx'
import { CopyField } from '../ui/copy.tsx'
import { Dialog, DialogFoot } from '../ui/dialog.tsx'
import { Notice, Skeleton } from '../ui/notice.tsx'
import { PasswordField } from './password.tsx'
import { CodeField } from './second-factor.tsx'

const QrCode = lazy(() => import('../components/qr-code.tsx'))

const EnrolMutation = graphql(`
  mutation TotpEnrol($input: TotpEnrolInput!) { totpEnrol(input: $input) { secret uri userErrors { code field message } } }
`)
const ConfirmMutation = graphql(`
  mutation TotpConfirm($input: TotpConfirmInput!) { totpConfirm(input: $input) { user { id } recoveryCodes userErrors { code field message } } }
`)
const DisableMutation = graphql(`
  mutation TotpDisable($input: TotpDisableInput!) { totpDisable(input: $input) { user { id } userErrors { code field message } } }
`)
const ReplaceMutation = graphql(`
  mutation RecoveryCodesReplace($input: RecoveryCodesReplaceInput!) { recoveryCodesReplace(input: $input) { user { id } recoveryCodes userErrors { code field message } } }
`)

const showCodes = (codes: readonly string[]) => showOnce({
  title: 'Your recovery codes', about: 'Each signs you in once, without your phone. Keep them where you will find them without it; they are shown now and never again.',
  label: 'Recovery codes', text: codes.join('\n'), look: 'block', file: { name: 'headwater-recovery-codes.txt', type: 'text/plain' }, done: 'I have saved them',
})

interface Flow {
  hasPassword: boolean
  onClose: () => void
}

/** Password, then the secret for the app, then a code that shows that the app has it. */
export function EnrolDialog({ hasPassword, onClose, onDone }: Flow & { onDone: () => void }) {
  const [password, setPassword] = useState('')
  const [code, setCode] = useState('')
  const [begun, setBegun] = useState<{ secret: string; uri: string } | null>(null)
  const enrol = useAction(EnrolMutation, ({ totpEnrol }) => totpEnrol)
  const confirm = useAction(ConfirmMutation, ({ totpConfirm }) => totpConfirm)
  const problem = enrol.errors[''] ?? (hasPassword ? undefined : enrol.errors['password'])
  if (begun) {
    return (
      <Dialog open sticky onOpenChange={onClose} title="Scan this with your authenticator app" about="Any app that makes time-based codes will do. Then enter the six digits that it shows.">
        <form
          className="stack"
          onSubmit={async (event) => {
            event.preventDefault()
            const done = confirm.busy ? null : await confirm.run({ code: code.replaceAll(/\s/gu, '') })
            if (!done) return setCode('')
            showCodes(done.recoveryCodes ?? [])
            onDone()
          }}
        >
          <Suspense fallback={<Skeleton width={176} height={176} />}><QrCode text={begun.uri} label="QR code for the authenticator app" /></Suspense>
          <CopyField label="Or type this" value={begun.secret} secret />
          <CodeField label="Six digits" digits value={code} onChange={setCode} error={confirm.errors['code'] ?? confirm.errors['']} />
          <DialogFoot><Button onClick={onClose}>Cancel</Button><Button type="submit" tone="primary" busy={confirm.busy}>Switch it on</Button></DialogFoot>
        </form>
      </Dialog>
    )
  }
  return (
    <Dialog open onOpenChange={onClose} title="Ask for a second factor" about="When you sign in, a code of an app on your phone is asked for as well. Every other session of yours ends now.">
      <form
        className="stack"
        onSubmit={async (event) => {
          event.preventDefault()
          const done = enrol.busy ? null : await enrol.run(hasPassword ? { password } : {})
          if (done?.secret && done.uri) setBegun({ secret: done.secret, uri: done.uri })
        }}
      >
        {problem && <Notice tone="danger">{problem}</Notice>}
        {hasPassword && <PasswordField label="Your password" autoFocus value={password} onChange={setPassword} error={enrol.errors['password']} />}
        <DialogFoot><Button onClick={onClose}>Cancel</Button><Button type="submit" tone="primary" busy={enrol.busy}>Go on</Button></DialogFoot>
      </form>
    </Dialog>
  )
}

/** What has to be known once more before something of the second factor is changed: the password, or a code where there is none. */
function Known({ hasPassword, value, onChange, errors }: { hasPassword: boolean; value: string; onChange: (value: string) => void; errors: Record<string, string> }) {
  return (
    <>
      {errors[''] && <Notice tone="danger">{errors['']}</Notice>}
      {hasPassword
        ? <PasswordField label="Your password" autoFocus value={value} onChange={onChange} error={errors['password']} />
        : <CodeField value={value} onChange={onChange} error={errors['code']} hint="Of your app, or a recovery code." />}
    </>
  )
}

export function DisableDialog({ hasPassword, onClose, onDone }: Flow & { onDone: () => void }) {
  const [known, setKnown] = useState('')
  const { run, busy, errors } = useAction(DisableMutation, ({ totpDisable }) => totpDisable)
  return (
    <Dialog open onOpenChange={onClose} title="Switch the second factor off?" about="Whoever has your password can sign in then. Your app’s entry and your recovery codes are of no use any more.">
      <form className="stack" onSubmit={async (event) => { event.preventDefault(); if (!busy && (await run(hasPassword ? { password: known } : { code: known.trim() }))) onDone() }}>
        <Known hasPassword={hasPassword} value={known} onChange={setKnown} errors={errors} />
        <DialogFoot><Button onClick={onClose}>Cancel</Button><Button type="submit" tone="danger" busy={busy}>Switch it off</Button></DialogFoot>
      </form>
    </Dialog>
  )
}

export function ReplaceCodesDialog({ hasPassword, onClose, onDone }: Flow & { onDone: () => void }) {
  const [known, setKnown] = useState('')
  const { run, busy, errors } = useAction(ReplaceMutation, ({ recoveryCodesReplace }) => recoveryCodesReplace)
  return (
    <Dialog open onOpenChange={onClose} title="Make new recovery codes?" about="The codes that you have stop working.">
      <form
        className="stack"
        onSubmit={async (event) => {
          event.preventDefault()
          const done = busy ? null : await run(hasPassword ? { password: known } : { code: known.trim() })
          if (!done) return
          showCodes(done.recoveryCodes ?? [])
          onDone()
        }}
      >
        <Known hasPassword={hasPassword} value={known} onChange={setKnown} errors={errors} />
        <DialogFoot><Button onClick={onClose}>Cancel</Button><Button type="submit" tone="primary" busy={busy}>Make new codes</Button></DialogFoot>
      </form>
    </Dialog>
  )
}
