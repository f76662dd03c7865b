// The objects of one kind, any kind, as the server prints them: filtered while typing, sorted, live.
import { useEffect, useMemo, useRef } from 'preact/hooks'
import type { Row } from '../follow.ts'
import { type Kind, pathOf } from '../kinds.ts'
import { type DataColumn, DataTable } from '../parts/data-table.tsx'
import { timeOf } from '../parts/events.tsx'
import { useTable } from '../parts/live.ts'
import { Pill, toneOf } from '../parts/pill.tsx'
import { LiveMark, Problem } from '../parts/problem.tsx'
import { Age } from '../parts/time.tsx'
import { may } from '../rights.ts'
import { linkTo, namespace, objectLink, route, setQuery } from '../route.ts'

const STATUS = /^(status|phase|type)$/i
/** Columns that the server writes as ages, which do not grow older by themselves. */
const SINCE: Record<string, Record<string, (o: any) => string | undefined>> = {
  events: { 'Last Seen': timeOf },
}
/** What is asked for whole, since a column is made of it here. */
const WHOLE = new Set(['events'])

/** A word of status; one that is neither good nor bad stands as it is. */
const worded = (word: string) => (toneOf(word) === 'plain' ? word : <Pill word={word} />)

export const ageColumn: DataColumn<Row> = {
  name: 'Age',
  cell: (r) => <Age time={r.metadata.creationTimestamp} />,
  value: (r) => -Date.parse(r.metadata.creationTimestamp ?? '') || 0,
}

/** The server's columns as ours. */
export function columnsOf(k: Kind, server: any[], withNamespace: boolean): DataColumn<Row>[] {
  const out: DataColumn<Row>[] = []
  const since = SINCE[k.resource] ?? {}
  for (const [i, c] of server.entries()) {
    if (c.priority > 0) continue
    const at = since[c.name]
    if (c.name === 'Age') out.push(ageColumn)
    else if (at) {
      const time = (r: Row) => at(r.object)
      out.push({ name: c.name, title: c.description, cell: (r) => <Age time={time(r)} />, value: (r) => -Date.parse(time(r) ?? '') || 0 })
    } else {
      const numeric = c.type === 'integer' || c.type === 'number'
      const plain = (r: Row) => r.cells[i] ?? ''
      out.push({
        name: c.name,
        title: c.description,
        cell: STATUS.test(c.name) ? (r) => worded(String(plain(r))) : plain,
        value: plain,
        ...(numeric ? { numeric } : {}),
      })
    }
  }
  // What names a row comes first and is its link: its name, or what it is about.
  const name = out.findIndex((c) => c.name === (k.resource === 'events' ? 'Object' : 'Name'))
  if (name > 0) out.unshift(...out.splice(name, 1))
  if (withNamespace) out.splice(1, 0, { name: 'Namespace', cell: (r) => r.namespace, value: (r) => r.namespace })
  if (name < 0) out.unshift({ name: 'Name', cell: (r) => r.name, value: (r) => r.name })
  return out
}

export function ListPage({ kind: k }: { kind: Kind }) {
  const ns = k.namespaced ? namespace.value : ''
  const query = route.value.query
  const labels = query.get('labels') ?? ''
  const text = query.get('q') ?? ''
  const live = useTable(pathOf(k, ns), {
    ...(labels ? { labelSelector: labels } : {}),
    ...(WHOLE.has(k.resource) ? { includeObject: 'Object' } : {}),
  })!
  const field = useRef<HTMLInputElement>(null)
  useEffect(() => {
    const key = (e: KeyboardEvent) => {
      const typing = (e.target as HTMLElement).closest('input, textarea, select, [contenteditable]')
      if (e.key !== '/' || typing || e.ctrlKey || e.metaKey) return
      e.preventDefault()
      field.current?.focus()
    }
    addEventListener('keydown', key)
    return () => removeEventListener('keydown', key)
  }, [])
  const server = live.columns.value
  const columns = useMemo(() => columnsOf(k, server, k.namespaced && !ns), [k, server, ns])
  const all = useMemo(
    () =>
      k.resource === 'events'
        ? live.rows.value.toSorted((a, b) => Date.parse(timeOf(b.object)) - Date.parse(timeOf(a.object)))
        : live.rows.value,
    [k, live.rows.value],
  )
  const rows = useMemo(() => {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean)
    if (!words.length) return all
    return all.filter((r) => {
      const line = `${r.namespace} ${r.cells.join(' ')}`.toLowerCase()
      return words.every((w) => line.includes(w))
    })
  }, [all, text])
  const error = live.error.value
  return (
    <>
      <header class="page">
        <h1>{k.kind === 'Endpoints' ? k.kind : plural(k)}</h1>
        <LiveMark state={live.state.value} />
        <span class="dim" aria-live="polite">
          {rows.length === all.length ? all.length : `${rows.length} of ${all.length}`}
          {live.whole.value ? '' : ' …'}
        </span>
        <span class="grow" />
        {k.verbs.includes('create') && may({ verb: 'create', resource: k.resource, namespace: ns }) && (
          <a class="button" href={`${linkTo('create')}?kind=${encodeURIComponent(k.resource)}`}>
            Create
          </a>
        )}
      </header>
      <div class="filters">
        <label>
          <span>Filter</span>
          <input ref={field} type="search" value={text} placeholder="press /" onInput={(e) => setQuery({ q: e.currentTarget.value })} />
        </label>
        <label>
          <span>Labels</span>
          <input
            type="search"
            defaultValue={labels}
            placeholder="app=web,tier!=cache"
            onChange={(e) => setQuery({ labels: e.currentTarget.value.trim() })}
          />
        </label>
      </div>
      {error && !all.length ? (
        <Problem error={error} />
      ) : (
        <DataTable
          label={plural(k)}
          columns={columns}
          rows={rows}
          keyOf={(r) => r.key}
          href={(r) => objectLink(k.resource, r.namespace, r.name)}
          empty={
            !live.whole.value
              ? 'Reading…'
              : text || labels
                ? 'Nothing fits the filter.'
                : `There is no ${k.kind}${ns ? ` in the namespace ${ns}` : ''}.`
          }
        />
      )}
    </>
  )
}

/** `DaemonSets`, `Ingresses`, `NetworkPolicies`. */
export function plural({ kind }: { kind: string }): string {
  if (/(s|x|ch|sh)$/.test(kind)) return kind.endsWith('points') || kind.endsWith('cs') ? kind : `${kind}es`
  return /[^aeiou]y$/.test(kind) ? `${kind.slice(0, -1)}ies` : `${kind}s`
}
