import './overlay.css'
import { DropdownMenu as Radix } from 'radix-ui'
import type { ReactNode } from 'react'
import { cx } from './cx.ts'

export function Menu({ trigger, children, align = 'end' }: { trigger: ReactNode; children: ReactNode; align?: 'start' | 'end' }) {
  return (
    <Radix.Root modal={false}>
      <Radix.Trigger asChild>{trigger}</Radix.Trigger>
      <Radix.Portal>
        <Radix.Content className="menu" align={align} sideOffset={6} collisionPadding={8}>{children}</Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  )
}

export interface MenuItemProps {
  children: ReactNode
  onSelect?: () => void
  danger?: boolean
  disabled?: boolean
  asChild?: boolean
}

export function MenuItem({ children, onSelect, danger, disabled, asChild }: MenuItemProps) {
  return (
    <Radix.Item className={cx('menu-item', danger && 'menu-item-danger')} disabled={disabled ?? false} asChild={asChild ?? false} {...(onSelect ? { onSelect } : {})}>
      {children}
    </Radix.Item>
  )
}

export const MenuLine = () => <Radix.Separator className="menu-line" />
export const MenuLabel = ({ children }: { children: ReactNode }) => <Radix.Label className="menu-label">{children}</Radix.Label>
