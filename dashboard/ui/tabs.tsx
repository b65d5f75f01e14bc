import './tabs.css'
import { Tabs as Radix, ToggleGroup } from 'radix-ui'
import type { ReactNode } from 'react'

export interface Tab {
  id: string
  name: ReactNode
  content: ReactNode
}

export function Tabs({ label, tabs, value, onChange }: { label: string; tabs: readonly Tab[]; value?: string; onChange?: (id: string) => void }) {
  const control = value !== undefined && onChange ? { value, onValueChange: onChange } : { defaultValue: tabs[0]?.id ?? '' }
  return (
    <Radix.Root {...control}>
      <Radix.List className="tabs-list" aria-label={label}>
        {tabs.map(({ id, name }) => <Radix.Trigger key={id} value={id} className="tab">{name}</Radix.Trigger>)}
      </Radix.List>
      {tabs.map(({ id, content }) => <Radix.Content key={id} value={id} className="tab-panel" tabIndex={-1}>{content}</Radix.Content>)}
    </Radix.Root>
  )
}

export function Segments<T extends string>({ label, value, onChange, options }: { label: string; value: T; onChange: (value: T) => void; options: readonly (readonly [T, string])[] }) {
  return (
    <ToggleGroup.Root type="single" className="segments" aria-label={label} value={value} onValueChange={(next) => { if (next) onChange(next as T) }}>
      {options.map(([id, name]) => <ToggleGroup.Item key={id} value={id} className="segment">{name}</ToggleGroup.Item>)}
    </ToggleGroup.Root>
  )
}
