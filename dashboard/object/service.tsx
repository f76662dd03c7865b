// Services with who serves them, ingresses with where they lead, policies with whom they hold.
import { printSelector } from '../../shared/meta/selector.ts'
import { DataTable } from '../parts/data-table.tsx'
import { Facts } from '../parts/facts.tsx'
import { useObjects } from '../parts/live.ts'
import { Pill } from '../parts/pill.tsx'
import { objectLink } from '../route.ts'
import { PodsTable } from './pods-table.tsx'

const portText = (p: any): string =>
  `${p.name ? `${p.name} ` : ''}${p.port}${p.targetPort !== undefined && p.targetPort !== p.port ? ` → ${p.targetPort}` : ''}/${p.protocol ?? 'TCP'}${p.nodePort ? `, on every node ${p.nodePort}` : ''}`

export function ServicePanel({ object: o }: { object: any }) {
  const { namespace, name } = o.metadata
  const live = useObjects(`/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`, {
    labelSelector: `kubernetes.io/service-name=${name}`,
  })!
  const endpoints = live.items.value.flatMap((s) =>
    (s.endpoints ?? []).flatMap((e: any) =>
      (e.addresses ?? []).map((address: string) => ({
        address,
        ports: (s.ports ?? []).map((p: any) => p.port).join(', '),
        ready: e.conditions?.ready !== false,
        state: e.conditions?.ready !== false ? 'Ready' : e.conditions?.terminating ? 'Terminating' : 'Not ready',
        node: e.nodeName ?? '',
        pod: e.targetRef?.kind === 'Pod' ? e.targetRef.name : '',
        key: `${s.metadata.name} ${address}`,
      })),
    ),
  )
  const outside = (o.status?.loadBalancer?.ingress ?? []).map((i: any) => i.ip ?? i.hostname).join(', ')
  return (
    <>
      <Facts
        facts={[
          ['Type', o.spec.type],
          ['Name', <code key="n">{`${name}.${namespace}.svc`}</code>],
          ['Address', o.spec.clusterIPs?.join(', ') ?? o.spec.clusterIP],
          ['From outside', outside || o.spec.externalName],
          ['Ports', (o.spec.ports ?? []).map(portText).join('; ')],
          ['Chooses pods by', o.spec.selector && <code key="s">{printSelector({ matchLabels: o.spec.selector })}</code>],
          ['Affinity', o.spec.sessionAffinity === 'ClientIP' && 'a client stays with its pod'],
        ]}
      />
      <section>
        <h2>
          Endpoints <span class="dim">{endpoints.length}</span>
        </h2>
        <DataTable
          short={endpoints.length <= 50}
          label="Endpoints"
          columns={[
            { name: 'Address', cell: (e: any) => e.address },
            { name: 'Ports', cell: (e) => e.ports },
            { name: 'State', cell: (e) => <Pill word={e.state} tone={e.ready ? 'good' : 'busy'} />, value: (e) => e.state },
            { name: 'Pod', cell: (e) => (e.pod ? <a href={objectLink('pods', namespace, e.pod)}>{e.pod}</a> : ''), value: (e) => e.pod },
            { name: 'Node', cell: (e) => e.node },
          ]}
          rows={endpoints}
          keyOf={(e) => e.key}
          empty={o.spec.selector ? 'No pod serves it now.' : 'Nobody has said who serves it.'}
        />
      </section>
    </>
  )
}

export function IngressPanel({ object: o }: { object: any }) {
  const { namespace } = o.metadata
  const paths = (o.spec.rules ?? []).flatMap((r: any) =>
    (r.http?.paths ?? []).map((p: any) => ({
      at: `${r.host ?? '*'}${p.path ?? '/'}`,
      type: p.pathType,
      service: p.backend?.service?.name ?? p.backend?.resource?.name ?? '',
      port: p.backend?.service?.port?.number ?? p.backend?.service?.port?.name ?? '',
    })),
  )
  return (
    <>
      <Facts
        facts={[
          ['Class', o.spec.ingressClassName],
          ['Answers at', (o.status?.loadBalancer?.ingress ?? []).map((i: any) => i.ip ?? i.hostname).join(', ')],
          ['Certificates', (o.spec.tls ?? []).map((t: any) => `${(t.hosts ?? []).join(', ')} (${t.secretName ?? 'default'})`).join('; ')],
          ['All else goes to', o.spec.defaultBackend?.service?.name],
        ]}
      />
      <section>
        <h2>Where it leads</h2>
        <DataTable
          short
          label="Where it leads"
          columns={[
            { name: 'Host and path', cell: (p: any) => p.at },
            { name: 'Type', cell: (p) => p.type },
            {
              name: 'Service',
              cell: (p) => <a href={objectLink('services', namespace, p.service)}>{p.service}</a>,
              value: (p) => p.service,
            },
            { name: 'Port', cell: (p) => String(p.port) },
          ]}
          rows={paths}
          keyOf={(p) => `${p.at} ${p.type}`}
          empty="It has no rules."
        />
      </section>
    </>
  )
}

export function PolicyPanel({ object: o }: { object: any }) {
  const selector = printSelector(o.spec.podSelector)
  return (
    <>
      <Facts
        facts={[
          ['Holds', selector ? <code key="s">{selector}</code> : 'every pod of the namespace'],
          ['For', (o.spec.policyTypes ?? []).join(', ')],
          ['Ways in', o.spec.policyTypes?.includes('Ingress') && `${o.spec.ingress?.length ?? 0} rules`],
          ['Ways out', o.spec.policyTypes?.includes('Egress') && `${o.spec.egress?.length ?? 0} rules`],
          [
            'Seen whole',
            <a key="m" href="#/map">
              on the map
            </a>,
          ],
        ]}
      />
      <PodsTable title="Pods that it holds" namespace={o.metadata.namespace} {...(selector ? { labelSelector: selector } : {})} />
    </>
  )
}
