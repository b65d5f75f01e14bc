import './overlay.css'
import { X } from 'lucide-react'
import { Toast as Radix } from 'radix-ui'
import { createContext, type ReactNode, useCallback, useContext, useMemo, useState } from 'react'
import { Button } from './button.tsx'
import { cx } from './cx.ts'

interface ToastOptions {
  title: string
  about?: string
  tone?: 'ok' | 'danger'
  /** An act that takes back what was just done. */
  undo?: { label: string; act: () => void }
  durationMs?: number
}
type Show = (toast: ToastOptions) => void

const ToastContext = createContext<Show>(() => undefined)
const TOASTS_MAX = 4
let nextId = 0

export const useToast = () => useContext(ToastContext)

export function ToastProvider({ children }: { children: ReactNode }) {
  const [toasts, setToasts] = useState<(ToastOptions & { id: number })[]>([])
  const show = useCallback<Show>((toast) => setToasts((all) => [...all, { ...toast, id: nextId++ }].slice(-TOASTS_MAX)), [])
  const drop = (id: number) => setToasts((all) => all.filter((toast) => toast.id !== id))
  const value = useMemo(() => show, [show])
  return (
    <ToastContext value={value}>
      <Radix.Provider swipeDirection="right" label="Notification">
        {children}
        {toasts.map(({ id, title, about, tone = 'ok', undo, durationMs = 6000 }) => (
          <Radix.Root key={id} className={cx('toast', tone === 'danger' && 'toast-danger')} duration={durationMs} onOpenChange={(open) => { if (!open) drop(id) }}>
            <div className="grow">
              <Radix.Title className="toast-title">{title}</Radix.Title>
              {about && <Radix.Description className="toast-about">{about}</Radix.Description>}
            </div>
            {undo && <Radix.Action asChild altText={undo.label}><Button size="small" onClick={undo.act}>{undo.label}</Button></Radix.Action>}
            <Radix.Close asChild><Button tone="quiet" size="small" icon aria-label="Dismiss"><X aria-hidden="true" /></Button></Radix.Close>
          </Radix.Root>
        ))}
        <Radix.Viewport className="toasts" />
      </Radix.Provider>
    </ToastContext>
  )
}
