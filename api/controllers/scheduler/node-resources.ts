// NodeResourcesFit and NodeResourcesBalancedAllocation: room for what the pod asks, and nodes kept even.
import type { KObject } from '../../../shared/meta/object.ts'
import { type FilterPlugin, type NodeInfo, podRequests, type ScorePlugin, scoredRequest } from './types.ts'

const share = (pod: KObject, info: NodeInfo, resource: string) => {
  const capacity = info.allocatable[resource] ?? 0
  return capacity ? Math.min(1, (scoredRequest(pod, resource) + info.scored[resource]!) / capacity) : 1
}

export const nodeResourcesFit: FilterPlugin & ScorePlugin = {
  name: 'NodeResourcesFit',
  weight: 1,
  filter: (pod, info) => {
    const reasons: string[] = []
    let unresolvable = false
    if (info.pods.length + 1 > (info.allocatable.pods ?? 110)) reasons.push('Too many pods')
    for (const [name, amount] of Object.entries(podRequests(pod))) {
      const capacity = info.allocatable[name] ?? 0
      if (amount && amount > capacity - (info.requested[name] ?? 0)) {
        reasons.push(`Insufficient ${name}`)
        if (amount > capacity) unresolvable = true
      }
    }
    return reasons.length ? { reasons, unresolvable } : undefined
  },
  // LeastAllocated.
  score: (pod, info) => ((1 - share(pod, info, 'cpu')) * 100 + (1 - share(pod, info, 'memory')) * 100) / 2,
}

export const balancedAllocation: ScorePlugin = {
  name: 'NodeResourcesBalancedAllocation',
  weight: 1,
  score: (pod, info) => (1 - Math.abs(share(pod, info, 'cpu') - share(pod, info, 'memory')) / 2) * 100,
}
