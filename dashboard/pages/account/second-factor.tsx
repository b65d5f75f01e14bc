import { useState } from 'react'
import { DisableDialog, EnrolDialog, ReplaceCodesDialog } from '../../forms/totp.tsx'
import { Badge } from '../../ui/badge.tsx'
import { Button } from '../../ui/button.tsx'
import { Card, Setting } from '../../ui/card.tsx'
import { Notice } from '../../ui/notice.tsx'
import { Time } from '../../ui/time.tsx'
import { useToast } from '../../ui/toast.tsx'

const FEW_CODES = 3

export function SecondFactor({ enabledAt, codesLeft, hasPassword, onDone }: { enabledAt: string | null; codesLeft: number; hasPassword: boolean; onDone: () => void }) {
  const [doing, setDoing] = useState<'enrol' | 'disable' | 'replace' | null>(null)
  const toast = useToast()
  const close = () => setDoing(null)
  const finish = () => { close(); onDone() }
  const flow = { hasPassword, onClose: close, onDone: finish }
  return (
    <Card title="Second factor" about="A code of an app on your phone, asked for when you sign in: a password that somebody has found is not enough then.">
      <Setting
        name={<span className="row">Authenticator app{enabledAt ? <Badge tone="ok">On</Badge> : <Badge>Off</Badge>}</span>}
        about={enabledAt ? <>Since <Time at={enabledAt} /></> : 'Nobody asks for a code.'}
      >
        {enabledAt ? <Button tone="quiet-danger" onClick={() => setDoing('disable')}>Switch off</Button> : <Button tone="primary" onClick={() => setDoing('enrol')}>Set up</Button>}
      </Setting>
      {enabledAt && (
        <Setting name="Recovery codes" about={`${codesLeft} of them ${codesLeft === 1 ? 'is' : 'are'} left. Each signs you in once, without your phone.`}>
          <Button onClick={() => setDoing('replace')}>Make new ones</Button>
        </Setting>
      )}
      {enabledAt && codesLeft < FEW_CODES && <Notice tone="warn">Make new recovery codes before you run out of them.</Notice>}
      {doing === 'enrol' && <EnrolDialog {...flow} />}
      {doing === 'replace' && <ReplaceCodesDialog {...flow} />}
      {doing === 'disable' && <DisableDialog {...flow} onDone={() => { finish(); toast({ title: 'The second factor is off' }) }} />}
    </Card>
  )
}
