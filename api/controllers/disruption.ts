// PodDisruptionBudget: counts how many of its pods are well, how many have to be, and so how many may be taken away. Evictions take from that count
// (api/http/eviction.ts), and note whom they took until the pod is seen to go.
import { scaledValue } from '../../shared/kinds/workloads.ts'
import { isReady } from '../../shared/meta/conditions.ts'
import { controllerOf, type KObject, keyOf, timeString } from '../../shared/meta/object.ts'
import { fromLabelSelector, matches } from '../../shared/meta/selector.ts'
import { equal } from '../../shared/schema/field-set.ts'
import { type Controller, type Reader, type Result, splitKey, type Write } from '../engine/types.ts'
import { type OwnerKind, ownWakes, told } from './owned.ts'
import { hasEnded, withCondition } from './pods.ts'

const BUDGETS = 'poddisruptionbudgets.policy'
/** A pod that was to be evicted and has not gone by then counts again, ms. */
const DELETION_TIMEOUT = 2 * 60_000

const kind: OwnerKind = { resource: BUDGETS, kind: 'PodDisruptionBudget', apiVersion: 'policy/v1', component: 'controllermanager' }

interface View {
  budget: KObject
  pods: readonly KObject[]
  /** How many pods those who manage them want, together; undefined where somebody is not known to manage any. */
  expected: number | undefined
}

/** Who decides how many pods there are: the manager, or the manager's. */
const scaled: Record<string, string> = {
  ReplicaSet: 'replicasets.apps',
  ReplicationController: 'replicationcontrollers',
  StatefulSet: 'statefulsets.apps',
}

function managerOf(pod: KObject, reader: Reader): KObject | undefined {
  const owner = controllerOf(pod)
  const resource = owner && scaled[owner.kind]
  const set = resource && reader.get(resource, pod.metadata.namespace!, owner.name)
  if (!set || set.metadata.uid !== owner.uid) return undefined
  const above = controllerOf(set)
  if (above?.kind !== 'Deployment') return set
  return reader.get('deployments.apps', pod.metadata.namespace!, above.name) ?? set
}

function expectedOf(pods: readonly KObject[], reader: Reader): number | undefined {
  const managers = new Map<string, number>()
  for (const p of pods) {
    const m = managerOf(p, reader)
    if (!m) return undefined
    managers.set(m.metadata.uid, m.spec.replicas ?? 1)
  }
  return [...managers.values()].reduce((n, x) => n + x, 0)
}

/** How many have to be well, of how many; undefined where that cannot be said. */
function desired({ budget, pods, expected }: View): { healthy: number; of: number } | undefined {
  const { minAvailable, maxUnavailable } = budget.spec
  if (maxUnavailable !== undefined) {
    if (expected === undefined) return undefined
    return { healthy: Math.max(0, expected - scaledValue(maxUnavailable, expected, true)), of: expected }
  }
  if (typeof minAvailable === 'number') return { healthy: minAvailable, of: pods.length }
  if (minAvailable === undefined) return { healthy: Math.max(0, pods.length - 1), of: pods.length }
  return expected === undefined ? undefined : { healthy: scaledValue(minAvailable, expected, true), of: expected }
}

function reconcile(_key: string, view: View, now: number): Result {
  const { budget, pods } = view
  const writes: Write[] = []
  const was = budget.status ?? {}
  const time = timeString(now)
  const wanted = desired(view)
  if (!wanted) {
    const message = 'found no controllers for some of the pods: maxUnavailable and percentages need to know how many there should be'
    const condition = {
      type: 'DisruptionAllowed',
      status: 'False',
      reason: 'SyncFailed',
      message,
      observedGeneration: budget.metadata.generation,
    }
    const status = { ...was, disruptionsAllowed: 0, conditions: withCondition(was.conditions, condition, time) }
    if (!equal(status, was)) writes.push({ verb: 'update', resource: BUDGETS, object: { ...budget, status }, part: 'status' })
    return { writes }
  }
  const byName = new Map(pods.map((p) => [p.metadata.name, p]))
  const disrupted: Record<string, string> = {}
  let requeueAt: number | undefined
  for (const [name, at] of Object.entries<string>(was.disruptedPods ?? {})) {
    const pod = byName.get(name)
    if (!pod || pod.metadata.deletionTimestamp) continue
    const until = Date.parse(at) + DELETION_TIMEOUT
    if (until > now) {
      disrupted[name] = at
      requeueAt = Math.min(requeueAt ?? until, until)
    } else writes.push(told(kind, budget, 'Warning', 'NotDeleted', `Pod was expected by PDB ${keyOf(budget)} to be deleted but it wasn't`))
  }
  const healthy = pods.filter((p) => !p.metadata.deletionTimestamp && !Object.hasOwn(disrupted, p.metadata.name) && isReady(p)).length
  const disruptionsAllowed = wanted.of > 0 ? Math.max(0, healthy - wanted.healthy) : 0
  const condition = {
    type: 'DisruptionAllowed',
    status: disruptionsAllowed ? 'True' : 'False',
    reason: disruptionsAllowed ? 'SufficientPods' : 'InsufficientPods',
    message: '',
    observedGeneration: budget.metadata.generation,
  }
  const status = {
    observedGeneration: budget.metadata.generation,
    ...(Object.keys(disrupted).length ? { disruptedPods: disrupted } : {}),
    disruptionsAllowed,
    currentHealthy: healthy,
    desiredHealthy: wanted.healthy,
    expectedPods: wanted.of,
    conditions: withCondition(was.conditions, condition, time),
  }
  if (!equal(status, was)) writes.push({ verb: 'update', resource: BUDGETS, object: { ...budget, status }, part: 'status' })
  return { writes, ...(requeueAt !== undefined ? { requeueAt } : {}) }
}

/** No selector selects nothing, an empty one everything. */
const selects = (budget: KObject, pod: KObject): boolean =>
  !!budget.spec.selector && matches(fromLabelSelector(budget.spec.selector), pod.metadata.labels)

/** What of a pod a budget looks at. */
const facts = (p: KObject | undefined) => p && [isReady(p), !!p.metadata.deletionTimestamp, p.metadata.labels, controllerOf(p)?.uid]

const workloadWakes: Controller['wakes'][string] = ({ old, new: now }, reader) => {
  if (old && now && old.spec.replicas === now.spec.replicas) return []
  return reader.list(BUDGETS, (now ?? old)!.metadata.namespace).map(keyOf)
}

export const disruption: Controller<View> = {
  name: 'disruption-controller',
  all: (r) => r.list(BUDGETS).map(keyOf),
  wakes: {
    [BUDGETS]: ownWakes,
    pods: ({ old, new: now }, reader) => {
      const budgets = reader.list(BUDGETS, (now ?? old)!.metadata.namespace)
      if (!budgets.length || (old && now && equal(facts(old), facts(now)))) return []
      return budgets.filter((b) => [old, now].some((p) => p && selects(b, p))).map(keyOf)
    },
    'deployments.apps': workloadWakes,
    'replicasets.apps': workloadWakes,
    'statefulsets.apps': workloadWakes,
    replicationcontrollers: workloadWakes,
  },
  view: (key, reader) => {
    const [ns, name] = splitKey(key)
    const budget = reader.get(BUDGETS, ns, name)
    if (!budget) return undefined
    const pods = reader.list('pods', ns).filter((p) => selects(budget, p) && !hasEnded(p))
    return { budget, pods, expected: expectedOf(pods, reader) }
  },
  reconcile,
}
