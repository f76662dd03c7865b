// Every kind that this cluster serves, its own ones too.
import { useEffect, useState } from 'preact/hooks'
import { type Kind, kinds, loadKinds } from '../kinds.ts'
import { type DataColumn, DataTable } from '../parts/data-table.tsx'
import { may } from '../rights.ts'
import { linkTo, namespace } from '../route.ts'

const columns: DataColumn<Kind>[] = [
  { name: 'Kind', cell: (k) => k.kind },
  { name: 'Group', cell: (k) => k.group || 'core' },
  { name: 'Version', cell: (k) => k.version },
  { name: 'Of a namespace', cell: (k) => (k.namespaced ? 'yes' : 'no') },
  { name: 'Short names', cell: (k) => k.shortNames.join(', '), minor: true },
]

export function KindsPage() {
  const [text, setText] = useState('')
  const all = kinds.value
  // Definitions may have come since the page was loaded.
  useEffect(() => void loadKinds().catch(() => {}), [])
  const ns = namespace.value
  const rows = [...all.values()].filter(
    (k) =>
      k.verbs.includes('list') &&
      (!k.namespaced || !ns || may({ verb: 'list', resource: k.resource, namespace: ns })) &&
      `${k.kind} ${k.resource} ${k.shortNames.join(' ')}`.toLowerCase().includes(text.toLowerCase()),
  )
  return (
    <>
      <header class="page">
        <h1>All kinds</h1>
      </header>
      <div class="filters">
        <label>
          <span>Filter</span>
          <input type="search" value={text} onInput={(e) => setText(e.currentTarget.value)} />
        </label>
      </div>
      <DataTable label="Kinds" columns={columns} rows={rows} keyOf={(k) => k.resource} href={(k) => linkTo(k.resource)} />
    </>
  )
}
