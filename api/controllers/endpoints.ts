// Endpoints and EndpointSlices of services with a selector: who is behind them, on which port, and how ready.
import { familiesOf } from '../../shared/kinds/service.ts'
import { type Family, ofFamily, podIps } from '../../shared/meta/address.ts'
import { isReady } from '../../shared/meta/conditions.ts'
import { controllerOf, type KObject, keyOf } from '../../shared/meta/object.ts'
import { matches } from '../../shared/meta/selector.ts'
import { equal } from '../../shared/schema/field-set.ts'
import { type Controller, type Result, splitKey, type Write } from '../engine/types.ts'
import { childName, ownerReference } from './owned.ts'
import { hasEnded } from './pods.ts'

const SLICES = 'endpointslices.discovery.k8s.io'
const MANAGER = 'endpointslice-controller.k8s.io'
const PER_SLICE = 100
const ZONE = 'topology.kubernetes.io/zone'
const MAX_ADDRESSES = 1000

interface View {
  service: KObject
  pods: readonly KObject[]
  /** The zones of the pods' nodes, by node. */
  zones: Map<string, string>
  endpoints?: KObject
  slices: readonly KObject[]
}

const selects = (service: KObject, labels: Record<string, string> | undefined) =>
  matches(
    Object.entries<string>(service.spec.selector).map(([key, v]) => ({ key, operator: '=' as const, values: [v] })),
    labels,
  )

/** The number behind a target port for one pod; undefined when the pod has no port of that name. */
function portOf(pod: KObject, p: any): number | undefined {
  if (typeof p.targetPort === 'number') return p.targetPort
  for (const c of pod.spec.containers)
    for (const cp of c.ports ?? []) if (cp.name === p.targetPort && cp.protocol === p.protocol) return cp.containerPort
  return undefined
}

interface Member {
  pod: KObject
  ready: boolean
  serving: boolean
  terminating: boolean
  /** Of the family that is asked for. */
  address: string
}

/** Those that have an address of a family. */
function members({ service, pods }: View, family: Family): Member[] {
  const publish = !!service.spec.publishNotReadyAddresses
  return pods
    .filter((p) => !hasEnded(p))
    .flatMap((pod) => {
      const address = ofFamily(podIps(pod), family)
      if (!address) return []
      const terminating = !!pod.metadata.deletionTimestamp
      const serving = isReady(pod)
      return [{ pod, address, serving, terminating, ready: publish || (serving && !terminating) }]
    })
    .sort((a, b) => (a.pod.metadata.name < b.pod.metadata.name ? -1 : 1))
}

/** Members that resolve the service's ports to the same numbers. */
function grouped(service: KObject, all: Member[]): { ports: any[]; members: Member[] }[] {
  const groups = new Map<string, { ports: any[]; members: Member[] }>()
  for (const m of all) {
    const ports = (service.spec.ports ?? []).flatMap((p: any) => {
      const port = portOf(m.pod, p)
      return port === undefined
        ? []
        : [{ name: p.name ?? '', port, protocol: p.protocol, ...(p.appProtocol ? { appProtocol: p.appProtocol } : {}) }]
    })
    if (!ports.length && service.spec.ports?.length) continue
    const key = JSON.stringify(ports)
    groups.set(key, groups.get(key) ?? { ports, members: [] })
    groups.get(key)!.members.push(m)
  }
  return [...groups.values()]
}

const targetRef = (pod: KObject) => ({ kind: 'Pod', namespace: pod.metadata.namespace, name: pod.metadata.name, uid: pod.metadata.uid })

function subsets(service: KObject, all: Member[]): any[] {
  return grouped(
    service,
    all.filter((m) => m.ready || !m.terminating),
  )
    .map(({ ports, members: list }) => {
      const address = (m: Member) => ({
        ip: m.address,
        ...(m.pod.spec.nodeName ? { nodeName: m.pod.spec.nodeName } : {}),
        targetRef: targetRef(m.pod),
      })
      const ready = list.filter((m) => m.ready).slice(0, MAX_ADDRESSES)
      const not = list.filter((m) => !m.ready).slice(0, MAX_ADDRESSES - ready.length)
      return {
        ...(ready.length ? { addresses: ready.map(address) } : {}),
        ...(not.length ? { notReadyAddresses: not.map(address) } : {}),
        ...(ports.length ? { ports: ports.map(({ name, ...p }) => ({ ...(name ? { name } : {}), ...p })) } : {}),
      }
    })
    .filter((s) => s.addresses || s.notReadyAddresses)
}

const labelsOf = (s: KObject) => ({
  ...s.metadata.labels,
  ...(s.spec.clusterIP === 'None' ? { 'service.kubernetes.io/headless': '' } : {}),
})

/** Who should rather use an endpoint: those near it, where the service wants that and it is known of all of them. */
function hintsFor({ service, zones }: View, all: Member[]): (m: Member) => object | undefined {
  const wish: string | undefined = service.spec.trafficDistribution
  const zoneOf = (m: Member) => zones.get(m.pod.spec.nodeName ?? '')
  if (!['PreferClose', 'PreferSameZone', 'PreferSameNode'].includes(wish ?? '') || !all.every(zoneOf)) return () => undefined
  return (m) => ({
    forZones: [{ name: zoneOf(m) }],
    ...(wish === 'PreferSameNode' ? { forNodes: [{ name: m.pod.spec.nodeName }] } : {}),
  })
}

function endpoint(m: Member, zone: string | undefined, hints: object | undefined) {
  const { pod } = m
  const hostname = pod.spec.hostname && pod.spec.subdomain ? { hostname: pod.spec.hostname } : {}
  return {
    addresses: [m.address],
    conditions: { ready: m.ready, serving: m.serving, terminating: m.terminating },
    ...hostname,
    ...(pod.spec.nodeName ? { nodeName: pod.spec.nodeName } : {}),
    ...(zone ? { zone } : {}),
    ...(hints && m.ready ? { hints } : {}),
    targetRef: targetRef(pod),
  }
}

/** The slices of one family. */
function sliceWrites(view: View, family: Family, all: Member[]): Write[] {
  const { service, zones } = view
  const slices = view.slices.filter((s) => s.addressType === family)
  const hints = hintsFor(view, all)
  const shown = (m: Member) => endpoint(m, zones.get(m.pod.spec.nodeName ?? ''), hints(m))
  const writes: Write[] = []
  const left = new Map(slices.map((s) => [s.metadata.name, s]))
  const labels = {
    ...labelsOf(service),
    'kubernetes.io/service-name': service.metadata.name,
    'endpointslice.kubernetes.io/managed-by': MANAGER,
  }
  for (const { ports, members: list } of grouped(service, all)) {
    // Members stay in the slice that they are in; only what changed is written.
    const own = slices.filter((s) => left.has(s.metadata.name) && equal(s.ports ?? [], ports))
    const home = new Map<string, KObject>()
    for (const s of own) for (const e of s.endpoints ?? []) home.set(e.targetRef?.uid, s)
    const parts = new Map<KObject, Member[]>(own.map((s) => [s, []]))
    const homeless: Member[] = []
    for (const m of list) {
      const s = home.get(m.pod.metadata.uid)
      if (s) parts.get(s)!.push(m)
      else homeless.push(m)
    }
    for (const [, part] of parts) if (part.length) while (part.length < PER_SLICE && homeless.length) part.push(homeless.shift()!)
    for (const [s, part] of parts) {
      while (part.length < PER_SLICE && homeless.length) part.push(homeless.shift()!)
      if (!part.length) continue
      left.delete(s.metadata.name)
      const endpoints = part.map(shown)
      if (!equal(endpoints, s.endpoints) || !equal(labels, s.metadata.labels))
        writes.push({ verb: 'update', resource: SLICES, object: { ...s, metadata: { ...s.metadata, labels }, endpoints } })
    }
    for (let i = 0; homeless.length; i++) {
      const part = homeless.splice(0, PER_SLICE)
      writes.push({
        verb: 'create',
        resource: SLICES,
        object: {
          metadata: {
            name: childName(service.metadata.name, `${service.metadata.uid} ${family} ${part[0]!.pod.metadata.uid} ${i}`),
            generateName: `${service.metadata.name}-`,
            namespace: service.metadata.namespace,
            labels,
            ownerReferences: [ownerReference('Service', 'v1', service)],
          } as unknown as KObject['metadata'],
          addressType: family,
          endpoints: part.map(shown),
          ports,
        },
      })
    }
  }
  for (const s of left.values()) writes.push({ verb: 'delete', resource: SLICES, object: s })
  return writes
}

function reconcile(_key: string, view: View): Result {
  const { service, endpoints: current } = view
  const families = familiesOf(service)
  const byFamily = new Map(families.map((f) => [f, members(view, f)]))
  // The older kind shows one family, the service's own.
  const wanted = subsets(service, byFamily.get(families[0]!)!)
  const labels = labelsOf(service)
  const writes: Write[] = []
  if (!current)
    writes.push({
      verb: 'create',
      resource: 'endpoints',
      object: {
        metadata: {
          name: service.metadata.name,
          namespace: service.metadata.namespace,
          ...(Object.keys(labels).length ? { labels } : {}),
        } as KObject['metadata'],
        ...(wanted.length ? { subsets: wanted } : {}),
      },
    })
  else if (!equal(wanted, current.subsets ?? []) || !equal(labels, current.metadata.labels ?? {})) {
    const { subsets: _, ...rest } = current
    writes.push({
      verb: 'update',
      resource: 'endpoints',
      object: { ...rest, metadata: { ...current.metadata, labels }, ...(wanted.length ? { subsets: wanted } : {}) },
    })
  }
  const others = view.slices.filter((s) => !byFamily.has(s.addressType))
  return {
    writes: [
      ...writes,
      ...[...byFamily].flatMap(([family, all]) => sliceWrites(view, family, all)),
      ...others.map((object): Write => ({ verb: 'delete', resource: SLICES, object })),
    ],
  }
}

export const endpoints: Controller<View> = {
  name: 'endpoint-controller',
  all: (r) => r.list('services').map(keyOf),
  wakes: {
    services: ({ new: now }) => (now ? [keyOf(now)] : []),
    endpoints: ({ old, new: now }) => [keyOf((now ?? old)!)],
    [SLICES]: ({ old, new: now }) => {
      const s = (now ?? old)!
      const name = s.metadata.labels?.['kubernetes.io/service-name']
      return name && controllerOf(s) ? [`${s.metadata.namespace}/${name}`] : []
    },
    nodes: ({ old, new: now }, reader) => {
      if (!now || old?.metadata.labels?.[ZONE] === now.metadata.labels?.[ZONE]) return []
      const keys = new Set<string>()
      for (const p of reader.podsOn(now.metadata.name))
        for (const s of reader.list('services', p.metadata.namespace))
          if (s.spec.selector && selects(s, p.metadata.labels)) keys.add(keyOf(s))
      return [...keys]
    },
    pods: ({ old, new: now }, reader) => {
      const relevant = (p: KObject | undefined) =>
        p && [p.metadata.labels, p.metadata.deletionTimestamp, podIps(p), p.status?.phase, isReady(p), p.spec.nodeName]
      if (old && now && equal(relevant(old), relevant(now))) return []
      const ns = (now ?? old)!.metadata.namespace!
      return reader
        .list('services', ns)
        .filter((s) => s.spec.selector && [old, now].some((p) => p && selects(s, p.metadata.labels)))
        .map(keyOf)
    },
  },
  view: (key, reader) => {
    const [ns, name] = splitKey(key)
    const service = reader.get('services', ns, name)
    if (!service || service.metadata.deletionTimestamp || !service.spec.selector || service.spec.type === 'ExternalName') return undefined
    const pods = reader.list('pods', ns).filter((p) => selects(service, p.metadata.labels))
    const zones = new Map<string, string>()
    for (const { nodeName } of pods.map((p) => p.spec)) {
      const zone = nodeName && !zones.has(nodeName) && reader.get('nodes', '', nodeName)?.metadata.labels?.[ZONE]
      if (zone) zones.set(nodeName, zone)
    }
    return {
      service,
      pods,
      zones,
      ...(reader.get('endpoints', ns, name) ? { endpoints: reader.get('endpoints', ns, name) } : {}),
      slices: reader.controlledBy(SLICES, service.metadata.uid),
    }
  },
  reconcile,
}
