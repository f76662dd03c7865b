// Endpoints that somebody wrote by hand, for a service without a selector: as EndpointSlices, which is what proxies read.
import { controllerOf, type KObject, keyOf } from '../../shared/meta/object.ts'
import { equal } from '../../shared/schema/field-set.ts'
import { type Controller, splitKey, type Write } from '../engine/types.ts'
import { childName, ownerReference, ownWakes } from './owned.ts'

const ENDPOINTS = 'endpoints'
const SLICES = 'endpointslices.discovery.k8s.io'
const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by'
const MANAGER = 'endpointslicemirroring-controller.k8s.io'
const SKIP = 'endpointslice.kubernetes.io/skip-mirror'
const PER_SLICE = 1000

interface View {
  endpoints: KObject
  /** Whether they are to be mirrored. */
  wanted: boolean
  slices: readonly KObject[]
}

const endpointOf = (a: any, ready: boolean) => ({
  addresses: [a.ip],
  conditions: { ready },
  ...(a.hostname ? { hostname: a.hostname } : {}),
  ...(a.nodeName ? { nodeName: a.nodeName } : {}),
  ...(a.targetRef ? { targetRef: a.targetRef } : {}),
})

/** One slice per subset and family of addresses. */
function wantedSlices(e: KObject): readonly KObject[] {
  const { name, namespace, labels } = e.metadata
  const out: KObject[] = []
  for (const [i, s] of (e.subsets ?? []).entries())
    for (const addressType of ['IPv4', 'IPv6']) {
      const of = (list: any[] | undefined, ready: boolean) =>
        (list ?? []).filter((a) => a.ip.includes(':') === (addressType === 'IPv6')).map((a) => endpointOf(a, ready))
      const all = [...of(s.addresses, true), ...of(s.notReadyAddresses, false)].slice(0, PER_SLICE)
      if (!all.length) continue
      out.push({
        metadata: {
          name: childName(name, `${e.metadata.uid} ${addressType} ${i}`),
          namespace,
          labels: { ...labels, 'kubernetes.io/service-name': name, [MANAGED_BY]: MANAGER },
          ownerReferences: [ownerReference('Endpoints', 'v1', e)],
        } as unknown as KObject['metadata'],
        addressType,
        endpoints: all,
        ports: (s.ports ?? []).map((p: any) => ({ ...p, name: p.name ?? '' })),
      })
    }
  return out
}

const shown = (s: KObject) => [s.metadata.labels, s.addressType, s.endpoints, s.ports]

export const endpointSliceMirroring: Controller<View> = {
  name: 'endpointslicemirroring-controller',
  all: (r) => r.list(ENDPOINTS).map(keyOf),
  wakes: {
    [ENDPOINTS]: ownWakes,
    services: ({ old, new: now }, reader) => {
      if (old && now && !!old.spec.selector === !!now.spec.selector) return []
      const { namespace, name } = (now ?? old)!.metadata
      return reader.get(ENDPOINTS, namespace!, name) ? [`${namespace}/${name}`] : []
    },
    [SLICES]: ({ old, new: now }) => {
      const owner = controllerOf((now ?? old)!)
      return owner?.kind === 'Endpoints' ? [`${(now ?? old)!.metadata.namespace}/${owner.name}`] : []
    },
  },
  view: (key, reader) => {
    const [ns, name] = splitKey(key)
    const endpoints = reader.get(ENDPOINTS, ns, name)
    if (!endpoints) return undefined
    const service = reader.get('services', ns, name)
    const wanted = !!service && !service.spec.selector && endpoints.metadata.labels?.[SKIP] !== 'true'
    return { endpoints, wanted, slices: reader.controlledBy(SLICES, endpoints.metadata.uid) }
  },
  reconcile: (_key, { endpoints, wanted, slices }) => {
    const wants = wanted ? wantedSlices(endpoints) : []
    const writes: Write[] = []
    for (const w of wants) {
      const there = slices.find((s) => s.metadata.name === w.metadata.name)
      if (!there) writes.push({ verb: 'create', resource: SLICES, object: w })
      else if (!equal(shown(w), shown(there)))
        writes.push({ verb: 'update', resource: SLICES, object: { ...w, metadata: { ...there.metadata, labels: w.metadata.labels! } } })
    }
    for (const s of slices)
      if (!wants.some((w) => w.metadata.name === s.metadata.name)) writes.push({ verb: 'delete', resource: SLICES, object: s })
    return { writes }
  },
}
