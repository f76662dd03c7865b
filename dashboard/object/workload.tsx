// Workloads: what they should have and have, and their pods.
import { printSelector } from '../../shared/meta/selector.ts'
import { DataTable } from '../parts/data-table.tsx'
import { Facts } from '../parts/facts.tsx'
import { useObjects } from '../parts/live.ts'
import { Age } from '../parts/time.tsx'
import { linkTo, objectLink } from '../route.ts'
import { PodsTable } from './pods-table.tsx'

const images = (o: any): string => [...new Set<string>((o.spec.template?.spec?.containers ?? []).map((c: any) => c.image))].join(', ')

function counts(o: any): [string, string][] {
  const s = o.status ?? {}
  switch (o.kind) {
    case 'DaemonSet':
      return [
        ['Ready', `${s.numberReady ?? 0} of ${s.desiredNumberScheduled ?? 0} nodes`],
        ['Up to date', `${s.updatedNumberScheduled ?? 0}`],
      ]
    case 'Job':
      return [
        ['Succeeded', `${s.succeeded ?? 0} of ${o.spec.completions ?? 1}`],
        ['Running', `${s.active ?? 0}`],
        ['Failed', `${s.failed ?? 0} (${o.spec.backoffLimit ?? 6} allowed)`],
      ]
    default:
      return [
        ['Ready', `${s.readyReplicas ?? 0} of ${o.spec.replicas ?? 1}`],
        ['Up to date', o.kind === 'ReplicaSet' ? '' : `${s.updatedReplicas ?? 0}`],
        ['Available', `${s.availableReplicas ?? 0}`],
      ]
  }
}

export function WorkloadPanel({ object: o }: { object: any }) {
  const { namespace, name, uid } = o.metadata
  const direct = o.kind !== 'Deployment'
  const selector = printSelector(o.spec.selector)
  return (
    <>
      <Facts
        facts={[
          ...counts(o),
          ['Image', images(o)],
          ['Strategy', o.spec.strategy?.type ?? o.spec.updateStrategy?.type],
          ['Selector', selector && <code key="s">{selector}</code>],
          [
            'Logs',
            <a key="l" href={`${linkTo('logs')}?ns=${namespace}&labels=${encodeURIComponent(selector)}`}>
              Search what its pods say
            </a>,
          ],
        ]}
      />
      <PodsTable title="Pods" namespace={namespace} labelSelector={selector} {...(direct ? { owner: uid } : {})} key={name} />
    </>
  )
}

export function CronJobPanel({ object: o }: { object: any }) {
  const { namespace, uid } = o.metadata
  const live = useObjects(`/apis/batch/v1/namespaces/${namespace}/jobs`)!
  const jobs = live.items.value
    .filter((j) => j.metadata.ownerReferences?.some((r: any) => r.uid === uid))
    .toSorted((a, b) => Date.parse(b.metadata.creationTimestamp) - Date.parse(a.metadata.creationTimestamp))
  const state = (j: any): string =>
    j.status?.conditions?.find((c: any) => ['Complete', 'Failed'].includes(c.type) && c.status === 'True')?.type ?? 'Running'
  return (
    <>
      <Facts
        facts={[
          ['Schedule', <code key="s">{`${o.spec.schedule}${o.spec.timeZone ? ` (${o.spec.timeZone})` : ''}`}</code>],
          ['Suspended', o.spec.suspend && 'yes: it does not run'],
          ['Last run', <Age key="a" time={o.status?.lastScheduleTime} />],
          ['Last success', <Age key="b" time={o.status?.lastSuccessfulTime} />],
          ['While one runs', o.spec.concurrencyPolicy],
        ]}
      />
      <section>
        <h2>Jobs</h2>
        <DataTable
          short
          label="Jobs"
          columns={[
            { name: 'Name', cell: (j: any) => j.metadata.name },
            { name: 'Status', cell: state },
            { name: 'Succeeded', cell: (j) => j.status?.succeeded ?? 0, numeric: true },
            { name: 'Failed', cell: (j) => j.status?.failed ?? 0, numeric: true },
            {
              name: 'Age',
              cell: (j) => <Age time={j.metadata.creationTimestamp} />,
              value: (j) => -Date.parse(j.metadata.creationTimestamp),
            },
          ]}
          rows={jobs}
          keyOf={(j) => j.metadata.uid}
          href={(j) => objectLink('jobs.batch', namespace, j.metadata.name)}
          empty="It has run no job that is still kept."
        />
      </section>
    </>
  )
}
