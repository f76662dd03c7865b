// The scheduler: takes the waiting pods by priority and age, filters and scores the nodes, binds; says in kube-scheduler's words why a pod fits nowhere.
// One look places many pods: each counts against the nodes for those after it.

import { condition } from '../../../shared/meta/conditions.ts'
import { type KObject, keyOf, timeString } from '../../../shared/meta/object.ts'
import type { Controller, Result, Write } from '../../engine/types.ts'
import { withCondition } from '../pods.ts'
import { nodeAffinity } from './node-affinity.ts'
import { nodeName, nodePorts } from './node-name-ports.ts'
import { balancedAllocation, nodeResourcesFit } from './node-resources.ts'
import { spreading } from './spreading.ts'
import { nodeUnschedulable, taintToleration } from './taint-toleration.ts'
import { assume, type FilterPlugin, type NodeInfo, nodeInfo, type ScorePlugin } from './types.ts'

const filters: readonly FilterPlugin[] = [nodeUnschedulable, nodeName, taintToleration, nodeAffinity, nodePorts, nodeResourcesFit]
const scorers: readonly ScorePlugin[] = [nodeResourcesFit, balancedAllocation, nodeAffinity, taintToleration, spreading]
const BURST = 200
const NAME = 'default-scheduler'
const KEY = 'queue'

interface View {
  pending: KObject[]
  nodes: { node: KObject; pods: KObject[] }[]
}

type Placement = { node: NodeInfo } | { message: string }

/** Where a pod goes, or the message that tells why nowhere. */
export function place(pod: KObject, nodes: NodeInfo[]): Placement {
  const context = { nodes }
  const feasible: NodeInfo[] = []
  const reasons = new Map<string, number>()
  let resolvable = 0
  for (const info of nodes) {
    let misfit: ReturnType<FilterPlugin['filter']>
    for (const f of filters) {
      misfit = f.filter(pod, info, context)
      if (misfit) break
    }
    if (!misfit) feasible.push(info)
    else {
      if (!misfit.unresolvable) resolvable++
      for (const r of misfit.reasons) reasons.set(r, (reasons.get(r) ?? 0) + 1)
    }
  }
  if (!feasible.length) return { message: unschedulableMessage(nodes.length, reasons, resolvable) }
  const totals = feasible.map(() => 0)
  for (const s of scorers) {
    const raw = feasible.map((info) => s.score(pod, info, context))
    const scores = s.normalize ? s.normalize(raw) : raw
    for (const [i, score] of scores.entries()) totals[i]! += score * s.weight
  }
  // Of equals, the one with the fewest pods, then by name: the same view places alike.
  const best = feasible
    .map((info, i) => ({ info, total: totals[i]! }))
    .sort(
      (a, b) =>
        b.total - a.total || a.info.pods.length - b.info.pods.length || (a.info.node.metadata.name < b.info.node.metadata.name ? -1 : 1),
    )[0]!
  return { node: best.info }
}

function unschedulableMessage(nodes: number, reasons: Map<string, number>, resolvable: number): string {
  if (!nodes) return 'no nodes available to schedule pods'
  const list = [...reasons].map(([r, n]) => `${n} ${r}`).sort()
  const preemption = [
    ...(resolvable ? [`${resolvable} No preemption victims found for incoming pod`] : []),
    ...(nodes - resolvable ? [`${nodes - resolvable} Preemption is not helpful for scheduling`] : []),
  ]
  return `0/${nodes} nodes are available: ${list.join(', ')}. preemption: 0/${nodes} nodes are available: ${preemption.join(', ')}.`
}

function reconcile(_key: string, view: View, now: number): Result {
  const infos = view.nodes.map(({ node, pods }) => nodeInfo(node, pods))
  const queue = view.pending
    .filter((p) => !p.spec.schedulingGates?.length)
    .sort(
      (a, b) =>
        (b.spec.priority ?? 0) - (a.spec.priority ?? 0) ||
        Date.parse(a.metadata.creationTimestamp) - Date.parse(b.metadata.creationTimestamp),
    )
  const writes: Write[] = []
  for (const pod of queue.slice(0, BURST)) {
    const about = { resource: 'pods', object: pod }
    const placement = place(pod, infos)
    if ('node' in placement) {
      const node = placement.node.node.metadata.name
      assume(placement.node, { ...pod, spec: { ...pod.spec, nodeName: node } })
      writes.push({ verb: 'bind', pod, node })
      writes.push({
        verb: 'event',
        about,
        type: 'Normal',
        reason: 'Scheduled',
        message: `Successfully assigned ${keyOf(pod)} to ${node}`,
        component: NAME,
      })
      continue
    }
    const before = condition(pod, 'PodScheduled')
    if (before?.status === 'False' && before.message === placement.message) continue
    const conditions = withCondition(
      pod.status?.conditions,
      { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: placement.message },
      timeString(now),
    )
    writes.push({ verb: 'update', resource: 'pods', object: { ...pod, status: { ...pod.status, conditions } }, part: 'status' })
    writes.push({ verb: 'event', about, type: 'Warning', reason: 'FailedScheduling', message: placement.message, component: NAME })
  }
  return { writes, ...(queue.length > BURST && writes.length ? { requeueAt: now } : {}) }
}

const waits = (p: KObject) =>
  !p.spec.nodeName &&
  !p.metadata.deletionTimestamp &&
  p.spec.schedulerName === NAME &&
  p.status?.phase !== 'Succeeded' &&
  p.status?.phase !== 'Failed'

export const scheduler: Controller<View> = {
  name: 'default-scheduler',
  all: () => [KEY],
  wakes: {
    pods: ({ old, new: now }) => {
      if (now && waits(now)) return !old || old.spec.schedulingGates?.length !== now.spec.schedulingGates?.length ? [KEY] : []
      // Room was made.
      const ended =
        old?.spec.nodeName &&
        (!now || ((now.status?.phase === 'Succeeded' || now.status?.phase === 'Failed') && old.status?.phase !== now.status.phase))
      return ended ? [KEY] : []
    },
    nodes: ({ old, new: now }) => {
      const relevant = (n: KObject | undefined) =>
        n && JSON.stringify([n.metadata.labels, n.spec?.taints, n.spec?.unschedulable, n.status?.allocatable])
      return now && relevant(old) !== relevant(now) ? [KEY] : []
    },
  },
  view: (_key, reader) => {
    const pending = reader.list('pods').filter(waits)
    if (!pending.length) return undefined
    return { pending, nodes: reader.list('nodes').map((node) => ({ node, pods: reader.podsOn(node.metadata.name) })) }
  },
  reconcile,
}
