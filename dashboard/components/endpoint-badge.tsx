import { Badge } from '../ui/badge.tsx'

interface Endpoint {
  disabled: boolean
  disabledCause: 'FAILING' | 'GONE' | 'OWNER' | null
  failingSince: string | null
}

const CAUSES = { FAILING: 'Given up', GONE: 'Gone', OWNER: 'Disabled' } as const

export function EndpointBadge({ endpoint: { disabled, disabledCause, failingSince } }: { endpoint: Endpoint }) {
  if (disabled) return <Badge tone={disabledCause === 'OWNER' || !disabledCause ? 'neutral' : 'danger'}>{disabledCause ? CAUSES[disabledCause] : 'Disabled'}</Badge>
  return failingSince ? <Badge tone="warn">Failing</Badge> : <Badge tone="ok">Enabled</Badge>
}
