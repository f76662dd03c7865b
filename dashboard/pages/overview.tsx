// How the cluster is, at a glance: what it uses, what does not run as it should, what was told lately.
import { useMemo } from 'preact/hooks'
import type { Row } from '../follow.ts'
import { type DataColumn, DataTable } from '../parts/data-table.tsx'
import { eventColumns, timeOf } from '../parts/events.tsx'
import { listPath, useObjects, useTable } from '../parts/live.ts'
import { Pill, toneOf } from '../parts/pill.tsx'
import { Problem } from '../parts/problem.tsx'
import { bytesOf, coresOf, Usage } from '../parts/usage.tsx'
import { linkTo, namespace, objectLink } from '../route.ts'
import { ageColumn } from './list.tsx'

const cellOf = (columns: { name: string }[], row: Row, name: string): string => {
  const i = columns.findIndex((c) => c.name === name)
  return i < 0 ? '' : String(row.cells[i] ?? '')
}
/** `3/4`: both are numbers, and not the same. */
const isShort = (text: string): boolean => {
  const m = /^(\d+)\/(\d+)$/.exec(text)
  return !!m && m[1] !== m[2]
}

function Tile({ title, value, of, bad, href }: { title: string; value: number; of?: number; bad?: boolean; href: string }) {
  return (
    <a class={`tile ${bad ? 'bad' : ''}`} href={href}>
      <b>
        {value}
        {of !== undefined && <small> of {of}</small>}
      </b>
      <span>{title}</span>
    </a>
  )
}

/** Ready nodes of all, and what they have together. */
function useNodes() {
  const live = useObjects(listPath('nodes', ''))
  const nodes = live?.items.value ?? []
  const ready = nodes.filter((n) => n.status?.conditions?.some((c: any) => c.type === 'Ready' && c.status === 'True')).length
  const total = (key: string, of: (q: string) => number) => nodes.reduce((t, n) => t + of(n.status?.capacity?.[key] ?? '0'), 0)
  return { all: nodes.length, ready, cores: total('cpu', coresOf), bytes: total('memory', bytesOf) }
}

interface Trouble {
  kind: string
  row: Row
  status: string
  href: string
}

const troubleColumns: DataColumn<Trouble>[] = [
  { name: 'Name', cell: (t) => `${t.kind} ${t.row.name}` },
  { name: 'Namespace', cell: (t) => t.row.namespace },
  { name: 'State', cell: (t) => <Pill word={t.status} tone={toneOf(t.status) === 'busy' ? 'busy' : 'bad'} />, value: (t) => t.status },
  { name: 'Age', cell: (t) => ageColumn.cell(t.row), value: (t) => ageColumn.value!(t.row) },
]

/** Since when something must have been starting to be worth a line, ms. */
const STARTING_MS = 15_000

export function OverviewPage() {
  const ns = namespace.value
  const nodes = useNodes()
  const pods = useTable(listPath('pods', ns))
  const deployments = useTable(listPath('deployments.apps', ns))
  const sets = useTable(listPath('statefulsets.apps', ns))
  const events = useObjects(listPath('events', ns), { fieldSelector: 'type=Warning' })
  const podRows = pods?.rows.value ?? []
  const columns = pods?.columns.value ?? []
  const troubles = useMemo(() => {
    const out: Trouble[] = []
    for (const row of podRows) {
      const status = cellOf(columns, row, 'Status')
      const ready = cellOf(columns, row, 'Ready')
      const young = Date.now() - Date.parse(row.metadata.creationTimestamp) < STARTING_MS
      const waits = ['Pending', 'ContainerCreating', 'PodInitializing', 'Terminating'].includes(status) || status.startsWith('Init:')
      const well = status === 'Completed' || (status === 'Running' && !isShort(ready)) || (waits && young)
      if (!well)
        out.push({
          kind: 'Pod',
          row,
          status: status === 'Running' ? `${ready} ready` : status,
          href: objectLink('pods', row.namespace, row.name),
        })
    }
    return out
  }, [podRows, columns])
  const short = [deployments, sets].flatMap((live, i) =>
    (live?.rows.value ?? [])
      .filter((row) => isShort(cellOf(live!.columns.value, row, 'Ready')))
      .map(
        (row): Trouble => ({
          kind: i ? 'StatefulSet' : 'Deployment',
          row,
          status: `${cellOf(live!.columns.value, row, 'Ready')} ready`,
          href: objectLink(i ? 'statefulsets.apps' : 'deployments.apps', row.namespace, row.name),
        }),
      ),
  )
  const running = podRows.filter((r) => cellOf(columns, r, 'Status') === 'Running').length
  const whole = pods?.whole.value
  return (
    <>
      <header class="page">
        <h1>Overview{namespace.value && <span class="dim"> of {namespace.value}</span>}</h1>
      </header>
      <div class="tiles">
        {nodes.all > 0 && (
          <Tile title="nodes ready" value={nodes.ready} of={nodes.all} bad={nodes.ready < nodes.all} href={linkTo('nodes')} />
        )}
        {pods && <Tile title="pods running" value={running} of={podRows.length} href={linkTo('pods')} />}
        {deployments && <Tile title="deployments" value={deployments.rows.value.length} href={linkTo('deployments.apps')} />}
        {sets && <Tile title="stateful sets" value={sets.rows.value.length} href={linkTo('statefulsets.apps')} />}
        {pods && (
          <Tile
            title="not as they should be"
            value={troubles.length + short.length}
            bad={troubles.length + short.length > 0}
            href="#trouble"
          />
        )}
      </div>
      {nodes.all > 0 && <Usage resource="nodes" cores={nodes.cores} bytes={nodes.bytes} />}
      {pods?.error.value && <Problem error={pods.error.value} />}
      {!pods && !deployments && (
        <p class="empty">Choose a namespace above: what you may see of all of them is not enough for an overview.</p>
      )}
      {pods && (
        <section id="trouble">
          <h2>Not as it should be</h2>
          <DataTable
            short={troubles.length + short.length <= 50}
            label="Not as it should be"
            columns={troubleColumns}
            rows={[...short, ...troubles]}
            keyOf={(t) => `${t.kind} ${t.row.key}`}
            href={(t) => t.href}
            empty={whole ? 'Everything runs.' : 'Reading…'}
          />
        </section>
      )}
      {events && (
        <section>
          <h2>Warnings</h2>
          <DataTable
            short
            label="Warnings"
            columns={[
              { name: 'About', cell: (e: any) => `${e.involvedObject.kind} ${e.involvedObject.name}` },
              ...eventColumns.filter((c) => c.name !== 'Type'),
            ]}
            rows={events.items.value.toSorted((a, b) => Date.parse(timeOf(b)) - Date.parse(timeOf(a))).slice(0, 20)}
            keyOf={(e) => e.metadata.uid}
            href={(e) => objectLink('events', e.metadata.namespace, e.metadata.name)}
            empty="There were none lately."
          />
        </section>
      )}
    </>
  )
}
