// Pod garbage collection: pods of nodes that no longer exist, and deleted pods that never got a node.
import { type KObject, keyOf } from '../../shared/meta/object.ts'
import { type Controller, splitKey, type Write } from '../engine/types.ts'
import { disrupted } from './pods.ts'

/** A node that is made again under its old name gets this long before its pods count as lost, ms. */
const QUARANTINE = 40_000

interface View {
  pod: KObject
  nodeMissing: boolean
}

export const podGarbageCollector: Controller<View> = {
  name: 'pod-garbage-collector',
  all: (r) => r.list('pods').map(keyOf),
  wakes: {
    nodes: ({ old, new: now }, reader) => (now ? [] : reader.podsOn(old!.metadata.name).map(keyOf)),
    pods: ({ new: now }, reader) => (now?.spec.nodeName && !reader.get('nodes', '', now.spec.nodeName) ? [keyOf(now)] : []),
  },
  view: (key, reader) => {
    const pod = reader.get('pods', ...splitKey(key))
    if (!pod?.spec.nodeName) return undefined
    return { pod, nodeMissing: !reader.get('nodes', '', pod.spec.nodeName) }
  },
  reconcile: (_key, { pod, nodeMissing }, now) => {
    if (!nodeMissing) return { writes: [] }
    const since = Date.parse(pod.metadata.creationTimestamp)
    if (now - since < QUARANTINE) return { writes: [], requeueAt: since + QUARANTINE }
    const writes: Write[] = []
    if (pod.status?.phase !== 'Failed' && pod.status?.phase !== 'Succeeded')
      writes.push(disrupted(pod, 'DeletionByPodGC', 'PodGC: node no longer exists', now, 'Failed'))
    return { writes: [...writes, { verb: 'delete', resource: 'pods', object: pod, gracePeriodSeconds: 0 }] }
  },
}
