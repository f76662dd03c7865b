// What every object has: who owns it, its labels and conditions, what was told of it; and what holds it back, in the words of `kedge why`.
import { useEffect, useState } from 'preact/hooks'
import type { Finding } from '../../shared/why/world.ts'
import type { Kind } from '../kinds.ts'
import { type DataColumn, DataTable } from '../parts/data-table.tsx'
import { eventColumns, timeOf } from '../parts/events.tsx'
import { Facts, Labels, ObjectLink } from '../parts/facts.tsx'
import { listPath, useObjects } from '../parts/live.ts'
import { Pill } from '../parts/pill.tsx'
import { Age } from '../parts/time.tsx'
import { listAll } from '../world.ts'

export function Summary({ object: o }: { object: any }) {
  const m = o.metadata
  const annotations = Object.entries<string>(m.annotations ?? {}).filter(([k]) => !k.endsWith('last-applied-configuration'))
  return (
    <>
      <Facts
        facts={[
          ['Created', <Age key="a" time={m.creationTimestamp} />],
          [
            'Belongs to',
            m.ownerReferences?.length
              ? m.ownerReferences.map((r: any) => (
                  <ObjectLink key={r.uid} apiVersion={r.apiVersion} kind={r.kind} namespace={m.namespace} name={r.name} />
                ))
              : undefined,
          ],
          ['Labels', m.labels && <Labels labels={m.labels} />],
          ['Waits for', m.deletionTimestamp && m.finalizers?.join(', ')],
        ]}
      />
      {annotations.length > 0 && (
        <details>
          <summary>{annotations.length === 1 ? '1 annotation' : `${annotations.length} annotations`}</summary>
          <Facts
            facts={annotations.map(([k, v]) => [
              k,
              <span class="text" key={k}>
                {v}
              </span>,
            ])}
          />
        </details>
      )}
    </>
  )
}

export function Conditions({ conditions }: { conditions: any[] | undefined }) {
  if (!conditions?.length) return null
  const columns: DataColumn<any>[] = [
    { name: 'Condition', cell: (c) => c.type },
    { name: 'Status', cell: (c) => <Pill word={c.status} tone={c.status === 'Unknown' ? 'bad' : 'plain'} />, value: (c) => c.status },
    { name: 'Since', cell: (c) => <Age time={c.lastTransitionTime} />, value: (c) => c.lastTransitionTime ?? '' },
    { name: 'Reason', cell: (c) => c.reason ?? '' },
    { name: 'Message', cell: (c) => c.message ?? '', minor: true },
  ]
  return (
    <section>
      <h2>Conditions</h2>
      <DataTable short label="Conditions" columns={columns} rows={conditions} keyOf={(c) => c.type} />
    </section>
  )
}

/** Asked anew when the object has changed, after a moment. */
const SETTLE_MS = 400

export function Why({ kind, object: o }: { kind: Kind; object: any }) {
  const [finding, setFinding] = useState<Finding | undefined>()
  const version = o.metadata.resourceVersion
  // Another version is another object.
  useEffect(() => {
    let gone = false
    const timer = setTimeout(async () => {
      const { subjects, why } = await import('../../shared/why/why.ts')
      if (!subjects[kind.resource]) return
      const found = await why(kind.resource, o, listAll, Date.now()).catch(() => undefined)
      if (!gone) setFinding(found)
    }, SETTLE_MS)
    return () => {
      gone = true
      clearTimeout(timer)
    }
  }, [version])
  if (!finding) return null
  return (
    <section class="why" aria-label="What holds it back">
      <p>
        {!finding.about.endsWith(`/${o.metadata.name}`) && <b>{finding.about}: </b>}
        {finding.why}
      </p>
      <p>{finding.todo}</p>
    </section>
  )
}

export function EventsOf({ object: o }: { object: any }) {
  const live = useObjects(listPath('events', o.metadata.namespace ?? ''), {
    fieldSelector: `involvedObject.kind=${o.kind},involvedObject.name=${o.metadata.name}`,
  })
  if (!live) return null
  const events = live.items.value
    .filter((e) => !e.involvedObject?.uid || !o.metadata.uid || e.involvedObject.uid === o.metadata.uid || !o.metadata.namespace)
    .toSorted((a, b) => Date.parse(timeOf(b)) - Date.parse(timeOf(a)))
  return (
    <section>
      <h2>Events</h2>
      <DataTable
        short
        label="Events"
        columns={eventColumns}
        rows={events}
        keyOf={(e) => e.metadata.uid}
        empty="Nothing was told of it lately."
      />
    </section>
  )
}
