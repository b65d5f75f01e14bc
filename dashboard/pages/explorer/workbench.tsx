import { autocompletion, closeBrackets, completionKeymap } from '@codemirror/autocomplete'
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands'
import { json } from '@codemirror/lang-json'
import { bracketMatching, HighlightStyle, syntaxHighlighting } from '@codemirror/language'
import { lintKeymap } from '@codemirror/lint'
import { EditorState, type Extension, Prec } from '@codemirror/state'
import { EditorView, keymap, lineNumbers } from '@codemirror/view'
import { tags } from '@lezer/highlight'
import { graphql as graphqlLanguage, updateSchema } from 'cm6-graphql'
import { getNonce } from 'get-nonce'
import { buildClientSchema, getIntrospectionQuery, type IntrospectionQuery } from 'graphql'
import { Play, Square } from 'lucide-react'
import { useEffect, useMemo, useRef, useState } from 'react'
import type { AnyVariables, OperationResult } from 'urql'
import { usePlace } from '../../app/place.tsx'
import { createTokenClient } from '../../graphql/client.ts'
import { explain } from '../../graphql/errors.ts'
import { Button } from '../../ui/button.tsx'
import { Input, Select } from '../../ui/field.tsx'
import { EXAMPLES } from './examples.ts'
import { operationsOf } from './operations.ts'

const highlight = syntaxHighlighting(HighlightStyle.define([
  { tag: [tags.keyword, tags.definitionKeyword], color: 'var(--chart-2)' },
  { tag: [tags.string], color: 'var(--ok)' },
  { tag: [tags.number, tags.bool, tags.null], color: 'var(--warn)' },
  { tag: [tags.comment], color: 'var(--text-faint)' },
  { tag: [tags.propertyName, tags.attributeName], color: 'var(--accent)' },
]))

const EVENTS_MAX = 50

function useEditor(first: string, label: string, language: Extension, onRun: () => void) {
  const place = useRef<HTMLDivElement>(null)
  const view = useRef<EditorView>(null)
  const run = useRef(onRun)
  run.current = onRun
  useEffect(() => {
    const nonce = getNonce()
    const editor = new EditorView({
      parent: place.current!,
      state: EditorState.create({
        doc: first,
        extensions: [
          Prec.highest(keymap.of([{ key: 'Mod-Enter', run: () => { run.current(); return true } }])),
          lineNumbers(), history(), bracketMatching(), closeBrackets(), autocompletion(), highlight, language, EditorView.lineWrapping,
          keymap.of([...defaultKeymap, ...historyKeymap, ...completionKeymap, ...lintKeymap, indentWithTab]),
          EditorView.contentAttributes.of({ 'aria-label': label }),
          ...(nonce ? [EditorView.cspNonce.of(nonce)] : []),
        ],
      }),
    })
    view.current = editor
    return () => editor.destroy()
  // The editor owns its text after the first drawing.
  }, [])
  const replace = (text: string) => view.current?.dispatch({ changes: { from: 0, to: view.current.state.doc.length, insert: text } })
  return { place, view, replace, text: () => view.current?.state.doc.toString() ?? first }
}

export default function Workbench() {
  const { uncached } = usePlace()
  // Held in memory alone: a token in storage would outlive the visit.
  const [token, setToken] = useState<string | null>(null)
  const program = useMemo(() => (token?.trim() ? createTokenClient(token.trim()) : null), [token])
  useEffect(() => program?.dispose, [program])
  const [result, setResult] = useState('')
  const [running, setRunning] = useState<{ stop: () => void } | null>(null)
  const [note, setNote] = useState('')
  const run = () => {
    running?.stop()
    setRunning(null)
    const { operations, error } = operationsOf(query.text())
    let variables: AnyVariables
    try {
      variables = JSON.parse(variables_.text() || '{}') as AnyVariables
    } catch (problem) {
      setResult(`The variables are not JSON: ${(problem as Error).message}`)
      return
    }
    if (error || !isSome(operations)) {
      setResult(error ?? 'There is no operation.')
      return
    }
    const show = ({ data, error: failed }: OperationResult) => {
      const answer = { ...(data !== undefined && { data: data as unknown }), ...(failed && { errors: failed.graphQLErrors.length > 0 ? failed.graphQLErrors.map(({ message, path, extensions }) => ({ message, path, extensions })) : [{ message: explain(failed) }] }) }
      return JSON.stringify(answer, null, 2)
    }
    const started = performance.now()
    setNote('Running…')
    const [{ kind, document }] = operations
    if (token !== null && !program) {
      setResult('Paste an API token first, or run as yourself.')
      return
    }
    const source = (program?.client ?? uncached)[kind](document, variables)
    let count = 0
    const { unsubscribe } = source.subscribe((answer: OperationResult) => {
      count += 1
      if (kind === 'subscription') {
        setNote(`${count} ${count === 1 ? 'event' : 'events'}`)
        setResult((before) => [show(answer), ...before.split('\n\n')].slice(0, EVENTS_MAX).join('\n\n'))
      } else if (!answer.stale) {
        setNote(`${Math.round(performance.now() - started)} ms`)
        setResult(show(answer))
      }
    })
    if (kind === 'subscription') {
      setResult('')
      setRunning({ stop: unsubscribe })
    }
  }
  const query = useEditor(EXAMPLES[0]!.query, 'GraphQL request', graphqlLanguage(), run)
  const variables_ = useEditor(EXAMPLES[0]!.variables, 'Variables, as JSON', json(), run)
  useEffect(() => {
    let gone = false
    void uncached.query(getIntrospectionQuery(), {}).toPromise().then(({ data }) => {
      if (!gone && data && query.view.current) updateSchema(query.view.current, buildClientSchema(data as IntrospectionQuery))
    })
    return () => { gone = true }
  // Once for each client.
  }, [uncached])
  useEffect(() => () => running?.stop(), [running])
  return (
    <div className="explorer">
      <div className="explorer-bar">
        {running
          ? <Button onClick={() => { running.stop(); setRunning(null) }}><Square aria-hidden="true" />Stop</Button>
          : <Button tone="primary" onClick={run}><Play aria-hidden="true" />Run</Button>}
        <Select
          aria-label="Example"
          defaultValue="0"
          onChange={(event) => {
            const example = EXAMPLES[Number(event.target.value)]!
            query.replace(example.query)
            variables_.replace(example.variables)
          }}
        >
          {EXAMPLES.map(({ name }, index) => <option key={name} value={index}>{name}</option>)}
        </Select>
        <Select aria-label="Run as" value={token === null ? 'me' : 'token'} onChange={(event) => setToken(event.target.value === 'me' ? null : '')}>
          <option value="me">Yourself</option>
          <option value="token">A program with a token</option>
        </Select>
        {token !== null && <Input className="mono explorer-token" aria-label="API token" placeholder="hw_live_…" autoComplete="off" spellCheck={false} type="password" value={token} onChange={(event) => setToken(event.target.value)} />}
        <span className="quiet small" role="status">{note}</span>
      </div>
      <div className="explorer-pane">
        <p className="explorer-label">Request</p>
        <div className="explorer-editor" ref={query.place} />
        <p className="explorer-label">Variables</p>
        <div className="explorer-variables" ref={variables_.place} />
      </div>
      <div className="explorer-pane">
        <p className="explorer-label">Answer</p>
        <pre className="explorer-result" tabIndex={0} role="region" aria-label="Answer">{result || 'Run a request to see its answer.'}</pre>
      </div>
    </div>
  )
}

const isSome = <T,>(list: readonly T[]): list is readonly [T, ...T[]] => list.length > 0
