import type { graphql } from '../graphql/index.ts'
import { LADDERS } from './channel-choices.ts'

export type Kind = ReturnType<typeof graphql.scalar<'LadderKind'>>

/** One step as it is typed: lines, kbit/s, frames per second. */
export interface StepDraft {
  /** Tells rows apart while they are sorted. */
  key: string
  size: string
  kbps: string
  highKbps: string
  fps: string
}
export type StepField = Exclude<keyof StepDraft, 'key'>

export interface LadderDraft {
  kind: Kind
  /** The rest counts for steps of one's own, and is kept while another kind is looked at. */
  passthrough: boolean
  steps: readonly StepDraft[]
}

export interface Ladder {
  kind: Kind
  passthrough: boolean
  steps: readonly { shortSide: number; bitrateBps: number; bitrateHighFpsBps: number; fpsMax: number }[]
}

export const STEPS_MAX = 10
export const BOUNDS: Record<StepField, { min: number; max: number; says: string }> = {
  size: { min: 96, max: 4320, says: '96 to 4320 lines.' },
  kbps: { min: 50, max: 100_000, says: '50 to 100,000 kbit/s.' },
  highKbps: { min: 50, max: 100_000, says: '50 to 100,000 kbit/s.' },
  fps: { min: 1, max: 60, says: '1 to 60 frames per second.' },
}
/** What the API calls them. */
const NAMES: Record<StepField, string> = { size: 'shortSide', kbps: 'bitrateBps', highKbps: 'bitrateHighFpsBps', fps: 'fpsMax' }

/** Sizes to begin with: lines, kbit/s up to 30 frames per second and above, most frames per second. */
const USUAL: readonly (readonly [size: number, kbps: number, highKbps: number, fps: number])[] = [
  [2160, 14_000, 17_000, 60], [1440, 7_500, 9_000, 60], [1080, 5_000, 6_000, 60], [720, 2_800, 3_500, 60], [540, 1_800, 2_250, 30],
  [480, 1_400, 1_750, 30], [360, 800, 1_000, 30], [240, 400, 500, 30], [144, 200, 250, 30],
]
/** The service's own steps. */
const SERVICE = [1080, 720, 480, 360]
/** What goes below a source that is passed on alone, for those whose connection is too slow for it. */
const BELOW_SOURCE = [480]

let nextKey = 0
const stepOf = (size: number, kbps: number, highKbps: number, fps: number): StepDraft =>
  ({ key: `step-${nextKey++}`, size: String(size), kbps: String(kbps), highKbps: String(highKbps), fps: String(fps) })
const usual = (sizes: readonly number[]) => USUAL.filter(([size]) => sizes.includes(size)).map((step) => stepOf(...step))

/** As a channel has it; with steps to begin with where it has none of its own. */
export function ladderDraft({ kind, passthrough, steps }: Ladder): LadderDraft {
  const own = steps.map((step) => stepOf(step.shortSide, step.bitrateBps / 1000, step.bitrateHighFpsBps / 1000, step.fpsMax))
  return { kind, passthrough, steps: bySize(own.length > 0 ? own : presetSteps(kind)) }
}
export const presetSteps = (kind: Kind): StepDraft[] => usual(kind === 'SOURCE' ? BELOW_SOURCE : SERVICE)

/** What viewers can choose between with it, the best first. */
export const shownSteps = ({ kind, steps }: LadderDraft): readonly StepDraft[] => (kind === 'CUSTOM' ? steps : kind === 'SOURCE' ? [] : usual(SERVICE))
export const passesSource = ({ kind, passthrough }: LadderDraft) => (kind === 'CUSTOM' ? passthrough : kind !== 'ENCODED')

export const bySize = (steps: readonly StepDraft[]) => steps.toSorted((a, b) => (Number(b.size) || 0) - (Number(a.size) || 0))

/** A usual size that is not there yet: below the smallest where there is one, else above or between. */
export function withAnother(steps: readonly StepDraft[]): { steps: StepDraft[]; added: StepDraft } {
  const sizes = steps.map(({ size }) => Number(size))
  const free = USUAL.filter(([size]) => !sizes.includes(size))
  const step = free.find(([size]) => size < Math.min(...sizes)) ?? free.at(-1)
  const added = step ? stepOf(...step) : stepOf(BOUNDS.size.min, 100, 120, 30)
  return { steps: bySize([...steps, added]), added }
}

const bps = (kbps: string) => Math.round(Number(kbps) * 1000)

/** What the API takes. */
export function ladderInput({ kind, passthrough, steps }: LadderDraft) {
  if (kind !== 'CUSTOM') return { kind }
  return { kind, passthrough, steps: bySize(steps).map(({ size, kbps, highKbps, fps }) => ({ shortSide: Number(size), bitrateBps: bps(kbps), bitrateHighFpsBps: bps(highKbps), fpsMax: Number(fps) })) }
}

/** The whole of it in words, which are the same for equal ladders alone. */
export function ladderWords({ kind, passthrough, steps }: LadderDraft): string {
  const preset = LADDERS.find(({ value }) => value === kind)
  if (preset) return preset.name
  return [...(passthrough ? ['source'] : []), ...bySize(steps).map(({ size, kbps, highKbps, fps }) => `${size}p ${kbps} kbit/s (${highKbps} above 30 fps) up to ${fps} fps`)].join(', ')
}

/** What keeps a ladder from being saved, by `key.field`; under '' what is wrong with all of it. */
export function ladderProblems({ kind, steps }: LadderDraft): Record<string, string> {
  const found: Record<string, string> = {}
  if (kind !== 'CUSTOM') return found
  if (steps.length === 0) found[''] = 'A ladder has at least one step.'
  for (const step of steps) {
    for (const field of Object.keys(BOUNDS) as StepField[]) {
      const value = step[field].trim() === '' ? Number.NaN : Number(step[field])
      const { min, max, says } = BOUNDS[field]
      if (!(value >= min && value <= max)) found[`${step.key}.${field}`] = says
    }
    if (!Number.isInteger(Number(step.size))) found[`${step.key}.size`] = 'A whole number of lines.'
    else if (steps.some((other) => other.key !== step.key && Number(other.size) === Number(step.size))) found[`${step.key}.size`] = 'Another step has this size.'
  }
  return found
}

/** The API's sentences, which name steps by their place, by `key.field`. */
export function atSteps(steps: readonly StepDraft[], errors: Record<string, string>): Record<string, string> {
  const found: Record<string, string> = {}
  for (const [path, sentence] of Object.entries(errors)) {
    const [of, list, place, name] = path.split('.')
    if (of !== 'ladder') continue
    const step = list === 'steps' ? bySize(steps)[Number(place)] : undefined
    const field = (Object.keys(NAMES) as StepField[]).find((one) => NAMES[one] === name)
    found[step && field ? `${step.key}.${field}` : ''] ??= sentence
  }
  return found
}
