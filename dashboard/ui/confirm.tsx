import { type ReactNode, useId, useState } from 'react'
import { Button } from './button.tsx'
import { Dialog, DialogFoot } from './dialog.tsx'
import { Input } from './field.tsx'
import { Notice } from './notice.tsx'

export interface ConfirmProps {
  open: boolean
  onOpenChange: (open: boolean) => void
  title: ReactNode
  /** What the act destroys, in sentences. */
  about: ReactNode
  act: string
  /** The words to type first, for what cannot be undone. */
  typeToConfirm?: string
  /** Returns an error sentence, or null when it is done. */
  onConfirm: () => Promise<string | null>
  tone?: 'danger' | 'primary'
  children?: ReactNode
}

export function Confirm({ open, onOpenChange, title, about, act, typeToConfirm, onConfirm, tone = 'danger', children }: ConfirmProps) {
  const [typed, setTyped] = useState('')
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<string | null>(null)
  const id = useId()
  const change = (next: boolean) => {
    setTyped('')
    setError(null)
    onOpenChange(next)
  }
  const ready = !typeToConfirm || typed.trim() === typeToConfirm
  return (
    <Dialog open={open} onOpenChange={change} title={title} about={about}>
      <form
        className="stack"
        onSubmit={async (event) => {
          event.preventDefault()
          if (!ready || busy) return
          setBusy(true)
          setError(null)
          const problem = await onConfirm()
          setBusy(false)
          if (problem) setError(problem)
          else change(false)
        }}
      >
        {children}
        {typeToConfirm && (
          <div className="field">
            <label className="field-label" htmlFor={id}>Type <strong>{typeToConfirm}</strong> to confirm</label>
            <Input id={id} value={typed} onChange={(event) => setTyped(event.target.value)} autoComplete="off" spellCheck={false} />
          </div>
        )}
        {error && <Notice tone="danger">{error}</Notice>}
        <DialogFoot>
          <Button onClick={() => change(false)}>Cancel</Button>
          <Button type="submit" tone={tone} busy={busy} disabledBecause={!ready && `Type ${typeToConfirm} first.`}>{act}</Button>
        </DialogFoot>
      </form>
    </Dialog>
  )
}
