import { useEffect, useRef, useState } from 'react'
import { Link, useSearchParams } from 'react-router'
import { paths } from '../app/paths.ts'
import { AuthPage } from '../components/auth-page.tsx'
import { graphql } from '../graphql/index.ts'
import { useAction } from '../graphql/use.ts'
import { Notice, Skeleton } from '../ui/notice.tsx'

const VerifyMutation = graphql(`
  mutation EmailVerify($input: EmailVerifyInput!) { emailVerify(input: $input) { email userErrors { code field message } } }
`)

/** Where the link of the mail leads that shows that an address is somebody's. */
export default function VerifyEmailPage() {
  const [params] = useSearchParams()
  const [email, setEmail] = useState<string | null>(null)
  const { run, errors } = useAction(VerifyMutation, ({ emailVerify }) => emailVerify)
  const asked = useRef(false)
  useEffect(() => {
    if (asked.current) return
    asked.current = true
    void run({ secret: params.get('secret') ?? '' }).then((done) => setEmail(done?.email ?? null))
  }, [run, params])
  const [problem] = Object.values(errors)
  return (
    <AuthPage title="Your e-mail address" foot={<Link to={paths.home()}>Go to the dashboard</Link>}>
      <div className="stack">
        {problem ? <Notice tone="danger" title="This link is over">{problem} A new one can be sent from your account.</Notice>
          : email ? <Notice tone="ok" title="Thank you">{email} is yours.</Notice>
            : <Skeleton height={60} />}
      </div>
    </AuthPage>
  )
}
