import { sentence } from '../ui/format.ts'

export interface Conflict {
  name: string
  mine: string
  theirs: string
  /** Both changed it, to different things. */
  clash: boolean
}

/** What both sides have changed since `base`, field by field. */
export function conflicts<Draft extends object>(names: Record<keyof Draft & string, string>, base: Draft, mine: Draft, theirs: Draft): Conflict[] {
  return (Object.keys(names) as (keyof Draft & string)[])
    .filter((field) => mine[field] !== base[field] || theirs[field] !== base[field])
    .map((field) => ({
      name: names[field],
      mine: say(mine[field]),
      theirs: say(theirs[field]),
      clash: mine[field] !== base[field] && theirs[field] !== base[field] && mine[field] !== theirs[field],
    }))
}

const say = (value: unknown) => {
  const text = String(value)
  if (text === '') return '(empty)'
  return /^[A-Z_]+$/u.test(text) ? sentence(text) : text
}
