// Services of type LoadBalancer answer at the addresses of the nodes themselves: each node's service table takes what comes to its own address.
// A service says no by the annotation `kedge.dev/load-balancer: none`, or names another's class; a node by the label that excludes it.

import { familiesOf } from '../../shared/kinds/service.ts'
import { familyOf } from '../../shared/meta/address.ts'
import { type KObject, keyOf } from '../../shared/meta/object.ts'
import { equal } from '../../shared/schema/field-set.ts'
import { type Controller, type Reader, type Result, splitKey, type Write } from '../engine/types.ts'
import { addressesOf, reachedAt } from './node-addresses.ts'
import { byAge } from './pods.ts'

const SERVICES = 'services'
const SLICES = 'endpointslices.discovery.k8s.io'
const CLASS = 'kedge.dev/nodes'
const CHOICE = 'kedge.dev/load-balancer'
/** What machines are administered by is not taken from them. */
const RESERVED = new Set(['TCP/22'])
const NAME = 'service-lb-controller'

interface View {
  service: KObject
  nodes: readonly KObject[]
  /** Whether it is to have addresses of nodes; if not, it gives back what it got here. */
  wanted: boolean
  /** Others that want addresses of nodes. */
  rivals: KObject[]
  /** The nodes that have endpoints; undefined where it does not matter. */
  local?: Set<string>
}

/** Whether a service is to answer at the nodes' addresses. */
const isOurs = ({ spec, metadata }: KObject): boolean =>
  spec.type === 'LoadBalancer' &&
  !metadata.deletionTimestamp &&
  (spec.loadBalancerClass ?? CLASS) === CLASS &&
  metadata.annotations?.[CHOICE] !== 'none'

/** Whether the addresses that it has were given here. */
const hasOurs = (service: KObject): boolean =>
  !!service.status?.loadBalancer?.ingress?.length &&
  !!service.metadata.managedFields?.some((m: any) => m.manager === NAME && m.fieldsV1?.['f:status']?.['f:loadBalancer']?.['f:ingress'])

const portsOf = (service: KObject): string[] => (service.spec.ports ?? []).map((p: any) => `${p.protocol}/${p.port}`)

/** Why a service gets no address. */
function refusal({ service, rivals }: View): string | undefined {
  for (const port of portsOf(service)) {
    const [protocol, number] = port.split('/')
    if (RESERVED.has(port)) return `port ${number}/${protocol} of the nodes is how they are administered: choose another`
    const holder = rivals.filter((r) => portsOf(r).includes(port) && byAge(r, service) < 0).sort(byAge)[0]
    if (holder) return `port ${number}/${protocol} of the nodes is taken by service ${keyOf(holder)}`
  }
  return undefined
}

function addresses({ service, nodes, local }: View): string[] {
  const asked = service.spec.loadBalancerIP
  const families = familiesOf(service)
  return addressesOf(
    nodes.filter((n) => !local || local.has(n.metadata.name)),
    (a) => families.includes(familyOf(a)) && (!asked || a === asked),
  )
}

function reconcile(_key: string, view: View): Result {
  const { service } = view
  const before: any[] = service.status?.loadBalancer?.ingress ?? []
  const tell = (type: 'Normal' | 'Warning', reason: string, message: string): Write => ({
    verb: 'event',
    about: { resource: SERVICES, object: service },
    type,
    reason,
    message,
    component: 'service-controller',
  })
  const set = (ingress: { ip: string; ipMode: string }[]): Write[] =>
    equal(ingress, before)
      ? []
      : [
          {
            verb: 'update',
            resource: SERVICES,
            object: { ...service, status: { ...service.status, loadBalancer: ingress.length ? { ingress } : {} } },
            part: 'status',
          },
        ]
  if (!view.wanted) return { writes: set([]) }
  const refused = refusal(view)
  if (refused) return { writes: [...set([]), tell('Warning', 'SyncLoadBalancerFailed', `Error syncing load balancer: ${refused}`)] }
  const wanted = addresses(view).map((ip) => ({ ip, ipMode: 'VIP' }))
  const writes = set(wanted)
  if (!wanted.length) writes.push(tell('Warning', 'UnAvailableLoadBalancer', 'There are no available nodes for LoadBalancer'))
  else if (!before.length) writes.push(tell('Normal', 'EnsuredLoadBalancer', 'Ensured load balancer'))
  return { writes }
}

const ours = (reader: Reader): KObject[] => reader.list(SERVICES).filter(isOurs)
const isLocal = (service: KObject): boolean => service.spec.externalTrafficPolicy === 'Local'

export const loadBalancer: Controller<View> = {
  name: NAME,
  all: (r) =>
    r
      .list(SERVICES)
      .filter((s) => isOurs(s) || hasOurs(s))
      .map(keyOf),
  wakes: {
    [SERVICES]: ({ old, new: now }, reader) => {
      const keys = now && (isOurs(now) || hasOurs(now)) ? [keyOf(now)] : []
      // Whose a port is may be another's now: of two that came in the same second, the name decides.
      const wants = (s: KObject | undefined) => (s && isOurs(s) ? portsOf(s) : [])
      return equal(wants(old), wants(now)) ? keys : [...new Set([...keys, ...ours(reader).map(keyOf)])]
    },
    nodes: ({ old, new: now }, reader) => (equal(reachedAt(old), reachedAt(now)) ? [] : ours(reader).map(keyOf)),
    [SLICES]: ({ old, new: now }, reader) => {
      const { namespace, labels } = (now ?? old)!.metadata
      const service = reader.get(SERVICES, namespace!, labels?.['kubernetes.io/service-name'] ?? '')
      return service && isOurs(service) && isLocal(service) ? [keyOf(service)] : []
    },
  },
  view: (key, reader) => {
    const service = reader.get(SERVICES, ...splitKey(key))
    if (!service || !(isOurs(service) || hasOurs(service))) return undefined
    const ofService = (s: KObject) => s.metadata.labels?.['kubernetes.io/service-name'] === service.metadata.name
    const slices: any[] = isLocal(service) ? reader.list(SLICES, service.metadata.namespace).filter(ofService) : []
    const local = slices.flatMap((s) => (s.endpoints ?? []).filter((e: any) => e.conditions?.ready !== false).map((e: any) => e.nodeName))
    return {
      service,
      wanted: isOurs(service),
      nodes: reader.list('nodes'),
      rivals: ours(reader).filter((s) => s.metadata.uid !== service.metadata.uid),
      ...(isLocal(service) ? { local: new Set<string>(local) } : {}),
    }
  },
  reconcile,
}
