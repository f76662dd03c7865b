// Where a pod goes: nodes are filtered and scored; where none is left, why, in kube-scheduler's words.
import type { KObject } from '../../../shared/meta/object.ts'
import type { Profile } from './configuration.ts'
import { namedNodes } from './node-affinity.ts'
import type { Snapshot } from './snapshot.ts'
import {
  type FilterPlugin,
  hostPorts,
  type Local,
  type Misfit,
  type NodeInfo,
  podRequests,
  type SchedulingContext,
  type ScorePlugin,
} from './types.ts'

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

const MOST_SHAPES = 256
const MOST_KNOWN = 16
const shapes = new WeakMap<Profile, Map<string, object>>()

/** The same object for all pods that plugins which see but pod and node cannot tell apart. */
function shapeOf(pod: KObject, profile: Profile): object {
  const { nodeName, nodeSelector, affinity, tolerations } = pod.spec
  const key = JSON.stringify([podRequests(pod), hostPorts(pod), nodeName, nodeSelector, affinity?.nodeAffinity, tolerations])
  let known = shapes.get(profile)
  if (!known || known.size >= MOST_SHAPES) {
    known = new Map()
    shapes.set(profile, known)
  }
  let shape = known.get(key)
  if (!shape) {
    shape = {}
    known.set(key, shape)
  }
  return shape
}

/** A pod on its way to a node: the plugins that have a say, and what is known of pods like it. */
class Search {
  readonly #pod: KObject
  readonly #profile: Profile
  readonly #context: SchedulingContext
  readonly #shape: object
  readonly #near: FilterPlugin[]
  readonly #far: FilterPlugin[]
  readonly #scorers: readonly { plugin: ScorePlugin; weight: number; concerned: boolean }[]

  constructor(pod: KObject, profile: Profile, context: SchedulingContext) {
    this.#pod = pod
    this.#profile = profile
    this.#context = context
    this.#shape = shapeOf(pod, profile)
    const all = concerned(profile.filters, pod, context)
    this.#near = all.filter((f) => f.local)
    this.#far = all.filter((f) => !f.local)
    this.#scorers = profile.scorers.map((s) => ({ ...s, concerned: !s.plugin.concerns || s.plugin.concerns(pod, context) }))
  }

  #local(info: NodeInfo): Local {
    let local = info.known?.get(this.#shape)
    if (!local) {
      const refused = misfitOf(this.#pod, info, this.#near, this.#context)
      local = refused ? { refused: [refused[0].name, refused[1]] } : {}
      if (!info.known || info.known.size >= MOST_KNOWN) info.known = new Map()
      info.known.set(this.#shape, local)
    }
    return local
  }

  /** Who refuses a node, and why. */
  refusal(info: NodeInfo): readonly [string, Misfit] | undefined {
    const { refused } = this.#local(info)
    if (refused) return refused
    const far = this.#far.length ? misfitOf(this.#pod, info, this.#far, this.#context) : undefined
    return far && [far[0].name, far[1]]
  }

  #score(info: NodeInfo, at: number): number {
    const { plugin } = this.#profile.scorers[at]!
    if (!plugin.local) return plugin.score(this.#pod, info, this.#context)
    const local = this.#local(info)
    local.scores ??= []
    local.scores[at] ??= plugin.score(this.#pod, info, this.#context)
    return local.scores[at]
  }

  /** The best of nodes that fit; of equals, the one with the fewest pods, then by name: the same view places alike. */
  best(feasible: NodeInfo[]): NodeInfo {
    if (feasible.length === 1) return feasible[0]!
    const totals = new Float64Array(feasible.length)
    for (const [at, { plugin, weight, concerned }] of this.#scorers.entries()) {
      if (!concerned) continue
      const raw = feasible.map((info) => this.#score(info, at))
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
  const search = new Search(pod, profile, context)
  let looked = 0
  for (; looked < nodes.length && feasible.length < limit; looked++) {
    const info = nodes[(start + looked) % nodes.length]!
    const refused = search.refusal(info)
    if (!refused) {
      feasible.push(info)
      continue
    }
    const [name, misfit] = refused
    refusedBy.add(name)
    if (!misfit.unresolvable) resolvable.push(info)
    for (const r of misfit.reasons) reasons.set(r, misfit.anywhere ? 0 : (reasons.get(r) ?? 0) + 1)
  }
  if (feasible.length) return { node: search.best(feasible), looked }
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
