import './overlay.css'
import { X } from 'lucide-react'
import { Dialog as Radix } from 'radix-ui'
import type { ReactNode } from 'react'
import { Button } from './button.tsx'
import { cx } from './cx.ts'

export interface DialogProps {
  open: boolean
  onOpenChange: (open: boolean) => void
  title: ReactNode
  about?: ReactNode
  children?: ReactNode
  wide?: boolean
  /** Keeps a dialog that holds something unrepeatable open until its own button is used. */
  sticky?: boolean
}

export function Dialog({ open, onOpenChange, title, about, children, wide, sticky }: DialogProps) {
  const hold = (event: Event) => { if (sticky) event.preventDefault() }
  return (
    <Radix.Root open={open} onOpenChange={onOpenChange}>
      <Radix.Portal>
        <Radix.Overlay className="scrim" />
        <div className="dialog-place">
          <Radix.Content
            className={cx('dialog', wide && 'dialog-wide')}
            onEscapeKeyDown={hold}
            onInteractOutside={hold}
            {...(about ? {} : { 'aria-describedby': undefined })}
          >
            <div className="dialog-head">
              <Radix.Title className="dialog-title">{title}</Radix.Title>
              {!sticky && (
                <Radix.Close asChild><Button tone="quiet" size="small" icon aria-label="Close"><X aria-hidden="true" /></Button></Radix.Close>
              )}
            </div>
            {about && <Radix.Description asChild><div className="dialog-about">{about}</div></Radix.Description>}
            {children}
          </Radix.Content>
        </div>
      </Radix.Portal>
    </Radix.Root>
  )
}

export function DialogFoot({ children }: { children: ReactNode }) {
  return <div className="dialog-foot">{children}</div>
}

/** A sheet from the left edge: the navigation on narrow screens. */
export function Drawer({ open, onOpenChange, title, children }: { open: boolean; onOpenChange: (open: boolean) => void; title: string; children: ReactNode }) {
  return (
    <Radix.Root open={open} onOpenChange={onOpenChange}>
      <Radix.Portal>
        <Radix.Overlay className="scrim" />
        <Radix.Content className="drawer" aria-describedby={undefined}>
          <Radix.Title className="visually-hidden">{title}</Radix.Title>
          {children}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  )
}
