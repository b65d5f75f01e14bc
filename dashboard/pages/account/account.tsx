import { Laptop, Smartphone } from 'lucide-react'
import { useState } from 'react'
import { Link, Navigate } from 'react-router'
import { useMutation } from 'urql'
import { paths } from '../../app/paths.ts'
import { AuthPage } from '../../components/auth-page.tsx'
import { roleName } from '../../components/roles.ts'
import { useSignOut } from '../../components/shell/navigation.tsx'
import { describeUserAgent } from '../../components/user-agent.ts'
import { PasswordField } from '../../forms/password.tsx'
import { explain } from '../../graphql/errors.ts'
import { graphql, type ResultOf } from '../../graphql/index.ts'
import { useAction, useQuery } from '../../graphql/use.ts'
import { Badge } from '../../ui/badge.tsx'
import { Button } from '../../ui/button.tsx'
import { Card, Setting } from '../../ui/card.tsx'
import { Confirm } from '../../ui/confirm.tsx'
import { Field, Input } from '../../ui/field.tsx'
import { Notice, Skeleton } from '../../ui/notice.tsx'
import { Time } from '../../ui/time.tsx'
import { useToast } from '../../ui/toast.tsx'
import { SecondFactor } from './second-factor.tsx'

const AccountQuery = graphql(`
  query Account {
    me {
      id name email emailVerified createdAt
      hasPassword
      totpEnabledAt
      recoveryCodesLeft
      memberships { role tenant { id slug name } }
      sessions(first: 50) { nodes { id current userAgent ipAddress createdAt lastUsedAt } }
    }
  }
`)
const UpdateMutation = graphql(`
  mutation UserUpdate($input: UserUpdateInput!) { userUpdate(input: $input) { user { id name } userErrors { code field message } } }
`)
const PasswordMutation = graphql(`
  mutation PasswordChange($input: PasswordChangeInput!) { passwordChange(input: $input) { user { id } userErrors { code field message } } }
`)
const RevokeMutation = graphql(`
  mutation SessionRevoke($input: SessionRevokeInput!) { sessionRevoke(input: $input) { revokedIds userErrors { code field message } } }
`)
const VerificationMutation = graphql(`
  mutation EmailVerificationRequest { emailVerificationRequest { requested userErrors { code field message } } }
`)
type Me = NonNullable<ResultOf<typeof AccountQuery>['me']>

export default function AccountPage() {
  const [{ data, error }, again] = useQuery({ query: AccountQuery, requestPolicy: 'cache-and-network' })
  const refresh = () => again({ requestPolicy: 'network-only' })
  const signOut = useSignOut()
  if (error && !data) return <AuthPage title="Account" wide><div className="stack"><Notice tone="danger">{explain(error)}</Notice></div></AuthPage>
  if (!data) return <AuthPage title="Account" wide><div className="stack"><Skeleton height={180} /><Skeleton height={220} /></div></AuthPage>
  if (!data.me) return <Navigate to={paths.signIn(paths.account())} replace />
  return (
    <AuthPage title="Account and security" about={data.me.email} wide>
      <div className="stack gap-5">
        <nav className="row" aria-label="Account"><Link to={paths.home()}>Back to the dashboard</Link><span className="grow" /><Button onClick={() => void signOut()}>Sign out</Button></nav>
        <Profile me={data.me} />
        {!data.me.emailVerified && <Unverified />}
        {!data.me.hasPassword
          ? <Card title="Password"><p className="quiet">You sign in elsewhere and have no password here. <Link to={paths.forgotPassword()}>Have a link sent</Link> to choose one as well.</p></Card>
          : <Password onDone={refresh} />}
        {<SecondFactor enabledAt={data.me.totpEnabledAt} codesLeft={data.me.recoveryCodesLeft} hasPassword={data.me.hasPassword} onDone={refresh} />}
        <Sessions me={data.me} onDone={refresh} />
        <Card title="Tenants">
          {data.me.memberships.map(({ tenant, role }) => <Setting key={tenant.id} name={tenant.name} about={tenant.slug}><Badge>{roleName(role)}</Badge></Setting>)}
          {data.me.memberships.length === 0 && <p className="quiet">You belong to no tenant. <Link to={paths.newTenant()}>Make one</Link>, or ask for an invitation.</p>}
        </Card>
      </div>
    </AuthPage>
  )
}

function Profile({ me }: { me: Me }) {
  const [name, setName] = useState(me.name)
  const { run, busy, errors } = useAction(UpdateMutation, ({ userUpdate }) => userUpdate)
  const toast = useToast()
  return (
    <form onSubmit={async (event) => { event.preventDefault(); if (!busy && name !== me.name && (await run({ name }))) toast({ title: 'Your name is changed' }) }}>
      <Card title="Profile" foot={<Button type="submit" tone="primary" busy={busy} disabledBecause={name === me.name && 'Nothing is changed yet.'}>Save</Button>}>
        <div className="stack">
          {errors[''] && <Notice tone="danger">{errors['']}</Notice>}
          <Field label="Name" error={errors['name']}>{(parts) => <Input {...parts} required maxLength={100} autoComplete="name" value={name} onChange={(event) => setName(event.target.value)} />}</Field>
          <Field label="E-mail">{(parts) => <Input {...parts} readOnly value={me.email} />}</Field>
        </div>
      </Card>
    </form>
  )
}

function Unverified() {
  const [{ fetching, data, error }, ask] = useMutation(VerificationMutation)
  const problem = error ? explain(error) : data?.emailVerificationRequest.userErrors[0]?.message
  if (data?.emailVerificationRequest.requested) return <Notice tone="ok">A link is on its way. It works once, for a week.</Notice>
  return (
    <Notice tone={problem ? 'danger' : 'warn'} title="Your address is not verified" act={<Button size="small" busy={fetching} onClick={() => void ask({})}>Send a link</Button>}>
      {problem ?? 'Open the link of the mail that came when you signed up, or have another one sent.'}
    </Notice>
  )
}

function Password({ onDone }: { onDone: () => void }) {
  const [current, setCurrent] = useState('')
  const [next, setNext] = useState('')
  const { run, busy, errors } = useAction(PasswordMutation, ({ passwordChange }) => passwordChange)
  const toast = useToast()
  return (
    <form
      onSubmit={async (event) => {
        event.preventDefault()
        if (busy || !(await run({ currentPassword: current, newPassword: next }))) return
        setCurrent('')
        setNext('')
        toast({ title: 'Your password is changed', about: 'Every other session has ended.' })
        onDone()
      }}
    >
      <Card title="Password" about="Changing it ends every other session of yours." foot={<Button type="submit" tone="primary" busy={busy}>Change the password</Button>}>
        <div className="stack">
          {errors[''] && <Notice tone="danger">{errors['']}</Notice>}
          <PasswordField label="Current password" value={current} onChange={setCurrent} error={errors['currentPassword']} />
          <PasswordField label="New password" isNew value={next} onChange={setNext} error={errors['newPassword']} />
        </div>
      </Card>
    </form>
  )
}

function Sessions({ me, onDone }: { me: Me; onDone: () => void }) {
  const sessions = me.sessions.nodes
  const [ending, setEnding] = useState<'others' | Me['sessions']['nodes'][number] | null>(null)
  const { attempt } = useAction(RevokeMutation, ({ sessionRevoke }) => sessionRevoke)
  return (
    <Card
      title="Sessions"
      about="Where you are signed in. End those that you do not know, and change your password."
      actions={sessions.length > 1 && <Button size="small" tone="quiet-danger" onClick={() => setEnding('others')}>End all others</Button>}
    >
      {sessions.map((session) => {
        const { name, phone } = describeUserAgent(session.userAgent)
        const Icon = phone ? Smartphone : Laptop
        return (
          <Setting
            key={session.id}
            name={<span className="row"><Icon size={16} aria-hidden="true" />{name}{session.current && <Badge tone="ok">This one</Badge>}</span>}
            about={<>{session.ipAddress} · last used <Time at={session.lastUsedAt} /></>}
          >
            {!session.current && <Button size="small" aria-label={`End the session on ${name}`} onClick={() => setEnding(session)}>End</Button>}
          </Setting>
        )
      })}
      <Confirm
        open={ending !== null}
        onOpenChange={() => setEnding(null)}
        title={ending === 'others' ? 'End every other session?' : 'End this session?'}
        about={ending === 'others' ? 'Every other browser has to sign in again.' : 'That browser has to sign in again.'}
        act={ending === 'others' ? 'End them' : 'End it'}
        onConfirm={async () => {
          const problem = await attempt({ id: ending === 'others' ? null : ending!.id })
          if (!problem) onDone()
          return problem
        }}
      />
    </Card>
  )
}
