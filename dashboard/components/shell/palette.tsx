import './palette.css'
import { Clapperboard, LogOut, type LucideIcon, Plus, Radio, UserRound } from 'lucide-react'
import { Command } from 'cmdk'
import { Dialog } from 'radix-ui'
import { useDeferredValue, useEffect, useState } from 'react'
import { useNavigate } from 'react-router'
import { paths, placePaths } from '../../app/paths.ts'
import { usePlace } from '../../app/place.tsx'
import { chooseTheme } from '../../app/theme.ts'
import { graphql } from '../../graphql/index.ts'
import { useQuery } from '../../graphql/use.ts'
import { Badge } from '../../ui/badge.tsx'
import { channelState } from '../channel-state.tsx'
import { NAVIGATION, THEMES, useSignOut } from './navigation.tsx'

const PaletteQuery = graphql(`
  query Palette($search: String!) {
    channels(first: 6, filter: { search: $search }) { nodes { id title state } }
    assets(first: 4, filter: { search: $search }) { nodes { id title } }
  }
`)

/** Every page, channel, asset and command, by a few letters of its name. */
export default function Palette({ onClose }: { onClose: () => void }) {
  const { to, can, place, memberships, viewer } = usePlace()
  const [typed, setTyped] = useState('')
  const [chosen, setChosen] = useState('')
  const search = useDeferredValue(typed.trim())
  const [{ data }] = useQuery({ query: PaletteQuery, variables: { search }, pause: search.length === 0 || !can('CHANNEL_READ') })
  const navigate = useNavigate()
  const signOut = useSignOut()
  const go = (address: string) => () => {
    onClose()
    void navigate(address)
  }
  const found = search.length > 0 ? data : undefined
  const best = found?.channels.nodes[0] ?? found?.assets.nodes[0]
  // What was asked for by name comes after the letters: it becomes the choice that Enter takes.
  useEffect(() => { if (best) setChosen(`${best.title} ${best.id}`) }, [best])
  const environment = place.environment === 'live' ? 'test' : 'live'
  return (
    <Dialog.Root open onOpenChange={(open) => { if (!open) onClose() }}>
      <Dialog.Portal>
        <Dialog.Overlay className="scrim" />
        <div className="palette-place">
          <Dialog.Content className="palette" aria-describedby={undefined}>
            <Dialog.Title className="visually-hidden">Search and commands</Dialog.Title>
            <Command label="Search and commands" loop value={chosen} onValueChange={setChosen}>
              <Command.Input value={typed} onValueChange={setTyped} placeholder="Search channels, assets, pages and commands" />
              <Command.List>
                <Command.Empty>Nothing is called that.</Command.Empty>
                {found && found.channels.nodes.length > 0 && (
                  <Command.Group heading="Channels">
                    {found.channels.nodes.map(({ id, title, state }) => (
                      <Item key={id} value={`${title} ${id}`} icon={Radio} onSelect={go(to.channel(id))} end={<Badge tone={channelState[state].tone}>{channelState[state].name}</Badge>}>{title}</Item>
                    ))}
                  </Command.Group>
                )}
                {found && found.assets.nodes.length > 0 && (
                  <Command.Group heading="Assets">
                    {found.assets.nodes.map(({ id, title }) => <Item key={id} value={`${title} ${id}`} icon={Clapperboard} onSelect={go(to.asset(id))}>{title}</Item>)}
                  </Command.Group>
                )}
                <Command.Group heading="Go to">
                  {NAVIGATION.flatMap(({ items }) => items).filter(({ needs }) => can(needs)).map(({ name, icon, to: address }) => (
                    <Item key={name} value={name} icon={icon} onSelect={go(address(to))}>{name}</Item>
                  ))}
                  <Item value="Account and security" icon={UserRound} onSelect={go(paths.account())}>Account and security</Item>
                </Command.Group>
                <Command.Group heading="Do">
                  {can('CHANNEL_WRITE') && <Item value="New channel" icon={Plus} onSelect={go(to.channelNew())}>New channel</Item>}
                  <Item value={`Switch to ${environment} data`} icon={Radio} onSelect={go(placePaths({ ...place, environment }).channels())}>Switch to {environment} data</Item>
                  {memberships.filter(({ tenant }) => tenant.id !== viewer.tenant.id).map(({ tenant }) => (
                    <Item key={tenant.id} value={`Switch to ${tenant.name}`} icon={UserRound} onSelect={go(placePaths({ tenant: tenant.slug, environment: place.environment }).channels())}>Switch to {tenant.name}</Item>
                  ))}
                  {THEMES.map(({ theme, name, icon }) => (
                    <Item key={theme} value={`Colours: ${name}`} icon={icon} onSelect={() => { chooseTheme(theme); onClose() }}>Colours: {name.toLowerCase()}</Item>
                  ))}
                  <Item value="Sign out" icon={LogOut} onSelect={() => void signOut()}>Sign out</Item>
                </Command.Group>
              </Command.List>
            </Command>
          </Dialog.Content>
        </div>
      </Dialog.Portal>
    </Dialog.Root>
  )
}

function Item({ value, icon: Icon, onSelect, end, children }: { value: string; icon: LucideIcon; onSelect: () => void; end?: React.ReactNode; children: React.ReactNode }) {
  return <Command.Item value={value} onSelect={onSelect}><Icon aria-hidden="true" /><span className="grow truncate">{children}</span>{end}</Command.Item>
}
