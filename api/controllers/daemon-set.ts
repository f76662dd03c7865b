// DaemonSet: one pod on every node that its template fits, which the scheduler binds there and nowhere else.
import { scaledValue } from '../../shared/kinds/workloads.ts'
import { isReady } from '../../shared/meta/conditions.ts'
import { type KObject, keyOf } from '../../shared/meta/object.ts'
import { tolerates } from '../../shared/meta/taints.ts'
import { equal } from '../../shared/schema/field-set.ts'
import type { Controller, Result, Write } from '../engine/types.ts'
import { childName, claim, type OwnedView, type OwnerKind, ownedView, ownWakes, podOf, podWakes, told } from './owned.ts'
import { availability, byAge, hasEnded } from './pods.ts'
import {
  collided,
  currentRevision,
  forgetOld,
  type History,
  hashLabel,
  historyOf,
  REVISION_LABEL,
  REVISIONS,
  revisionWakes,
  templateOf,
} from './revisions.ts'
import { nodeAffinity } from './scheduler/node-affinity.ts'
import { Snapshot } from './scheduler/snapshot.ts'
import { nodeInfo } from './scheduler/types.ts'

const GENERATION = 'pod-template-generation'
const TEMPLATE_GENERATION = 'deprecated.daemonset.template.generation'
/** How long after a pod was made the next may be that takes its place, ms: one that fails at once is not made again at once. */
const BETWEEN = 10_000
const BURST = 250

const kind: OwnerKind = { resource: 'daemonsets.apps', kind: 'DaemonSet', apiVersion: 'apps/v1', component: 'daemonset-controller' }

interface View extends OwnedView {
  history: History
  nodes: readonly KObject[]
}

/** Taints that keep others away and not a daemon: it is to run where something is wrong. */
const tolerations = [
  { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute' },
  { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute' },
  { key: 'node.kubernetes.io/disk-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/memory-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/pid-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/unschedulable', operator: 'Exists', effect: 'NoSchedule' },
]
const ofHostNetwork = { key: 'node.kubernetes.io/network-unavailable', operator: 'Exists', effect: 'NoSchedule' }

function specOn(template: any, node?: string): any {
  const { spec } = template
  const added = spec.hostNetwork ? [...tolerations, ofHostNetwork] : tolerations
  const own: any[] = spec.tolerations ?? []
  const all = [...own, ...added.filter((t) => !own.some((o) => o.key === t.key && o.effect === t.effect && o.operator === t.operator))]
  if (node === undefined) return { ...spec, tolerations: all }
  const matchFields = [{ key: 'metadata.name', operator: 'In', values: [node] }]
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  // By fields another node could be meant: the template's own are replaced, as upstream does.
  const nodeSelectorTerms = required?.nodeSelectorTerms?.length
    ? required.nodeSelectorTerms.map((t: any) => ({ ...t, matchFields }))
    : [{ matchFields }]
  return {
    ...spec,
    tolerations: all,
    affinity: {
      ...spec.affinity,
      nodeAffinity: { ...spec.affinity?.nodeAffinity, requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } },
    },
  }
}

/** The node that a pod is on, or was made for. */
function nodeOf(p: KObject): string | undefined {
  if (p.spec.nodeName) return p.spec.nodeName
  for (const t of p.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [])
    for (const f of t.matchFields ?? []) if (f.key === 'metadata.name' && f.operator === 'In' && f.values?.length === 1) return f.values[0]
  return undefined
}

const nowhere = new Snapshot([]).context()

/** Whether a node is to get a pod, and whether one that it has may stay. */
function fits(set: KObject, node: KObject): { run: boolean; stay: boolean } {
  const spec = specOn(set.spec.template)
  if (spec.nodeName && spec.nodeName !== node.metadata.name) return { run: false, stay: false }
  if (nodeAffinity.filter({ metadata: set.metadata, spec }, nodeInfo(node, []), nowhere)) return { run: false, stay: false }
  const bears = (t: any) => spec.tolerations.some((x: any) => tolerates(x, t))
  const hostile: any[] = (node.spec?.taints ?? []).filter((t: any) => t.effect !== 'PreferNoSchedule' && !bears(t))
  return { run: !hostile.length, stay: !hostile.some((t) => t.effect === 'NoExecute') }
}

class Sync {
  readonly writes: Write[]
  readonly set: KObject
  readonly update: KObject
  readonly now: number
  requeueAt?: number
  #made = 0
  constructor(set: KObject, update: KObject, writes: Write[], now: number) {
    this.set = set
    this.update = update
    this.writes = writes
    this.now = now
  }

  at(time: number): void {
    this.requeueAt = Math.min(this.requeueAt ?? time, time)
  }
  isNew(p: KObject): boolean {
    const generation = this.set.metadata.annotations?.[TEMPLATE_GENERATION]
    return (
      p.metadata.labels?.[REVISION_LABEL] === hashLabel(this.update) ||
      (generation !== undefined && p.metadata.labels?.[GENERATION] === generation)
    )
  }
  available(p: KObject): boolean {
    const { available, at } = availability(p, this.set.spec.minReadySeconds ?? 0, this.now)
    if (at !== undefined) this.at(at)
    return available && !p.metadata.deletionTimestamp
  }

  create(node: string): void {
    if (this.#made++ >= BURST) {
      this.at(this.now)
      return
    }
    const { set, update } = this
    const template = templateOf(update)
    const generation = set.metadata.annotations?.[TEMPLATE_GENERATION]
    const labels = { [REVISION_LABEL]: hashLabel(update), ...(generation === undefined ? {} : { [GENERATION]: generation }) }
    const name = childName(set.metadata.name, `${set.metadata.uid} ${this.now} ${node} ${hashLabel(update)}`)
    const pod = podOf(kind, set, template, name, { labels })
    this.writes.push({ verb: 'create', resource: 'pods', object: { ...pod, spec: specOn(template, node) } })
    this.writes.push(told(kind, set, 'Normal', 'SuccessfulCreate', `Created pod: ${name}`))
  }
  delete(pod: KObject): void {
    if (pod.metadata.deletionTimestamp) return
    this.writes.push({ verb: 'delete', resource: 'pods', object: pod })
    this.writes.push(told(kind, this.set, 'Normal', 'SuccessfulDelete', `Deleted pod: ${pod.metadata.name}`))
  }
}

/** A pod that has ended makes room for the next. */
function replaceEnded(s: Sync, node: string, pods: readonly KObject[]): readonly KObject[] {
  const left: KObject[] = []
  for (const p of pods) {
    if (!hasEnded(p) || p.metadata.deletionTimestamp) {
      left.push(p)
      continue
    }
    const next = Date.parse(p.metadata.creationTimestamp) + BETWEEN
    if (next > s.now) {
      s.at(next)
      left.push(p)
      continue
    }
    const reason = p.status.phase === 'Failed' ? 'FailedDaemonPod' : 'SucceededDaemonPod'
    const what = p.status.phase === 'Failed' ? 'failed' : 'succeeded'
    const message = `Found ${what} daemon pod ${p.metadata.namespace}/${p.metadata.name} on node ${node}, will try to ${what === 'failed' ? 'kill' : 'delete'} it`
    s.writes.push(told(kind, s.set, what === 'failed' ? 'Warning' : 'Normal', reason, message))
    s.delete(p)
  }
  return left
}

/** Every fitting node has its pod, no other has one. Pods of two revisions may share a node while one takes over from the other. */
function manage(s: Sync, nodes: readonly KObject[], byNode: Map<string, KObject[]>, surge: boolean): void {
  const there = new Set(nodes.map((n) => n.metadata.name))
  // What was made for a node that is gone waits for nothing.
  for (const [name, pods] of byNode) if (!there.has(name)) for (const p of pods) if (!p.spec.nodeName) s.delete(p)
  for (const node of nodes) {
    const { name } = node.metadata
    const { run, stay } = fits(s.set, node)
    const pods = byNode.get(name) ?? []
    if (!stay) {
      for (const p of pods) s.delete(p)
      continue
    }
    const left = replaceEnded(s, name, pods)
    if (!left.length) {
      if (run && pods.every(hasEnded)) s.create(name)
      continue
    }
    const alive = left.filter((p) => !p.metadata.deletionTimestamp).sort(byAge)
    if (surge) {
      const [fresh, old] = [alive.filter((p) => s.isNew(p)), alive.filter((p) => !s.isNew(p))]
      for (const p of [...fresh.slice(1), ...old.slice(1)]) s.delete(p)
    } else for (const p of alive.slice(1)) s.delete(p)
  }
}

/** Old pods go, as many at a time as may be missing; those that do not run cost nothing. */
function roll(s: Sync, nodes: readonly KObject[], byNode: Map<string, KObject[]>): void {
  const { rollingUpdate } = s.set.spec.updateStrategy
  const running = nodes.filter((n) => fits(s.set, n).run)
  const maxSurge = scaledValue(rollingUpdate?.maxSurge, running.length, true)
  const maxUnavailable = scaledValue(rollingUpdate?.maxUnavailable, running.length, true)
  const on = (n: KObject) => (byNode.get(n.metadata.name) ?? []).filter((p) => !hasEnded(p))
  const doomed = new Set(s.writes.flatMap((w) => (w.verb === 'delete' ? [w.object.metadata.uid] : [])))
  const alive = (n: KObject) => on(n).filter((p) => !p.metadata.deletionTimestamp && !doomed.has(p.metadata.uid))
  if (!maxSurge) {
    let missing = running.filter((n) => !alive(n).some((p) => s.available(p))).length
    const candidates: KObject[] = []
    for (const n of running) {
      const old = alive(n).find((p) => !s.isNew(p))
      if (!old) continue
      if (s.available(old)) candidates.push(old)
      else s.delete(old)
    }
    for (const p of candidates) {
      if (missing >= maxUnavailable) return
      s.delete(p)
      missing++
    }
    return
  }
  // New pods come beside old ones; an old one goes when the new one is available.
  let surging = 0
  const wanted: KObject[] = []
  for (const n of running) {
    const pods = alive(n)
    const old = pods.find((p) => !s.isNew(p))
    const fresh = pods.find((p) => s.isNew(p))
    if (!old) continue
    if (fresh) {
      surging++
      if (s.available(fresh)) s.delete(old)
    } else if (!s.available(old)) s.create(n.metadata.name)
    else wanted.push(n)
  }
  for (const n of wanted) {
    if (surging >= maxSurge) return
    s.create(n.metadata.name)
    surging++
  }
}

function statusOf(s: Sync, nodes: readonly KObject[], byNode: Map<string, KObject[]>): any {
  const { set } = s
  const n = { desired: 0, current: 0, misscheduled: 0, ready: 0, updated: 0, available: 0 }
  for (const node of nodes) {
    const { run } = fits(set, node)
    const pods = [...(byNode.get(node.metadata.name) ?? [])].filter((p) => !hasEnded(p)).sort(byAge)
    if (run) {
      n.desired++
      if (pods.length) n.current++
      // While one takes over, the newer counts.
      const shown = pods.findLast((p) => isReady(p)) ?? pods.at(-1)
      if (shown && isReady(shown)) {
        n.ready++
        if (s.available(shown)) n.available++
      }
      if (pods.some((p) => s.isNew(p))) n.updated++
    } else if (pods.length) n.misscheduled++
  }
  const was = set.status ?? {}
  const count = (field: string, value: number) => (value ? { [field]: value } : {})
  return {
    currentNumberScheduled: n.current,
    numberMisscheduled: n.misscheduled,
    desiredNumberScheduled: n.desired,
    numberReady: n.ready,
    observedGeneration: set.metadata.generation,
    ...count('updatedNumberScheduled', n.updated),
    ...count('numberAvailable', n.available),
    ...count('numberUnavailable', n.desired - n.available),
    ...count('collisionCount', was.collisionCount ?? 0),
    ...(was.conditions ? { conditions: was.conditions } : {}),
  }
}

function reconcile(_key: string, view: View, now: number): Result {
  const { owner: set, history, nodes } = view
  const { pods, writes } = claim(kind, view)
  const found = currentRevision(kind, set, history)
  if (!found.update) return { writes: [collided(kind, set)] }
  writes.push(...found.writes)
  const s = new Sync(set, found.update, writes, now)
  const byNode = new Map<string, KObject[]>()
  for (const p of pods) {
    const node = nodeOf(p)
    if (node !== undefined) byNode.set(node, [...(byNode.get(node) ?? []), p])
  }
  if (!set.metadata.deletionTimestamp) {
    const { type, rollingUpdate } = set.spec.updateStrategy
    manage(s, nodes, byNode, type === 'RollingUpdate' && scaledValue(rollingUpdate?.maxSurge, 100, true) > 0)
    if (type === 'RollingUpdate') roll(s, nodes, byNode)
  }
  const status = statusOf(s, nodes, byNode)
  if (!equal(status, set.status)) writes.push({ verb: 'update', resource: kind.resource, object: { ...set, status }, part: 'status' })
  const live = new Set([
    found.update.metadata.name,
    ...history.revisions.filter((r) => pods.some((p) => p.metadata.labels?.[REVISION_LABEL] === hashLabel(r))).map((r) => r.metadata.name),
  ])
  writes.push(...forgetOld(set, history, live))
  return { writes, ...(s.requeueAt !== undefined ? { requeueAt: s.requeueAt } : {}) }
}

/** What of a node decides whether it gets a pod. */
const relevant = (n: KObject | undefined) => JSON.stringify([n?.metadata.labels, n?.spec?.taints])

export const daemonSet: Controller<View> = {
  name: kind.component,
  all: (r) => r.list(kind.resource).map(keyOf),
  wakes: {
    [kind.resource]: ownWakes,
    pods: podWakes(kind),
    nodes: ({ old, new: now }, reader) => {
      if (old && now && relevant(old) === relevant(now)) return []
      // Only the sets to which the node has become another.
      return reader
        .list(kind.resource)
        .filter((set) => !old || !now || !equal(fits(set, old), fits(set, now)))
        .map(keyOf)
    },
    [REVISIONS]: revisionWakes(kind),
  },
  view: (key, reader) => {
    const view = ownedView(kind, key, reader)
    return view && { ...view, history: historyOf(view.owner, reader), nodes: reader.list('nodes') }
  },
  reconcile,
}
