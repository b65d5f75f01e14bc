import { type ReactNode, useEffect, useState } from 'react'
import { useSearchParams } from 'react-router'
import type { CombinedError } from 'urql'
import { explain } from '../graphql/errors.ts'
import { Button } from '../ui/button.tsx'
import { SearchInput } from '../ui/field.tsx'
import { Notice } from '../ui/notice.tsx'
import { type Column, Pager, SkeletonRows, Table, type TableProps } from '../ui/table.tsx'

const TYPING_PAUSE_MS = 250
export const PAGE_SIZE = 25

export interface PageArguments {
  first?: number
  after?: string
  last?: number
  before?: string
}

/** A list's search, filters and page, kept in the address. Any change of them but the page leads to the first page. */
export function useListState() {
  const [params, setParams] = useSearchParams()
  const set = (changes: Record<string, string | null>, replace = false) => setParams((current) => {
    const next = new URLSearchParams(current)
    next.delete('after')
    next.delete('before')
    for (const [name, value] of Object.entries(changes)) {
      if (value) next.set(name, value)
      else next.delete(name)
    }
    return next
  }, { replace })
  const before = params.get('before')
  const after = params.get('after')
  const page: PageArguments = before ? { last: PAGE_SIZE, before } : { first: PAGE_SIZE, ...(after ? { after } : {}) }
  return { get: (name: string) => params.get(name) ?? '', set, page, filtered: ['q', 'state', 'role', 'action', 'channel', 'subject', 'type'].some((name) => params.has(name)) }
}
export type ListState = ReturnType<typeof useListState>

/** A search box that writes to the address once the typing pauses. */
export function ListSearch({ list, label }: { list: ListState; label: string }) {
  const inUrl = list.get('q')
  const [typed, setTyped] = useState(inUrl)
  useEffect(() => setTyped(inUrl), [inUrl])
  useEffect(() => {
    if (typed === inUrl) return
    const timer = setTimeout(() => list.set({ q: typed.trim() || null }, true), TYPING_PAUSE_MS)
    return () => clearTimeout(timer)
  // Only what is typed starts the clock.
  }, [typed])
  return <SearchInput label={label} value={typed} onChange={(event) => setTyped(event.target.value)} />
}

export interface PageInfo {
  hasNextPage: boolean
  hasPreviousPage: boolean
  startCursor: string | null
  endCursor: string | null
}

export interface ListTableProps extends Omit<TableProps, 'children'> {
  columns: readonly Column[]
  list?: ListState
  loading: boolean
  error: CombinedError | undefined
  onRetry: () => void
  /** What stands there when there is nothing at all, and when a search finds nothing. */
  empty: ReactNode
  pageInfo: PageInfo | undefined
  about?: ReactNode
  rows: readonly ReactNode[]
}

/** A table with its loading, empty and error states, and its pages. */
export function ListTable({ list, loading, error, onRetry, empty, pageInfo, about, rows, columns, ...table }: ListTableProps) {
  if (error && rows.length === 0) {
    return <div className="card-body"><Notice tone="danger" title="The list could not be loaded" act={<Button size="small" onClick={onRetry}>Try again</Button>}>{explain(error)}</Notice></div>
  }
  if (!loading && rows.length === 0) {
    return list?.filtered
      ? <div className="empty"><p className="quiet">Nothing matches.</p><Button size="small" onClick={() => list.set({ q: null, state: null, role: null, action: null, channel: null, subject: null, type: null })}>Clear the filters</Button></div>
      : empty
  }
  return (
    <>
      <Table columns={columns} {...table}>{loading && rows.length === 0 ? <SkeletonRows columns={columns.length} /> : rows}</Table>
      {loading && <p className="visually-hidden" role="status">Loading</p>}
      {list && pageInfo && (
        <Pager
          label={`Pages of ${table.label.toLowerCase()}`}
          hasPrevious={pageInfo.hasPreviousPage}
          hasNext={pageInfo.hasNextPage}
          onPrevious={() => list.set({ before: pageInfo.startCursor })}
          onNext={() => list.set({ after: pageInfo.endCursor })}
          about={about}
        />
      )}
    </>
  )
}
