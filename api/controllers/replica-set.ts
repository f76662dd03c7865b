// ReplicaSet and ReplicationController: keep the wanted number of pods from one template.

import { REPLICA_FAILURE } from '../../shared/kinds/workloads.ts'
import { condition, isReady } from '../../shared/meta/conditions.ts'
import { type KObject, keyOf, timeString } from '../../shared/meta/object.ts'
import { fromLabelSelector } from '../../shared/meta/selector.ts'
import { equal } from '../../shared/schema/field-set.ts'
import type { Controller, Result } from '../engine/types.ts'
import {
  childName,
  claim,
  namesOf,
  type OwnedView,
  type OwnerKind,
  ownedView,
  ownWakes,
  perLabels,
  podOf,
  podWakes,
  told,
} from './owned.ts'
import { availability, hasEnded } from './pods.ts'

/** Pods made or deleted in one go; the rest follows at once in the next. */
const BURST = 500

/** Sets of either age: a ReplicationController is a ReplicaSet whose selector knows equality alone. */
interface SetKind extends OwnerKind {
  /** The fields of the status that it has. */
  terminating: boolean
}

interface SetView extends OwnedView {
  /** Why the last look could not make its pods. */
  refused?: string
}

const phaseRank: Record<string, number> = { Pending: 0, Unknown: 1, Running: 2 }

/** Which pods go first: unassigned, not running, not ready, then those on crowded nodes, restarted ones, the youngest. */
function deletionOrder(pods: readonly KObject[]): readonly KObject[] {
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

/** Everything that is asked of a set's pods, in one walk: there may be tens of thousands. */
function tally(set: KObject, pods: readonly KObject[], now: number) {
  const min = set.spec.minReadySeconds ?? 0
  const templateLabels = Object.entries<string>(set.spec.template.metadata?.labels ?? {})
  const labelled = perLabels((labels) => templateLabels.every(([k, v]) => labels?.[k] === v))
  const active: KObject[] = []
  const counts = { fullyLabeledReplicas: 0, readyReplicas: 0, availableReplicas: 0, terminatingReplicas: 0 }
  let next = Number.POSITIVE_INFINITY
  for (const p of pods) {
    if (hasEnded(p)) continue
    if (p.metadata.deletionTimestamp) {
      counts.terminatingReplicas++
      continue
    }
    active.push(p)
    if (labelled(p.metadata.labels)) counts.fullyLabeledReplicas++
    const { ready, available, at } = availability(p, min, now)
    if (ready) counts.readyReplicas++
    if (available) counts.availableReplicas++
    if (at !== undefined && at < next) next = at
  }
  return { active, counts, next }
}

/** What it has to say of pods that were not let in; as long as it goes on, what was said first. */
function failure(set: KObject, refused: string | undefined, now: number): any[] {
  const all: any[] = set.status?.conditions ?? []
  const others = all.filter((c) => c.type !== REPLICA_FAILURE)
  if (refused === undefined) return others
  const before = all.find((c) => c.type === REPLICA_FAILURE)
  const told = { type: REPLICA_FAILURE, status: 'True', lastTransitionTime: timeString(now), reason: 'FailedCreate', message: refused }
  return [...others, before ?? told]
}

function reconcile(k: SetKind, view: SetView, now: number): Result {
  const { owner: set } = view
  const { pods, writes } = claim(k, view)
  const { active, counts, next } = tally(set, pods, now)
  const wanted: number = set.spec.replicas ?? 1
  if (!set.metadata.deletionTimestamp) {
    if (active.length < wanted) {
      const siblings = namesOf(view.owned)
      for (let i = 0; i < Math.min(wanted - active.length, BURST); i++) {
        const name = childName(set.metadata.name, `${set.metadata.uid} ${now} ${i}`, siblings)
        writes.push({ verb: 'create', resource: 'pods', object: podOf(k, set, set.spec.template, name) })
        writes.push(told(k, set, 'Normal', 'SuccessfulCreate', `Created pod: ${name}`))
      }
    } else if (active.length > wanted) {
      for (const pod of deletionOrder(active).slice(0, Math.min(active.length - wanted, BURST))) {
        writes.push({ verb: 'delete', resource: 'pods', object: pod })
        writes.push(told(k, set, 'Normal', 'SuccessfulDelete', `Deleted pod: ${pod.metadata.name}`))
      }
    }
  }
  if (!k.terminating) counts.terminatingReplicas = 0
  const conditions = failure(set, active.length < wanted ? view.refused : undefined, now)
  const status = {
    replicas: active.length,
    ...Object.fromEntries(Object.entries(counts).filter(([, n]) => n)),
    observedGeneration: set.metadata.generation,
    ...(conditions.length ? { conditions } : {}),
  }
  if (!equal(status, set.status)) writes.push({ verb: 'update', resource: k.resource, object: { ...set, status }, part: 'status' })
  return { writes, ...(Number.isFinite(next) ? { requeueAt: next } : {}) }
}

const controller = (k: SetKind): Controller<SetView> => ({
  name: k.component,
  all: (r) => r.list(k.resource).map(keyOf),
  wakes: {
    [k.resource]: ownWakes,
    pods: podWakes(k),
    // There may be room now for what was not let in.
    resourcequotas: ({ old, new: now }, reader) => {
      const quota = (now ?? old)!
      if (equal(old?.status?.hard, now?.status?.hard)) return []
      return reader
        .list(k.resource, quota.metadata.namespace)
        .filter((s) => condition(s, REPLICA_FAILURE))
        .map(keyOf)
    },
  },
  view: (key, reader) => {
    const refused = reader.refusal(k.component, key)
    const view = ownedView(k, key, reader)
    return view && { ...view, ...(refused === undefined ? {} : { refused }) }
  },
  reconcile: (_key, view, now) => reconcile(k, view, now),
})

export const replicaSet = controller({
  resource: 'replicasets.apps',
  kind: 'ReplicaSet',
  apiVersion: 'apps/v1',
  component: 'replicaset-controller',
  terminating: true,
})

export const replicationController = controller({
  resource: 'replicationcontrollers',
  kind: 'ReplicationController',
  apiVersion: 'v1',
  component: 'replication-controller',
  selector: (o) => fromLabelSelector({ matchLabels: o.spec.selector ?? {} }),
  terminating: false,
})
