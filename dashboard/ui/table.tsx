import './table.css'
import { ArrowDown, ArrowUp, ChevronLeft, ChevronRight } from 'lucide-react'
import type { ReactNode } from 'react'
import { Button } from './button.tsx'
import { Skeleton } from './notice.tsx'

export interface Column {
  name: string
  /** Where the list can be sorted by it. */
  sort?: string
  align?: 'end'
  wideOnly?: boolean
  hidden?: boolean
}

export interface TableProps {
  label: string
  columns: readonly Column[]
  children: ReactNode
  sort?: { by: string; descending: boolean; onSort: (by: string) => void }
}

export function Table({ label, columns, children, sort }: TableProps) {
  return (
    <div className="table-scroll" tabIndex={0} role="region" aria-label={`${label}, table`}>
      <table className="table">
        <thead>
          <tr>
            {columns.map((column) => {
              const sorted = sort && column.sort === sort.by
              return (
                <th key={column.name} scope="col" className={[column.align, column.wideOnly && 'wide-only'].filter(Boolean).join(' ') || undefined} aria-sort={sorted ? (sort.descending ? 'descending' : 'ascending') : undefined}>
                  {column.hidden ? <span className="visually-hidden">{column.name}</span>
                    : column.sort && sort ? (
                      <button type="button" className="table-sort" onClick={() => sort.onSort(column.sort!)}>
                        {column.name}{sorted && (sort.descending ? <ArrowDown aria-hidden="true" /> : <ArrowUp aria-hidden="true" />)}
                      </button>
                    ) : column.name}
                </th>
              )
            })}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  )
}

export function SkeletonRows({ columns, rows = 5 }: { columns: number; rows?: number }) {
  return Array.from({ length: rows }, (_, row) => (
    <tr key={row}>{Array.from({ length: columns }, (_, column) => <td key={column}><Skeleton width={column === 0 ? '60%' : '40%'} /></td>)}</tr>
  ))
}

export interface PagerProps {
  label: string
  hasPrevious: boolean
  hasNext: boolean
  onPrevious: () => void
  onNext: () => void
  about?: ReactNode
}

export function Pager({ label, hasPrevious, hasNext, onPrevious, onNext, about }: PagerProps) {
  if (!hasPrevious && !hasNext) return null
  return (
    <nav className="pager" aria-label={label}>
      <span>{about}</span>
      <span className="row">
        <Button size="small" onClick={onPrevious} disabledBecause={!hasPrevious && 'This is the first page.'}><ChevronLeft aria-hidden="true" />Previous</Button>
        <Button size="small" onClick={onNext} disabledBecause={!hasNext && 'This is the last page.'}>Next<ChevronRight aria-hidden="true" /></Button>
      </span>
    </nav>
  )
}
