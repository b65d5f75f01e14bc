import { useCallback, useEffect, useRef, useState } from 'react'
import { type AnyVariables, type DocumentInput, useMutation } from 'urql'
import { byField, explain, type UserError } from './errors.ts'

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
