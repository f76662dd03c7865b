// PodTopologySpread: pods of a kind evenly over nodes, zones, or whatever labels tell apart. Pods that ask for nothing are spread a little, too.
import type { KObject } from '../../../shared/meta/object.ts'
import { fromLabelSelector, matches } from '../../../shared/meta/selector.ts'
import { tolerates } from '../../../shared/meta/taints.ts'
import { nodeAffinity } from './node-affinity.ts'
import { type FilterPlugin, HOST, kinOf, type NodeInfo, type SchedulingContext, type ScorePlugin, type Tally, ZONE } from './types.ts'

const NAME = 'PodTopologySpread'

interface Constraint {
  /** The same for all pods that count alike. */
  id: string
  key: string
  maxSkew: number
  minDomains: number
  /** Which pods count. */
  counts: (p: KObject) => boolean
  /** Whether the pod itself will. */
  self: boolean
  /** Whether a node takes part. */
  includes: (info: NodeInfo) => boolean
}

const labelOf = ({ node, host, zone }: NodeInfo, key: string): string | undefined => {
  if (key === HOST) return host
  return key === ZONE ? zone : node.metadata.labels?.[key]
}

/** Whether a pod bears a node's taints. */
const bears = (pod: KObject, { node }: NodeInfo): boolean =>
  (node.spec?.taints ?? []).every(
    (t: any) => t.effect === 'PreferNoSchedule' || (pod.spec.tolerations ?? []).some((x: any) => tolerates(x, t)),
  )

function constraintOf(pod: KObject, c: any, context: SchedulingContext): Constraint {
  const selector = c.labelSelector && [
    ...fromLabelSelector(c.labelSelector),
    ...(c.matchLabelKeys ?? []).flatMap((key: string) => {
      const value = pod.metadata.labels?.[key]
      return value === undefined ? [] : [{ key, operator: 'in' as const, values: [value] }]
    }),
  ]
  const { namespace } = pod.metadata
  const { nodeSelector, affinity, tolerations } = pod.spec
  return {
    id: JSON.stringify([namespace, selector, c, nodeSelector, affinity?.nodeAffinity, tolerations]),
    key: c.topologyKey,
    maxSkew: c.maxSkew,
    minDomains: c.minDomains ?? 1,
    counts: (p) => !!selector && p.metadata.namespace === namespace && matches(selector, p.metadata.labels),
    self: !!selector && matches(selector, pod.metadata.labels),
    includes: (info) =>
      (c.nodeAffinityPolicy === 'Ignore' || !nodeAffinity.filter(pod, info, context)) &&
      (c.nodeTaintsPolicy !== 'Honor' || bears(pod, info)),
  }
}

/** Pods that count, by the label's value, over the nodes that take part. */
class Spread implements Tally {
  readonly at = new Map<string, number>()
  readonly #constraint: Constraint
  readonly #keys: string[]
  readonly #partOf = new Map<KObject, boolean>()

  /** A node without the labels of all `keys` is of no domain. */
  constructor(constraint: Constraint, keys: string[]) {
    this.#constraint = constraint
    this.#keys = keys
  }
  node(info: NodeInfo): void {
    const takesPart = this.#keys.every((k) => labelOf(info, k) !== undefined) && this.#constraint.includes(info)
    this.#partOf.set(info.node, takesPart)
    const value = labelOf(info, this.#constraint.key)
    if (takesPart && value !== undefined && !this.at.has(value)) this.at.set(value, 0)
  }
  pod(info: NodeInfo, p: KObject): void {
    // Pods that are on their way out count for nothing.
    if (p.metadata.deletionTimestamp || !this.#partOf.get(info.node) || !this.#constraint.counts(p)) return
    const value = labelOf(info, this.#constraint.key)!
    this.at.set(value, this.at.get(value)! + 1)
  }
}

const spreadOf = (constraint: Constraint, keys: string[], context: SchedulingContext): Spread =>
  context.tally(`${NAME} ${keys} ${constraint.id}`, () => new Spread(constraint, keys))

interface Hard {
  constraint: Constraint
  at: Map<string, number>
  fewest: number
}

function hard(pod: KObject, context: SchedulingContext): Hard[] {
  const own: any[] = pod.spec.topologySpreadConstraints ?? []
  const all = own.filter((c) => c.whenUnsatisfiable === 'DoNotSchedule').map((c) => constraintOf(pod, c, context))
  const keys = all.map((c) => c.key)
  return all.map((constraint) => {
    const { at } = spreadOf(constraint, keys, context)
    let fewest = at.size < constraint.minDomains || !at.size ? 0 : Number.POSITIVE_INFINITY
    if (fewest) for (const n of at.values()) if (n < fewest) fewest = n
    return { constraint, at, fewest }
  })
}

interface Wish {
  maxSkew: number
  weight: number
  /** How many count where the node is; undefined for a node that is of no domain. */
  at: (info: NodeInfo) => number | undefined
}

/** The more domains there are, the more a pod in one of them weighs. */
const weightOf = (domains: number) => Math.log(domains + 2)

function wish(constraint: Constraint, context: SchedulingContext): Wish {
  const { at } = spreadOf(constraint, [constraint.key], context)
  return {
    maxSkew: constraint.maxSkew,
    weight: weightOf(at.size),
    at: (info) => {
      const value = labelOf(info, constraint.key)
      return value === undefined ? undefined : (at.get(value) ?? 0)
    },
  }
}

/** What kube-scheduler wishes for pods without a wish of their own: its kin over nodes and zones. */
function builtIn(pod: KObject, context: SchedulingContext): Wish[] {
  const kin = kinOf(pod)
  if (!kin) return []
  const counts = (p: KObject) => kinOf(p) === kin
  const zones = { id: `kin ${kin}`, key: ZONE, maxSkew: 5, minDomains: 1, counts, self: true, includes: () => true }
  const hosts = { maxSkew: 3, weight: weightOf(context.nodes.length) }
  return [{ ...hosts, at: (info) => (labelOf(info, HOST) === undefined ? undefined : (info.kin.get(kin) ?? 0)) }, wish(zones, context)]
}

/** Those of the profile, for pods that are like this one. */
const ofProfile = (pod: KObject, constraints: any[], context: SchedulingContext): Wish[] => {
  const kin = kinOf(pod)
  const alike = (c: any): Constraint => ({
    ...constraintOf(pod, c, context),
    id: `${c.topologyKey} kin ${kin}`,
    counts: (p) => kinOf(p) === kin,
    self: true,
  })
  return kin ? constraints.map((c) => wish(alike(c), context)) : []
}

function wishes(pod: KObject, context: SchedulingContext): Wish[] {
  const own: any[] = pod.spec.topologySpreadConstraints ?? []
  if (own.length)
    return own.filter((c) => c.whenUnsatisfiable === 'ScheduleAnyway').map((c) => wish(constraintOf(pod, c, context), context))
  return context.args.spreading ? ofProfile(pod, context.args.spreading, context) : builtIn(pod, context)
}

export const spreading: FilterPlugin & ScorePlugin = {
  name: NAME,
  weight: 2,
  filter: (pod, info, context) => {
    if (!pod.spec.topologySpreadConstraints?.length) return undefined
    for (const { constraint, at, fewest } of context.once(NAME, () => hard(pod, context))) {
      const value = labelOf(info, constraint.key)
      if (value === undefined)
        return { reasons: ["node(s) didn't match pod topology spread constraints (missing required label)"], unresolvable: true }
      if ((at.get(value) ?? 0) + (constraint.self ? 1 : 0) - fewest > constraint.maxSkew)
        return { reasons: ["node(s) didn't match pod topology spread constraints"] }
    }
    return undefined
  },
  score: (pod, info, context) => {
    let sum = 0
    for (const w of context.once(`${NAME} scores`, () => wishes(pod, context))) {
      const n = w.at(info)
      if (n !== undefined) sum += n * w.weight + w.maxSkew - 1
    }
    return sum
  },
  normalize: (raw) => {
    let [min, max] = [Number.POSITIVE_INFINITY, 0]
    for (const s of raw) {
      if (s < min) min = s
      if (s > max) max = s
    }
    return raw.map((s) => (max ? ((max + min - s) * 100) / max : 100))
  },
}
