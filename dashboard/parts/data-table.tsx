// A table of any length: only the rows in sight are drawn, and their height is the same. Sorted by its headings, walked through by the arrow keys.
import type { ComponentChildren } from 'preact'
import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks'

export interface DataColumn<R> {
  name: string
  title?: string
  cell(row: R): ComponentChildren
  /** What it is sorted and measured by; the cell's text where that is missing. */
  value?(row: R): string | number
  /** Of little weight: left out where there is no room. */
  minor?: boolean
  numeric?: boolean
}

interface Props<R> {
  label: string
  columns: DataColumn<R>[]
  rows: R[]
  keyOf(row: R): string
  /** Where a row leads. */
  href?(row: R): string | undefined
  empty?: string
  /** As tall as its rows, for few of them. */
  short?: boolean
}

const ROW = 37
/** Rows beyond those in sight. */
const SPARE = 10
/** So many rows say how wide a column is. */
const SAMPLE = 200
/** Characters from which a text is long. */
const LONG = 44

const shownValue = <R,>(c: DataColumn<R>, row: R): string | number => {
  if (c.value) return c.value(row)
  const shown = c.cell(row)
  return typeof shown === 'number' ? shown : String(shown ?? '')
}

const collator = new Intl.Collator('en', { numeric: true })
const compare = (a: string | number, b: string | number): number =>
  typeof a === 'number' && typeof b === 'number' ? a - b : collator.compare(String(a), String(b))

export function DataTable<R>({ label, columns, rows, keyOf, href, empty = 'Nothing here.', short }: Props<R>) {
  const box = useRef<HTMLDivElement>(null)
  const [sort, setSort] = useState<{ by: string; down: boolean } | undefined>()
  const [seen, setSeen] = useState({ top: 0, height: 800 })
  const sorted = useMemo(() => {
    const column = sort && columns.find((c) => c.name === sort.by)
    if (!column) return rows
    const keyed = rows.map((row) => ({ row, value: shownValue(column, row) }))
    keyed.sort((a, b) => compare(a.value, b.value))
    if (sort.down) keyed.reverse()
    return keyed.map((k) => k.row)
  }, [rows, sort, columns])
  // As wide as what is in them; those with long texts share what is left.
  const { widths, least } = useMemo(() => {
    const longest = columns.map((c) => Math.max(c.name.length + 2, ...sorted.slice(0, SAMPLE).map((r) => String(shownValue(c, r)).length)))
    const most = Math.min(LONG, Math.max(...longest))
    const wide = longest.map((l) => Math.ceil(Math.min(l, LONG) * 0.9) + 3)
    return {
      widths: wide.map((w, i) => (longest[i]! >= most ? undefined : `${w}ch`)),
      least: `${wide.reduce((all, w) => all + w, 0)}ch`,
    }
  }, [columns, sorted])
  useLayoutEffect(() => {
    const b = box.current
    if (!b) return
    const look = () => setSeen({ top: b.scrollTop, height: b.clientHeight })
    look()
    const observer = new ResizeObserver(look)
    observer.observe(b)
    return () => observer.disconnect()
  }, [])
  const inSight = Math.ceil(seen.height / ROW)
  // A list that has become shorter is shown from where it ends.
  const first = short ? 0 : Math.max(0, Math.min(Math.floor(seen.top / ROW), sorted.length - inSight) - SPARE)
  const last = short ? sorted.length : Math.min(sorted.length, Math.max(first + SPARE, Math.ceil(seen.top / ROW)) + inSight + SPARE)
  const shown = sorted.slice(first, last)

  const walk = (e: KeyboardEvent) => {
    const by = { ArrowDown: 1, ArrowUp: -1, PageDown: 15, PageUp: -15 }[e.key]
    if (!by) return
    const at = Number((document.activeElement?.closest('tr') as HTMLElement | null)?.dataset.index ?? -1)
    if (at < 0) return
    e.preventDefault()
    const to = Math.max(0, Math.min(sorted.length - 1, at + by))
    const b = box.current!
    const top = to * ROW
    if (top < b.scrollTop) b.scrollTop = top
    else if (top + 2 * ROW > b.scrollTop + b.clientHeight) b.scrollTop = top + 2 * ROW - b.clientHeight
    setSeen({ top: b.scrollTop, height: b.clientHeight })
    requestAnimationFrame(() => b.querySelector<HTMLElement>(`tr[data-index="${to}"] a`)?.focus())
  }

  if (!rows.length) return <p class="empty">{empty}</p>
  return (
    <div
      class={short ? 'table short' : 'table'}
      ref={box}
      onScroll={(e) => setSeen({ top: e.currentTarget.scrollTop, height: e.currentTarget.clientHeight })}
      onKeyDown={walk}
    >
      <table aria-label={label} aria-rowcount={sorted.length + 1} style={{ minWidth: least }}>
        <colgroup>
          {columns.map((c, i) => (
            <col key={c.name} class={c.minor ? 'minor' : ''} style={widths[i] ? { width: widths[i] } : {}} />
          ))}
        </colgroup>
        <thead>
          <tr aria-rowindex={1}>
            {columns.map((c) => {
              const order = sort?.by === c.name ? (sort.down ? 'descending' : 'ascending') : 'none'
              return (
                <th
                  key={c.name}
                  scope="col"
                  aria-sort={order}
                  class={`${c.minor ? 'minor' : ''} ${c.numeric ? 'numeric' : ''}`}
                  title={c.title}
                >
                  <button type="button" onClick={() => setSort({ by: c.name, down: sort?.by === c.name ? !sort.down : false })}>
                    {c.name}
                    <span aria-hidden="true">{order === 'ascending' ? ' ▲' : order === 'descending' ? ' ▼' : ''}</span>
                  </button>
                </th>
              )
            })}
          </tr>
        </thead>
        <tbody>
          {first > 0 && (
            <tr aria-hidden="true" class="space">
              <td colSpan={columns.length} style={{ height: `${first * ROW}px` }} />
            </tr>
          )}
          {shown.map((row, i) => {
            const to = href?.(row)
            return (
              <tr key={keyOf(row)} data-index={first + i} aria-rowindex={first + i + 2}>
                {columns.map((c, n) => {
                  const inside = c.cell(row)
                  const title = typeof inside === 'string' && inside.length > 20 ? inside : undefined
                  return (
                    <td key={c.name} class={`${c.minor ? 'minor' : ''} ${c.numeric ? 'numeric' : ''}`} title={title}>
                      {n === 0 && to ? <a href={to}>{inside}</a> : inside}
                    </td>
                  )
                })}
              </tr>
            )
          })}
          {last < sorted.length && (
            <tr aria-hidden="true" class="space">
              <td colSpan={columns.length} style={{ height: `${(sorted.length - last) * ROW}px` }} />
            </tr>
          )}
        </tbody>
      </table>
    </div>
  )
}
