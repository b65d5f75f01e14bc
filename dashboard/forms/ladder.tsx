import './ladder.css'
import { CircleAlert, Plus, X } from 'lucide-react'
import { useId, useRef, useState } from 'react'
import { Button } from '../ui/button.tsx'
import { Check, ChoiceList, Input } from '../ui/field.tsx'
import { bitrate } from '../ui/format.ts'
import { Notice } from '../ui/notice.tsx'
import { LADDERS } from './channel-choices.ts'
import { atSteps, BOUNDS, bySize, type LadderDraft, ladderProblems, passesSource, presetSteps, shownSteps, type StepDraft, type StepField, STEPS_MAX, withAnother } from './ladder-steps.ts'

const CHOICES = [...LADDERS, { value: 'CUSTOM', name: 'Your own steps', about: 'Sizes and bit rates as you set them.' }] as const

export interface LadderFieldProps {
  value: LadderDraft
  onChange: (value: LadderDraft) => void
  /** The API's sentences, by field. */
  errors: Record<string, string>
}

/** Which renditions broadcasts get: one of the service's ladders, or steps of one's own. */
export function LadderField({ value, onChange, errors }: LadderFieldProps) {
  const [touched, setTouched] = useState(value.kind === 'CUSTOM')
  const choose = (kind: LadderDraft['kind']) => {
    // Until a step was changed, one's own ladder begins as the one that was chosen before it.
    const fresh = kind === 'CUSTOM' && value.kind !== 'CUSTOM' && !touched
    onChange({ ...value, kind, ...(fresh && { passthrough: value.kind !== 'ENCODED', steps: presetSteps(value.kind) }) })
  }
  const change = (changes: Partial<LadderDraft>) => {
    setTouched(true)
    onChange({ ...value, ...changes })
  }
  return (
    <div className="stack gap-2">
      <ChoiceList label="Ladder" value={value.kind} onChange={choose} choices={CHOICES} />
      <div className="ladder">
        <LadderPicture ladder={value} />
        {value.kind === 'CUSTOM' && <Steps value={value} onChange={change} errors={atSteps(value.steps, errors)} />}
        {value.kind !== 'CUSTOM' && errors['ladder'] && <Notice tone="danger">{errors['ladder']}</Notice>}
      </div>
    </div>
  )
}

/** A bar for each rendition, as long as its bit rate; the lighter part is for more than 30 frames per second. */
function LadderPicture({ ladder }: { ladder: LadderDraft }) {
  const steps = bySize(shownSteps(ladder)).filter(({ size, kbps }) => Number(size) > 0 && Number(kbps) > 0)
  const top = Math.max(1, ...steps.map(({ kbps, highKbps }) => Math.max(Number(kbps), Number(highKbps))))
  const source = passesSource(ladder)
  const words = [...(source ? ['the source as it is'] : []), ...steps.map(({ size, kbps }) => `${size} lines at ${bitrate(Number(kbps) * 1000)}`)].join(', ')
  return (
    <div className="ladder-picture" role="img" aria-label={`Renditions: ${words || 'none'}`}>
      {source && (
        <div className="ladder-bar">
          <span className="ladder-bar-name">Source</span>
          <span className="ladder-bar-line"><span className="ladder-bar-source" style={{ width: '100%' }} /></span>
          <span className="ladder-bar-value">untouched</span>
        </div>
      )}
      {steps.map(({ size, kbps, highKbps, fps }, place) => (
        <div key={place} className="ladder-bar">
          <span className="ladder-bar-name">{size}p</span>
          <span className="ladder-bar-line">
            {Number(fps) > 30 && <span className="ladder-bar-high" style={{ width: `${(100 * Number(highKbps)) / top}%` }} />}
            <span style={{ width: `${Math.max(1, (100 * Number(kbps)) / top)}%` }} />
          </span>
          <span className="ladder-bar-value">{bitrate(Number(kbps) * 1000)}</span>
        </div>
      ))}
    </div>
  )
}

const COLUMNS: readonly { field: StepField; name: string; step: number | 'any' }[] = [
  { field: 'size', name: 'Lines', step: 1 },
  { field: 'kbps', name: 'kbit/s', step: 'any' },
  { field: 'highKbps', name: 'kbit/s above 30 fps', step: 'any' },
  { field: 'fps', name: 'Frames/s at most', step: 'any' },
]

/** A row for each step, the largest first. */
function Steps({ value: { kind, passthrough, steps }, onChange, errors }: { value: LadderDraft; onChange: (changes: Partial<LadderDraft>) => void; errors: Record<string, string> }) {
  const id = useId()
  const adder = useRef<HTMLButtonElement>(null)
  const [left, setLeft] = useState<ReadonlySet<string>>(new Set())
  const [said, setSaid] = useState('')
  const problems = ladderProblems({ kind, passthrough, steps })
  // What is wrong shows once its field was left; what the service said shows until then.
  const problemAt = (at: string) => (left.has(at) ? problems[at] : undefined) ?? errors[at]
  const set = (key: string, field: StepField, text: string) => onChange({ steps: steps.map((step) => (step.key === key ? { ...step, [field]: text } : step)) })
  const leave = (key: string, field: StepField) => {
    setLeft(new Set([...left, `${key}.${field}`]))
    if (field === 'size') onChange({ steps: bySize(steps) })
  }
  const focus = (key: string) => requestAnimationFrame(() => document.getElementById(`${id}-${key}-size`)?.focus())
  const add = () => {
    const { steps: more, added } = withAnother(steps)
    onChange({ steps: more })
    setSaid(`A step of ${added.size} lines is added.`)
    focus(added.key)
  }
  const remove = (gone: StepDraft) => {
    const place = steps.indexOf(gone)
    const rest = steps.filter((step) => step !== gone)
    onChange({ steps: rest })
    setSaid(`The step of ${gone.size} lines is removed.`)
    const next = rest[Math.min(place, rest.length - 1)]
    if (next) focus(next.key)
    else adder.current?.focus()
  }
  return (
    <div className="stack gap-3" role="group" aria-label="Your own steps">
      {errors[''] && <Notice tone="danger">{errors['']}</Notice>}
      <Check checked={passthrough} onChange={(on) => onChange({ passthrough: on })}>Pass your own video on untouched, where it is fit for it, and leave out the step of its size</Check>
      <div>
        <div className="ladder-head" aria-hidden="true">{COLUMNS.map(({ field, name }) => <span key={field}>{name}</span>)}</div>
        <ol className="ladder-steps">
          {steps.map((step) => {
            const wrong = COLUMNS.filter(({ field }) => problemAt(`${step.key}.${field}`))
            return (
              <li key={step.key} className="ladder-row">
                {COLUMNS.map(({ field, name, step: by }) => {
                  const at = `${step.key}.${field}`
                  return (
                    <div key={field}>
                      <label className="ladder-label" htmlFor={`${id}-${step.key}-${field}`}>{name}<span className="visually-hidden"> of the step of {step.size} lines</span></label>
                      <Input
                        id={`${id}-${step.key}-${field}`}
                        type="number"
                        inputMode="decimal"
                        required
                        step={by}
                        min={BOUNDS[field].min}
                        max={BOUNDS[field].max}
                        value={step[field]}
                        aria-invalid={problemAt(at) ? true : undefined}
                        aria-describedby={problemAt(at) ? `${id}-${step.key}-problems` : undefined}
                        onChange={(event) => set(step.key, field, event.target.value)}
                        onBlur={() => leave(step.key, field)}
                      />
                    </div>
                  )
                })}
                <Button tone="quiet" icon aria-label={`Remove the step of ${step.size} lines`} onClick={() => remove(step)}><X aria-hidden="true" /><span className="ladder-remove">Remove</span></Button>
                {wrong.length > 0 && (
                  <div className="ladder-problems" id={`${id}-${step.key}-problems`}>
                    {wrong.map(({ field, name }) => <p key={field} className="field-error" role="alert"><CircleAlert aria-hidden="true" />{name}: {problemAt(`${step.key}.${field}`)}</p>)}
                  </div>
                )}
              </li>
            )
          })}
        </ol>
      </div>
      {problems[''] && <p className="field-error" role="alert"><CircleAlert aria-hidden="true" />{problems['']}</p>}
      <div className="row">
        <Button ref={adder} size="small" disabledBecause={steps.length >= STEPS_MAX && `A ladder has at most ${STEPS_MAX} steps.`} onClick={add}><Plus aria-hidden="true" />Add a step</Button>
      </div>
      <p className="field-hint">Lines are those of the picture’s shorter side. A step that is larger than what you send is left out, as is one that would have more bits than the source.</p>
      <p className="visually-hidden" role="status">{said}</p>
    </div>
  )
}
