// A claim: what it asks for, what it got, and who uses it.
import { DataTable } from '../parts/data-table.tsx'
import { Facts } from '../parts/facts.tsx'
import { useObjects } from '../parts/live.ts'
import { objectLink } from '../route.ts'

export function ClaimPanel({ object: o }: { object: any }) {
  const { namespace, name } = o.metadata
  const live = useObjects(`/api/v1/namespaces/${namespace}/pods`)!
  const users = live.items.value.filter((p) => p.spec.volumes?.some((v: any) => v.persistentVolumeClaim?.claimName === name))
  return (
    <>
      <Facts
        facts={[
          ['Phase', o.status?.phase],
          ['Asks for', `${o.spec.resources?.requests?.storage ?? ''}, ${(o.spec.accessModes ?? []).join(', ')}`],
          ['Has', o.status?.capacity?.storage],
          [
            'Class',
            o.spec.storageClassName && (
              <a href={objectLink('storageclasses.storage.k8s.io', '', o.spec.storageClassName)}>{o.spec.storageClassName}</a>
            ),
          ],
          ['Volume', o.spec.volumeName && <a href={objectLink('persistentvolumes', '', o.spec.volumeName)}>{o.spec.volumeName}</a>],
        ]}
      />
      <section>
        <h2>Used by</h2>
        <DataTable
          short
          label="Used by"
          columns={[
            { name: 'Pod', cell: (p: any) => p.metadata.name },
            { name: 'Phase', cell: (p) => p.status?.phase ?? '' },
            { name: 'Node', cell: (p) => p.spec.nodeName ?? '' },
          ]}
          rows={users}
          keyOf={(p) => p.metadata.uid}
          href={(p) => objectLink('pods', namespace, p.metadata.name)}
          empty="No pod uses it."
        />
      </section>
    </>
  )
}
