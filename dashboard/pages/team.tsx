import { Ellipsis, Mail, Plus, Users } from 'lucide-react'
import { useState } from 'react'
import { paths } from '../app/paths.ts'
import { usePlace } from '../app/place.tsx'
import { showOnce } from '../app/shown-once.ts'
import { ListSearch, ListTable, useListState } from '../components/list.tsx'
import { Page } from '../components/page.tsx'
import { roleName, ROLES, type Role } from '../components/roles.ts'
import { graphql, type ResultOf } from '../graphql/index.ts'
import { useAction, useQuery } from '../graphql/use.ts'
import { Avatar, Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { Confirm } from '../ui/confirm.tsx'
import { Dialog, DialogFoot } from '../ui/dialog.tsx'
import { ChoiceList, Field, Input, Select } from '../ui/field.tsx'
import { count } from '../ui/format.ts'
import { Menu, MenuItem, MenuLine } from '../ui/menu.tsx'
import { Empty, Notice } from '../ui/notice.tsx'
import { Time } from '../ui/time.tsx'
import { useToast } from '../ui/toast.tsx'

const TeamQuery = graphql(`
  query Team($first: Int, $after: String, $last: Int, $before: String, $filter: MemberFilter) {
    tenant {
      id
      members(first: $first, after: $after, last: $last, before: $before, filter: $filter) {
        totalCount
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
        nodes { id role joinedAt isMe user { id name email } }
      }
      invitations(first: 50) { nodes { id email role createdAt expiresAt invitedBy { id name } } }
    }
  }
`)
const InviteMutation = graphql(`
  mutation InvitationCreate($input: InvitationCreateInput!) {
    invitationCreate(input: $input) { invitation { id email } secret mailed userErrors { code field message } }
  }
`)
const ResendMutation = graphql(`
  mutation InvitationResend($input: InvitationResendInput!) { invitationResend(input: $input) { invitation { id expiresAt } secret mailed userErrors { code field message } } }
`)
const WithdrawMutation = graphql(`
  mutation InvitationRevoke($input: InvitationRevokeInput!) { invitationRevoke(input: $input) { revokedId userErrors { code field message } } }
`)
const RoleMutation = graphql(`
  mutation MemberUpdate($input: MemberUpdateInput!) { memberUpdate(input: $input) { member { id role } userErrors { code field message } } }
`)
const RemoveMutation = graphql(`
  mutation MemberRemove($input: MemberRemoveInput!) { memberRemove(input: $input) { removedId userErrors { code field message } } }
`)

type Tenant = NonNullable<ResultOf<typeof TeamQuery>['tenant']>
type Member = Tenant['members']['nodes'][number]
type Invitation = Tenant['invitations']['nodes'][number]

/** Nobody hands out a higher role than their own. */
const grantable = (own: Role | null) => ROLES.filter(({ role }) => own === 'OWNER' || role !== 'OWNER')

export default function TeamPage() {
  const { can, refused, viewer } = usePlace()
  const list = useListState()
  const role = ROLES.find((one) => one.role === list.get('role'))?.role
  const [inviting, setInviting] = useState(false)
  const [changing, setChanging] = useState<Member | null>(null)
  const [removing, setRemoving] = useState<Member | null>(null)
  const [{ data, fetching, error }, again] = useQuery({
    query: TeamQuery,
    variables: { ...list.page, filter: { ...(list.get('q') && { search: list.get('q') }), ...(role && { role }) } },
    requestPolicy: 'cache-and-network',
  })
  const remove = useAction(RemoveMutation, ({ memberRemove }) => memberRemove)
  const toast = useToast()
  const members = data?.tenant?.members
  const refusal = refused('MEMBER_WRITE', 'change the team')
  return (
    <Page
      title="Team"
      about={`Who may do what in ${viewer.tenant.name}.`}
      actions={<Button tone="primary" disabledBecause={refusal} onClick={() => setInviting(true)}><Plus aria-hidden="true" />Invite</Button>}
    >
      <Card bare>
        <div className="toolbar">
          <ListSearch list={list} label="Search by name or e-mail" />
          <Select aria-label="Role" value={list.get('role')} onChange={(event) => list.set({ role: event.target.value || null })}>
            <option value="">Every role</option>
            {ROLES.map((one) => <option key={one.role} value={one.role}>{one.name}</option>)}
          </Select>
        </div>
        <ListTable
          label="Members"
          list={list}
          loading={fetching}
          error={error}
          onRetry={() => again({ requestPolicy: 'network-only' })}
          columns={[{ name: 'Person' }, { name: 'Role' }, { name: 'Joined', wideOnly: true }, { name: 'Acts', hidden: true, align: 'end' }]}
          pageInfo={members?.pageInfo}
          about={members && `${count(members.totalCount)} members`}
          empty={<Empty icon={<Users />} title="Nobody is here" />}
          rows={(members?.nodes ?? []).map((member) => (
            <tr key={member.id}>
              <td>
                <div className="row" style={{ flexWrap: 'nowrap', gap: 'var(--space-3)' }}>
                  <Avatar name={member.user.name} />
                  <div style={{ minWidth: 0 }}><strong>{member.user.name}</strong>{member.isMe && <span className="faint"> (you)</span>}<div className="faint" style={{ overflowWrap: 'anywhere' }}>{member.user.email}</div></div>
                </div>
              </td>
              <td><Badge tone={member.role === 'OWNER' ? 'accent' : 'neutral'}>{roleName(member.role)}</Badge></td>
              <td className="wide-only"><Time at={member.joinedAt} /></td>
              <td className="end">
                {(can('MEMBER_WRITE') || member.isMe) && (
                  <Menu trigger={<Button tone="quiet" size="small" icon aria-label={`Acts on ${member.user.name}`}><Ellipsis aria-hidden="true" /></Button>}>
                    {can('MEMBER_WRITE') && <><MenuItem onSelect={() => setChanging(member)}>Change the role…</MenuItem><MenuLine /></>}
                    <MenuItem danger onSelect={() => setRemoving(member)}>{member.isMe ? 'Leave the tenant…' : 'Remove…'}</MenuItem>
                  </Menu>
                )}
              </td>
            </tr>
          ))}
        />
      </Card>
      {data?.tenant && data.tenant.invitations.nodes.length > 0 && <Invitations invitations={data.tenant.invitations.nodes} />}
      <Card title="What the roles may do"><dl className="facts">{ROLES.map(({ role: one, name, about }) => <div key={one} style={{ display: 'contents' }}><dt><strong>{name}</strong></dt><dd className="quiet">{about}</dd></div>)}</dl></Card>
      {inviting && <InviteDialog onClose={() => setInviting(false)} />}
      {changing && <RoleDialog member={changing} onClose={() => setChanging(null)} />}
      <Confirm
        open={removing !== null}
        onOpenChange={() => setRemoving(null)}
        title={removing?.isMe ? `Leave ${viewer.tenant.name}?` : `Remove ${removing?.user.name}?`}
        about="They lose access to this tenant at once, on every device. API tokens that they made go on working; revoke them separately. Nothing that they made is deleted."
        act={removing?.isMe ? 'Leave' : 'Remove'}
        onConfirm={async () => {
          const problem = await remove.attempt({ id: removing!.id })
          if (!problem) toast({ title: removing?.isMe ? 'You have left' : `${removing?.user.name} is removed` })
          return problem
        }}
      />
    </Page>
  )
}

function Invitations({ invitations }: { invitations: readonly Invitation[] }) {
  const { can } = usePlace()
  const [withdrawing, setWithdrawing] = useState<Invitation | null>(null)
  const toast = useToast()
  const withdraw = useAction(WithdrawMutation, ({ invitationRevoke }) => invitationRevoke)
  const resend = useAction(ResendMutation, ({ invitationResend }) => invitationResend)
  const again = async ({ id, email }: Invitation) => {
    const done = await resend.run({ id })
    if (done?.secret) showLink(email, done.secret, done.mailed)
    else toast({ tone: 'danger', title: 'The invitation could not be sent again' })
  }
  return (
    <Card title="Open invitations" flush>
      <ListTable
        label="Open invitations"
        loading={false}
        error={undefined}
        onRetry={() => undefined}
        pageInfo={undefined}
        empty={null}
        columns={[{ name: 'E-mail' }, { name: 'Role' }, { name: 'Invited by', wideOnly: true }, { name: 'Expires', wideOnly: true }, { name: 'Acts', hidden: true, align: 'end' }]}
        rows={invitations.map((invitation) => (
          <tr key={invitation.id}>
            <td><span className="row" style={{ flexWrap: 'nowrap' }}><Mail size={16} className="faint" aria-hidden="true" /><span style={{ overflowWrap: 'anywhere' }}>{invitation.email}</span></span></td>
            <td>{roleName(invitation.role)}</td>
            <td className="wide-only">{invitation.invitedBy?.name ?? <span className="faint">Somebody who left</span>}</td>
            <td className="wide-only"><Time at={invitation.expiresAt} /></td>
            <td className="end">
              {can('MEMBER_WRITE') && (
                <Menu trigger={<Button tone="quiet" size="small" icon aria-label={`Acts on the invitation of ${invitation.email}`}><Ellipsis aria-hidden="true" /></Button>}>
                  {<><MenuItem onSelect={() => void again(invitation)}>Send again</MenuItem><MenuLine /></>}
                  <MenuItem danger onSelect={() => setWithdrawing(invitation)}>Withdraw…</MenuItem>
                </Menu>
              )}
            </td>
          </tr>
        ))}
      />
      <Confirm
        open={withdrawing !== null}
        onOpenChange={() => setWithdrawing(null)}
        title={`Withdraw the invitation of ${withdrawing?.email}?`}
        about="The link stops working. You can invite the address again."
        act="Withdraw"
        onConfirm={() => withdraw.attempt({ id: withdrawing!.id })}
      />
    </Card>
  )
}

/** The link of an invitation, the one time that it is shown. */
const showLink = (email: string, secret: string, mailed: boolean) => showOnce({
  title: `${email} is invited`,
  about: mailed ? 'The link is on its way by e-mail. You can hand it over yourself as well: it is shown now and never again.' : 'Hand this link over: it is shown now and never again.',
  label: 'Invitation link', text: new URL(paths.invitation(secret), location.origin).href, look: 'line',
  note: 'It lets in whoever signs in with that address, once, within seven days.', done: 'Done',
})

function InviteDialog({ onClose }: { onClose: () => void }) {
  const { viewer } = usePlace()
  const [email, setEmail] = useState('')
  const [role, setRole] = useState<Role>('DEVELOPER')
  const { run, busy, errors } = useAction(InviteMutation, ({ invitationCreate }) => invitationCreate)
  return (
    <Dialog open onOpenChange={onClose} title={`Invite to ${viewer.tenant.name}`}>
      <form
        className="stack"
        onSubmit={async (event) => {
          event.preventDefault()
          const done = busy ? null : await run({ email, role })
          if (!done) return
          if (done.secret) showLink(email, done.secret, done.mailed)
          onClose()
        }}
      >
        {errors[''] && <Notice tone="danger">{errors['']}</Notice>}
        <Field label="E-mail" error={errors['email']}>{(parts) => <Input {...parts} type="email" required autoFocus value={email} onChange={(event) => setEmail(event.target.value)} />}</Field>
        <ChoiceList label="Role" value={role} onChange={setRole} choices={grantable(viewer.role).map((one) => ({ value: one.role, name: one.name, about: one.about }))} />
        <DialogFoot><Button onClick={onClose}>Cancel</Button><Button type="submit" tone="primary" busy={busy}>Invite</Button></DialogFoot>
      </form>
    </Dialog>
  )
}

function RoleDialog({ member, onClose }: { member: Member; onClose: () => void }) {
  const { viewer } = usePlace()
  const [role, setRole] = useState<Role>(member.role)
  const { run, busy, errors } = useAction(RoleMutation, ({ memberUpdate }) => memberUpdate)
  const toast = useToast()
  return (
    <Dialog open onOpenChange={onClose} title={`Role of ${member.user.name}`}>
      <form
        className="stack"
        onSubmit={async (event) => {
          event.preventDefault()
          if (busy || !(await run({ id: member.id, role }))) return
          toast({ title: `${member.user.name} is now ${roleName(role).toLowerCase()}` })
          onClose()
        }}
      >
        {Object.values(errors)[0] && <Notice tone="danger">{Object.values(errors)[0]}</Notice>}
        <ChoiceList label="Role" value={role} onChange={setRole} choices={grantable(viewer.role).map((one) => ({ value: one.role, name: one.name, about: one.about }))} />
        <DialogFoot><Button onClick={onClose}>Cancel</Button><Button type="submit" tone="primary" busy={busy} disabledBecause={role === member.role && 'It is the role already.'}>Change the role</Button></DialogFoot>
      </form>
    </Dialog>
  )
}
