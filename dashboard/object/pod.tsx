// A pod: where it is, its containers and how each is, its ports, and what it uses.
import { type DataColumn, DataTable } from '../parts/data-table.tsx'
import { Facts } from '../parts/facts.tsx'
import { Pill } from '../parts/pill.tsx'
import { Age } from '../parts/time.tsx'
import { Usage } from '../parts/usage.tsx'
import { may } from '../rights.ts'
import { objectLink } from '../route.ts'

interface Container {
  name: string
  role: string
  spec: any
  status: any
}

export function containersOf(pod: any): Container[] {
  const of = (role: string, specs: any[] = [], statuses: any[] = []): Container[] =>
    specs.map((spec) => ({ name: spec.name, role, spec, status: statuses.find((s) => s.name === spec.name) ?? {} }))
  return [
    ...of('init', pod.spec.initContainers, pod.status?.initContainerStatuses),
    ...of('', pod.spec.containers, pod.status?.containerStatuses),
    ...of('debug', pod.spec.ephemeralContainers, pod.status?.ephemeralContainerStatuses),
  ]
}

function stateOf({ status: s }: Container): string {
  const { running, waiting, terminated } = s.state ?? {}
  if (running) return s.ready ? 'Running' : 'Running, not ready'
  if (waiting) return waiting.reason ?? 'Waiting'
  if (terminated) return terminated.reason ?? (terminated.exitCode === 0 ? 'Completed' : `Error (${terminated.exitCode})`)
  return 'Waiting'
}

/** One of a pod's containers to look at. */
export function ContainerChoice({ among, chosen, choose }: { among: Container[]; chosen: string; choose(name: string): void }) {
  return (
    <label>
      <span>Container</span>
      <select value={chosen} onChange={(e) => choose(e.currentTarget.value)}>
        {among.map((c) => (
          <option key={c.name} value={c.name}>
            {c.name}
            {c.role && ` (${c.role})`}
          </option>
        ))}
      </select>
    </label>
  )
}

const columns: DataColumn<Container>[] = [
  { name: 'Container', cell: (c) => c.name + (c.role ? ` (${c.role})` : '') },
  { name: 'State', cell: (c) => <Pill word={stateOf(c)} />, value: stateOf },
  { name: 'Restarts', cell: (c) => c.status.restartCount ?? 0, numeric: true },
  {
    name: 'Since',
    cell: (c) => <Age time={c.status.state?.running?.startedAt ?? c.status.state?.terminated?.finishedAt} />,
    value: (c) => c.status.state?.running?.startedAt ?? '',
  },
  { name: 'Image', cell: (c) => c.spec.image ?? '' },
]

function Last({ containers }: { containers: Container[] }) {
  const ended = containers.filter((c) => c.status.lastState?.terminated)
  if (!ended.length) return null
  return (
    <ul class="notes">
      {ended.map((c) => {
        const t = c.status.lastState.terminated
        return (
          <li key={c.name}>
            {c.name} ended before with {t.exitCode === undefined ? 'an unknown code' : `code ${t.exitCode}`}
            {t.reason ? ` (${t.reason})` : ''}, <Age time={t.finishedAt} /> ago{t.message ? `: ${t.message}` : '.'}
          </li>
        )
      })}
    </ul>
  )
}

function Ports({ pod, containers }: { pod: any; containers: Container[] }) {
  const { namespace, name } = pod.metadata
  const ports = containers.flatMap((c) => (c.spec.ports ?? []).map((p: any) => ({ ...p, container: c.name })))
  if (!ports.length) return null
  const forwarded = may({ verb: 'create', resource: 'pods', subresource: 'portforward', namespace, name })
  return (
    <section>
      <h2>Ports</h2>
      <DataTable
        short
        label="Ports"
        columns={[
          { name: 'Port', cell: (p: any) => `${p.containerPort}/${p.protocol ?? 'TCP'}` },
          { name: 'Name', cell: (p) => p.name ?? '' },
          { name: 'Container', cell: (p) => p.container },
          { name: 'On the node', cell: (p) => (p.hostPort ? String(p.hostPort) : '') },
          {
            name: 'From your machine',
            cell: (p) => (forwarded ? <code>{`kedge port-forward -n ${namespace} ${name} ${p.containerPort}`}</code> : ''),
            value: () => (forwarded ? `kedge port-forward -n ${namespace} ${name}` : ''),
          },
        ]}
        rows={ports}
        keyOf={(p) => `${p.container} ${p.containerPort} ${p.protocol}`}
      />
    </section>
  )
}

export function PodPanel({ object: o }: { object: any }) {
  const { namespace } = o.metadata
  const containers = containersOf(o)
  const named = (list: [string, string, string][]) =>
    list.map(([resource, name, text]) => (
      <a key={text} href={objectLink(resource, namespace, name)}>
        {text}
      </a>
    ))
  const uses = (o.spec.volumes ?? []).flatMap((v: any): [string, string, string][] => {
    if (v.configMap) return [['configmaps', v.configMap.name, `config map ${v.configMap.name}`]]
    if (v.secret) return [['secrets', v.secret.secretName, `secret ${v.secret.secretName}`]]
    if (v.persistentVolumeClaim)
      return [['persistentvolumeclaims', v.persistentVolumeClaim.claimName, `claim ${v.persistentVolumeClaim.claimName}`]]
    return []
  })
  return (
    <>
      <Facts
        facts={[
          ['Phase', o.status?.phase],
          ['Node', o.spec.nodeName && <a href={objectLink('nodes', '', o.spec.nodeName)}>{o.spec.nodeName}</a>],
          ['Address', o.status?.podIPs?.map((i: any) => i.ip).join(', ')],
          ['Class of service', o.status?.qosClass],
          [
            'Service account',
            o.spec.serviceAccountName && named([['serviceaccounts', o.spec.serviceAccountName, o.spec.serviceAccountName]]),
          ],
          ['Uses', uses.length ? named(uses) : undefined],
        ]}
      />
      <section>
        <h2>Containers</h2>
        <DataTable short label="Containers" columns={columns} rows={containers} keyOf={(c) => c.name} />
        <Last containers={containers} />
      </section>
      <Ports pod={o} containers={containers} />
      {o.spec.nodeName && o.status?.phase === 'Running' && <Usage resource="pods" namespace={namespace} name={o.metadata.name} />}
    </>
  )
}
