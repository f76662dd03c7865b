// StatefulSet: pods with stable names and volumes of their own, made and taken away in their order unless that does not matter.
import { scaledValue } from '../../shared/kinds/workloads.ts'
import { isReady } from '../../shared/meta/conditions.ts'
import { type KObject, keyOf } from '../../shared/meta/object.ts'
import { equal } from '../../shared/schema/field-set.ts'
import type { Controller, Result, Write } from '../engine/types.ts'
import { claim, type OwnedView, type OwnerKind, ownedView, ownerReference, ownWakes, podOf, podWakes, told } from './owned.ts'
import { availability, hasEnded } from './pods.ts'
import {
  collided,
  currentRevision,
  forgetOld,
  type History,
  historyOf,
  REVISION_LABEL,
  REVISIONS,
  revisionWakes,
  templateOf,
} from './revisions.ts'
import { CLAIMS } from './volume-binder.ts'

const POD_NAME = 'statefulset.kubernetes.io/pod-name'
const POD_INDEX = 'apps.kubernetes.io/pod-index'

const kind: OwnerKind = { resource: 'statefulsets.apps', kind: 'StatefulSet', apiVersion: 'apps/v1', component: 'statefulset-controller' }

interface View extends OwnedView {
  history: History
  /** The claims of its pods that are there, by name. */
  claims: Map<string, KObject>
}

const ORDINAL = /^(.*)-(\d+)$/
/** The ordinal of a pod's name; -1 for names that are none of the set's. */
function ordinalOf(set: KObject, name: string): number {
  const m = ORDINAL.exec(name)
  return m && m[1] === set.metadata.name ? Number(m[2]) : -1
}

const startOf = (set: KObject): number => set.spec.ordinals?.start ?? 0
const revisionOf = (p: KObject): string => p.metadata.labels?.[REVISION_LABEL] ?? ''
const runs = (p: KObject) => p.status?.phase === 'Running' && isReady(p)
const claimName = (template: any, set: KObject, ordinal: number): string => `${template.metadata.name}-${set.metadata.name}-${ordinal}`

/** What is still to be made. */
const isNew = (o: KObject) => !o.metadata.uid

function podFor(set: KObject, ordinal: number, revision: KObject): KObject {
  const name = `${set.metadata.name}-${ordinal}`
  const labels = { [POD_NAME]: name, [POD_INDEX]: String(ordinal), [REVISION_LABEL]: revision.metadata.name }
  const pod = podOf(kind, set, templateOf(revision), name, { labels })
  delete pod.metadata.generateName
  const claims: any[] = set.spec.volumeClaimTemplates ?? []
  const own = new Set(claims.map((c) => c.metadata.name))
  const volumes = [
    ...claims.map((c) => ({ name: c.metadata.name, persistentVolumeClaim: { claimName: claimName(c, set, ordinal) } })),
    ...(pod.spec.volumes ?? []).filter((v: any) => !own.has(v.name)),
  ]
  pod.spec = {
    ...pod.spec,
    hostname: name,
    ...(set.spec.serviceName ? { subdomain: set.spec.serviceName } : {}),
    ...(volumes.length ? { volumes } : {}),
  }
  return pod
}

/** What a claim should say of its owners by the retention policy; undefined where it says so already. */
function retained(set: KObject, claim: KObject, pod: KObject | undefined, condemned: boolean): KObject | undefined {
  const policy = set.spec.persistentVolumeClaimRetentionPolicy ?? {}
  const others = (claim.metadata.ownerReferences ?? []).filter(
    (r) => r.uid !== set.metadata.uid && !(r.kind === 'Pod' && ordinalOf(set, r.name) >= 0),
  )
  const owners = [...others]
  const byPod = condemned && policy.whenScaled === 'Delete'
  if (byPod) {
    if (pod && !isNew(pod)) owners.push({ apiVersion: 'v1', kind: 'Pod', name: pod.metadata.name, uid: pod.metadata.uid })
  } else if (policy.whenDeleted === 'Delete') owners.push(ownerReference(kind.kind, kind.apiVersion, set))
  const now = claim.metadata.ownerReferences ?? []
  return equal(owners, now) ? undefined : { ...claim, metadata: { ...claim.metadata, ownerReferences: owners } }
}

class Sync {
  readonly writes: Write[]
  requeueAt?: number
  readonly set: KObject
  readonly view: View
  readonly now: number
  readonly ordered: boolean
  constructor(view: View, writes: Write[], now: number) {
    this.view = view
    this.set = view.owner
    this.writes = writes
    this.now = now
    this.ordered = this.set.spec.podManagementPolicy !== 'Parallel'
  }

  /** Ready for long enough; if it only has to wait, the set is looked at again when it has. */
  available(p: KObject): boolean {
    const { available, at } = availability(p, this.set.spec.minReadySeconds ?? 0, this.now)
    if (at !== undefined) this.requeueAt = Math.min(this.requeueAt ?? at, at)
    return runs(p) && available
  }

  claimsFor(ordinal: number, pod: KObject): void {
    for (const t of this.set.spec.volumeClaimTemplates ?? []) {
      const name = claimName(t, this.set, ordinal)
      const there = this.view.claims.get(name)
      if (there) {
        const changed = there.metadata.deletionTimestamp ? undefined : retained(this.set, there, pod, false)
        if (changed) this.writes.push({ verb: 'update', resource: CLAIMS, object: changed })
        continue
      }
      const { namespace } = this.set.metadata
      const labels = { ...t.metadata.labels, ...this.set.spec.selector.matchLabels }
      const annotations = t.metadata.annotations ? { annotations: t.metadata.annotations } : {}
      const made: KObject = { metadata: { name, namespace, labels, ...annotations } as KObject['metadata'], spec: t.spec }
      this.writes.push({ verb: 'create', resource: CLAIMS, object: retained(this.set, made, undefined, false) ?? made })
      this.writes.push(
        told(
          kind,
          this.set,
          'Normal',
          'SuccessfulCreate',
          `create Claim ${name} Pod ${pod.metadata.name} in StatefulSet ${this.set.metadata.name} success`,
        ),
      )
    }
  }

  create(pod: KObject, ordinal: number): void {
    this.claimsFor(ordinal, pod)
    this.writes.push({ verb: 'create', resource: 'pods', object: pod })
    this.writes.push(this.#event('create', pod))
  }

  delete(pod: KObject): void {
    this.writes.push({ verb: 'delete', resource: 'pods', object: pod })
    this.writes.push(this.#event('delete', pod))
  }

  #event(what: 'create' | 'delete', pod: KObject): Write {
    const reason = what === 'create' ? 'SuccessfulCreate' : 'SuccessfulDelete'
    return told(kind, this.set, 'Normal', reason, `${what} Pod ${pod.metadata.name} in StatefulSet ${this.set.metadata.name} successful`)
  }

  /** Labels that the set's services and users find the pod by. */
  identity(pod: KObject, ordinal: number): void {
    const labels = { ...pod.metadata.labels, [POD_NAME]: pod.metadata.name, [POD_INDEX]: String(ordinal) }
    if (!equal(labels, pod.metadata.labels))
      this.writes.push({ verb: 'update', resource: 'pods', object: { ...pod, metadata: { ...pod.metadata, labels } } })
  }
}

/** Pods by their places, missing ones as they would be made; and those that are too many, the last first. */
function places(
  view: View,
  pods: readonly KObject[],
  current: KObject,
  update: KObject,
): { wanted: readonly KObject[]; condemned: readonly KObject[] } {
  const { owner: set } = view
  const [start, replicas] = [startOf(set), set.spec.replicas as number]
  const byOrdinal = new Map(pods.map((p) => [ordinalOf(set, p.metadata.name), p]))
  const { type, rollingUpdate } = set.spec.updateStrategy
  /** Those before the partition are made as they were. */
  const asBefore = (ordinal: number) =>
    type === 'RollingUpdate' && ordinal < start + (rollingUpdate?.partition ?? 0) && current.metadata.name !== update.metadata.name
  const wanted: KObject[] = []
  for (let o = start; o < start + replicas; o++) wanted.push(byOrdinal.get(o) ?? podFor(set, o, asBefore(o) ? current : update))
  const condemned = [...byOrdinal]
    .filter(([o]) => o >= 0 && (o < start || o >= start + replicas))
    .sort((a, b) => b[0] - a[0])
    .map(([, p]) => p)
  return { wanted, condemned }
}

/** Makes what is missing. False when what is there has to change first. */
function fill(s: Sync, wanted: readonly KObject[]): boolean {
  const start = startOf(s.set)
  for (const [i, p] of wanted.entries()) {
    const ordinal = start + i
    if (isNew(p)) {
      s.create(p, ordinal)
      if (s.ordered) return false
      continue
    }
    if (p.metadata.deletionTimestamp) {
      if (s.ordered) return false
      continue
    }
    if (hasEnded(p)) {
      s.delete(p)
      if (s.ordered) return false
      continue
    }
    s.claimsFor(ordinal, p)
    s.identity(p, ordinal)
    if (s.ordered && (!runs(p) || !s.available(p))) return false
  }
  return true
}

/** Takes away what is too much. False when the rest has to wait for it. */
function shrink(s: Sync, wanted: readonly KObject[], condemned: readonly KObject[]): boolean {
  const sick = [...wanted, ...condemned].find((p) => !isNew(p) && (!runs(p) || p.metadata.deletionTimestamp))
  for (const p of condemned) {
    const ordinal = ordinalOf(s.set, p.metadata.name)
    for (const t of s.set.spec.volumeClaimTemplates ?? []) {
      const there = s.view.claims.get(claimName(t, s.set, ordinal))
      const changed = there && !there.metadata.deletionTimestamp ? retained(s.set, there, p, true) : undefined
      if (changed) s.writes.push({ verb: 'update', resource: CLAIMS, object: changed })
    }
    if (p.metadata.deletionTimestamp) {
      if (s.ordered) return false
      continue
    }
    // One that is not well waits for nobody but itself.
    if (s.ordered && sick && sick !== p) return false
    s.delete(p)
    if (s.ordered) return false
  }
  return true
}

/** Replaces pods of other revisions from the last down to the partition, as many at a time as may be missing. */
function roll(s: Sync, wanted: readonly KObject[], update: KObject): void {
  const { type, rollingUpdate } = s.set.spec.updateStrategy
  if (type === 'OnDelete') return
  const partition: number = rollingUpdate?.partition ?? 0
  const may = Math.max(1, scaledValue(rollingUpdate?.maxUnavailable ?? 1, s.set.spec.replicas, false))
  let missing = wanted.filter((p) => isNew(p) || p.metadata.deletionTimestamp || !s.available(p)).length
  for (let i = wanted.length - 1; i >= partition; i--) {
    const p = wanted[i]!
    if (isNew(p) || p.metadata.deletionTimestamp) continue
    const here = runs(p) && s.available(p)
    if (revisionOf(p) === update.metadata.name) {
      if (!here && may === 1) return
      continue
    }
    // One that does not run anyway costs nothing.
    if (here && missing >= may) return
    s.delete(p)
    if (here) missing++
    if (may === 1) return
  }
}

function statusOf(s: Sync, pods: readonly KObject[], current: KObject, update: KObject): any {
  const { set } = s
  const mine = pods.filter((p) => ordinalOf(set, p.metadata.name) >= 0)
  const created = mine.filter((p) => !hasEnded(p))
  const alive = created.filter((p) => !p.metadata.deletionTimestamp)
  const of = (r: KObject) => alive.filter((p) => revisionOf(p) === r.metadata.name).length
  const ready = created.filter(runs).length
  const was = set.status ?? {}
  const updated = of(update)
  const { replicas } = set.spec
  const rolled = set.spec.updateStrategy.type === 'RollingUpdate' && [updated, ready, created.length].every((n) => n === replicas)
  const now = rolled ? update : current
  const count = (field: string, n: number) => (n ? { [field]: n } : {})
  return {
    observedGeneration: set.metadata.generation,
    replicas: created.length,
    ...count('readyReplicas', ready),
    ...count('currentReplicas', of(now)),
    ...count('updatedReplicas', updated),
    availableReplicas: created.filter((p) => s.available(p)).length,
    currentRevision: now.metadata.name,
    updateRevision: update.metadata.name,
    collisionCount: was.collisionCount ?? 0,
    ...(was.conditions ? { conditions: was.conditions } : {}),
  }
}

function reconcile(_key: string, view: View, now: number): Result {
  const { owner: set, history } = view
  const { pods, writes } = claim(kind, view, (p) => ordinalOf(set, p.metadata.name) >= 0)
  const s = new Sync(view, writes, now)
  const found = currentRevision(kind, set, history)
  if (!found.update) return { writes: [collided(kind, set)] }
  const { update } = found
  writes.push(...found.writes)
  const current = history.revisions.find((r) => r.metadata.name === set.status?.currentRevision) ?? update
  if (!set.metadata.deletionTimestamp) {
    const { wanted, condemned } = places(view, pods, current, update)
    if (fill(s, wanted) && shrink(s, wanted, condemned)) roll(s, wanted, update)
  }
  const status = statusOf(s, pods, current, update)
  if (!equal(status, set.status)) writes.push({ verb: 'update', resource: kind.resource, object: { ...set, status }, part: 'status' })
  const live = new Set([update.metadata.name, current.metadata.name, ...pods.map(revisionOf)])
  writes.push(...forgetOld(set, history, live))
  return { writes, ...(s.requeueAt !== undefined ? { requeueAt: s.requeueAt } : {}) }
}

/** The claim of a set's pod, by its name: any set of the namespace may be meant. */
const claimWakes: Controller['wakes'][string] = ({ old, new: now }, reader) => {
  const { name, namespace } = (now ?? old)!.metadata
  return reader
    .list(kind.resource, namespace)
    .filter((set) => (set.spec.volumeClaimTemplates ?? []).some((t: any) => name.startsWith(`${t.metadata.name}-${set.metadata.name}-`)))
    .map(keyOf)
}

export const statefulSet: Controller<View> = {
  name: kind.component,
  all: (r) => r.list(kind.resource).map(keyOf),
  wakes: {
    [kind.resource]: ownWakes,
    pods: podWakes(kind),
    [CLAIMS]: (change, reader) => (change.new && change.old ? [] : claimWakes(change, reader)),
    [REVISIONS]: revisionWakes(kind),
  },
  view: (key, reader) => {
    const view = ownedView(kind, key, reader)
    if (!view) return undefined
    const { owner: set } = view
    const templates: any[] = set.spec.volumeClaimTemplates ?? []
    const places = new Set(view.owned.map((p) => ordinalOf(set, p.metadata.name)))
    for (let i = 0; i < set.spec.replicas; i++) places.add(startOf(set) + i)
    const claims = new Map<string, KObject>()
    for (const t of templates)
      for (const ordinal of places) {
        const there = reader.get(CLAIMS, set.metadata.namespace!, claimName(t, set, ordinal))
        if (there) claims.set(there.metadata.name, there)
      }
    return { ...view, history: historyOf(set, reader), claims }
  },
  reconcile,
}
