// The cluster's past: how objects of a kind stood at a time, and what changed between two times.
import { useState } from 'preact/hooks'
import { call } from '../client.ts'
import { kindOf, kinds, pathOf } from '../kinds.ts'
import { Changes } from '../object/rollout.tsx'
import { DataTable } from '../parts/data-table.tsx'
import { namespace, objectLink, route, setQuery } from '../route.ts'
import { columnsOf } from './list.tsx'

const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io'

interface Change {
  namespace?: string
  name: string
  change: 'added' | 'changed' | 'removed'
  patch?: any[]
}

/** What a field of a moment means: `15m`, `now`, or the browser's local time as RFC 3339. */
const momentOf = (text: string): string => (/^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(text) ? new Date(text).toISOString() : text)

function Moment({ title, name, other }: { title: string; name: string; other: string }) {
  const value = route.value.query.get(name) ?? other
  return (
    <label>
      <span>{title}</span>
      <input list="moments" value={value} required onInput={(e) => setQuery({ [name]: e.currentTarget.value })} />
    </label>
  )
}

function Changed({ change: c, resource }: { change: Change; resource: string }) {
  const href = c.change === 'removed' ? undefined : objectLink(resource, c.namespace, c.name)
  const name = `${c.namespace ? `${c.namespace}/` : ''}${c.name}`
  return (
    <li>
      <h3>
        <span class={`pill ${{ added: 'good', changed: 'busy', removed: 'bad' }[c.change]}`}>{c.change}</span>{' '}
        {href ? <a href={href}>{name}</a> : name}
      </h3>
      {c.patch && <Changes from={undefined} changes={c.patch} />}
    </li>
  )
}

export function PastPage() {
  const { query } = route.value
  const resource = query.get('kind') ?? 'deployments.apps'
  const mode = query.get('mode') ?? 'changes'
  const k = kindOf(resource)
  const [table, setTable] = useState<any>()
  const [changes, setChanges] = useState<Change[] | undefined>()
  const [error, setError] = useState('')
  const [busy, setBusy] = useState(false)
  const ns = namespace.value
  const look = async (e: Event) => {
    e.preventDefault()
    if (!k) return
    setBusy(true)
    setError('')
    setTable(undefined)
    setChanges(undefined)
    const q = route.value.query
    const from = momentOf(q.get('from') ?? '15m')
    try {
      if (mode === 'state') setTable(await call('GET', pathOf(k, ns), { query: { at: from }, accept: TABLE }))
      else setChanges((await call('GET', pathOf(k, ns), { query: { diff: `${from}..${momentOf(q.get('to') ?? 'now')}` } })).items)
    } catch (cause) {
      setError((cause as Error).message)
    }
    setBusy(false)
  }
  const rows = (table?.rows ?? []).map((r: any) => ({
    key: `${r.object.metadata.namespace ?? ''}/${r.object.metadata.name}`,
    namespace: r.object.metadata.namespace ?? '',
    name: r.object.metadata.name,
    cells: r.cells,
    metadata: r.object.metadata,
    object: r.object,
  }))
  return (
    <>
      <header class="page">
        <h1>Past</h1>
        <p class="dim">As far back as the cluster keeps its history: a day, unless it is set otherwise.</p>
      </header>
      <form class="filters" onSubmit={look}>
        <label>
          <span>Kind</span>
          <select value={resource} onChange={(e) => setQuery({ kind: e.currentTarget.value })}>
            {[...kinds.value.values()]
              .filter((x) => x.verbs.includes('list') && x.verbs.includes('watch'))
              .toSorted((a, b) => a.kind.localeCompare(b.kind))
              .map((x) => (
                <option key={x.resource} value={x.resource}>
                  {x.kind}
                  {x.group ? ` (${x.group})` : ''}
                </option>
              ))}
          </select>
        </label>
        <label>
          <span>Show</span>
          <select value={mode} onChange={(e) => setQuery({ mode: e.currentTarget.value })}>
            <option value="changes">what changed</option>
            <option value="state">how it stood</option>
          </select>
        </label>
        <Moment title={mode === 'state' ? 'At' : 'From'} name="from" other="15m" />
        {mode === 'changes' && <Moment title="To" name="to" other="now" />}
        <datalist id="moments">
          {['now', '5m', '15m', '1h', '6h', '1d'].map((m) => (
            <option key={m} value={m} />
          ))}
        </datalist>
        <button type="submit" class="primary" disabled={busy}>
          Look
        </button>
      </form>
      <p class="dim">A moment is how long ago (15m, 2h), a time (2026-01-31T12:00), a version, or now.</p>
      {error && (
        <p class="error" role="alert">
          {error}
        </p>
      )}
      {table && k && (
        <DataTable
          label={`${k.kind} then`}
          columns={columnsOf(k, table.columnDefinitions, k.namespaced && !ns)}
          rows={rows}
          keyOf={(r: any) => r.key}
          empty="There was nothing."
        />
      )}
      {changes && (
        <section>
          <h2>
            Changes <span class="dim">{changes.length}</span>
          </h2>
          {changes.length ? (
            <ul class="past">
              {changes.map((c) => (
                <Changed key={`${c.namespace}/${c.name}`} change={c} resource={resource} />
              ))}
            </ul>
          ) : (
            <p class="empty">Nothing changed.</p>
          )}
        </section>
      )}
    </>
  )
}
