import 'graphiql/style.css'
import './graphiql.css'
import { StorageContextProvider, useStorage } from '@graphiql/react'
import { GraphiQL } from 'graphiql'
import type { ExecutionResult } from 'graphql'
import { type ReactNode, useEffect, useRef, useState, useSyncExternalStore } from 'react'
import type { AnyVariables, Client, OperationResult } from 'urql'
import type { Theme } from '../../app/theme.ts'
import { explain } from '../../graphql/errors.ts'
import { EXAMPLES } from './examples.ts'
import { operationOf } from './operations.ts'

type Fetcher = React.ComponentProps<typeof GraphiQL>['fetcher']

/** As the service has answered. */
const answerOf = ({ data, error }: OperationResult) => (({
  ...(data !== undefined && { data: data as Record<string, unknown> }),
  ...(error && { errors: error.graphQLErrors.length > 0 ? error.graphQLErrors.map(({ message, path, extensions }) => ({ message, path, extensions })) : [{ message: explain(error) }] }),
}) as ExecutionResult)

const SCOPE = 'scope'
let latest: { scope: string; storage: Storage } | null = null

/**
 * Requests and their variables may hold secrets: they are kept in memory, for one person in one tenant and environment, and gone when
 * the page is loaded again.
 */
function memoryOf(scope: string): Storage {
  const kept = new Map([[`graphiql:${SCOPE}`, scope]])
  latest = latest?.scope === scope ? latest : { scope, storage: storageOn(kept) }
  return latest.storage
}

function storageOn(kept: Map<string, string>): Storage {
  return {
    get length() { return kept.size },
    clear: () => kept.clear(),
    getItem: (key) => kept.get(key) ?? null,
    key: (index) => [...kept.keys()][index] ?? null,
    removeItem: (key) => void kept.delete(key),
    setItem: (key, value) => void kept.set(key, value),
  }
}

/** GraphiQL has one storage for the whole page, which it changes after it has read from it: until it has, it does not begin. */
function Once({ scope, children }: { scope: string; children: ReactNode }) {
  return useStorage()?.get(SCOPE) === scope ? children : null
}

const DARK = matchMedia('(prefers-color-scheme: dark)')
const listenForDark = (changed: () => void) => {
  DARK.addEventListener('change', changed)
  return () => DARK.removeEventListener('change', changed)
}

/** Its editors are named by the sections around them, which screen readers do not take for the name of a text field. */
function nameEditors(place: HTMLElement): () => void {
  const name = () => {
    for (const field of place.querySelectorAll('.CodeMirror textarea:not([aria-label])')) {
      const label = field.closest('section[aria-label]')?.getAttribute('aria-label')
      if (label) field.setAttribute('aria-label', label)
    }
  }
  const observer = new MutationObserver(name)
  observer.observe(place, { childList: true, subtree: true })
  name()
  return () => observer.disconnect()
}

/** `client` runs the requests; null while there is no token to run them with. `scope` says whose they are. */
export default function Editor({ client, theme, scope }: { client: Client | null; theme: Theme; scope: string }) {
  const [storage] = useState(() => memoryOf(scope))
  const dark = useSyncExternalStore(listenForDark, () => DARK.matches)
  const current = useRef(client)
  current.current = client
  const [fetcher] = useState<Fetcher>(() => ({ query, operationName, variables }: { query: string; operationName?: string | null; variables?: unknown }) => {
    if (!current.current) return Promise.resolve({ errors: [{ message: 'Paste an API token first, or run as yourself.' }] } as unknown as ExecutionResult)
    const { kind, document } = operationOf(query, operationName)
    const source = current.current[kind](document, (variables ?? {}) as AnyVariables)
    if (kind !== 'subscription') return source.toPromise().then(answerOf)
    // The one way of three that it calls an observable in.
    return { subscribe: (observer: { next: (value: ExecutionResult) => void }) => source.subscribe((result) => observer.next(answerOf(result))) } as never
  })
  const place = useRef<HTMLDivElement>(null)
  useEffect(() => nameEditors(place.current!), [])
  return (
    <div className="explorer" ref={place}>
      <StorageContextProvider storage={storage}>
        <Once scope={scope}>
          <GraphiQL fetcher={fetcher} storage={storage} defaultTabs={[...EXAMPLES]} forcedTheme={theme === 'system' ? (dark ? 'dark' : 'light') : theme} isHeadersEditorEnabled={false} showPersistHeadersSettings={false}>
            <GraphiQL.Logo><span /></GraphiQL.Logo>
          </GraphiQL>
        </Once>
      </StorageContextProvider>
    </div>
  )
}
