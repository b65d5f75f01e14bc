import './copy.css'
import { Check, Copy as CopyIcon, Eye, EyeOff } from 'lucide-react'
import { useEffect, useState } from 'react'
import { Button } from './button.tsx'
import { cx } from './cx.ts'

const SHOWN_MS = 1600

export function CopyButton({ text, label, small = true, onCopied }: { text: string; label: string; small?: boolean; onCopied?: (() => void) | undefined }) {
  const [state, setState] = useState<'idle' | 'done' | 'failed'>('idle')
  useEffect(() => {
    if (state === 'idle') return
    const timer = setTimeout(() => setState('idle'), SHOWN_MS)
    return () => clearTimeout(timer)
  }, [state])
  const copy = async () => {
    const done = await navigator.clipboard.writeText(text).then(() => 'done' as const, () => 'failed' as const)
    setState(done)
    if (done === 'done') onCopied?.()
  }
  const act = { idle: 'Copy', done: 'Copied', failed: 'Select and copy' }[state]
  return (
    <Button tone="quiet" size={small ? 'small' : 'medium'} aria-label={`${act} ${label}`} className={cx(state === 'done' && 'copy-done')} onClick={() => void copy()}>
      {state === 'done' ? <Check aria-hidden="true" /> : <CopyIcon aria-hidden="true" />}
      <span aria-hidden="true">{act}</span>
      <span className="visually-hidden" role="status">{state === 'done' ? `${label} copied` : state === 'failed' ? 'The browser refused to copy' : ''}</span>
    </Button>
  )
}

/** One line to be copied; a secret is covered until it is asked for. `onSeen` hears of uncovering and copying. */
export function CopyField({ label, value, secret, onSeen }: { label: string; value: string; secret?: boolean; onSeen?: () => void }) {
  const [shown, setShown] = useState(!secret)
  return (
    <div className="field">
      <span className="field-label">{label}</span>
      <div className="copy">
        <div className={cx('copy-text', !shown && 'copy-covered')} tabIndex={0} role="textbox" aria-readonly="true" aria-label={label}>{shown ? value : '•'.repeat(Math.min(32, value.length))}</div>
        {secret && (
          <Button tone="quiet" size="small" icon aria-label={shown ? `Hide ${label}` : `Show ${label}`} aria-pressed={shown} onClick={() => { setShown(!shown); onSeen?.() }}>
            {shown ? <EyeOff aria-hidden="true" /> : <Eye aria-hidden="true" />}
          </Button>
        )}
        <CopyButton text={value} label={label} onCopied={onSeen} />
      </div>
    </div>
  )
}

export function CodeBlock({ label, code, onSeen }: { label: string; code: string; onSeen?: () => void }) {
  return (
    <div className="code">
      <pre tabIndex={0} role="region" aria-label={label}><code>{code}</code></pre>
      <CopyButton text={code} label={label} onCopied={onSeen} />
    </div>
  )
}
