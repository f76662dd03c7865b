// Where a pod goes: nodes are filtered and scored; where none is left, why, in kube-scheduler's words.
import type { KObject } from '../../../shared/meta/object.ts'
import type { Profile } from './configuration.ts'
import { namedNodes } from './node-affinity.ts'
import type { Snapshot } from './snapshot.ts'
import type { FilterPlugin, Misfit, NodeInfo, SchedulingContext } from './types.ts'

export interface Misplacement {
  reasons: string
  /** Nodes where it might help that pods leave. */
  resolvable: NodeInfo[]
  nodes: number
  /** The plugins that refused nodes. */
  refusedBy: Set<string>
}
export type Placement = { node: NodeInfo; looked: number } | Misplacement

const NOT_NAMED = "node(s) didn't satisfy plugin(s) [NodeAffinity]"

const concerned = <P extends { concerns?: FilterPlugin['concerns'] }>(
  plugins: readonly P[],
  pod: KObject,
  context: SchedulingContext,
): P[] => plugins.filter((p) => !p.concerns || p.concerns(pod, context))

function misfitOf(
  pod: KObject,
  info: NodeInfo,
  filters: readonly FilterPlugin[],
  context: SchedulingContext,
): [FilterPlugin, Misfit] | undefined {
  for (const f of filters) {
    const misfit = f.filter(pod, info, context)
    if (misfit) return [f, misfit]
  }
  return undefined
}

/** Whether a pod may go to a node. */
export const fits = (pod: KObject, info: NodeInfo, filters: readonly FilterPlugin[], context: SchedulingContext): boolean =>
  !misfitOf(pod, info, concerned(filters, pod, context), context)

/** So many nodes that fit are enough to choose from: the larger the cluster, the smaller their share, unless the profile says. */
const enough = (nodes: number, percentage: number | undefined): number =>
  Math.max(100, Math.floor((nodes * (percentage || Math.max(5, 50 - nodes / 125))) / 100))

/** The best of nodes that fit; of equals, the one with the fewest pods, then by name: the same view places alike. */
function best(pod: KObject, feasible: NodeInfo[], profile: Profile, context: SchedulingContext): NodeInfo {
  if (feasible.length === 1) return feasible[0]!
  const totals = feasible.map(() => 0)
  for (const { plugin, weight } of profile.scorers) {
    if (plugin.concerns && !plugin.concerns(pod, context)) continue
    const raw = feasible.map((info) => plugin.score(pod, info, context))
    const scores = plugin.normalize ? plugin.normalize(raw) : raw
    for (let i = 0; i < scores.length; i++) totals[i]! += scores[i]! * weight
  }
  const before = (a: number, b: number): boolean => {
    if (totals[a] !== totals[b]) return totals[a]! > totals[b]!
    const [x, y] = [feasible[a]!, feasible[b]!]
    return x.pods.length === y.pods.length ? x.node.metadata.name < y.node.metadata.name : x.pods.length < y.pods.length
  }
  let at = 0
  for (let i = 1; i < feasible.length; i++) if (before(i, at)) at = i
  return feasible[at]!
}

/** Where a pod goes, or why nowhere. Nodes are looked at from `start` on; `looked` says how many were. */
export function place(pod: KObject, snapshot: Snapshot, profile: Profile, start = 0): Placement {
  const context = snapshot.context(profile.args)
  const all = context.nodes
  const names = namedNodes(pod)
  const nodes = names ? names.flatMap((n) => snapshot.find(n) ?? []) : all
  const feasible: NodeInfo[] = []
  const reasons = new Map<string, number>()
  const refusedBy = new Set<string>()
  const resolvable: NodeInfo[] = []
  const limit = enough(all.length, profile.percentageOfNodesToScore)
  const filters = concerned(profile.filters, pod, context)
  let looked = 0
  for (; looked < nodes.length && feasible.length < limit; looked++) {
    const info = nodes[(start + looked) % nodes.length]!
    const refused = misfitOf(pod, info, filters, context)
    if (!refused) {
      feasible.push(info)
      continue
    }
    const [{ name }, misfit] = refused
    refusedBy.add(name)
    if (!misfit.unresolvable) resolvable.push(info)
    for (const r of misfit.reasons) reasons.set(r, misfit.anywhere ? 0 : (reasons.get(r) ?? 0) + 1)
  }
  if (feasible.length) return { node: best(pod, feasible, profile, context), looked }
  if (nodes.length < all.length) {
    reasons.set(NOT_NAMED, all.length - nodes.length)
    refusedBy.add('NodeAffinity')
  }
  const list = [...reasons].map(([r, n]) => (n ? `${n} ${r}` : r)).sort()
  return { reasons: list.join(', '), resolvable, nodes: all.length, refusedBy }
}

/** kube-scheduler's words for a pod that fits nowhere. */
export function unschedulableMessage(pod: KObject, { reasons, resolvable, nodes }: Misplacement): string {
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
