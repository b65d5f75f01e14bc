import { Check, ChevronsUpDown, Clapperboard, FileKey, KeyRound, LogOut, type LucideIcon, Monitor, Moon, Plus, Radio, ScrollText, Search, Settings, Sun, Terminal, UserRound, Users, Webhook } from 'lucide-react'
import { Link, NavLink, useNavigate } from 'react-router'
import { useMutation } from 'urql'
import { useAccount } from '../../app/account.tsx'
import { paths, placePaths, type PlacePaths } from '../../app/paths.ts'
import { type Action, usePlace } from '../../app/place.tsx'
import { forgetSecrets } from '../../app/shown-once.ts'
import { chooseTheme, type Theme, useTheme } from '../../app/theme.ts'
import { graphql } from '../../graphql/index.ts'
import { Avatar, Kbd } from '../../ui/badge.tsx'
import { Button } from '../../ui/button.tsx'
import { Menu, MenuItem, MenuLabel, MenuLine } from '../../ui/menu.tsx'
import { roleName } from '../roles.ts'

const SignOutMutation = graphql(`
  mutation SignOut { signOut { signedOut userErrors { code field message } } }
`)

export interface NavItem {
  name: string
  icon: LucideIcon
  to: (to: PlacePaths) => string
  /** Hidden from roles that may not even look. */
  needs: Action
}

export const NAVIGATION: readonly { title: string | null; items: readonly NavItem[] }[] = [
  {
    title: null,
    items: [
      { name: 'Channels', icon: Radio, to: (to) => to.channels(), needs: 'CHANNEL_READ' },
      { name: 'Assets', icon: Clapperboard, to: (to) => to.assets(), needs: 'ASSET_READ' },
    ],
  },
  {
    title: 'Developers',
    items: [
      { name: 'API tokens', icon: KeyRound, to: (to) => to.tokens(), needs: 'TOKEN_READ' },
      { name: 'Signed playback', icon: FileKey, to: (to) => to.signedPlayback(), needs: 'SIGNING_KEY_READ' },
      { name: 'Webhooks', icon: Webhook, to: (to) => to.webhooks(), needs: 'WEBHOOK_READ' },
      { name: 'API explorer', icon: Terminal, to: (to) => to.explorer(), needs: 'CHANNEL_READ' },
    ],
  },
  {
    title: 'Tenant',
    items: [
      { name: 'Team', icon: Users, to: (to) => to.team(), needs: 'MEMBER_READ' },
      { name: 'Audit log', icon: ScrollText, to: (to) => to.auditLog(), needs: 'AUDIT_READ' },
      { name: 'Settings', icon: Settings, to: (to) => to.settings(), needs: 'TENANT_READ' },
    ],
  },
]

export const THEMES: readonly { theme: Theme; name: string; icon: LucideIcon }[] = [
  { theme: 'system', name: 'As the system', icon: Monitor },
  { theme: 'light', name: 'Light', icon: Sun },
  { theme: 'dark', name: 'Dark', icon: Moon },
]

export function useSignOut() {
  const [, signOut] = useMutation(SignOutMutation)
  const { reset } = useAccount()
  const navigate = useNavigate()
  return async () => {
    await signOut({})
    forgetSecrets()
    // Away first: the page that was left would ask to come back to it.
    await navigate(paths.signIn())
    reset()
  }
}

export function Navigation({ onSearch }: { onSearch: () => void }) {
  const { to, can, place } = usePlace()
  return (
    <div className="sidebar-inner">
      <div className="stack gap-2">
        <TenantSwitch />
        <Button className="nav-search" onClick={onSearch}><Search aria-hidden="true" />Search<Kbd>Ctrl K</Kbd></Button>
      </div>
      <nav aria-label="Main" className="stack">
        {NAVIGATION.map(({ title, items }) => {
          const allowed = items.filter(({ needs }) => can(needs))
          return allowed.length > 0 && (
            <div key={title} className="nav-group">
              {title && <p className="nav-title">{title}</p>}
              {allowed.map(({ name, icon: Icon, to: address }) => (
                <NavLink key={name} to={address(to)} className="nav-link"><Icon aria-hidden="true" />{name}</NavLink>
              ))}
            </div>
          )
        })}
      </nav>
      <div className="sidebar-foot-group stack gap-3" style={{ marginTop: 'auto' }}>
        <nav className="environments" aria-label="Environment">
          {(['live', 'test'] as const).map((environment) => (
            <Link key={environment} className={`environment environment-${environment}`} aria-current={place.environment === environment} to={placePaths({ ...place, environment }).channels()}>
              {environment === 'live' ? 'Live' : 'Test'}
            </Link>
          ))}
        </nav>
        <div className="sidebar-foot"><PersonMenu /><ThemeMenu /></div>
      </div>
    </div>
  )
}

function TenantSwitch() {
  const { viewer, memberships, place } = usePlace()
  return (
    <Menu
      align="start"
      trigger={(
        <Button tone="quiet" className="tenant-switch" aria-label={`Tenant ${viewer.tenant.name}, change`}>
          <Avatar name={viewer.tenant.name} square />
          <span className="tenant-switch-name truncate">{viewer.tenant.name}</span>
          <ChevronsUpDown aria-hidden="true" />
        </Button>
      )}
    >
      <MenuLabel>Tenants</MenuLabel>
      {memberships.map(({ tenant, role }) => (
        <MenuItem key={tenant.id} asChild>
          <Link to={placePaths({ tenant: tenant.slug, environment: place.environment }).channels()}>
            <span className="grow truncate">{tenant.name}</span>
            <span className="faint small">{roleName(role)}</span>
            {tenant.id === viewer.tenant.id && <Check aria-label="current" />}
          </Link>
        </MenuItem>
      ))}
      <MenuLine />
      <MenuItem asChild><Link to={paths.newTenant()}><Plus aria-hidden="true" />New tenant</Link></MenuItem>
    </Menu>
  )
}

function PersonMenu() {
  const { viewer } = usePlace()
  const signOut = useSignOut()
  const name = viewer.user?.name ?? 'API token'
  return (
    <Menu
      align="start"
      trigger={(
        <Button tone="quiet" aria-label={`Account of ${name}`}>
          <Avatar name={name} /><span className="truncate">{name}</span>
        </Button>
      )}
    >
      <MenuLabel>{viewer.user?.email}{viewer.role && ` · ${roleName(viewer.role)}`}</MenuLabel>
      <MenuItem asChild><Link to={paths.account()}><UserRound aria-hidden="true" />Account and security</Link></MenuItem>
      <MenuLine />
      <MenuItem onSelect={() => void signOut()}><LogOut aria-hidden="true" />Sign out</MenuItem>
    </Menu>
  )
}

export function ThemeMenu() {
  const theme = useTheme()
  const Current = THEMES.find((one) => one.theme === theme)?.icon ?? Monitor
  return (
    <Menu trigger={<Button tone="quiet" icon aria-label="Colour scheme"><Current aria-hidden="true" /></Button>}>
      {THEMES.map(({ theme: each, name, icon: Icon }) => (
        <MenuItem key={each} onSelect={() => chooseTheme(each)}><Icon aria-hidden="true" /><span className="grow">{name}</span>{each === theme && <Check aria-label="current" />}</MenuItem>
      ))}
    </Menu>
  )
}
