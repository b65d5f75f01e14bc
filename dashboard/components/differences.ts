import type { Json } from '../graphql/index.ts'

export interface Difference {
  field: string
  before: string | undefined
  after: string | undefined
}

type Fields = { [key: string]: Json } | null | undefined

/** The fields in which two states of one thing differ, in the order of their names. */
export function differences(before: Fields, after: Fields): Difference[] {
  const fields = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])].sort()
  return fields
    .map((field) => ({ field, before: say(before?.[field]), after: say(after?.[field]) }))
    .filter((one) => one.before !== one.after)
}

const say = (value: Json | undefined) => (value === undefined || value === null ? undefined : typeof value === 'string' ? value : JSON.stringify(value))
