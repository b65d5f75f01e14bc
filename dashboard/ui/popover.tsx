import './overlay.css'
import { Popover as Radix } from 'radix-ui'
import type { ReactNode } from 'react'

export function Popover({ trigger, label, children, align = 'start' }: { trigger: ReactNode; label: string; children: ReactNode; align?: 'start' | 'end' }) {
  return (
    <Radix.Root>
      <Radix.Trigger asChild>{trigger}</Radix.Trigger>
      <Radix.Portal>
        <Radix.Content className="popover" align={align} sideOffset={6} collisionPadding={12} aria-label={label}>{children}</Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  )
}
