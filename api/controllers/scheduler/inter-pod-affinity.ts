// InterPodAffinity: which pods are to be near, and which far. What pods that are there already say of the new one counts as well.
import type { KObject } from '../../../shared/meta/object.ts'
import { fromLabelSelector, matches, type Selector } from '../../../shared/meta/selector.ts'
import { type FilterPlugin, isPicky, type NodeInfo, type SchedulingContext, type ScorePlugin, type Tally } from './types.ts'

const NAME = 'InterPodAffinity'

type LabelsOf = (namespace: string) => Record<string, string>

interface Term {
  key: string
  weight: number
  matches: (p: KObject, labelsOf: LabelsOf) => boolean
}

/** What a pod says of others. */
interface Wants {
  near: Term[]
  far: Term[]
  rather: Term[]
  ratherNot: Term[]
}

/** Labels of the pod's own that a term wants to be the same, or another. */
function byKeys(owner: KObject, keys: string[] | undefined, operator: 'in' | 'notin'): Selector {
  return (keys ?? []).flatMap((key) => {
    const value = owner.metadata.labels?.[key]
    return value === undefined ? [] : [{ key, operator, values: [value] }]
  })
}

function termOf(owner: KObject, t: any, weight = 1): Term {
  const selector = t.labelSelector && [
    ...fromLabelSelector(t.labelSelector),
    ...byKeys(owner, t.matchLabelKeys, 'in'),
    ...byKeys(owner, t.mismatchLabelKeys, 'notin'),
  ]
  const byName = new Set<string>(t.namespaces ?? [])
  const byLabels = t.namespaceSelector && fromLabelSelector(t.namespaceSelector)
  if (!byName.size && !byLabels) byName.add(owner.metadata.namespace!)
  const inNamespace = (ns: string, labelsOf: LabelsOf) => byName.has(ns) || (!!byLabels && matches(byLabels, labelsOf(ns)))
  return {
    key: t.topologyKey,
    weight,
    matches: (p, labelsOf) => !!selector && inNamespace(p.metadata.namespace!, labelsOf) && matches(selector, p.metadata.labels),
  }
}

const read = new WeakMap<KObject, Wants>()
function wantsOf(p: KObject): Wants {
  let found = read.get(p)
  if (!found) {
    const { podAffinity, podAntiAffinity } = p.spec.affinity ?? {}
    const required = (a: any) => (a?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map((t: any) => termOf(p, t))
    const preferred = (a: any) =>
      (a?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map((t: any) => termOf(p, t.podAffinityTerm, t.weight))
    found = {
      near: required(podAffinity),
      far: required(podAntiAffinity),
      rather: preferred(podAffinity),
      ratherNot: preferred(podAntiAffinity),
    }
    read.set(p, found)
  }
  return found
}

const place = (key: string, value: string) => `${key}=${value}`
const placeOf = ({ node }: NodeInfo, key: string): string | undefined => {
  const value = node.metadata.labels?.[key]
  return value === undefined ? undefined : place(key, value)
}

/** Counts by place. */
class Places implements Tally {
  readonly at = new Map<string, number>()
  readonly pod: Tally['pod']
  constructor(count: (p: KObject, add: (key: string, n: number) => void) => void) {
    this.pod = (info, p) =>
      count(p, (key, n) => {
        const at = placeOf(info, key)
        if (at !== undefined) this.at.set(at, (this.at.get(at) ?? 0) + n)
      })
  }
}

/** The same for pods of which others say the same, and which say the same of others. */
const idOf = (pod: KObject, { args }: SchedulingContext): string => {
  const { podAffinity, podAntiAffinity } = pod.spec.affinity ?? {}
  return JSON.stringify([NAME, pod.metadata.namespace, pod.metadata.labels, podAffinity, podAntiAffinity, args.hardPodAffinityWeight])
}

interface Counts extends Wants {
  /** Where pods are that all of the terms speak of. */
  nearAt: Map<string, number>
  farAt: Map<string, number>
  /** Where pods are that do not want this one. */
  unwanted: Map<string, number>
  /** It may be the first of those that want each other. */
  first: boolean
}

const nowhere: ReadonlyMap<string, number> = new Map()

function count(pod: KObject, context: SchedulingContext): Counts {
  const wants = wantsOf(pod)
  const { near, far } = wants
  const labelsOf = context.world.namespaceLabels
  const id = context.once(`${NAME} id`, () => idOf(pod, context))
  const counted = (what: string, wanted: boolean, each: ConstructorParameters<typeof Places>[0], of?: 'picky'): Map<string, number> =>
    wanted ? context.tally(`${what} ${id}`, () => new Places(each), of).at : (nowhere as Map<string, number>)
  const nearAt = counted('near', near.length > 0, (p, add) => {
    if (near.every((t) => t.matches(p, labelsOf))) for (const t of near) add(t.key, 1)
  })
  const farAt = counted('far', far.length > 0, (p, add) => {
    for (const t of far) if (t.matches(p, labelsOf)) add(t.key, 1)
  })
  const unwanted = counted(
    'unwanted',
    context.picky,
    (p, add) => {
      for (const t of wantsOf(p).far) if (t.matches(pod, labelsOf)) add(t.key, 1)
    },
    'picky',
  )
  return { ...wants, nearAt, farAt, unwanted, first: !nearAt.size && near.every((t) => t.matches(pod, labelsOf)) }
}

/** What speaks for each place, and against it. */
function scores(pod: KObject, context: SchedulingContext): Map<string, number>[] {
  const { rather, ratherNot } = wantsOf(pod)
  const { args, world } = context
  const labelsOf = world.namespaceLabels
  const id = context.once(`${NAME} id`, () => idOf(pod, context))
  const out: Map<string, number>[] = []
  if (rather.length || ratherNot.length) {
    const own = () =>
      new Places((p, add) => {
        for (const t of rather) if (t.matches(p, labelsOf)) add(t.key, t.weight)
        for (const t of ratherNot) if (t.matches(p, labelsOf)) add(t.key, -t.weight)
      })
    out.push(context.tally(`rather ${id}`, own).at)
  }
  if (context.picky) {
    const theirs = () =>
      new Places((p, add) => {
        const said = wantsOf(p)
        for (const t of said.near) if (t.matches(pod, labelsOf)) add(t.key, args.hardPodAffinityWeight)
        if (args.ignorePreferredTermsOfExistingPods && !rather.length && !ratherNot.length) return
        for (const t of said.rather) if (t.matches(pod, labelsOf)) add(t.key, t.weight)
        for (const t of said.ratherNot) if (t.matches(pod, labelsOf)) add(t.key, -t.weight)
      })
    out.push(context.tally(`liked ${id}`, theirs, 'picky').at)
  }
  return out.filter((at) => at.size)
}

export const interPodAffinity: FilterPlugin & ScorePlugin = {
  name: NAME,
  weight: 2,
  concerns: (pod, context) => context.picky || isPicky(pod),
  filter: (pod, info, context) => {
    const c = context.once(NAME, () => count(pod, context))
    const has = (t: Term) => placeOf(info, t.key) !== undefined
    const met = c.near.every((t) => has(t) && (c.first || (c.nearAt.get(placeOf(info, t.key)!) ?? 0) > 0))
    if (!met) return { reasons: ["node(s) didn't match pod affinity rules"], unresolvable: true }
    if (c.far.some((t) => has(t) && (c.farAt.get(placeOf(info, t.key)!) ?? 0) > 0))
      return { reasons: ["node(s) didn't match pod anti-affinity rules"] }
    if (!c.unwanted.size) return undefined
    const { labels } = info.node.metadata
    for (const k in labels)
      if ((c.unwanted.get(place(k, labels[k]!)) ?? 0) > 0) return { reasons: ["node(s) didn't satisfy existing pods anti-affinity rules"] }
    return undefined
  },
  score: (pod, info, context) => {
    let sum = 0
    const { labels } = info.node.metadata
    for (const at of context.once(`${NAME} scores`, () => scores(pod, context)))
      for (const k in labels) sum += at.get(place(k, labels[k]!)) ?? 0
    return sum
  },
  normalize: (raw) => {
    const [min, max] = [Math.min(...raw), Math.max(...raw)]
    return raw.map((s) => (max > min ? ((s - min) * 100) / (max - min) : 0))
  },
}
