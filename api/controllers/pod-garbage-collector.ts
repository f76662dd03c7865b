// Pod garbage collection: pods of nodes that no longer exist, and those on their way out of nodes that are out of service.
import { isReady } from '../../shared/meta/conditions.ts'
import { type KObject, keyOf } from '../../shared/meta/object.ts'
import { type Controller, type Result, splitKey } from '../engine/types.ts'
import { byAge, disrupted, hasEnded } from './pods.ts'

/** A node that is made again under its old name gets this long before its pods count as lost, ms. */
const QUARANTINE = 40_000

/** Said of a node by whoever knows that nothing on it runs any more. */
const OUT_OF_SERVICE = 'node.kubernetes.io/out-of-service'

interface View {
  pod: KObject
  node?: KObject
}

const outOfService = (node: KObject): boolean => !isReady(node) && !!node.spec?.taints?.some((t: any) => t.key === OUT_OF_SERVICE)

export const podGarbageCollector: Controller<View> = {
  name: 'pod-garbage-collector',
  all: (r) => {
    const stays = new Set(r.list('nodes').flatMap((n) => (outOfService(n) ? [] : n.metadata.name)))
    return r
      .list('pods')
      .filter((p) => p.spec.nodeName && !stays.has(p.spec.nodeName))
      .map(keyOf)
  },
  wakes: {
    nodes: ({ old, new: now }, reader) => (now && !outOfService(now) ? [] : reader.podsOn((now ?? old)!.metadata.name).map(keyOf)),
    pods: ({ new: now }, reader) => {
      const node = now?.spec.nodeName && reader.get('nodes', '', now.spec.nodeName)
      return now?.spec.nodeName && (!node || outOfService(node)) ? [keyOf(now)] : []
    },
  },
  view: (key, reader) => {
    const pod = reader.get('pods', ...splitKey(key))
    if (!pod?.spec.nodeName) return undefined
    return { pod, node: reader.get('nodes', '', pod.spec.nodeName) }
  },
  reconcile: (_key, { pod, node }, now) => {
    const gone = (message: string): Result => ({
      writes: [
        ...(hasEnded(pod) ? [] : [disrupted(pod, 'DeletionByPodGC', message, now, 'Failed')]),
        { verb: 'delete', resource: 'pods', object: pod, gracePeriodSeconds: 0 },
      ],
    })
    if (node) return outOfService(node) && pod.metadata.deletionTimestamp ? gone('PodGC: node is out of service') : { writes: [] }
    const since = Date.parse(pod.metadata.creationTimestamp)
    if (now - since < QUARANTINE) return { writes: [], requeueAt: since + QUARANTINE }
    return gone('PodGC: node no longer exists')
  },
}

const KEY = 'ended'
/** So many pods that have ended may stay. */
const MOST_ENDED = 12_500

/** Of pods that have ended the oldest go, when there are too many. */
export const endedPods = (most = MOST_ENDED): Controller<readonly KObject[]> => ({
  name: 'ended-pod-garbage-collector',
  all: () => [KEY],
  wakes: {
    pods: ({ old, new: now }, reader) =>
      now && hasEnded(now) && !(old && hasEnded(old)) && reader.list('pods').length > most ? [KEY] : [],
  },
  view: (_key, reader) => (reader.list('pods').length > most ? reader.list('pods') : undefined),
  reconcile: (_key, pods) => {
    const ended = pods.filter((p) => hasEnded(p) && !p.metadata.deletionTimestamp).sort(byAge)
    const over = ended.slice(0, Math.max(0, ended.length - most))
    return { writes: over.map((object) => ({ verb: 'delete', resource: 'pods', object, gracePeriodSeconds: 0 })) }
  },
})
