// ReplicaSet: keeps the wanted number of pods from one template; adopts matching orphans and lets go of pods that no longer match.
import { safeSuffix } from '../../shared/meta/names.ts'
import { controllerOf, type KObject, keyOf } from '../../shared/meta/object.ts'
import { fromLabelSelector, matches } from '../../shared/meta/selector.ts'
import { equal } from '../../shared/schema/field-set.ts'
import { fnv } from '../engine/apply.ts'
import { type Controller, nothing, type Result, splitKey, type Write } from '../engine/types.ts'
import { availability, isActive, isReady } from './pods.ts'

/** Pods made or deleted in one go; the rest follows at once in the next. */
const BURST = 500

interface View {
  set: KObject
  owned: KObject[]
  orphans: KObject[]
}

const RESOURCE = 'replicasets.apps'

export const ownerReference = (kind: string, apiVersion: string, o: KObject) => ({
  apiVersion,
  kind,
  name: o.metadata.name,
  uid: o.metadata.uid,
  controller: true,
  blockOwnerDeletion: true,
})

/** A derived name: the same view at the same moment names the same child. */
export const childName = (base: string, seed: string): string => {
  const h = fnv(seed)
  return `${base.slice(0, 57)}-${safeSuffix(Uint8Array.from({ length: 5 }, (_, i) => Number.parseInt(h.slice(i * 2, i * 2 + 2), 16)))}`
}

function newPod(set: KObject, now: number, i: number): KObject {
  const { metadata = {}, spec } = set.spec.template
  return {
    metadata: {
      name: childName(set.metadata.name, `${set.metadata.uid} ${now} ${i}`),
      generateName: `${set.metadata.name}-`,
      namespace: set.metadata.namespace,
      ...(metadata.labels ? { labels: metadata.labels } : {}),
      ...(metadata.annotations ? { annotations: metadata.annotations } : {}),
      ...(metadata.finalizers ? { finalizers: metadata.finalizers } : {}),
      ownerReferences: [ownerReference('ReplicaSet', 'apps/v1', set)],
    } as KObject['metadata'],
    spec,
  }
}

const phaseRank: Record<string, number> = { Pending: 0, Unknown: 1, Running: 2 }

/** Which pods go first: unassigned, not running, not ready, then those on crowded nodes, restarted ones, the youngest. */
function deletionOrder(pods: KObject[]): KObject[] {
  const perNode = new Map<string, number>()
  for (const p of pods) perNode.set(p.spec.nodeName ?? '', (perNode.get(p.spec.nodeName ?? '') ?? 0) + 1)
  const restarts = (p: KObject) => Math.max(0, ...(p.status?.containerStatuses ?? []).map((c: any) => c.restartCount ?? 0))
  const cost = (p: KObject) => Number(p.metadata.annotations?.['controller.kubernetes.io/pod-deletion-cost'] ?? 0)
  const rank = (p: KObject) => [
    p.spec.nodeName ? 1 : 0,
    phaseRank[p.status?.phase] ?? 1,
    isReady(p) ? 1 : 0,
    cost(p),
    -(perNode.get(p.spec.nodeName ?? '') ?? 0),
    -restarts(p),
    -Date.parse(p.metadata.creationTimestamp),
  ]
  return [...pods].sort((a, b) => {
    const [x, y] = [rank(a), rank(b)]
    for (let i = 0; i < x.length; i++) if (x[i] !== y[i]) return x[i]! - y[i]!
    return a.metadata.name < b.metadata.name ? -1 : 1
  })
}

function claim({ set, owned, orphans }: View): { pods: KObject[]; writes: Write[] } {
  const selector = fromLabelSelector(set.spec.selector)
  const writes: Write[] = []
  const pods: KObject[] = []
  for (const p of owned) {
    if (matches(selector, p.metadata.labels)) pods.push(p)
    else if (!p.metadata.deletionTimestamp) {
      const ownerReferences = p.metadata.ownerReferences!.filter((r) => r.uid !== set.metadata.uid)
      writes.push({ verb: 'update', resource: 'pods', object: { ...p, metadata: { ...p.metadata, ownerReferences } } })
    }
  }
  if (!set.metadata.deletionTimestamp)
    for (const p of orphans) {
      if (!matches(selector, p.metadata.labels) || !isActive(p)) continue
      const adopted = {
        ...p,
        metadata: { ...p.metadata, ownerReferences: [...(p.metadata.ownerReferences ?? []), ownerReference('ReplicaSet', 'apps/v1', set)] },
      }
      writes.push({ verb: 'update', resource: 'pods', object: adopted })
      pods.push(p)
    }
  return { pods, writes }
}

function reconcile(_key: string, view: View, now: number): Result {
  const { set } = view
  const { pods, writes } = claim(view)
  const active = pods.filter(isActive)
  const wanted: number = set.spec.replicas ?? 1
  const about = { resource: RESOURCE, object: set }
  if (!set.metadata.deletionTimestamp) {
    if (active.length < wanted) {
      for (let i = 0; i < Math.min(wanted - active.length, BURST); i++) {
        const pod = newPod(set, now, i)
        writes.push({ verb: 'create', resource: 'pods', object: pod })
        writes.push({
          verb: 'event',
          about,
          type: 'Normal',
          reason: 'SuccessfulCreate',
          message: `Created pod: ${pod.metadata.name}`,
          component: 'replicaset-controller',
        })
      }
    } else if (active.length > wanted) {
      for (const pod of deletionOrder(active).slice(0, Math.min(active.length - wanted, BURST))) {
        writes.push({ verb: 'delete', resource: 'pods', object: pod })
        writes.push({
          verb: 'event',
          about,
          type: 'Normal',
          reason: 'SuccessfulDelete',
          message: `Deleted pod: ${pod.metadata.name}`,
          component: 'replicaset-controller',
        })
      }
    }
  }
  const min = set.spec.minReadySeconds ?? 0
  const states = active.map((p) => availability(p, min, now))
  const templateLabels = Object.entries<string>(set.spec.template.metadata?.labels ?? {})
  const count = (n: number, field: string) => (n ? { [field]: n } : {})
  const terminating = pods.filter(
    (p) => p.metadata.deletionTimestamp && p.status?.phase !== 'Succeeded' && p.status?.phase !== 'Failed',
  ).length
  const status = {
    replicas: active.length,
    ...count(active.filter((p) => templateLabels.every(([k, v]) => p.metadata.labels?.[k] === v)).length, 'fullyLabeledReplicas'),
    ...count(active.filter(isReady).length, 'readyReplicas'),
    ...count(states.filter((s) => s.available).length, 'availableReplicas'),
    ...count(terminating, 'terminatingReplicas'),
    observedGeneration: set.metadata.generation,
    ...(set.status?.conditions ? { conditions: set.status.conditions } : {}),
  }
  if (!equal(status, set.status)) writes.push({ verb: 'update', resource: RESOURCE, object: { ...set, status }, part: 'status' })
  const next = Math.min(...states.map((s) => s.at ?? Number.POSITIVE_INFINITY))
  return { writes, ...(Number.isFinite(next) ? { requeueAt: next } : {}) }
}

export const replicaSet: Controller<View> = {
  name: 'replicaset-controller',
  all: (r) => r.list(RESOURCE).map(keyOf),
  wakes: {
    [RESOURCE]: ({ new: now }) => (now ? [keyOf(now)] : []),
    pods: ({ old, new: now }, reader) => {
      const keys = new Set<string>()
      for (const p of [old, now]) {
        if (!p) continue
        const owner = controllerOf(p)
        if (owner?.kind === 'ReplicaSet') keys.add(`${p.metadata.namespace}/${owner.name}`)
        else if (!owner && p === now)
          for (const s of reader.list(RESOURCE, p.metadata.namespace))
            if (matches(fromLabelSelector(s.spec.selector), p.metadata.labels)) keys.add(keyOf(s))
      }
      return [...keys]
    },
  },
  view: (key, reader) => {
    const [ns, name] = splitKey(key)
    const set = reader.get(RESOURCE, ns, name)
    if (!set) return undefined
    const selector = fromLabelSelector(set.spec.selector)
    return {
      set,
      owned: reader.controlledBy('pods', set.metadata.uid),
      orphans: reader.list('pods', ns).filter((p) => !controllerOf(p) && matches(selector, p.metadata.labels)),
    }
  },
  reconcile: (key, view, now) => (view ? reconcile(key, view, now) : nothing),
}
