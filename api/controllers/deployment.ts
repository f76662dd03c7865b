// Deployment: rolls its template out over ReplicaSets, one per template, with surge and unavailability kept within bounds.
import { scaledValue } from '../../shared/kinds/workloads.ts'
import { controllerOf, type KObject, keyOf } from '../../shared/meta/object.ts'
import { fromLabelSelector, matches } from '../../shared/meta/selector.ts'
import { equal } from '../../shared/schema/field-set.ts'
import { type Controller, type Result, splitKey, type Write } from '../engine/types.ts'
import { statusOf, sum, wanted } from './deployment-status.ts'
import { digest, ownerReference } from './owned.ts'
import { byAge, hasEnded } from './pods.ts'

const RESOURCE = 'deployments.apps'
const SETS = 'replicasets.apps'
const HASH = 'pod-template-hash'
const REVISION = 'deployment.kubernetes.io/revision'
const HISTORY = 'deployment.kubernetes.io/revision-history'
const DESIRED = 'deployment.kubernetes.io/desired-replicas'
const MAX = 'deployment.kubernetes.io/max-replicas'
const ownAnnotations = new Set([
  REVISION,
  HISTORY,
  DESIRED,
  MAX,
  'kubectl.kubernetes.io/last-applied-configuration',
  'deprecated.deployment.rollback.to',
])

interface View {
  deployment: KObject
  sets: readonly KObject[]
  orphans: readonly KObject[]
  pods: readonly KObject[]
  /** The name that its next set would have is another's. */
  taken: boolean
}

const revisionOf = (o: KObject) => Number(o.metadata.annotations?.[REVISION] ?? 0)

/** A template without the hash that marks its ReplicaSet. */
function bare(template: any) {
  const { [HASH]: _, ...labels } = template.metadata?.labels ?? {}
  const { creationTimestamp: __, ...metadata } = template.metadata ?? {}
  return { ...template, metadata: { ...metadata, labels } }
}

const templateHash = (d: KObject): string => digest(JSON.stringify(bare(d.spec.template)) + (d.status?.collisionCount ?? ''), 10)

const setName = (d: KObject): string => `${d.metadata.name}-${templateHash(d)}`

function bounds(d: KObject) {
  const { replicas, strategy } = d.spec
  if (strategy.type === 'Recreate') return { surge: 0, unavailable: 0 }
  const surge = scaledValue(strategy.rollingUpdate?.maxSurge, replicas, true)
  const unavailable = Math.min(scaledValue(strategy.rollingUpdate?.maxUnavailable, replicas, false), replicas)
  // Both nought would never move.
  return { surge, unavailable: surge === 0 && unavailable === 0 ? 1 : unavailable }
}

class Rollout {
  readonly writes: Write[] = []
  readonly d: KObject
  readonly now: number
  readonly surge: number
  readonly unavailable: number
  constructor(d: KObject, now: number) {
    this.d = d
    this.now = now
    const b = bounds(d)
    this.surge = b.surge
    this.unavailable = b.unavailable
  }
  get maxReplicas() {
    return this.d.spec.replicas + this.surge
  }

  sizes() {
    return { [DESIRED]: String(this.d.spec.replicas), [MAX]: String(this.maxReplicas) }
  }

  event(reason: string, message: string) {
    this.writes.push({
      verb: 'event',
      about: { resource: RESOURCE, object: this.d },
      type: 'Normal',
      reason,
      message,
      component: 'deployment-controller',
    })
  }

  /** Scales a set (and refreshes the sizes it carries); the set as it will be. */
  scale(set: KObject, replicas: number): KObject {
    const annotations = { ...set.metadata.annotations, ...this.sizes() }
    const from = wanted(set)
    if (from === replicas && equal(annotations, set.metadata.annotations)) return set
    const next = { ...set, metadata: { ...set.metadata, annotations }, spec: { ...set.spec, replicas } }
    this.put(next)
    if (from !== replicas)
      this.event(
        'ScalingReplicaSet',
        `Scaled ${replicas > from ? 'up' : 'down'} replica set ${set.metadata.name} from ${from} to ${replicas}`,
      )
    return next
  }

  /** One update per set: a later one takes the place of an earlier. */
  put(set: KObject) {
    const at = this.writes.findIndex((w) => w.verb === 'update' && w.object.metadata.uid === set.metadata.uid)
    if (at >= 0) (this.writes[at] as { object: KObject }).object = set
    else this.writes.push({ verb: 'update', resource: SETS, object: set })
  }
}

function copiedAnnotations(d: KObject): Record<string, string> {
  return Object.fromEntries(Object.entries(d.metadata.annotations ?? {}).filter(([k]) => !ownAnnotations.has(k)))
}

/** The set of the current template: found, or made. Carries the newest revision. */
function currentSet(r: Rollout, sets: readonly KObject[], old: readonly KObject[], create: boolean): KObject | undefined {
  const { d } = r
  const template = bare(d.spec.template)
  const found = sets.filter((s) => equal(bare(s.spec.template), template)).sort(byAge)[0]
  const revision = String(Math.max(0, ...old.map(revisionOf)) + 1)
  if (found) {
    const before = found.metadata.annotations ?? {}
    const annotations: Record<string, string> = { ...before, ...copiedAnnotations(d), ...r.sizes() }
    if (revisionOf(found) < Number(revision)) {
      annotations[REVISION] = revision
      if (before[REVISION]) annotations[HISTORY] = before[HISTORY] ? `${before[HISTORY]},${before[REVISION]}` : before[REVISION]
    }
    const min = d.spec.minReadySeconds
    const next = {
      ...found,
      metadata: { ...found.metadata, annotations },
      spec: { ...found.spec, ...(min !== undefined ? { minReadySeconds: min } : {}) },
    }
    if (min === undefined) delete next.spec.minReadySeconds
    if (!equal(next.metadata.annotations, before) || !equal(next.spec, found.spec)) r.put(next)
    return next
  }
  if (!create) return undefined
  const hash = templateHash(d)
  const labels = { ...d.spec.template.metadata?.labels, [HASH]: hash }
  const total = sum(old, wanted)
  const replicas =
    d.spec.strategy.type === 'Recreate' ? (total ? 0 : d.spec.replicas) : Math.min(d.spec.replicas, Math.max(0, r.maxReplicas - total))
  const set: KObject = {
    metadata: {
      name: setName(d),
      namespace: d.metadata.namespace,
      labels,
      annotations: { ...copiedAnnotations(d), ...r.sizes(), [REVISION]: revision },
      ownerReferences: [ownerReference('Deployment', 'apps/v1', d)],
    } as unknown as KObject['metadata'],
    spec: {
      replicas,
      ...(d.spec.minReadySeconds ? { minReadySeconds: d.spec.minReadySeconds } : {}),
      selector: { ...d.spec.selector, matchLabels: { ...d.spec.selector.matchLabels, [HASH]: hash } },
      template: { ...d.spec.template, metadata: { ...d.spec.template.metadata, labels } },
    },
  }
  r.writes.push({ verb: 'create', resource: SETS, object: set })
  if (replicas) r.event('ScalingReplicaSet', `Scaled up replica set ${set.metadata.name} from 0 to ${replicas}`)
  return set
}

/** Up by what surge allows, or down when there are too many. */
function rollNew(r: Rollout, current: KObject, old: readonly KObject[]): KObject {
  const goal: number = r.d.spec.replicas
  const now = wanted(current)
  if (now > goal) return r.scale(current, goal)
  const room = r.maxReplicas - now - sum(old, wanted)
  return r.scale(current, Math.min(goal, now + Math.max(0, room)))
}

/** Old sets go down as far as availability lets them, unhealthy pods first. */
function rollOld(r: Rollout, current: KObject, old: readonly KObject[]): void {
  const minAvailable = r.d.spec.replicas - r.unavailable
  const newUnavailable = wanted(current) - (current.status?.availableReplicas ?? 0)
  let room = sum(old, wanted) + wanted(current) - minAvailable - newUnavailable
  const live = [...old].sort(byAge)
  const left = new Map(live.map((s) => [s, wanted(s)]))
  for (const s of live) {
    const unhealthy = Math.min(room, wanted(s) - (s.status?.availableReplicas ?? 0))
    if (unhealthy <= 0) continue
    left.set(s, wanted(s) - unhealthy)
    room -= unhealthy
  }
  let spare = sum(old, (s) => s.status?.availableReplicas) + (current.status?.availableReplicas ?? 0) - minAvailable
  for (const s of live) {
    const n = Math.min(left.get(s)!, Math.max(0, spare))
    left.set(s, left.get(s)! - n)
    spare -= n
  }
  for (const s of live) if (left.get(s) !== wanted(s)) r.scale(s, left.get(s)!)
}

/** Paused or between rollouts: the total follows spec.replicas, shared in proportion. */
function scaleOnly(r: Rollout, current: KObject | undefined, old: readonly KObject[]): void {
  const { d } = r
  const all = current ? [current, ...old] : old
  const active = all.filter((s) => wanted(s) > 0)
  const only = active.length === 1 ? active[0]! : active.length === 0 ? (current ?? [...old].sort(byAge).at(-1)) : undefined
  if (only) {
    if (wanted(only) !== d.spec.replicas) r.scale(only, d.spec.replicas)
    return
  }
  if (!active.length) return
  const total = sum(active, wanted)
  const limit = d.spec.replicas > 0 ? r.maxReplicas : 0
  let toAdd = limit - total
  if (active.every((s) => s.metadata.annotations?.[DESIRED] === String(d.spec.replicas))) return
  const sorted = [...active].sort((a, b) => wanted(b) - wanted(a) || (toAdd > 0 ? byAge(b, a) : byAge(a, b)))
  const added = toAdd
  for (const [i, s] of sorted.entries()) {
    const oldMax = Number(s.metadata.annotations?.[MAX] ?? d.spec.replicas) || d.spec.replicas
    let share = i === sorted.length - 1 ? toAdd : Math.round((wanted(s) * limit) / oldMax) - wanted(s)
    share = added > 0 ? Math.min(Math.max(share, 0), toAdd) : Math.max(Math.min(share, 0), toAdd)
    toAdd -= share
    r.scale(s, Math.max(0, wanted(s) + share))
  }
}

function cleanUp(r: Rollout, old: readonly KObject[]): void {
  const limit = r.d.spec.revisionHistoryLimit ?? 10
  const idle = old.filter(
    (s) =>
      !wanted(s) &&
      !s.status?.replicas &&
      !s.metadata.deletionTimestamp &&
      (s.status?.observedGeneration ?? 0) >= (s.metadata.generation ?? 0),
  )
  for (const s of idle.sort((a, b) => revisionOf(a) - revisionOf(b) || byAge(a, b)).slice(0, Math.max(0, old.length - limit)))
    r.writes.push({ verb: 'delete', resource: SETS, object: s })
}

function reconcile(_key: string, v: View, now: number): Result {
  const { deployment: d } = v
  const r = new Rollout(d, now)
  if (d.metadata.deletionTimestamp) {
    const { status } = statusOf(d, v.sets, undefined, now, r.unavailable)
    return { writes: equal(status, d.status) ? [] : [{ verb: 'update', resource: RESOURCE, object: { ...d, status }, part: 'status' }] }
  }
  for (const s of v.orphans)
    r.put({
      ...s,
      metadata: { ...s.metadata, ownerReferences: [...(s.metadata.ownerReferences ?? []), ownerReference('Deployment', 'apps/v1', d)] },
    })
  // An adopted set is rolled in the next look, with its new version.
  if (r.writes.length) return { writes: r.writes }

  const template = bare(d.spec.template)
  const isCurrent = (s: KObject) => equal(bare(s.spec.template), template)
  const found = v.sets.filter(isCurrent).sort(byAge)[0]
  const old = v.sets.filter((s) => s !== found)
  const scaling =
    !d.spec.paused &&
    v.sets.some(
      (s) =>
        wanted(s) > 0 && s.metadata.annotations?.[DESIRED] !== undefined && s.metadata.annotations[DESIRED] !== String(d.spec.replicas),
    )
  // Another name is made of the count.
  if (v.taken && !found && !d.spec.paused) {
    const status = { ...d.status, collisionCount: (d.status?.collisionCount ?? 0) + 1 }
    return { writes: [{ verb: 'update', resource: RESOURCE, object: { ...d, status }, part: 'status' }] }
  }
  let current: KObject | undefined = found
  if (d.spec.paused || (scaling && found)) scaleOnly(r, found, old)
  else if (d.spec.strategy.type === 'Recreate') {
    for (const s of old) if (wanted(s)) r.scale(s, 0)
    const gone =
      old.every((s) => !wanted(s)) && !v.pods.some((p) => old.some((s) => controllerOf(p)?.uid === s.metadata.uid) && !hasEnded(p))
    if (gone) {
      current = currentSet(r, v.sets, old, true)
      if (current?.metadata.uid) current = r.scale(current, d.spec.replicas)
    }
  } else {
    const made = currentSet(r, v.sets, old, true)!
    current = made
    if (made.metadata.uid) {
      const scaled = rollNew(r, made, old)
      if (wanted(scaled) === wanted(made)) rollOld(r, scaled, old)
      current = scaled
    }
  }
  if (!d.spec.paused) cleanUp(r, old)

  const revision = current && String(current.metadata.annotations?.[REVISION] ?? '')
  const sets = found ? v.sets : current ? [...v.sets, current] : v.sets
  const { status, requeueAt } = statusOf(d, sets, current, now, r.unavailable)
  let object = d
  if (revision && d.metadata.annotations?.[REVISION] !== revision) {
    object = { ...d, metadata: { ...d.metadata, annotations: { ...d.metadata.annotations, [REVISION]: revision } } }
    // The status follows in the next look, with the version that this write makes.
    r.writes.push({ verb: 'update', resource: RESOURCE, object })
  } else if (!equal(status, d.status)) r.writes.push({ verb: 'update', resource: RESOURCE, object: { ...d, status }, part: 'status' })
  return { writes: r.writes, ...(requeueAt !== undefined ? { requeueAt } : {}) }
}

export const deployment: Controller<View> = {
  name: 'deployment-controller',
  all: (r) => r.list(RESOURCE).map(keyOf),
  wakes: {
    [RESOURCE]: ({ new: now }) => (now ? [keyOf(now)] : []),
    [SETS]: ({ old, new: now }, reader) => {
      const set = (now ?? old)!
      const owner = controllerOf(set)
      if (owner) return owner.kind === 'Deployment' ? [`${set.metadata.namespace}/${owner.name}`] : []
      return reader
        .list(RESOURCE, set.metadata.namespace)
        .filter((d) => matches(fromLabelSelector(d.spec.selector), set.metadata.labels))
        .map(keyOf)
    },
    // Recreate waits for the last pod of the old template to go.
    pods: ({ old, new: now }, reader) => {
      if (now || !old) return []
      const set = controllerOf(old)
      const owner = set && reader.byUid(set.uid) && controllerOf(reader.byUid(set.uid)!.object)
      return owner?.kind === 'Deployment' ? [`${old.metadata.namespace}/${owner.name}`] : []
    },
  },
  view: (key, reader) => {
    const [ns, name] = splitKey(key)
    const d = reader.get(RESOURCE, ns, name)
    if (!d) return undefined
    const sets = reader.controlledBy(SETS, d.metadata.uid)
    const selector = fromLabelSelector(d.spec.selector)
    const orphans = reader.orphans(SETS, ns).filter((s) => !s.metadata.deletionTimestamp && matches(selector, s.metadata.labels))
    const pods = d.spec.strategy.type === 'Recreate' ? sets.flatMap((s) => reader.controlledBy('pods', s.metadata.uid)) : []
    const holder = reader.get(SETS, ns, setName(d))
    return { deployment: d, sets, orphans, pods, taken: !!holder && !orphans.includes(holder) }
  },
  reconcile,
}
