// Deploy hooks with what came in and what came of it.
import { subjectOfFacts } from '../../shared/kinds/deploy.ts'
import { base, call } from '../client.ts'
import { DataTable } from '../parts/data-table.tsx'
import { ask } from '../parts/dialog.tsx'
import { Facts } from '../parts/facts.tsx'
import { useObjects } from '../parts/live.ts'
import { Pill } from '../parts/pill.tsx'
import { Age } from '../parts/time.tsx'
import { may } from '../rights.ts'
import { objectLink } from '../route.ts'

const DELIVERIES = 'deploydeliveries.deploy.kedge.dev'
const group = '/apis/deploy.kedge.dev/v1'

export function HookPanel({ object: o }: { object: any }) {
  const { namespace, name } = o.metadata
  const live = useObjects(`${group}/namespaces/${namespace}/deploydeliveries`, { fieldSelector: `spec.hook=${name}` })!
  const rows = live.items.value.toSorted((a, b) => Date.parse(b.metadata.creationTimestamp) - Date.parse(a.metadata.creationTimestamp))
  return (
    <>
      <Facts
        facts={[
          ['Address', <code key="u">{`${location.origin}${base}/hooks/${namespace}/${name}`}</code>],
          ['Who calls', o.spec.provider],
          ['Acts as', o.spec.serviceAccountName],
          ['Goes back when it fails', o.spec.rollout?.rollback ? `yes, after ${o.spec.rollout.timeoutSeconds} s` : 'no'],
          ['Calls', `${o.status?.accepted ?? 0} accepted`],
        ]}
      />
      <section>
        <h2>Deliveries</h2>
        <DataTable
          short={rows.length <= 50}
          label="Deliveries"
          columns={[
            { name: 'What', cell: (d: any) => subjectOfFacts(d.spec.facts) || d.metadata.name },
            { name: 'Event', cell: (d) => d.spec.facts?.event ?? '' },
            { name: 'Phase', cell: (d) => <Pill word={d.status?.phase ?? 'Pending'} />, value: (d) => d.status?.phase ?? '' },
            { name: 'Message', cell: (d) => d.status?.message ?? '' },
            {
              name: 'Age',
              cell: (d) => <Age time={d.metadata.creationTimestamp} />,
              value: (d) => -Date.parse(d.metadata.creationTimestamp),
            },
          ]}
          rows={rows}
          keyOf={(d) => d.metadata.uid}
          href={(d) => objectLink(DELIVERIES, namespace, d.metadata.name)}
          empty="Nobody has called yet."
        />
      </section>
    </>
  )
}

export function DeliveryPanel({ object: o }: { object: any }) {
  const { namespace, name } = o.metadata
  const replay = () =>
    ask({
      title: `Replay ${name}?`,
      action: 'Replay',
      consequences: async () => [`What this call deployed is deployed again: ${subjectOfFacts(o.spec.facts) || name}.`],
      run: async () => {
        const body = {
          apiVersion: o.apiVersion,
          kind: o.kind,
          metadata: { generateName: `${o.spec.hook}-replay-`, namespace, ownerReferences: o.metadata.ownerReferences },
          spec: { ...o.spec, received: new Date().toISOString().replace('Z', '000Z'), replayOf: name },
        }
        const made = await call('POST', `${group}/namespaces/${namespace}/deploydeliveries`, { body })
        return `Delivery ${made.metadata.name} has been made.`
      },
    })
  return (
    <>
      <Facts
        facts={[
          [
            'Hook',
            <a key="h" href={objectLink('deployhooks.deploy.kedge.dev', namespace, o.spec.hook)}>
              {o.spec.hook}
            </a>,
          ],
          ['Phase', <Pill key="p" word={o.status?.phase ?? 'Pending'} />],
          ['Message', o.status?.message],
          ...Object.entries<string>(o.spec.facts ?? {}).map(([k, v]): [string, string] => [k, String(v)]),
        ]}
      />
      {may({ verb: 'create', resource: DELIVERIES, namespace }) && (
        <button type="button" onClick={replay}>
          Replay
        </button>
      )}
    </>
  )
}
