import { useCallback, useEffect, useRef, useState } from 'react'
import { type AnyVariables, type DocumentInput, useMutation, useQuery as useUrqlQuery, type UseQueryArgs, type UseQueryResponse } from 'urql'
import { byField, explain, passes, type UserError } from './errors.ts'

interface Payload { userErrors: readonly UserError[] }

export interface Action<Data, Input> {
  busy: boolean
  /** Sentences by field name; '' holds what no single field is to blame for. */
  errors: Record<string, string>
  /** The stable codes of the last answer's user errors. */
  codes: readonly string[]
  clear: () => void
  /** Runs the mutation; resolves to the payload, or null when it was refused. */
  run: (input: Input) => Promise<Data | null>
  /** Runs it for a dialog that only asks whether it worked: resolves to a sentence, or null. */
  attempt: (input: Input) => Promise<string | null>
}

const AGAIN_AFTER_MS = 2_000
const AGAIN_TIMES_MAX = 6

/**
 * urql's `useQuery`, except that a refresh that fails takes nothing away: what was read last stays on the page while the service does
 * not answer, with whatever people have open on it, and is asked for again, at growing intervals.
 */
export function useQuery<Data, Variables extends AnyVariables = AnyVariables>(args: UseQueryArgs<Variables, Data>): UseQueryResponse<Data, Variables> {
  const [state, again] = useUrqlQuery(args)
  const read = useRef<{ key: number; data: Data } | null>(null)
  const key = state.operation?.key
  if (state.data !== undefined && !state.error && key !== undefined) read.current = { key, data: state.data }
  // Between a failure and the next answer there is neither data nor an error.
  const nothing = state.error ? passes(state.error) : state.data === undefined
  const kept = nothing && read.current && read.current.key === key ? read.current.data : undefined
  const times = useRef(0)
  if (!state.error && state.data !== undefined) times.current = 0
  const failed = kept === undefined ? undefined : state.error
  useEffect(() => {
    if (!failed || times.current >= AGAIN_TIMES_MAX) return
    const timer = setTimeout(() => again({ requestPolicy: 'network-only' }), AGAIN_AFTER_MS * 2 ** times.current++)
    return () => clearTimeout(timer)
  }, [failed, again])
  return [kept === undefined ? state : { ...state, data: kept }, again]
}

/** Runs `act` each time that `value`, once known, has become another. */
export function useChange<T>(value: T | undefined, act: () => void) {
  const before = useRef(value)
  const run = useRef(act)
  run.current = act
  useEffect(() => {
    if (before.current !== undefined && before.current !== value) run.current()
    before.current = value
  }, [value])
}

/** One mutation with its user errors sorted by field. `pick` names the payload in the answer. */
export function useAction<Result, Data extends Payload, Input>(
  document: DocumentInput<Result, { input: Input }>,
  pick: (result: Result) => Data,
): Action<Data, Input> {
  const [{ fetching }, execute] = useMutation<Result, AnyVariables>(document as DocumentInput<Result, AnyVariables>)
  const [errors, setErrors] = useState<Record<string, string>>({})
  const [codes, setCodes] = useState<readonly string[]>([])
  const clear = useCallback(() => {
    setErrors({})
    setCodes([])
  }, [])
  const go = async (input: Input): Promise<{ payload: Data | null; found: Record<string, string> }> => {
    clear()
    const { data, error } = await execute({ input } as AnyVariables)
    const payload = data ? pick(data) : null
    if (payload && !error && payload.userErrors.length === 0) return { payload, found: {} }
    const found = error ? { '': explain(error) } : payload ? byField(payload.userErrors) : { '': 'No answer came back.' }
    setErrors(found)
    setCodes(payload?.userErrors.map(({ code }) => code) ?? [])
    return { payload: null, found }
  }
  return {
    busy: fetching, errors, codes, clear,
    run: async (input) => (await go(input)).payload,
    attempt: async (input) => {
      const { payload, found } = await go(input)
      return payload ? null : (Object.values(found)[0] ?? 'It did not work.')
    },
  }
}
