import './field.css'
import { CircleAlert, Search } from 'lucide-react'
import { Switch as RadixSwitch } from 'radix-ui'
import { type InputHTMLAttributes, type ReactNode, type Ref, type SelectHTMLAttributes, type TextareaHTMLAttributes, useId } from 'react'
import { cx } from './cx.ts'

interface FieldParts {
  id: string
  'aria-describedby': string | undefined
  'aria-invalid': true | undefined
}

export interface FieldProps {
  label: string
  hint?: ReactNode
  error?: string | undefined
  optional?: boolean
  children: (parts: FieldParts) => ReactNode
}

/** A label, a control, a hint and an error that belong together for eye and ear. */
export function Field({ label, hint, error, optional, children }: FieldProps) {
  const id = useId()
  const hintId = hint ? `${id}-hint` : undefined
  const errorId = error ? `${id}-error` : undefined
  return (
    <div className="field">
      <label className="field-label" htmlFor={id}>{label}{optional && <span className="field-optional"> (optional)</span>}</label>
      {children({ id, 'aria-describedby': [errorId, hintId].filter(Boolean).join(' ') || undefined, 'aria-invalid': error ? true : undefined })}
      {error && <p className="field-error" id={errorId} role="alert"><CircleAlert aria-hidden="true" />{error}</p>}
      {hint && <div className="field-hint" id={hintId}>{hint}</div>}
    </div>
  )
}

export function Input({ className, suffix, ...rest }: InputHTMLAttributes<HTMLInputElement> & { suffix?: string; ref?: Ref<HTMLInputElement> }) {
  if (!suffix) return <input {...rest} className={cx('input', className)} />
  return (
    <div className="input-group">
      <input {...rest} className={cx('input input-with-suffix', className)} />
      <span className="input-suffix">{suffix}</span>
    </div>
  )
}

export function TextArea({ className, ...rest }: TextareaHTMLAttributes<HTMLTextAreaElement>) {
  return <textarea {...rest} className={cx('input', className)} />
}

export function Select({ className, children, ...rest }: SelectHTMLAttributes<HTMLSelectElement>) {
  return <select {...rest} className={cx('input', className)}>{children}</select>
}

export function SearchInput({ label, ...rest }: InputHTMLAttributes<HTMLInputElement> & { label: string }) {
  return (
    <div className="input-group">
      <Search aria-hidden="true" />
      <input type="search" aria-label={label} placeholder={label} autoComplete="off" spellCheck={false} {...rest} className="input" />
    </div>
  )
}

export function Switch({ checked, onChange, label, disabled }: { checked: boolean; onChange: (on: boolean) => void; label: string; disabled?: boolean }) {
  return (
    <RadixSwitch.Root className="switch" checked={checked} onCheckedChange={onChange} aria-label={label} disabled={disabled ?? false}>
      <RadixSwitch.Thumb className="switch-thumb" />
    </RadixSwitch.Root>
  )
}

export interface Choice<T extends string> {
  value: T
  name: string
  about?: ReactNode
  disabled?: boolean
}

/** A few exclusive choices that each deserve a sentence. */
export function ChoiceList<T extends string>({ label, value, onChange, choices, disabled }: { label: string; value: T; onChange: (value: T) => void; choices: readonly Choice<T>[]; disabled?: boolean }) {
  const name = useId()
  return (
    <fieldset className="field" disabled={disabled}>
      <legend className="field-label">{label}</legend>
      <div className={cx('choice-list', !choices.some(({ about }) => about) && 'choice-list-short')}>
        {choices.map((choice) => (
          <label key={choice.value} className="choice">
            <input type="radio" name={name} value={choice.value} checked={value === choice.value} disabled={choice.disabled} onChange={() => onChange(choice.value)} />
            <span className="choice-name">{choice.name}</span>
            {choice.about && <span className="choice-about">{choice.about}</span>}
          </label>
        ))}
      </div>
    </fieldset>
  )
}

export function Check({ checked, onChange, children, disabled }: { checked: boolean; onChange: (on: boolean) => void; children: ReactNode; disabled?: boolean }) {
  return (
    <label className="check">
      <input type="checkbox" checked={checked} disabled={disabled} onChange={(event) => onChange(event.target.checked)} />
      <span>{children}</span>
    </label>
  )
}
