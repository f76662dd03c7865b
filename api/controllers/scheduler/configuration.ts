// What a KubeSchedulerConfiguration in the ConfigMap `kube-system/kube-scheduler` (key `config.yaml`) says: profiles, their plugins, weights and arguments.
// kube-scheduler takes the same text by `--config`.
import { parse } from 'yaml'
import { z } from 'zod'
import type { KObject } from '../../../shared/meta/object.ts'
import { imageLocality } from './image-locality.ts'
import { interPodAffinity } from './inter-pod-affinity.ts'
import { nodeAffinity } from './node-affinity.ts'
import { nodeName, nodePorts } from './node-name-ports.ts'
import { balancedAllocation, nodeResourcesFit } from './node-resources.ts'
import { spreading } from './spreading.ts'
import { nodeUnschedulable, taintToleration } from './taint-toleration.ts'
import { defaultArgs, type FilterPlugin, type PluginArgs, type ScorePlugin } from './types.ts'
import { nodeVolumeLimits, volumeBinding, volumeRestrictions, volumeZone } from './volume-binding.ts'

export const CONFIG = { namespace: 'kube-system', name: 'kube-scheduler', key: 'config.yaml' } as const
const DEFAULT_SCHEDULER = 'default-scheduler'

export interface Profile {
  schedulerName: string
  percentageOfNodesToScore?: number
  filters: readonly FilterPlugin[]
  scorers: readonly { plugin: ScorePlugin; weight: number }[]
  /** Whether pods may take others' places. */
  preempts: boolean
  args: PluginArgs
}

export interface Configuration {
  profiles: ReadonlyMap<string, Profile>
  /** How long a pod that fitted nowhere rests at first, and at most, ms. */
  initialBackoff: number
  maxBackoff: number
  /** Why the ConfigMap is not followed. */
  problem?: string
}

const filters: readonly FilterPlugin[] = [
  nodeUnschedulable,
  nodeName,
  taintToleration,
  nodeAffinity,
  nodePorts,
  nodeResourcesFit,
  volumeRestrictions,
  nodeVolumeLimits,
  volumeBinding,
  volumeZone,
  spreading,
  interPodAffinity,
]
const scorers: readonly ScorePlugin[] = [
  nodeResourcesFit,
  balancedAllocation,
  imageLocality,
  nodeAffinity,
  taintToleration,
  spreading,
  interPodAffinity,
]
const PREEMPTION = 'DefaultPreemption'
/** Plugins of kube-scheduler's that are no filters or scores here, or have nothing to do. */
const others = ['PrioritySort', 'DefaultBinder', 'SchedulingGates', 'DynamicResources', PREEMPTION]
const known = new Set([...filters, ...scorers].map((p) => p.name).concat(others))

const pluginName = z.string().refine((n) => n === '*' || known.has(n), { error: (i) => `there is no plugin ${JSON.stringify(i.input)}` })
const pluginSet = z.object({
  enabled: z.array(z.object({ name: pluginName, weight: z.number().int().min(0).optional() })).default([]),
  disabled: z.array(z.object({ name: pluginName })).default([]),
})
const POINTS = [
  'multiPoint',
  'preEnqueue',
  'queueSort',
  'preFilter',
  'filter',
  'postFilter',
  'preScore',
  'score',
  'reserve',
  'permit',
  'preBind',
  'bind',
  'postBind',
] as const
const percentage = z.number().int().min(0).max(100)
const weighted = z.array(z.object({ name: z.string(), weight: z.number().int().min(1).max(100).default(1) }))
const apart = { kind: z.string().optional(), apiVersion: z.string().optional() }
const argsOf = {
  NodeResourcesFit: z.strictObject({
    ...apart,
    ignoredResources: z.array(z.string()).default([]),
    ignoredResourceGroups: z.array(z.string()).default([]),
    scoringStrategy: z
      .strictObject({
        type: z.enum(['LeastAllocated', 'MostAllocated', 'RequestedToCapacityRatio']).default('LeastAllocated'),
        resources: weighted.default(defaultArgs.fit.resources),
        requestedToCapacityRatio: z
          .strictObject({ shape: z.array(z.strictObject({ utilization: percentage, score: z.number().int().min(0).max(10) })).min(1) })
          .optional(),
      })
      .refine((s) => s.type !== 'RequestedToCapacityRatio' || s.requestedToCapacityRatio, {
        error: 'requestedToCapacityRatio is required for RequestedToCapacityRatio',
      })
      .optional(),
  }),
  NodeResourcesBalancedAllocation: z.strictObject({ ...apart, resources: weighted.optional() }),
  PodTopologySpread: z.strictObject({
    ...apart,
    defaultConstraints: z.array(z.looseObject({ topologyKey: z.string(), maxSkew: z.number().int().min(1) })).default([]),
    defaultingType: z.enum(['System', 'List']).default('System'),
  }),
  InterPodAffinity: z.strictObject({
    ...apart,
    hardPodAffinityWeight: percentage.default(defaultArgs.hardPodAffinityWeight),
    ignorePreferredTermsOfExistingPods: z.boolean().default(false),
  }),
  NodeAffinity: z.strictObject({ ...apart, addedAffinity: z.looseObject({}).optional() }),
  DefaultPreemption: z.strictObject({
    ...apart,
    minCandidateNodesPercentage: percentage.default(defaultArgs.candidates.percentage),
    minCandidateNodesAbsolute: z.number().int().min(0).default(defaultArgs.candidates.least),
  }),
  VolumeBinding: z.looseObject({}),
}
const profileShape = z.strictObject({
  schedulerName: z.string().min(1).default(DEFAULT_SCHEDULER),
  percentageOfNodesToScore: percentage.optional(),
  plugins: z.strictObject(Object.fromEntries(POINTS.map((p) => [p, pluginSet.optional()]))).default({}),
  pluginConfig: z.array(z.strictObject({ name: pluginName, args: z.unknown() })).default([]),
})
const shape = z.looseObject({
  apiVersion: z.literal('kubescheduler.config.k8s.io/v1'),
  kind: z.literal('KubeSchedulerConfiguration'),
  percentageOfNodesToScore: percentage.optional(),
  podInitialBackoffSeconds: z.number().positive().default(1),
  podMaxBackoffSeconds: z.number().positive().default(10),
  profiles: z
    .array(profileShape)
    .min(1)
    .default(() => [profileShape.parse({})]),
})

type PluginSet = z.infer<typeof pluginSet>

/** Which of the plugins a profile has at a point, and the weight it gives to each. */
function pluginsAt<P extends { name: string }>(all: readonly P[], sets: (PluginSet | undefined)[]): { plugin: P; weight?: number }[] {
  const chosen = new Map<string, { plugin: P; weight?: number }>(all.map((plugin) => [plugin.name, { plugin }]))
  for (const set of sets) {
    for (const { name } of set?.disabled ?? []) name === '*' ? chosen.clear() : chosen.delete(name)
    for (const { name, weight } of set?.enabled ?? []) {
      const plugin = all.find((p) => p.name === name)
      if (plugin) chosen.set(name, { plugin, ...(weight ? { weight } : {}) })
    }
  }
  return [...chosen.values()]
}

function pluginArgs(configs: z.infer<typeof profileShape>['pluginConfig']): PluginArgs {
  const given = <N extends keyof typeof argsOf>(name: N): z.infer<(typeof argsOf)[N]> =>
    argsOf[name].parse(configs.find((c) => c.name === name)?.args ?? {}) as never
  for (const { name } of configs) if (!Object.hasOwn(argsOf, name)) throw new Error(`${name} takes no arguments`)
  const fit = given('NodeResourcesFit')
  const strategy = fit.scoringStrategy
  const spread = given('PodTopologySpread')
  const { addedAffinity } = given('NodeAffinity')
  const candidates = given('DefaultPreemption')
  return {
    fit: {
      type: strategy?.type ?? 'LeastAllocated',
      resources: strategy?.resources ?? defaultArgs.fit.resources,
      shape: (strategy?.requestedToCapacityRatio?.shape ?? []).toSorted((a, b) => a.utilization - b.utilization),
      ignored: { resources: fit.ignoredResources, groups: fit.ignoredResourceGroups },
    },
    balanced: given('NodeResourcesBalancedAllocation').resources ?? defaultArgs.balanced,
    ...(spread.defaultingType === 'List' ? { spreading: spread.defaultConstraints } : {}),
    ...given('InterPodAffinity'),
    ...(addedAffinity ? { addedAffinity } : {}),
    candidates: { percentage: candidates.minCandidateNodesPercentage, least: candidates.minCandidateNodesAbsolute },
  }
}

function profileOf(p: z.infer<typeof profileShape>, ofAll: number | undefined): Profile {
  const { plugins } = p
  const percentageOfNodesToScore = p.percentageOfNodesToScore ?? ofAll
  return {
    schedulerName: p.schedulerName,
    ...(percentageOfNodesToScore ? { percentageOfNodesToScore } : {}),
    filters: pluginsAt(filters, [plugins.multiPoint, plugins.filter]).map((f) => f.plugin),
    scorers: pluginsAt(scorers, [plugins.multiPoint, plugins.score]).map((s) => ({
      plugin: s.plugin,
      weight: s.weight ?? s.plugin.weight,
    })),
    preempts: pluginsAt([{ name: PREEMPTION }], [plugins.multiPoint, plugins.postFilter]).length > 0,
    args: pluginArgs(p.pluginConfig),
  }
}

function read(text: string): Configuration {
  const c = shape.parse(parse(text))
  const profiles = c.profiles.map((p) => profileOf(p, c.percentageOfNodesToScore))
  return {
    profiles: new Map(profiles.map((p) => [p.schedulerName, p])),
    initialBackoff: c.podInitialBackoffSeconds * 1000,
    maxBackoff: c.podMaxBackoffSeconds * 1000,
  }
}

const builtIn = read('{apiVersion: kubescheduler.config.k8s.io/v1, kind: KubeSchedulerConfiguration}')
export const defaultProfile: Profile = builtIn.profiles.get(DEFAULT_SCHEDULER)!

const explain = (e: unknown): string =>
  e instanceof z.ZodError ? e.issues.map((i) => `${i.path.join('.') || 'it'}: ${i.message}`).join('; ') : (e as Error).message

const parsed = new WeakMap<KObject, Configuration>()
/** What the ConfigMap says; what is built in where there is none, or where it cannot be followed. */
export function configurationOf(map: KObject | undefined): Configuration {
  const text = map?.data?.[CONFIG.key]
  if (!map || text === undefined) return builtIn
  let found = parsed.get(map)
  if (!found) {
    try {
      found = read(text)
    } catch (e) {
      found = { ...builtIn, problem: explain(e) }
    }
    parsed.set(map, found)
  }
  return found
}
