// The scheduler: takes the waiting pods by priority and age, filters and scores the nodes, binds; says in kube-scheduler's words why a pod fits nowhere.
// One look places many pods: each counts against the nodes for those after it.

import { condition } from '../../../shared/meta/conditions.ts'
import { type KObject, keyOf, timeString } from '../../../shared/meta/object.ts'
import { equal } from '../../../shared/schema/field-set.ts'
import type { Controller, Result, Write } from '../../engine/types.ts'
import { disrupted, hasEnded, withCondition } from '../pods.ts'
import { CLAIMS, CLASSES, SELECTED_NODE, VOLUMES, withClaim } from '../volume-binder.ts'
import { imageLocality } from './image-locality.ts'
import { interPodAffinity } from './inter-pod-affinity.ts'
import { nodeAffinity } from './node-affinity.ts'
import { nodeName, nodePorts } from './node-name-ports.ts'
import { balancedAllocation, nodeResourcesFit } from './node-resources.ts'
import { awaitsVictims, type Preemption, preempt } from './preemption.ts'
import { spreading } from './spreading.ts'
import { nodeUnschedulable, taintToleration } from './taint-toleration.ts'
import {
  assume,
  contextOf,
  type FilterPlugin,
  type Misfit,
  type NodeInfo,
  nodeInfo,
  type SchedulingContext,
  type ScorePlugin,
  type World,
} from './types.ts'
import { chosenVolumes, volumeBinding, volumeRestrictions, volumeZone } from './volume-binding.ts'

const filters: readonly FilterPlugin[] = [
  nodeUnschedulable,
  nodeName,
  taintToleration,
  nodeAffinity,
  nodePorts,
  nodeResourcesFit,
  volumeRestrictions,
  volumeBinding,
  volumeZone,
  spreading,
  interPodAffinity,
]
const scorers: readonly ScorePlugin[] = [
  nodeResourcesFit,
  balancedAllocation,
  imageLocality,
  nodeAffinity,
  taintToleration,
  spreading,
  interPodAffinity,
]
const BURST = 200
const NAME = 'default-scheduler'
const KEY = 'queue'
const BUDGETS = 'poddisruptionbudgets.policy'

/** Whoever else schedules says so here, and renews it. */
const LEASE = ['leases.coordination.k8s.io', 'kube-system', 'kube-scheduler'] as const

interface View {
  pending: KObject[]
  /** Until when another scheduler has the pods, ms; 0 when there is none. */
  others: number
  nodes: { node: KObject; pods: KObject[] }[]
  budgets: KObject[]
  world: World
}

type Placement = { node: NodeInfo } | { reasons: string; resolvable: NodeInfo[]; nodes: number }

function misfitOf(pod: KObject, info: NodeInfo, context: SchedulingContext): Misfit | undefined {
  for (const f of filters) {
    const misfit = f.filter(pod, info, context)
    if (misfit) return misfit
  }
  return undefined
}

/** So many nodes that fit are enough to choose from: the larger the cluster, the smaller their share. As kube-scheduler's percentageOfNodesToScore. */
const enough = (nodes: number): number => Math.max(100, Math.floor((nodes * Math.max(5, 50 - nodes / 125)) / 100))

/** Where a pod goes, or why nowhere. Nodes are looked at from `start` on. */
export function place(pod: KObject, context: SchedulingContext, start = 0): Placement {
  const { nodes } = context
  const feasible: NodeInfo[] = []
  const reasons = new Map<string, number>()
  const resolvable: NodeInfo[] = []
  const limit = enough(nodes.length)
  for (let i = 0; i < nodes.length && feasible.length < limit; i++) {
    const info = nodes[(start + i) % nodes.length]!
    const misfit = misfitOf(pod, info, context)
    if (!misfit) feasible.push(info)
    else {
      if (!misfit.unresolvable) resolvable.push(info)
      for (const r of misfit.reasons) reasons.set(r, misfit.anywhere ? 0 : (reasons.get(r) ?? 0) + 1)
    }
  }
  if (!feasible.length) {
    const list = [...reasons].map(([r, n]) => (n ? `${n} ${r}` : r)).sort()
    return { reasons: list.join(', '), resolvable, nodes: nodes.length }
  }
  const totals = feasible.map(() => 0)
  for (const s of scorers) {
    const raw = feasible.map((info) => s.score(pod, info, context))
    const scores = s.normalize ? s.normalize(raw) : raw
    for (const [i, score] of scores.entries()) totals[i]! += score * s.weight
  }
  // Of equals, the one with the fewest pods, then by name: the same view places alike.
  const before = (a: number, b: number): boolean => {
    if (totals[a] !== totals[b]) return totals[a]! > totals[b]!
    const [x, y] = [feasible[a]!, feasible[b]!]
    return x.pods.length === y.pods.length ? x.node.metadata.name < y.node.metadata.name : x.pods.length < y.pods.length
  }
  let best = 0
  for (let i = 1; i < feasible.length; i++) if (before(i, best)) best = i
  return { node: feasible[best]! }
}

/** kube-scheduler's words for a pod that fits nowhere. */
export function unschedulableMessage(pod: KObject, { reasons, resolvable, nodes }: Exclude<Placement, { node: NodeInfo }>): string {
  if (!nodes) return 'no nodes available to schedule pods'
  const head = `0/${nodes} nodes are available`
  const helpless = nodes - resolvable.length
  const detail = [
    ...(resolvable.length ? [`${resolvable.length} No preemption victims found for incoming pod`] : []),
    ...(helpless ? [`${helpless} Preemption is not helpful for scheduling`] : []),
  ].join(', ')
  const preemption = pod.spec.preemptionPolicy === 'Never' ? 'not eligible due to preemptionPolicy=Never.' : `${head}: ${detail}.`
  return `${head}: ${reasons}. preemption: ${preemption}`
}

/** One look at the queue. */
class Round {
  readonly writes: Write[] = []
  readonly #view: View
  readonly #infos: NodeInfo[]
  readonly #now: number
  /** Another node is the first to be looked at each time, so that all get their turn. */
  #start = 0
  constructor(view: View, now: number) {
    this.#view = view
    this.#infos = view.nodes.map(({ node, pods }) => nodeInfo(node, pods))
    this.#now = now
  }

  schedule(pod: KObject): void {
    const context = contextOf(this.#infos, this.#view.world)
    const placement = place(pod, context, this.#start++)
    if ('node' in placement) {
      const node = placement.node.node.metadata.name
      assume(placement.node, { ...pod, spec: { ...pod.spec, nodeName: node } })
      if (this.#bindVolumes(pod, placement.node, context)) return
      this.writes.push({ verb: 'bind', pod, node })
      this.#tell(pod, 'Normal', 'Scheduled', `Successfully assigned ${keyOf(pod)} to ${node}`)
      return
    }
    const nominated = this.#infos.find((i) => i.node.metadata.name === pod.status?.nominatedNodeName)
    if (nominated && awaitsVictims(pod, nominated)) {
      // Its place is kept for it while they go.
      assume(nominated, pod)
      return
    }
    const fits = (info: NodeInfo, trial: NodeInfo) => {
      const nodes = this.#infos.map((i) => (i === info ? trial : i))
      return !misfitOf(pod, trial, contextOf(nodes, this.#view.world))
    }
    const chosen = preempt(pod, placement.resolvable, this.#view.budgets, fits)
    const message = chosen ? `0/${placement.nodes} nodes are available: ${placement.reasons}.` : unschedulableMessage(pod, placement)
    if (chosen) this.#evict(pod, chosen)
    const name = chosen?.info.node.metadata.name
    const before = condition(pod, 'PodScheduled')
    if (before?.status === 'False' && before.message === message && pod.status?.nominatedNodeName === name) return
    const { nominatedNodeName: _, ...status } = pod.status ?? {}
    const conditions = withCondition(
      pod.status?.conditions,
      { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message },
      timeString(this.#now),
    )
    const next = { ...status, conditions, ...(name ? { nominatedNodeName: name } : {}) }
    this.writes.push({ verb: 'update', resource: 'pods', object: { ...pod, status: next }, part: 'status' })
    this.#tell(pod, 'Warning', 'FailedScheduling', message)
  }

  /** Now that it is known where the pod will run, its claims get their volumes there. True while that is under way: the pod is bound after them. */
  #bindVolumes(pod: KObject, { node }: NodeInfo, context: SchedulingContext): boolean {
    const chosen = chosenVolumes(pod, node, context)
    for (const { claim, volume } of chosen)
      if (volume) {
        if (!volume.spec.claimRef) this.writes.push({ verb: 'update', resource: VOLUMES, object: withClaim(volume, claim) })
      } else if (claim.metadata.annotations?.[SELECTED_NODE] === undefined) {
        const annotations = { ...claim.metadata.annotations, [SELECTED_NODE]: node.metadata.name }
        this.writes.push({ verb: 'update', resource: CLAIMS, object: { ...claim, metadata: { ...claim.metadata, annotations } } })
      }
    return chosen.length > 0
  }

  #evict(pod: KObject, { info, victims }: Preemption): void {
    for (const v of victims) {
      if (v.metadata.deletionTimestamp) continue
      const why = `${NAME}: preempting to accommodate a higher priority pod`
      this.writes.push(disrupted(v, 'PreemptionByScheduler', why, this.#now))
      this.writes.push({ verb: 'delete', resource: 'pods', object: v })
      this.#tell(v, 'Normal', 'Preempted', `Preempted by pod ${pod.metadata.uid} on node ${info.node.metadata.name}`)
    }
    // Whoever comes after this pod finds its place taken.
    const left = nodeInfo(
      info.node,
      info.pods.filter((p) => !victims.includes(p)),
    )
    Object.assign(info, left)
    assume(info, pod)
  }

  #tell(pod: KObject, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.writes.push({ verb: 'event', about: { resource: 'pods', object: pod }, type, reason, message, component: NAME })
  }
}

function reconcile(_key: string, view: View, now: number): Result {
  // A kube-scheduler that somebody runs takes the place of this one, for as long as it holds its lease.
  if (view.others > now) return { writes: [], requeueAt: view.others }
  const queue = view.pending
    .filter((p) => !p.spec.schedulingGates?.length)
    .sort(
      (a, b) =>
        (b.spec.priority ?? 0) - (a.spec.priority ?? 0) ||
        Date.parse(a.metadata.creationTimestamp) - Date.parse(b.metadata.creationTimestamp),
    )
  const round = new Round(view, now)
  for (const pod of queue.slice(0, BURST)) round.schedule(pod)
  return { writes: round.writes, ...(queue.length > BURST && round.writes.length ? { requeueAt: now } : {}) }
}

const leaseEnd = (lease: KObject | undefined): number =>
  lease?.spec?.holderIdentity ? (Date.parse(lease.spec.renewTime ?? '') || 0) + (lease.spec.leaseDurationSeconds ?? 0) * 1000 : 0

const waits = (p: KObject) => !p.spec.nodeName && !p.metadata.deletionTimestamp && p.spec.schedulerName === NAME && !hasEnded(p)

export const scheduler: Controller<View> = {
  name: 'default-scheduler',
  all: () => [KEY],
  wakes: {
    pods: ({ old, new: now }) => {
      if (now && waits(now)) return !old || old.spec.schedulingGates?.length !== now.spec.schedulingGates?.length ? [KEY] : []
      // Somebody to be near to.
      if (now?.spec.nodeName && (!old?.spec.nodeName || !equal(old.metadata.labels, now.metadata.labels))) return [KEY]
      // Room was made.
      const ended = old?.spec.nodeName && (!now || (hasEnded(now) && !hasEnded(old)))
      return ended ? [KEY] : []
    },
    // Claims that have found their volumes, and volumes that were made.
    [CLAIMS]: ({ old, new: now }) => (now && now.status?.phase !== old?.status?.phase ? [KEY] : []),
    [VOLUMES]: ({ old, new: now }) => (now && !old ? [KEY] : []),
    [CLASSES]: ({ new: now }) => (now ? [KEY] : []),
    nodes: ({ old, new: now }) => {
      const relevant = (n: KObject | undefined) =>
        n && JSON.stringify([n.metadata.labels, n.spec?.taints, n.spec?.unschedulable, n.status?.allocatable])
      return now && relevant(old) !== relevant(now) ? [KEY] : []
    },
  },
  view: (_key, reader) => {
    const pending = reader.podsOn('').filter(waits)
    if (!pending.length) return undefined
    return {
      pending,
      others: leaseEnd(reader.get(...LEASE)),
      nodes: reader.list('nodes').map((node) => ({ node, pods: reader.podsOn(node.metadata.name) })),
      budgets: reader.list(BUDGETS),
      world: {
        namespaceLabels: (name) => reader.get('namespaces', '', name)?.metadata.labels ?? {},
        claim: (ns, name) => reader.get(CLAIMS, ns, name),
        volume: (name) => reader.get(VOLUMES, '', name),
        volumes: () => reader.list(VOLUMES),
        storageClass: (name) => reader.get(CLASSES, '', name),
      },
    }
  },
  reconcile,
}
