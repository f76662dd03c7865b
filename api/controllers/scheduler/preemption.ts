// DefaultPreemption: a pod that fits nowhere may take the place of pods that matter less; as few of them as will do, and rather none that a budget guards.

import type { KObject } from '../../../shared/meta/object.ts'
import { fromLabelSelector, matches } from '../../../shared/meta/selector.ts'
import { type NodeInfo, nodeInfo } from './types.ts'

export interface Preemption {
  info: NodeInfo
  victims: KObject[]
}

interface Candidate extends Preemption {
  /** How many of them a budget would have kept. */
  violations: number
}

const priority = (p: KObject): number => p.spec.priority ?? 0
const startOf = (p: KObject): number => Date.parse(p.status?.startTime ?? p.metadata.creationTimestamp) || 0
/** Those that matter most first, of equals those that have run longest. */
const byImportance = (a: KObject, b: KObject) => priority(b) - priority(a) || startOf(a) - startOf(b)

/** Which of these pods would go beyond what their budgets allow, one after the other. */
function guarded(pods: KObject[], budgets: readonly KObject[]): Set<KObject> {
  const left = new Map(budgets.map((b) => [b, b.status?.disruptionsAllowed ?? 0]))
  const over = new Set<KObject>()
  for (const p of pods)
    for (const b of budgets) {
      if (b.metadata.namespace !== p.metadata.namespace || !b.spec.selector) continue
      if (Object.hasOwn(b.status?.disruptedPods ?? {}, p.metadata.name)) continue
      if (!matches(fromLabelSelector(b.spec.selector), p.metadata.labels)) continue
      const n = left.get(b)! - 1
      left.set(b, n)
      if (n < 0) over.add(p)
    }
  return over
}

/** Who would have to leave a node; undefined where it would not help. */
function victimsOn(pod: KObject, info: NodeInfo, budgets: readonly KObject[], fits: (trial: NodeInfo) => boolean): Candidate | undefined {
  const lower = info.pods.filter((p) => priority(p) < priority(pod)).sort(byImportance)
  if (!lower.length) return undefined
  const stays = info.pods.filter((p) => priority(p) >= priority(pod))
  if (!fits(nodeInfo(info.node, stays))) return undefined
  const over = guarded(lower, budgets)
  const victims: KObject[] = []
  let violations = 0
  // Each is let stay if there is room, those that are guarded first.
  for (const p of [...lower.filter((x) => over.has(x)), ...lower.filter((x) => !over.has(x))]) {
    if (fits(nodeInfo(info.node, [...stays, p]))) stays.push(p)
    else {
      victims.push(p)
      if (over.has(p)) violations++
    }
  }
  return victims.length ? { info, victims: victims.sort(byImportance), violations } : undefined
}

/** Priorities are lifted above nought, so that one more victim always weighs more. */
const weight = (victims: KObject[]) => victims.reduce((n, p) => n + priority(p) + 2 ** 31, 0)

const better = (a: Candidate, b: Candidate): number =>
  a.violations - b.violations ||
  priority(a.victims[0]!) - priority(b.victims[0]!) ||
  weight(a.victims) - weight(b.victims) ||
  // Whoever has run for a shorter time.
  startOf(b.victims[0]!) - startOf(a.victims[0]!) ||
  (a.info.node.metadata.name < b.info.node.metadata.name ? -1 : 1)

/** Where it costs least, of so many nodes at most; `fits` asks whether the pod would fit a node that carries only these. */
export function preempt(
  pod: KObject,
  nodes: readonly NodeInfo[],
  budgets: readonly KObject[],
  fits: (info: NodeInfo, trial: NodeInfo) => boolean,
  most = Number.POSITIVE_INFINITY,
): Preemption | undefined {
  if (pod.spec.preemptionPolicy === 'Never') return undefined
  let best: Candidate | undefined
  let found = 0
  for (const info of nodes) {
    const candidate = victimsOn(pod, info, budgets, (trial) => fits(info, trial))
    if (!candidate) continue
    if (!best || better(candidate, best) < 0) best = candidate
    if (++found >= most) break
  }
  return best
}

/** Whether pods that matter less are still on their way out of the node that was chosen for this one. */
export const awaitsVictims = (pod: KObject, info: NodeInfo): boolean =>
  info.pods.some((p) => p.metadata.deletionTimestamp && priority(p) < priority(pod))
