// PodTopologySpread's system default as a score: pods of one owner go where fewest of them are.
import { controllerOf } from '../../../shared/meta/object.ts'
import type { ScorePlugin } from './types.ts'

export const spreading: ScorePlugin = {
  name: 'PodTopologySpread',
  weight: 2,
  score: (pod, info) => {
    const owner = controllerOf(pod)?.uid
    const labels = Object.entries(pod.metadata.labels ?? {})
    const alike = info.pods.filter((p) => {
      if (p.metadata.namespace !== pod.metadata.namespace || p.metadata.deletionTimestamp) return false
      if (owner) return controllerOf(p)?.uid === owner
      return labels.length > 0 && labels.every(([k, v]) => p.metadata.labels?.[k] === v)
    })
    return alike.length
  },
  normalize: (scores) => {
    const max = Math.max(...scores)
    return scores.map((s) => (max ? 100 - (s * 100) / max : 100))
  },
}
