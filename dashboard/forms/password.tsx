import { Eye, EyeOff } from 'lucide-react'
import { useState } from 'react'
import { Button } from '../ui/button.tsx'
import { Field, Input } from '../ui/field.tsx'

export interface PasswordFieldProps {
  label: string
  value: string
  onChange: (value: string) => void
  error?: string | undefined
  isNew?: boolean
  autoFocus?: boolean
}

export const PASSWORD_MIN = 12

export function PasswordField({ label, value, onChange, error, isNew, autoFocus }: PasswordFieldProps) {
  const [shown, setShown] = useState(false)
  return (
    <Field label={label} error={error} hint={isNew ? `At least ${PASSWORD_MIN} characters. A sentence is good.` : undefined}>
      {(parts) => (
        <div className="input-group">
          <Input
            {...parts}
            type={shown ? 'text' : 'password'}
            value={value}
            onChange={(event) => onChange(event.target.value)}
            autoComplete={isNew ? 'new-password' : 'current-password'}
            minLength={isNew ? PASSWORD_MIN : undefined}
            maxLength={200}
            required
            autoFocus={autoFocus}
            style={{ paddingRight: 40 }}
          />
          <Button tone="quiet" size="small" icon aria-label={shown ? 'Hide the password' : 'Show the password'} onClick={() => setShown(!shown)} style={{ position: 'absolute', right: 3 }}>
            {shown ? <EyeOff aria-hidden="true" /> : <Eye aria-hidden="true" />}
          </Button>
        </div>
      )}
    </Field>
  )
}
