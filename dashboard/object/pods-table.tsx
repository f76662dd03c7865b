// The pods of something, by their labels or their node.
import { useMemo } from 'preact/hooks'
import { kindOf, pathOf } from '../kinds.ts'
import { columnsOf } from '../pages/list.tsx'
import { DataTable } from '../parts/data-table.tsx'
import { useTable } from '../parts/live.ts'
import { Problem } from '../parts/problem.tsx'
import { objectLink } from '../route.ts'

interface Props {
  title: string
  namespace: string
  labelSelector?: string
  fieldSelector?: string
  /** Some of them alone. */
  owner?: string
}

export function PodsTable({ title, namespace, labelSelector, fieldSelector, owner }: Props) {
  const k = kindOf('pods')!
  const live = useTable(pathOf(k, namespace), {
    ...(labelSelector ? { labelSelector } : {}),
    ...(fieldSelector ? { fieldSelector } : {}),
  })!
  const server = live.columns.value
  const columns = useMemo(() => columnsOf(k, server, !namespace), [k, server, namespace])
  const all = live.rows.value
  const rows = owner ? all.filter((r) => r.metadata.ownerReferences?.some((o: any) => o.uid === owner)) : all
  return (
    <section>
      <h2>
        {title} <span class="dim">{rows.length}</span>
      </h2>
      {live.error.value ? (
        <Problem error={live.error.value} />
      ) : (
        <DataTable
          short={rows.length <= 50}
          label={title}
          columns={columns}
          rows={rows}
          keyOf={(r) => r.key}
          href={(r) => objectLink('pods', r.namespace, r.name)}
          empty={live.whole.value ? 'There are none.' : 'Reading…'}
        />
      )}
    </section>
  )
}
