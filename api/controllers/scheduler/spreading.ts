// PodTopologySpread: pods of a kind evenly over nodes, zones, or whatever labels tell apart. Pods that ask for nothing are spread a little, too.
import { controllerOf, type KObject } from '../../../shared/meta/object.ts'
import { fromLabelSelector, matches } from '../../../shared/meta/selector.ts'
import { tolerates } from '../../../shared/meta/taints.ts'
import { nodeAffinity } from './node-affinity.ts'
import type { FilterPlugin, NodeInfo, SchedulingContext, ScorePlugin } from './types.ts'

const NAME = 'PodTopologySpread'
const HOST = 'kubernetes.io/hostname'
const ZONE = 'topology.kubernetes.io/zone'

interface Constraint {
  key: string
  maxSkew: number
  minDomains: number
  /** How many of a node's pods count. */
  countOn: (info: NodeInfo) => number
  /** Whether the pod itself will. */
  self: boolean
  /** Whether a node takes part. */
  includes: (info: NodeInfo) => boolean
}

function constraintOf(pod: KObject, c: any, context: SchedulingContext): Constraint {
  const selector = c.labelSelector && [
    ...fromLabelSelector(c.labelSelector),
    ...(c.matchLabelKeys ?? []).flatMap((key: string) => {
      const value = pod.metadata.labels?.[key]
      return value === undefined ? [] : [{ key, operator: 'in' as const, values: [value] }]
    }),
  ]
  const { namespace } = pod.metadata
  const bears = ({ node }: NodeInfo) =>
    (node.spec?.taints ?? []).every(
      (t: any) => t.effect === 'PreferNoSchedule' || (pod.spec.tolerations ?? []).some((x: any) => tolerates(x, t)),
    )
  return {
    key: c.topologyKey,
    maxSkew: c.maxSkew,
    minDomains: c.minDomains ?? 1,
    countOn: (info) => (selector ? count(info, (p) => p.metadata.namespace === namespace && matches(selector, p.metadata.labels)) : 0),
    self: !!selector && matches(selector, pod.metadata.labels),
    includes: (info) =>
      (c.nodeAffinityPolicy === 'Ignore' || !nodeAffinity.filter(pod, info, context)) && (c.nodeTaintsPolicy !== 'Honor' || bears(info)),
  }
}

/** Pods that are on their way out count for nothing. */
const count = (info: NodeInfo, is: (p: KObject) => boolean): number =>
  info.pods.reduce((n, p) => (!p.metadata.deletionTimestamp && is(p) ? n + 1 : n), 0)

/** Pods of the same owner, or with the same labels where they have none. */
function alike(pod: KObject): Constraint['countOn'] {
  const owner = controllerOf(pod)?.uid
  if (owner !== undefined) return (info) => info.owners.get(owner) ?? 0
  const { namespace } = pod.metadata
  const labels = Object.entries(pod.metadata.labels ?? {})
  return (info) =>
    labels.length ? count(info, (p) => p.metadata.namespace === namespace && labels.every(([k, v]) => p.metadata.labels?.[k] === v)) : 0
}

/** What kube-scheduler wishes for pods without a wish of their own. */
const defaults = (pod: KObject): Constraint[] =>
  [
    { key: HOST, maxSkew: 3 },
    { key: ZONE, maxSkew: 5 },
  ].map((c) => ({ ...c, minDomains: 1, countOn: alike(pod), self: true, includes: () => true }))

const labelOf = ({ node }: NodeInfo, key: string): string | undefined => node.metadata.labels?.[key]

interface Spread {
  constraint: Constraint
  /** Pods that count, by the label's value. */
  at: Map<string, number>
  fewest: number
}

/** Pods that count, by the label's value, over the nodes that take part. */
function counted(
  constraint: Constraint,
  { nodes }: SchedulingContext,
  partOf: (info: NodeInfo) => boolean = () => true,
): Map<string, number> {
  const at = new Map<string, number>()
  for (const info of nodes) {
    const value = labelOf(info, constraint.key)
    if (value === undefined || !partOf(info) || !constraint.includes(info)) continue
    at.set(value, (at.get(value) ?? 0) + constraint.countOn(info))
  }
  return at
}

function spreadOf(constraint: Constraint, all: Constraint[], context: SchedulingContext): Spread {
  // A node without the label of any constraint is of no domain.
  const at = counted(constraint, context, (info) => all.every((c) => labelOf(info, c.key) !== undefined))
  const fewest = at.size < constraint.minDomains || !at.size ? 0 : Math.min(...at.values())
  return { constraint, at, fewest }
}

function hard(pod: KObject, context: SchedulingContext): Spread[] {
  const own: any[] = pod.spec.topologySpreadConstraints ?? []
  const all = own.filter((c) => c.whenUnsatisfiable === 'DoNotSchedule').map((c) => constraintOf(pod, c, context))
  return all.map((c) => spreadOf(c, all, context))
}

interface Wish {
  constraint: Constraint
  at: Map<string, number>
  weight: number
}

function wishes(pod: KObject, context: SchedulingContext): Wish[] {
  const own: any[] = pod.spec.topologySpreadConstraints ?? []
  const all = own.length
    ? own.filter((c) => c.whenUnsatisfiable === 'ScheduleAnyway').map((c) => constraintOf(pod, c, context))
    : defaults(pod)
  return all.map((constraint) => {
    const at = counted(constraint, context)
    // The more domains there are, the more a pod in one of them weighs.
    return { constraint, at, weight: Math.log(at.size + 2) }
  })
}

export const spreading: FilterPlugin & ScorePlugin = {
  name: NAME,
  weight: 2,
  filter: (pod, info, context) => {
    for (const { constraint, at, fewest } of context.once(NAME, () => hard(pod, context))) {
      const value = labelOf(info, constraint.key)
      if (value === undefined)
        return { reasons: ["node(s) didn't match pod topology spread constraints (missing required label)"], unresolvable: true }
      if ((at.get(value) ?? 0) + (constraint.self ? 1 : 0) - fewest > constraint.maxSkew)
        return { reasons: ["node(s) didn't match pod topology spread constraints"] }
    }
    return undefined
  },
  score: (pod, info, context) =>
    context
      .once(`${NAME} scores`, () => wishes(pod, context))
      .reduce((n, { constraint, at, weight }) => {
        const value = labelOf(info, constraint.key)
        return value === undefined ? n : n + (at.get(value) ?? 0) * weight + constraint.maxSkew - 1
      }, 0),
  normalize: (raw) => {
    const [min, max] = [Math.min(...raw), Math.max(...raw)]
    return raw.map((s) => (max ? ((max + min - s) * 100) / max : 100))
  },
}
