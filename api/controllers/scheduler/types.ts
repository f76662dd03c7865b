// What scheduler plugins see: a pod, and nodes with what they already carry. Plugins are pure and named as kube-scheduler names them.

import { type Amounts, addTo, amounts, podAmounts } from '../../../shared/kinds/pod-resources.ts'
import { controllerOf, type KObject } from '../../../shared/meta/object.ts'
import { hasEnded } from '../pods.ts'

export interface NodeInfo {
  node: KObject
  allocatable: Amounts
  requested: Amounts
  /** The same for scores: pods that ask for nothing count a little, so that they spread too. */
  scored: Amounts
  pods: KObject[]
  /** How many pods each owner has there, by its uid; those on their way out do not count. */
  owners: Map<string, number>
  /** Those of them that say who may be near. */
  picky: KObject[]
  /** `protocol/ip/port` of host ports in use. */
  ports: Set<string>
}

/** What there is besides pods and nodes. */
export interface World {
  /** The labels of a namespace. */
  namespaceLabels: (name: string) => Record<string, string>
  claim: (ns: string, name: string) => KObject | undefined
  volume: (name: string) => KObject | undefined
  volumes: () => KObject[]
  storageClass: (name: string) => KObject | undefined
}

export interface SchedulingContext {
  nodes: NodeInfo[]
  world: World
  /** What a plugin makes once for a pod, whichever node it is asked about. */
  once: <T>(plugin: string, make: () => T) => T
}

/** Why a node does not fit; `unresolvable` when removing pods would not help. */
export interface Misfit {
  reasons: string[]
  unresolvable?: boolean
  /** It is the pod that cannot be placed, whichever the node: told once, not for each. */
  anywhere?: boolean
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

/** A context for one pod. */
export function contextOf(nodes: NodeInfo[], world: World): SchedulingContext {
  const made = new Map<string, unknown>()
  return {
    nodes,
    world,
    once: <T>(plugin: string, make: () => T): T => {
      if (!made.has(plugin)) made.set(plugin, make())
      return made.get(plugin) as T
    },
  }
}

/** A world with nothing in it. */
export const emptyWorld: World = {
  namespaceLabels: (name) => ({ 'kubernetes.io/metadata.name': name }),
  claim: () => undefined,
  volume: () => undefined,
  volumes: () => [],
  storageClass: () => undefined,
}

// Pods are looked at again and again while others are placed; what they ask for never changes.
const requests = new WeakMap<object, Amounts>()
export function podRequests(pod: KObject): Amounts {
  let found = requests.get(pod.spec)
  if (!found) {
    found = podAmounts(pod.spec, 'requests')
    requests.set(pod.spec, found)
  }
  return found
}

/** What a pod that asks for nothing counts for in scores. */
const FLOOR: Amounts = { cpu: 100, memory: 200 * 1024 * 1024 }
export const scoredRequest = (pod: KObject, resource: string): number => podRequests(pod)[resource] || FLOOR[resource]!

export function hostPorts(pod: KObject): string[] {
  return (pod.spec.containers ?? []).flatMap((c: any) =>
    (c.ports ?? []).filter((p: any) => p.hostPort).map((p: any) => `${p.protocol}/${p.hostIP || '0.0.0.0'}/${p.hostPort}`),
  )
}

export function nodeInfo(node: KObject, pods: KObject[]): NodeInfo {
  const info: NodeInfo = {
    node,
    allocatable: amounts(node.status?.allocatable),
    requested: {},
    scored: { cpu: 0, memory: 0 },
    pods: [],
    owners: new Map(),
    picky: [],
    ports: new Set(),
  }
  for (const p of pods) if (!hasEnded(p)) assume(info, p)
  return info
}

/** Counts a pod in as if it ran there. */
export function assume(info: NodeInfo, pod: KObject): void {
  info.pods.push(pod)
  if (pod.spec.affinity?.podAffinity || pod.spec.affinity?.podAntiAffinity) info.picky.push(pod)
  addTo(info.requested, podRequests(pod))
  for (const resource in FLOOR) info.scored[resource]! += scoredRequest(pod, resource)
  const owner = pod.metadata.deletionTimestamp ? undefined : controllerOf(pod)?.uid
  if (owner !== undefined) info.owners.set(owner, (info.owners.get(owner) ?? 0) + 1)
  for (const p of hostPorts(pod)) info.ports.add(p)
}
