// TaintToleration and NodeUnschedulable: which taints a pod bears, and which it would rather not.
import { tolerates } from '../../../shared/meta/taints.ts'
import type { FilterPlugin, ScorePlugin } from './types.ts'

export const taintToleration: FilterPlugin & ScorePlugin = {
  name: 'TaintToleration',
  local: true,
  weight: 3,
  filter: (pod, { node }) => {
    const taint = (node.spec?.taints ?? []).find(
      (t: any) => t.effect !== 'PreferNoSchedule' && !(pod.spec.tolerations ?? []).some((x: any) => tolerates(x, t)),
    )
    return taint ? { reasons: [`node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`], unresolvable: true } : undefined
  },
  score: (pod, { node }) =>
    (node.spec?.taints ?? []).filter(
      (t: any) => t.effect === 'PreferNoSchedule' && !(pod.spec.tolerations ?? []).some((x: any) => tolerates(x, t)),
    ).length,
  normalize: (scores) => {
    const max = Math.max(...scores)
    return scores.map((s) => (max ? 100 - (s * 100) / max : 100))
  },
}

const unschedulable = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }

export const nodeUnschedulable: FilterPlugin = {
  name: 'NodeUnschedulable',
  local: true,
  filter: (pod, { node }) =>
    node.spec?.unschedulable && !(pod.spec.tolerations ?? []).some((t: any) => tolerates(t, unschedulable))
      ? { reasons: ['node(s) were unschedulable'], unresolvable: true }
      : undefined,
}
