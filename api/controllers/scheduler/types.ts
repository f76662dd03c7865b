// What scheduler plugins see: a pod, and nodes with what they already carry. Plugins are pure and named as kube-scheduler names them.

import { type Amounts, addTo, amounts, podAmounts } from '../../../shared/kinds/pod-resources.ts'
import { controllerOf, type KObject } from '../../../shared/meta/object.ts'
import { hasEnded } from '../pods.ts'

export const HOST = 'kubernetes.io/hostname'
export const ZONE = 'topology.kubernetes.io/zone'

export interface NodeInfo {
  node: KObject
  /** Two of its labels that every pod is asked about. */
  host: string | undefined
  zone: string | undefined
  allocatable: Amounts
  requested: Amounts
  /** The same for scores: pods that ask for nothing count a little, so that they spread too. */
  scored: Amounts
  pods: KObject[]
  /** How many pods of each kin are there; those on their way out do not count. */
  kin: Map<string, number>
  /** Those of the pods that say who may be near. */
  picky: KObject[]
  /** `protocol/ip/port` of host ports in use. */
  ports: Set<string>
  /** What is known of pods of a shape on this node, as long as nothing on it changes. */
  known?: Map<object, Local> | undefined
}

/** What plugins say that see nothing but the pod and the node. */
export interface Local {
  refused?: readonly [plugin: string, misfit: Misfit]
  /** In the order of the profile's scorers; absent for those that see more. */
  scores?: (number | undefined)[]
}

/** What there is besides pods and nodes. */
export interface World {
  /** The labels of a namespace. */
  namespaceLabels: (name: string) => Record<string, string>
  claim: (ns: string, name: string) => KObject | undefined
  volume: (name: string) => KObject | undefined
  volumes: () => readonly KObject[]
  storageClass: (name: string) => KObject | undefined
  csiNode: (name: string) => KObject | undefined
}

/** What a profile says to its plugins; fields are those of kube-scheduler's arguments. */
export interface PluginArgs {
  fit: {
    type: 'LeastAllocated' | 'MostAllocated' | 'RequestedToCapacityRatio'
    resources: { name: string; weight: number }[]
    /** Scores from 0 to 10 at shares from 0 to 100, ascending. */
    shape: { utilization: number; score: number }[]
    ignored: { resources: string[]; groups: string[] }
  }
  /** Resources that are to be kept even. */
  balanced: { name: string; weight: number }[]
  /** Wishes of pods without any; undefined for those that kube-scheduler has built in. */
  spreading?: any[]
  hardPodAffinityWeight: number
  ignorePreferredTermsOfExistingPods: boolean
  /** A node affinity that all pods have besides their own. */
  addedAffinity?: any
  candidates: { percentage: number; least: number }
}

/** Something counted over nodes and their pods, kept up while pods are placed. */
export interface Tally {
  /** A node is there, whether or not it has pods. */
  node?(info: NodeInfo): void
  pod(info: NodeInfo, pod: KObject): void
}

export interface SchedulingContext {
  nodes: readonly NodeInfo[]
  world: World
  args: PluginArgs
  /** Whether any pod that runs says who may be near. */
  picky: boolean
  /** What a plugin makes once for a pod, whichever node it is asked about. */
  once: <T>(plugin: string, make: () => T) => T
  /** What a plugin counts once for all pods that have the same key; over picky pods alone if it says so. */
  tally: <T extends Tally>(key: string, make: () => T, of?: 'picky') => T
}

/** Why a node does not fit; `unresolvable` when removing pods would not help. */
export interface Misfit {
  reasons: string[]
  unresolvable?: boolean
  /** It is the pod that cannot be placed, whichever the node: told once, not for each. */
  anywhere?: boolean
}

interface Plugin {
  name: string
  /** It sees nothing but the pod and the node: what it says holds as long as the node does not change, for all pods of a shape. */
  local?: true
  /** Whether it has a say about this pod at all; asked once. */
  concerns?(pod: KObject, context: SchedulingContext): boolean
}

export interface FilterPlugin extends Plugin {
  filter(pod: KObject, info: NodeInfo, context: SchedulingContext): Misfit | undefined
}

export interface ScorePlugin extends Plugin {
  weight: number
  /** Raw score of a node; `normalize` turns them into 0…100. */
  score(pod: KObject, info: NodeInfo, context: SchedulingContext): number
  normalize?: (scores: number[]) => number[]
}

/** A world with nothing in it. */
export const emptyWorld: World = {
  namespaceLabels: (name) => ({ 'kubernetes.io/metadata.name': name }),
  claim: () => undefined,
  volume: () => undefined,
  volumes: () => [],
  storageClass: () => undefined,
  csiNode: () => undefined,
}

const EVEN = [
  { name: 'cpu', weight: 1 },
  { name: 'memory', weight: 1 },
]
export const defaultArgs: PluginArgs = {
  fit: { type: 'LeastAllocated', resources: EVEN, shape: [], ignored: { resources: [], groups: [] } },
  balanced: EVEN,
  hardPodAffinityWeight: 1,
  ignorePreferredTermsOfExistingPods: false,
  candidates: { percentage: 10, least: 100 },
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
export const scoredRequest = (pod: KObject, resource: string): number => podRequests(pod)[resource] || FLOOR[resource] || 0

const ports = new WeakMap<object, string[]>()
export function hostPorts(pod: KObject): string[] {
  let found = ports.get(pod.spec)
  if (!found) {
    const ofContainer = (c: any) =>
      (c.ports ?? []).filter((p: any) => p.hostPort).map((p: any) => `${p.protocol}/${p.hostIP || '0.0.0.0'}/${p.hostPort}`)
    found = (pod.spec.containers ?? []).flatMap(ofContainer) as string[]
    ports.set(pod.spec, found)
  }
  return found
}

const kins = new WeakMap<object, string>()
/** What pods have in common that are to be kept apart: their owner, or their labels where they have none. Empty for pods with neither. */
export function kinOf(pod: KObject): string {
  let found = kins.get(pod.metadata)
  if (found === undefined) {
    const labels = Object.entries(pod.metadata.labels ?? {})
    found = controllerOf(pod)?.uid ?? (labels.length ? JSON.stringify([pod.metadata.namespace, labels.sort()]) : '')
    kins.set(pod.metadata, found)
  }
  return found
}

export const isPicky = (pod: KObject): boolean => !!(pod.spec.affinity?.podAffinity || pod.spec.affinity?.podAntiAffinity)

export function nodeInfo(node: KObject, pods: readonly KObject[]): NodeInfo {
  const { labels } = node.metadata
  const info: NodeInfo = {
    node,
    host: labels?.[HOST],
    zone: labels?.[ZONE],
    allocatable: amounts(node.status?.allocatable),
    requested: {},
    scored: {},
    pods: [],
    kin: new Map(),
    picky: [],
    ports: new Set(),
  }
  for (const p of pods) if (!hasEnded(p)) addPod(info, p)
  return info
}

const infos = new WeakMap<KObject, { pods: readonly KObject[]; info: NodeInfo }>()
/** As `nodeInfo`, remembered while the node and the list of its pods are the same. Not to be changed. */
export function knownNodeInfo(node: KObject, pods: readonly KObject[]): NodeInfo {
  const known = infos.get(node)
  if (known?.pods === pods) return known.info
  const info = nodeInfo(node, pods)
  infos.set(node, { pods, info })
  return info
}

export const copyOf = (info: NodeInfo): NodeInfo => ({
  ...info,
  requested: { ...info.requested },
  scored: { ...info.scored },
  pods: [...info.pods],
  kin: new Map(info.kin),
  picky: [...info.picky],
  ports: new Set(info.ports),
  known: undefined,
})

/** Counts a pod in as if it ran there. */
export function addPod(info: NodeInfo, pod: KObject): void {
  info.known = undefined
  info.pods.push(pod)
  if (isPicky(pod)) info.picky.push(pod)
  const wanted = podRequests(pod)
  addTo(info.requested, wanted)
  addTo(info.scored, wanted)
  for (const resource in FLOOR) if (!wanted[resource]) info.scored[resource] = (info.scored[resource] ?? 0) + FLOOR[resource]!
  const kin = pod.metadata.deletionTimestamp ? '' : kinOf(pod)
  if (kin) info.kin.set(kin, (info.kin.get(kin) ?? 0) + 1)
  for (const p of hostPorts(pod)) info.ports.add(p)
}
