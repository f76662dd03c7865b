// What scheduler plugins see: a pod, and nodes with what they already carry. Plugins are pure and named as kube-scheduler names them.
import type { KObject } from '../../../shared/meta/object.ts'
import { milliOf, unitsOf } from '../../../shared/meta/quantity.ts'

/** Amounts by resource name; cpu in thousandths, everything else in whole units. */
export type Amounts = Record<string, number>

export interface NodeInfo {
  node: KObject
  allocatable: Amounts
  requested: Amounts
  pods: KObject[]
  /** `protocol/ip/port` of host ports in use. */
  ports: Set<string>
}

interface SchedulingContext {
  nodes: NodeInfo[]
}

/** Why a node does not fit; `unresolvable` when removing pods would not help. */
interface Misfit {
  reasons: string[]
  unresolvable?: boolean
}

export interface FilterPlugin {
  name: string
  filter(pod: KObject, info: NodeInfo, context: SchedulingContext): Misfit | undefined
}

export interface ScorePlugin {
  name: string
  weight: number
  /** Raw score of a node; `normalize` turns them into 0…100. */
  score(pod: KObject, info: NodeInfo, context: SchedulingContext): number
  normalize?: (scores: number[]) => number[]
}

function amounts(list: Record<string, string> | undefined): Amounts {
  const out: Amounts = {}
  for (const [k, v] of Object.entries(list ?? {})) out[k] = k === 'cpu' ? milliOf(v) : unitsOf(v)
  return out
}

const addTo = (into: Amounts, from: Amounts) => {
  for (const k in from) into[k] = (into[k] ?? 0) + from[k]!
}

/** What a pod asks for: containers and sidecars together, or the greatest init container, plus overhead. */
export function podRequests(pod: KObject): Amounts {
  const total: Amounts = {}
  for (const c of pod.spec.containers ?? []) addTo(total, amounts(c.resources?.requests))
  const sidecars: Amounts = {}
  const peak: Amounts = {}
  for (const c of pod.spec.initContainers ?? []) {
    const own = amounts(c.resources?.requests)
    if (c.restartPolicy === 'Always') {
      addTo(total, own)
      addTo(sidecars, own)
    } else
      for (const k of new Set([...Object.keys(own), ...Object.keys(sidecars)]))
        peak[k] = Math.max(peak[k] ?? 0, (own[k] ?? 0) + (sidecars[k] ?? 0))
  }
  for (const k in peak) total[k] = Math.max(total[k] ?? 0, peak[k]!)
  addTo(total, amounts(pod.spec.overhead))
  return total
}

export function hostPorts(pod: KObject): string[] {
  return (pod.spec.containers ?? []).flatMap((c: any) =>
    (c.ports ?? []).filter((p: any) => p.hostPort).map((p: any) => `${p.protocol}/${p.hostIP || '0.0.0.0'}/${p.hostPort}`),
  )
}

export function nodeInfo(node: KObject, pods: KObject[]): NodeInfo {
  const info: NodeInfo = { node, allocatable: amounts(node.status?.allocatable), requested: {}, pods: [], ports: new Set() }
  for (const p of pods) if (p.status?.phase !== 'Succeeded' && p.status?.phase !== 'Failed') assume(info, p)
  return info
}

/** Counts a pod in as if it ran there. */
export function assume(info: NodeInfo, pod: KObject): void {
  info.pods.push(pod)
  addTo(info.requested, podRequests(pod))
  for (const p of hostPorts(pod)) info.ports.add(p)
}
