// NodeResourcesFit and NodeResourcesBalancedAllocation: room for what the pod asks, and nodes kept even, or filled up one by one, as the profile says.
import type { KObject } from '../../../shared/meta/object.ts'
import { type FilterPlugin, type NodeInfo, type PluginArgs, podRequests, type ScorePlugin, scoredRequest } from './types.ts'

/** How much of a resource would be taken with the pod there, 0 to 1; undefined where there is none of it. */
function share(pod: KObject, info: NodeInfo, resource: string): number | undefined {
  const capacity = info.allocatable[resource]
  return capacity ? Math.min(1, (scoredRequest(pod, resource) + (info.scored[resource] ?? 0)) / capacity) : undefined
}

/** The score at a share, between the points of the shape. */
function onShape(shape: PluginArgs['fit']['shape'], percent: number): number {
  let before = shape[0]!
  if (percent <= before.utilization) return before.score * 10
  for (const p of shape.slice(1)) {
    if (percent <= p.utilization) {
      const way = (percent - before.utilization) / (p.utilization - before.utilization)
      return (before.score + (p.score - before.score) * way) * 10
    }
    before = p
  }
  return before.score * 10
}

function strategyScore(fit: PluginArgs['fit'], taken: number): number {
  if (fit.type === 'LeastAllocated') return (1 - taken) * 100
  return fit.type === 'MostAllocated' ? taken * 100 : onShape(fit.shape, taken * 100)
}

const isIgnored = ({ ignored }: PluginArgs['fit'], resource: string): boolean =>
  ignored.resources.includes(resource) || ignored.groups.includes(resource.split('/')[0]!)

export const nodeResourcesFit: FilterPlugin & ScorePlugin = {
  name: 'NodeResourcesFit',
  local: true,
  weight: 1,
  filter: (pod, info, { args }) => {
    const reasons: string[] = []
    let unresolvable = false
    if (info.pods.length + 1 > (info.allocatable.pods ?? 110)) reasons.push('Too many pods')
    const wanted = podRequests(pod)
    for (const name in wanted) {
      const amount = wanted[name]!
      const capacity = info.allocatable[name] ?? 0
      if (amount && amount > capacity - (info.requested[name] ?? 0) && !isIgnored(args.fit, name)) {
        reasons.push(`Insufficient ${name}`)
        if (amount > capacity) unresolvable = true
      }
    }
    return reasons.length ? { reasons, unresolvable } : undefined
  },
  score: (pod, info, { args: { fit } }) => {
    let [sum, weights] = [0, 0]
    for (const { name, weight } of fit.resources) {
      const taken = share(pod, info, name)
      // Extended resources that the pod does not ask for say nothing about where it should go.
      if (taken === undefined || !scoredRequest(pod, name)) continue
      sum += strategyScore(fit, taken) * weight
      weights += weight
    }
    return weights ? sum / weights : 0
  },
}

export const balancedAllocation: ScorePlugin = {
  name: 'NodeResourcesBalancedAllocation',
  local: true,
  weight: 1,
  score: (pod, info, { args }) => {
    const shares = args.balanced.flatMap(({ name }) => share(pod, info, name) ?? [])
    if (!shares.length) return 0
    const mean = shares.reduce((a, b) => a + b, 0) / shares.length
    return (1 - Math.sqrt(shares.reduce((n, s) => n + (s - mean) ** 2, 0) / shares.length)) * 100
  },
}
