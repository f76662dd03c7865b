// Attach/detach: which volumes of CSI drivers are to be at which node, as VolumeAttachments that the drivers' attachers act on; and what they have done, in
// the node's status. A volume leaves a node when no pod there has it and the node does not use it.

import { claimsOf } from '../../shared/kinds/pod-claims.ts'
import { attachmentName, isAttachmentName } from '../../shared/meta/attachments.ts'
import type { KObject } from '../../shared/meta/object.ts'
import { equal } from '../../shared/schema/field-set.ts'
import type { Controller, Reader, Result, Write } from '../engine/types.ts'
import { hasEnded } from './pods.ts'
import { CLAIMS, VOLUMES } from './volume-binder.ts'

const ATTACHMENTS = 'volumeattachments.storage.k8s.io'
const DRIVERS = 'csidrivers.storage.k8s.io'

interface View {
  node: string
  object?: KObject
  /** Volumes that pods on the node have. */
  wanted: KObject[]
  attachments: KObject[]
  /** Of those, whose making was ours: somebody else's are nobody's business here. */
  own: Set<KObject>
}

const uniqueName = (volume: KObject): string => `kubernetes.io/csi/${volume.spec.csi.driver}^${volume.spec.csi.volumeHandle}`
const nameFor = ({ spec: { csi } }: KObject, node: string): string => attachmentName(csi.volumeHandle, csi.driver, node)

/** The volumes of drivers that have to attach them, of a pod. */
function volumesOf(pod: KObject, reader: Reader): KObject[] {
  return claimsOf(pod.metadata.name, pod.spec).flatMap((name) => {
    const claim = reader.get(CLAIMS, pod.metadata.namespace!, name)
    const volume = claim?.spec.volumeName && reader.get(VOLUMES, '', claim.spec.volumeName)
    const driver = volume?.spec.csi && reader.get(DRIVERS, '', volume.spec.csi.driver)
    return volume?.spec.csi && driver?.spec?.attachRequired !== false ? [volume as KObject] : []
  })
}

function reconcile(_key: string, { node, object, wanted, attachments, own }: View): Result {
  const writes: Write[] = []
  const inUse = new Set<string>(object?.status?.volumesInUse ?? [])
  const names = new Set(wanted.map((v) => nameFor(v, node)))
  if (object && !object.metadata.deletionTimestamp)
    for (const v of wanted)
      if (!attachments.some((a) => a.metadata.name === nameFor(v, node)))
        writes.push({
          verb: 'create',
          resource: ATTACHMENTS,
          object: {
            metadata: { name: nameFor(v, node) } as KObject['metadata'],
            spec: { attacher: v.spec.csi.driver, nodeName: node, source: { persistentVolumeName: v.metadata.name } },
          },
        })
  for (const a of own) {
    const used = a.status?.attachmentMetadata?.devicePath !== undefined && inUse.has(a.spec.source.persistentVolumeName)
    if (!names.has(a.metadata.name) && !a.metadata.deletionTimestamp && !used)
      writes.push({ verb: 'delete', resource: ATTACHMENTS, object: a })
  }
  if (!object) return { writes }
  const attached = wanted
    .flatMap((v) => {
      const a = attachments.find((x) => x.metadata.name === nameFor(v, node))
      return a?.status?.attached ? [{ name: uniqueName(v), devicePath: a.status.attachmentMetadata?.devicePath ?? '' }] : []
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
  if (!equal(attached, object.status?.volumesAttached ?? []))
    writes.push({
      verb: 'update',
      resource: 'nodes',
      object: { ...object, status: { ...object.status, volumesAttached: attached } },
      part: 'status',
    })
  return { writes }
}

/** By its name, which is made of the volume; where that is gone, by the name's form. */
function isOurs(a: KObject, reader: Reader): boolean {
  const volume = reader.get(VOLUMES, '', a.spec.source.persistentVolumeName)
  return volume?.spec.csi ? a.metadata.name === nameFor(volume, a.spec.nodeName) : isAttachmentName(a.metadata.name)
}

const onNode = (pod: KObject | undefined): string[] =>
  pod?.spec.nodeName && claimsOf(pod.metadata.name, pod.spec).length ? [pod.spec.nodeName] : []

export const attachDetach: Controller<View> = {
  name: 'attachdetach-controller',
  all: (r) => r.list('nodes').map((n) => n.metadata.name),
  wakes: {
    pods: ({ old, new: now }) =>
      old && now && old.spec.nodeName === now.spec.nodeName && hasEnded(old) === hasEnded(now) ? [] : onNode(now ?? old),
    [CLAIMS]: ({ old, new: now }, reader) => {
      if (!now || old?.spec.volumeName === now.spec.volumeName) return []
      const { namespace, name } = now.metadata
      return reader
        .list('pods', namespace)
        .filter((p) => claimsOf(p.metadata.name, p.spec).includes(name))
        .flatMap(onNode)
    },
    [ATTACHMENTS]: ({ old, new: now }) => [(now ?? old)!.spec.nodeName],
    nodes: ({ old, new: now }) =>
      now && equal(old?.status?.volumesInUse, now.status?.volumesInUse) && old ? [] : [(now ?? old)!.metadata.name],
  },
  view: (key, reader) => {
    const attachments = reader.list(ATTACHMENTS).filter((a) => a.spec.nodeName === key && a.spec.source?.persistentVolumeName)
    const volumes = reader
      .podsOn(key)
      .filter((p) => !hasEnded(p))
      .flatMap((p) => volumesOf(p, reader))
    const object = reader.get('nodes', '', key)
    if (!attachments.length && !volumes.length && !object?.status?.volumesAttached?.length) return undefined
    return {
      node: key,
      wanted: [...new Map(volumes.map((v) => [v.metadata.name, v])).values()],
      attachments,
      own: new Set(attachments.filter((a) => isOurs(a, reader))),
      ...(object ? { object } : {}),
    }
  },
  reconcile,
}
