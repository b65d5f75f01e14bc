import type { CombinedError } from 'urql'

/** The first stable code of a failed request: one of the API's, or NETWORK. */
export function codeOf(error: CombinedError): string {
  if (error.networkError) return 'NETWORK'
  const code = error.graphQLErrors[0]?.extensions['code']
  return typeof code === 'string' ? code : 'INTERNAL'
}

const PASSING = ['NETWORK', 'UNAVAILABLE', 'RATE_LIMITED', 'INTERNAL']

/** Whether the same question may be answered in a moment. */
export const passes = (error: CombinedError) => PASSING.includes(codeOf(error))

const SENTENCES: Record<string, string> = {
  NETWORK: 'The service could not be reached. Check your connection; this page tries again when you do.',
  UNAUTHENTICATED: 'You are signed out.',
  FORBIDDEN: 'Your role does not allow this. An owner or admin of the tenant can change your role.',
  NOT_FOUND: 'This is gone: somebody deleted it, or it never belonged to this tenant.',
  RATE_LIMITED: 'Too many requests in a short time. Wait a moment and try again.',
  UNAVAILABLE: 'A part of the service does not answer. Running broadcasts are not affected.',
  INTERNAL: 'Something went wrong on our side. It has been recorded; please try again.',
}

/** A sentence for people. */
export function explain(error: CombinedError): string {
  const code = codeOf(error)
  return SENTENCES[code] ?? error.graphQLErrors[0]?.message ?? SENTENCES['INTERNAL']!
}

export interface UserError {
  code: string
  field: readonly string[] | null
  message: string
}

/** The messages that belong to single fields, by their path in the input, with dots; the rest under ''. */
export function byField(errors: readonly UserError[]): Record<string, string> {
  const found: Record<string, string> = {}
  for (const { field, message } of errors) {
    const name = (field?.[0] === 'input' ? field.slice(1) : field ?? []).join('.')
    // No form has a field for the version that it was opened with.
    found[name === 'expectedVersion' ? '' : name] ??= message
  }
  return found
}
