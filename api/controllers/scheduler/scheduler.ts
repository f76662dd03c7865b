// The scheduler: takes the waiting pods by priority and age, filters and scores the nodes, binds; says in kube-scheduler's words why a pod fits nowhere.
// One look places many pods.

import type { KObject } from '../../../shared/meta/object.ts'
import { equal } from '../../../shared/schema/field-set.ts'
import type { Controller, Reader, Result, Write } from '../../engine/types.ts'
import { hasEnded } from '../pods.ts'
import { CLAIMS, CLASSES, VOLUMES } from '../volume-binder.ts'
import { CONFIG } from './configuration.ts'
import { configuration, forgetQueue, queueOf, type SchedulingQueue, waits } from './queue.ts'
import { Round } from './round.ts'
import { Snapshot } from './snapshot.ts'
import { knownNodeInfo, type World } from './types.ts'

const BURST = 200
const KEY = 'queue'
const NAME = 'default-scheduler'
const CSI_NODES = 'csinodes.storage.k8s.io'

interface View {
  queue: SchedulingQueue
  reader: Reader
}

const worldOf = (reader: Reader): World => ({
  namespaceLabels: (name) => reader.get('namespaces', '', name)?.metadata.labels ?? {},
  claim: (ns, name) => reader.get(CLAIMS, ns, name),
  volume: (name) => reader.get(VOLUMES, '', name),
  volumes: () => reader.list(VOLUMES),
  storageClass: (name) => reader.get(CLASSES, '', name),
  csiNode: (name) => reader.get(CSI_NODES, '', name),
})

function reconcile(_key: string, { queue, reader }: View, now: number): Result {
  queue.expire(now)
  const pods = queue.take(BURST)
  if (!pods.length) return requeued([], queue.patience)
  const infos = reader.list('nodes').map((node) => knownNodeInfo(node, reader.podsOn(node.metadata.name)))
  const round = new Round(reader, queue, new Snapshot(infos, worldOf(reader)), now)
  round.writes.push(...misconfigured(reader))
  for (const pod of pods) round.schedule(pod)
  return requeued(round.writes, queue.more ? now : queue.patience)
}

const requeued = (writes: Result['writes'], requeueAt: number | undefined): Result => ({
  writes,
  ...(requeueAt === undefined ? {} : { requeueAt }),
})

const told = new WeakSet<KObject>()
function misconfigured(reader: Reader): Write[] {
  const { problem } = configuration(reader)
  const object = reader.get('configmaps', CONFIG.namespace, CONFIG.name)
  if (!problem || !object || told.has(object)) return []
  told.add(object)
  const message = `The scheduler does not follow ${CONFIG.key}: ${problem}`
  return [
    { verb: 'event', about: { resource: 'configmaps', object }, type: 'Warning', reason: 'InvalidConfiguration', message, component: NAME },
  ]
}

/** What of a pod decides where it can go. */
const wishesOf = (p: KObject) => [p.metadata.labels, p.spec]
/** What of a node decides who can go there. */
const roomOf = (n: KObject) => [n.metadata.labels, n.spec?.taints, n.spec?.unschedulable, n.status?.allocatable]

function podChanged(queue: SchedulingQueue, reader: Reader, old: KObject | undefined, now: KObject | undefined): void {
  if (now && waits(now, reader)) {
    if (old && waits(old, reader) && equal(wishesOf(old), wishesOf(now))) queue.touch(now)
    else queue.add(now)
    return
  }
  const pod = (now ?? old)!
  if (old && !old.spec.nodeName) queue.forget(pod)
  const { nodeName } = pod.spec
  if (!nodeName) return
  if (!now || (hasEnded(now) && !(old && hasEnded(old)))) {
    queue.nodeFreed(nodeName)
    return
  }
  // Somebody to be near to, or who asks for less now.
  if (!old?.spec.nodeName || !equal(old.metadata.labels, now.metadata.labels)) queue.wake('InterPodAffinity', 'PodTopologySpread')
  else if (!equal(old.spec.containers, now.spec.containers)) queue.nodeFreed(nodeName)
}

/** The queue takes note, and is looked at when there is reason to. */
const noting =
  (note: (queue: SchedulingQueue, change: { old?: KObject; new?: KObject }, reader: Reader) => void): Controller['wakes'][string] =>
  (change, reader) => {
    const queue = queueOf(reader)
    note(queue, change, reader)
    return queue.stirred ? [KEY] : []
  }

export const scheduler: Controller<View> = {
  name: NAME,
  upstream: 'kube-scheduler',
  all: () => [KEY],
  wakes: {
    pods: noting((queue, { old, new: now }, reader) => podChanged(queue, reader, old, now)),
    // Claims that have found their volumes, and volumes that were made.
    [CLAIMS]: noting((queue, { old, new: now }) => {
      if (now?.status?.phase !== old?.status?.phase) queue.wake('VolumeBinding', 'VolumeRestrictions')
    }),
    [VOLUMES]: noting((queue, { old, new: now }) => {
      if (now && !old) queue.wake('VolumeBinding', 'VolumeZone', 'NodeVolumeLimits')
    }),
    [CLASSES]: noting((queue) => queue.wake('VolumeBinding')),
    [CSI_NODES]: noting((queue) => queue.wake('NodeVolumeLimits')),
    namespaces: noting((queue, { old, new: now }) => {
      if (!equal(old?.metadata.labels, now?.metadata.labels)) queue.wake('InterPodAffinity')
    }),
    nodes: noting((queue, { old, new: now }) => {
      if (now && !(old && equal(roomOf(old), roomOf(now)))) queue.nodeChanged(now.metadata.name)
      if (!now) queue.wake('PodTopologySpread')
    }),
    configmaps: ({ old, new: now }, reader) => {
      const { namespace, name } = (now ?? old)!.metadata
      if (namespace !== CONFIG.namespace || name !== CONFIG.name) return []
      forgetQueue(reader)
      return [KEY]
    },
  },
  view: (_key, reader) => {
    const queue = queueOf(reader)
    return queue.empty ? undefined : { queue, reader }
  },
  reconcile,
}
