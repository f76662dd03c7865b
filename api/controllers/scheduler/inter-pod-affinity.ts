// InterPodAffinity: which pods are to be near, and which far. What pods that are there already say of the new one counts as well.
import type { KObject } from '../../../shared/meta/object.ts'
import { fromLabelSelector, matches, type Selector } from '../../../shared/meta/selector.ts'
import type { FilterPlugin, NodeInfo, SchedulingContext, ScorePlugin } from './types.ts'

const NAME = 'InterPodAffinity'
/** What a required term of a pod that is there weighs in favour of a new one that it speaks of. */
const HARD_WEIGHT = 1

interface Term {
  key: string
  matches: (p: KObject) => boolean
}

/** Labels of the pod's own that a term wants to be the same, or another. */
function byKeys(owner: KObject, keys: string[] | undefined, operator: 'in' | 'notin'): Selector {
  return (keys ?? []).flatMap((key) => {
    const value = owner.metadata.labels?.[key]
    return value === undefined ? [] : [{ key, operator, values: [value] }]
  })
}

function termOf(owner: KObject, t: any, context: SchedulingContext): Term {
  const selector = t.labelSelector && [
    ...fromLabelSelector(t.labelSelector),
    ...byKeys(owner, t.matchLabelKeys, 'in'),
    ...byKeys(owner, t.mismatchLabelKeys, 'notin'),
  ]
  const byName = new Set<string>(t.namespaces ?? [])
  const byLabels = t.namespaceSelector && fromLabelSelector(t.namespaceSelector)
  if (!byName.size && !byLabels) byName.add(owner.metadata.namespace!)
  const inNamespace = (ns: string) => byName.has(ns) || (!!byLabels && matches(byLabels, context.world.namespaceLabels(ns)))
  return { key: t.topologyKey, matches: (p) => !!selector && inNamespace(p.metadata.namespace!) && matches(selector, p.metadata.labels) }
}

const terms = (p: KObject, what: 'podAffinity' | 'podAntiAffinity', context: SchedulingContext): Term[] =>
  (p.spec.affinity?.[what]?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map((t: any) => termOf(p, t, context))
const preferred = (p: KObject, what: 'podAffinity' | 'podAntiAffinity', context: SchedulingContext): (Term & { weight: number })[] =>
  (p.spec.affinity?.[what]?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map((t: any) => ({
    ...termOf(p, t.podAffinityTerm, context),
    weight: t.weight,
  }))

const place = (key: string, value: string) => `${key}=${value}`
const placeOf = ({ node }: NodeInfo, key: string): string | undefined => {
  const value = node.metadata.labels?.[key]
  return value === undefined ? undefined : place(key, value)
}
const add = (to: Map<string, number>, at: string | undefined, n: number) => {
  if (at !== undefined) to.set(at, (to.get(at) ?? 0) + n)
}

interface Counts {
  near: Term[]
  far: Term[]
  /** Where pods are that all of the terms speak of. */
  nearAt: Map<string, number>
  farAt: Map<string, number>
  /** Where pods are that do not want this one. */
  unwanted: Map<string, number>
  /** It may be the first of those that want each other. */
  first: boolean
}

function count(pod: KObject, context: SchedulingContext): Counts {
  const near = terms(pod, 'podAffinity', context)
  const far = terms(pod, 'podAntiAffinity', context)
  const [nearAt, farAt, unwanted] = [new Map<string, number>(), new Map<string, number>(), new Map<string, number>()]
  for (const info of context.nodes) {
    if (near.length || far.length)
      for (const p of info.pods) {
        if (near.length && near.every((t) => t.matches(p))) for (const t of near) add(nearAt, placeOf(info, t.key), 1)
        for (const t of far) if (t.matches(p)) add(farAt, placeOf(info, t.key), 1)
      }
    for (const p of info.picky)
      for (const t of terms(p, 'podAntiAffinity', context)) if (t.matches(pod)) add(unwanted, placeOf(info, t.key), 1)
  }
  return { near, far, nearAt, farAt, unwanted, first: !nearAt.size && near.every((t) => t.matches(pod)) }
}

function scores(pod: KObject, context: SchedulingContext): Map<string, number> {
  const at = new Map<string, number>()
  const near = preferred(pod, 'podAffinity', context)
  const far = preferred(pod, 'podAntiAffinity', context)
  for (const info of context.nodes) {
    if (near.length || far.length)
      for (const p of info.pods) {
        for (const t of near) if (t.matches(p)) add(at, placeOf(info, t.key), t.weight)
        for (const t of far) if (t.matches(p)) add(at, placeOf(info, t.key), -t.weight)
      }
    for (const p of info.picky) {
      for (const t of terms(p, 'podAffinity', context)) if (t.matches(pod)) add(at, placeOf(info, t.key), HARD_WEIGHT)
      for (const t of preferred(p, 'podAffinity', context)) if (t.matches(pod)) add(at, placeOf(info, t.key), t.weight)
      for (const t of preferred(p, 'podAntiAffinity', context)) if (t.matches(pod)) add(at, placeOf(info, t.key), -t.weight)
    }
  }
  return at
}

export const interPodAffinity: FilterPlugin & ScorePlugin = {
  name: NAME,
  weight: 2,
  filter: (pod, info, context) => {
    const c = context.once(NAME, () => count(pod, context))
    const has = (t: Term) => placeOf(info, t.key) !== undefined
    const met = c.near.every((t) => has(t) && (c.first || (c.nearAt.get(placeOf(info, t.key)!) ?? 0) > 0))
    if (!met) return { reasons: ["node(s) didn't match pod affinity rules"], unresolvable: true }
    if (c.far.some((t) => has(t) && (c.farAt.get(placeOf(info, t.key)!) ?? 0) > 0))
      return { reasons: ["node(s) didn't match pod anti-affinity rules"] }
    const labels = Object.entries<string>(info.node.metadata.labels ?? {})
    if (c.unwanted.size && labels.some(([k, v]) => (c.unwanted.get(place(k, v)) ?? 0) > 0))
      return { reasons: ["node(s) didn't satisfy existing pods anti-affinity rules"] }
    return undefined
  },
  score: (pod, info, context) => {
    const at = context.once(`${NAME} scores`, () => scores(pod, context))
    if (!at.size) return 0
    return Object.entries<string>(info.node.metadata.labels ?? {}).reduce((n, [k, v]) => n + (at.get(place(k, v)) ?? 0), 0)
  },
  normalize: (raw) => {
    const [min, max] = [Math.min(...raw), Math.max(...raw)]
    return raw.map((s) => (max > min ? ((s - min) * 100) / (max - min) : 0))
  },
}
