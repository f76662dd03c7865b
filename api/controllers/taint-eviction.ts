// Taint eviction: pods leave nodes with NoExecute taints that they do not tolerate, or not for longer.
import type { KObject } from '../../shared/meta/object.ts'
import { tolerates } from '../../shared/meta/taints.ts'
import type { Controller, Result, Write } from '../engine/types.ts'
import { disrupted, isActive } from './pods.ts'

interface View {
  taints: any[]
  pods: readonly KObject[]
}

/** When the pod has to go, ms; undefined when it may stay. */
function evictionTime(pod: KObject, taints: any[], now: number): number | undefined {
  let at = Number.POSITIVE_INFINITY
  for (const taint of taints) {
    const matching: any[] = (pod.spec.tolerations ?? []).filter((t: any) => tolerates(t, taint))
    if (!matching.length) return now
    const seconds = matching.filter((t) => t.tolerationSeconds !== undefined).map((t) => Math.max(0, t.tolerationSeconds))
    if (seconds.length) at = Math.min(at, (Date.parse(taint.timeAdded ?? '') || now) + Math.min(...seconds) * 1000)
  }
  return Number.isFinite(at) ? at : undefined
}

function reconcile(_key: string, { taints, pods }: View, now: number): Result {
  const writes: Write[] = []
  let requeueAt: number | undefined
  for (const pod of pods) {
    if (!isActive(pod)) continue
    const at = evictionTime(pod, taints, now)
    if (at === undefined) continue
    if (at <= now) {
      writes.push({
        verb: 'event',
        about: { resource: 'pods', object: pod },
        type: 'Normal',
        reason: 'TaintManagerEviction',
        message: `Marking for deletion Pod ${pod.metadata.namespace}/${pod.metadata.name}`,
        component: 'taint-eviction-controller',
      })
      writes.push(disrupted(pod, 'DeletionByTaintManager', 'Taint manager: deleting due to NoExecute taint', now))
      writes.push({ verb: 'delete', resource: 'pods', object: pod })
    } else requeueAt = Math.min(requeueAt ?? at, at)
  }
  return { writes, ...(requeueAt !== undefined ? { requeueAt } : {}) }
}

export const taintEviction: Controller<View> = {
  name: 'taint-eviction-controller',
  all: (r) => r.list('nodes').map((n) => n.metadata.name),
  wakes: {
    nodes: ({ new: now }) => (now?.spec?.taints?.some((t: any) => t.effect === 'NoExecute') ? [now.metadata.name] : []),
    pods: ({ old, new: now }, reader) => {
      const node = now?.spec.nodeName
      if (!node || old?.spec.nodeName === node) return []
      return reader.get('nodes', '', node)?.spec?.taints?.some((t: any) => t.effect === 'NoExecute') ? [node] : []
    },
  },
  view: (key, reader) => {
    const taints = (reader.get('nodes', '', key)?.spec?.taints ?? []).filter((t: any) => t.effect === 'NoExecute')
    return taints.length ? { taints, pods: reader.podsOn(key) } : undefined
  },
  reconcile,
}
