import { Link, useNavigate, useSearchParams } from 'react-router'
import { useAccount } from '../app/account.tsx'
import { paths, placePaths } from '../app/paths.ts'
import { AuthPage } from '../components/auth-page.tsx'
import { LinkButton } from '../components/page.tsx'
import { roleName } from '../components/roles.ts'
import { explain } from '../graphql/errors.ts'
import { graphql } from '../graphql/index.ts'
import { useAction, useQuery } from '../graphql/use.ts'
import { Button } from '../ui/button.tsx'
import { Notice, Skeleton } from '../ui/notice.tsx'

const InvitationQuery = graphql(`
  query Invitation($secret: String!) {
    me { id email }
    invitationPreview(secret: $secret) { tenantName email role expiresAt }
  }
`)
const AcceptMutation = graphql(`
  mutation InvitationAccept($input: InvitationAcceptInput!) {
    invitationAccept(input: $input) { tenant { id slug name } userErrors { code field message } }
  }
`)

export default function InvitationPage() {
  const [params] = useSearchParams()
  const secret = params.get('secret') ?? ''
  const [{ data, error }] = useQuery({ query: InvitationQuery, variables: { secret } })
  const navigate = useNavigate()
  const { reset } = useAccount()
  const { run, busy, errors } = useAction(AcceptMutation, ({ invitationAccept }) => invitationAccept)
  const invitation = data?.invitationPreview
  if (error) return <AuthPage title="Invitation"><div className="stack"><Notice tone="danger">{explain(error)}</Notice></div></AuthPage>
  if (!data) return <AuthPage title="Invitation"><div className="stack"><Skeleton width="70%" /><Skeleton width="40%" /></div></AuthPage>
  if (!invitation) {
    return (
      <AuthPage title="This invitation is over" about="It was used, withdrawn, or is older than its limit. Ask whoever invited you for a new one." foot={<Link to={paths.home()}>Go to your tenants</Link>}>
        {null}
      </AuthPage>
    )
  }
  const here = paths.invitation(secret)
  const accept = async () => {
    const done = await run({ secret })
    if (!done?.tenant) return
    reset()
    await navigate(placePaths({ tenant: done.tenant.slug, environment: 'live' }).channels(), { replace: true })
  }
  return (
    <AuthPage title={`Join ${invitation.tenantName}`} about={`You are invited as ${roleName(invitation.role).toLowerCase()}, with the address ${invitation.email}.`}>
      <div className="stack">
        {(errors[''] || errors['secret']) && <Notice tone="danger">{errors['secret'] ?? errors['']}</Notice>}
        {data.me?.email === invitation.email ? (
          <Button tone="primary" size="large" block busy={busy} onClick={() => void accept()}>Join</Button>
        ) : (
          <>
            {data.me && <Notice tone="warn">You are signed in as {data.me.email}. Sign in with the invited address to accept.</Notice>}
            <LinkButton tone="primary" size="large" block to={paths.signIn(here)}>Sign in to join</LinkButton>
            <LinkButton size="large" block to={paths.signUp(here)}>Create an account</LinkButton>
          </>
        )}
      </div>
    </AuthPage>
  )
}
