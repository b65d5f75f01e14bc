import './button.css'
import { cva, type VariantProps } from 'class-variance-authority'
import type { ButtonHTMLAttributes, MouseEvent, Ref } from 'react'
import { Tooltip } from './tooltip.tsx'

export const buttonStyle = cva('button', {
  variants: {
    tone: {
      primary: 'button-primary',
      secondary: 'button-secondary',
      quiet: 'button-quiet',
      danger: 'button-danger',
      'quiet-danger': 'button-quiet-danger',
    },
    size: { small: 'button-small', medium: '', large: 'button-large' },
    icon: { true: 'button-icon' },
    block: { true: 'button-block' },
  },
  defaultVariants: { tone: 'secondary', size: 'medium' },
})

export interface ButtonProps extends Omit<ButtonHTMLAttributes<HTMLButtonElement>, 'disabled'>, VariantProps<typeof buttonStyle> {
  /** Why the button cannot be used now; it stays focusable and says so. */
  disabledBecause?: string | false | undefined
  busy?: boolean | undefined
  ref?: Ref<HTMLButtonElement>
}

export function Button({ tone, size, icon, block, disabledBecause, busy, className, children, onClick, type = 'button', ...rest }: ButtonProps) {
  const off = Boolean(disabledBecause) || busy
  const button = (
    <button
      {...rest}
      type={type}
      className={buttonStyle({ tone, size, icon, block, className })}
      aria-disabled={off || undefined}
      aria-busy={busy || undefined}
      onClick={(event: MouseEvent<HTMLButtonElement>) => {
        if (off) event.preventDefault()
        else onClick?.(event)
      }}
    >
      {busy && <span className="spinner" aria-hidden="true" />}
      {children}
    </button>
  )
  return disabledBecause ? <Tooltip says={disabledBecause}>{button}</Tooltip> : button
}
