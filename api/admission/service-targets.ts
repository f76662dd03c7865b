// Where a service answers: its ready endpoints, with the nodes that are nearest to them.
import { notFound, unavailable } from '../../shared/status/index.ts'
import type { NodeCall } from '../ports/hub.ts'
import { decodeBody } from '../registry/codec.ts'
import type { Environment } from '../registry/context.ts'

/** By a port's number or name; the only one where neither is said. Throws 404 and 503. */
export async function serviceTargets(env: Environment, ns: string, name: string, port: number | string): Promise<NodeCall['targets']> {
  const service = await env.lookup.get('services', ns, name)
  if (!service) throw notFound({ group: '', resource: 'services', name })
  if (service.spec.type === 'ExternalName') return [{ address: service.spec.externalName, port: Number(port) || 443 }]
  const ports: any[] = service.spec.ports ?? []
  const wanted = port === '' && ports.length === 1 ? ports[0] : ports.find((p) => p.port === Number(port || -1) || (p.name ?? '') === port)
  if (!wanted)
    throw unavailable(
      port === ''
        ? `no endpoints available for service ${JSON.stringify(name)}`
        : `no service port ${JSON.stringify(port)} found for service ${JSON.stringify(name)}`,
    )
  const { items } = await env.store.list({
    resource: 'endpointslices.discovery.k8s.io',
    ns,
    labels: [{ key: 'kubernetes.io/service-name', operator: '=', values: [name] }],
  })
  const slices = items.map((i) => decodeBody(i.body, i.rv))
  // Of pods with several addresses those of the service's own family.
  const own = slices.filter((s) => s.addressType === service.spec.ipFamilies?.[0])
  const targets = (own.length ? own : slices).flatMap((slice) => {
    const at = slice.ports?.find((p: any) => (p.name ?? '') === (wanted.name ?? ''))?.port
    const ready = (slice.endpoints ?? []).filter((e: any) => e.conditions?.ready !== false)
    return at === undefined
      ? []
      : ready.map((e: any) => ({ ...(e.nodeName ? { node: e.nodeName } : {}), address: e.addresses[0], port: at }))
  })
  if (!targets.length) throw unavailable(`no endpoints available for service ${JSON.stringify(name)}`)
  // Not always the same one.
  const first = env.random.bytes(1)[0]! % targets.length
  return [...targets.slice(first), ...targets.slice(0, first)]
}
