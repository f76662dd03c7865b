// Volumes of our own class: folders on the node where the pod runs, as large together as the node says that it has room. Made for claims, grown with
// them, and taken away by the node when their claims have gone.

import { classOf } from '../../shared/kinds/claim.ts'
import { defaultClasses, storageDefaults } from '../../shared/kinds/storage.ts'
import { isReady } from '../../shared/meta/conditions.ts'
import { KEPT, KEPT_BY, LOCAL_PROVISIONER, PROVISIONED_BY, VOLUMES_FOLDER, VOLUMES_SIZE } from '../../shared/meta/node-annotations.ts'
import { type KObject, keyOf } from '../../shared/meta/object.ts'
import { nanoOf } from '../../shared/meta/quantity.ts'
import { type Controller, type Reader, type Result, splitKey, type Write } from '../engine/types.ts'
import { type OwnerKind, ownWakes, told } from './owned.ts'
import { CLAIMS, CLASSES, SELECTED_NODE, VOLUMES, waitsForConsumer } from './volume-binder.ts'

const kind: OwnerKind = { resource: CLAIMS, kind: 'PersistentVolumeClaim', apiVersion: 'v1', component: LOCAL_PROVISIONER }
const CLASS = 'local'
const MODES = ['ReadWriteOnce', 'ReadWriteOncePod']
const HOSTNAME = 'kubernetes.io/hostname'

const sizeOf = (o: KObject): bigint => nanoOf(o.spec.capacity?.storage)
const wantedBy = (claim: KObject): bigint => nanoOf(claim.spec.resources?.requests?.storage)

/** How much the volumes of each node are to hold, in billionths of bytes. */
export function keptByNode(volumes: readonly KObject[]): Map<string, bigint> {
  const out = new Map<string, bigint>()
  for (const v of volumes) {
    const node = v.metadata.labels?.[KEPT_BY]
    if (node !== undefined) out.set(node, (out.get(node) ?? 0n) + sizeOf(v))
  }
  return out
}

/** How much more a node can keep besides `kept`; nothing where it keeps no volumes at all. */
export function roomOn({ metadata }: KObject, kept: bigint): bigint {
  if (!metadata.annotations?.[VOLUMES_FOLDER]) return -1n
  return nanoOf(metadata.annotations[VOLUMES_SIZE] ?? '0') - kept
}

interface View {
  claim: KObject
  cls: KObject
  nodes: readonly KObject[]
  kept: Map<string, bigint>
  /** The volume that was made for it. */
  volume?: KObject
}

const nameFor = (claim: KObject): string => `pvc-${claim.metadata.uid}`

/** Why no volume can be made, whichever the node. */
function refusal({ spec }: KObject): string | undefined {
  const mode = spec.accessModes?.find((m: string) => !MODES.includes(m))
  if (mode) return `local volumes are for one node: access mode ${mode} is not supported`
  if (spec.volumeMode === 'Block') return 'local volumes are folders: volume mode Block is not supported'
  return spec.dataSource || spec.dataSourceRef ? 'local volumes start empty: data sources are not supported' : undefined
}

function volumeFor({ claim, cls }: View, node: KObject): KObject {
  const { name, namespace, uid } = claim.metadata
  const hostname = node.metadata.labels?.[HOSTNAME] ?? node.metadata.name
  const matchExpressions = [{ key: HOSTNAME, operator: 'In', values: [hostname] }]
  return {
    metadata: {
      name: nameFor(claim),
      labels: { [KEPT_BY]: node.metadata.name },
      annotations: { [PROVISIONED_BY]: LOCAL_PROVISIONER },
      finalizers: [KEPT],
    } as unknown as KObject['metadata'],
    spec: {
      capacity: { storage: claim.spec.resources.requests.storage },
      accessModes: claim.spec.accessModes,
      persistentVolumeReclaimPolicy: cls.reclaimPolicy ?? 'Delete',
      storageClassName: cls.metadata.name,
      volumeMode: 'Filesystem',
      ...(cls.mountOptions ? { mountOptions: cls.mountOptions } : {}),
      local: { path: `${node.metadata.annotations![VOLUMES_FOLDER]}/${nameFor(claim)}` },
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions }] } },
      claimRef: { kind: 'PersistentVolumeClaim', apiVersion: 'v1', namespace, name, uid },
    },
  }
}

/** The node that a claim's volume is made on: the one that was chosen for its pod, or the one with the most room. */
function nodeFor({ claim, cls, nodes, kept }: View): KObject | undefined {
  const chosen = claim.metadata.annotations?.[SELECTED_NODE]
  if (chosen !== undefined) return nodes.find((n) => n.metadata.name === chosen)
  if (waitsForConsumer(cls)) return undefined
  const room = (n: KObject) => roomOn(n, kept.get(n.metadata.name) ?? 0n)
  return nodes
    .filter((n) => isReady(n) && room(n) >= 0n)
    .toSorted((a, b) => Number(room(b) - room(a)) || (a.metadata.name < b.metadata.name ? -1 : 1))[0]
}

function provision(view: View): Result {
  const { claim, cls, kept } = view
  const chosen = claim.metadata.annotations?.[SELECTED_NODE]
  if (waitsForConsumer(cls) && chosen === undefined) return { writes: [] }
  const fail = (why: string): Write[] => [
    told(kind, claim, 'Warning', 'ProvisioningFailed', `failed to provision volume with StorageClass "${cls.metadata.name}": ${why}`),
  ]
  const refused = refusal(claim)
  if (refused) return { writes: fail(refused) }
  const node = nodeFor(view)
  const room = node ? roomOn(node, kept.get(node.metadata.name) ?? 0n) : -1n
  if (node && wantedBy(claim) <= room) {
    const volume = volumeFor(view, node)
    const message = `Successfully provisioned volume ${volume.metadata.name}`
    return {
      writes: [{ verb: 'create', resource: VOLUMES, object: volume }, told(kind, claim, 'Normal', 'ProvisioningSucceeded', message)],
    }
  }
  const writes = fail(node ? `node ${node.metadata.name} has no room for it` : 'no node keeps local volumes')
  if (chosen === undefined) return { writes }
  // The scheduler chooses anew.
  const { [SELECTED_NODE]: _, ...annotations } = claim.metadata.annotations!
  return { writes: [...writes, { verb: 'update', resource: CLAIMS, object: { ...claim, metadata: { ...claim.metadata, annotations } } }] }
}

function resize({ claim, cls, nodes, kept, volume }: View): Result {
  if (claim.status?.phase !== 'Bound' || !volume || !cls.allowVolumeExpansion) return { writes: [] }
  // A folder has nothing in it that would have to grow as well.
  const larger = (capacity: any): KObject => ({ ...claim, status: { ...claim.status, capacity } })
  if (wantedBy(claim) <= sizeOf(volume)) {
    if (nanoOf(claim.status.capacity?.storage) >= sizeOf(volume)) return { writes: [] }
    return { writes: [{ verb: 'update', resource: CLAIMS, object: larger(volume.spec.capacity), part: 'status' }] }
  }
  const node = nodes.find((n) => n.metadata.name === volume.metadata.labels?.[KEPT_BY])
  const more = wantedBy(claim) - sizeOf(volume)
  if (!node || more > roomOn(node, kept.get(node.metadata.name) ?? 0n)) {
    const why = node ? `node ${node.metadata.name} has no room for it` : 'its node is gone'
    return { writes: [told(kind, claim, 'Warning', 'VolumeResizeFailed', `resize volume ${volume.metadata.name} failed: ${why}`)] }
  }
  const { storage } = claim.spec.resources.requests
  const capacity = { ...volume.spec.capacity, storage }
  return {
    writes: [
      { verb: 'update', resource: VOLUMES, object: { ...volume, spec: { ...volume.spec, capacity } } },
      { verb: 'update', resource: CLAIMS, object: larger(capacity), part: 'status' },
      told(kind, claim, 'Normal', 'VolumeResizeSuccessful', 'Resize volume succeeded'),
    ],
  }
}

const classFor = (claim: KObject, reader: Reader): KObject | undefined => {
  const cls = reader.get(CLASSES, '', classOf(claim))
  return cls?.provisioner === LOCAL_PROVISIONER ? cls : undefined
}
const unbound = (reader: Reader): string[] =>
  reader
    .list(CLAIMS)
    .filter((c) => !c.spec.volumeName && classFor(c, reader))
    .map(keyOf)
const keeps = (n: KObject | undefined) => n && `${n.metadata.annotations?.[VOLUMES_FOLDER]} ${n.metadata.annotations?.[VOLUMES_SIZE]}`

export const localVolume: Controller<View> = {
  name: 'local-volume-provisioner',
  // What two take from the same node has to be counted.
  oneByOne: true,
  all: (r) => r.list(CLAIMS).map(keyOf),
  wakes: {
    [CLAIMS]: ownWakes,
    [CLASSES]: (_change, reader) => unbound(reader),
    nodes: ({ old, new: now }, reader) => (keeps(old) === keeps(now) ? [] : unbound(reader)),
  },
  view: (key, reader) => {
    const claim = reader.get(CLAIMS, ...splitKey(key))
    const cls = claim && classFor(claim, reader)
    if (!claim || !cls || claim.metadata.deletionTimestamp) return undefined
    const volume = reader.get(VOLUMES, '', nameFor(claim))
    if (volume && !claim.spec.volumeName) return undefined
    const all = reader.list(VOLUMES)
    return { claim, cls, nodes: reader.list('nodes'), kept: keptByNode(all), ...(volume ? { volume } : {}) }
  },
  reconcile: (_key, view) => (view.claim.spec.volumeName ? resize(view) : provision(view)),
}

interface ClassView {
  /** Somebody else's class is the default. */
  taken: boolean
}

/** The class is there as soon as a node keeps volumes. */
export const localClass: Controller<ClassView> = {
  name: 'local-storage-class',
  all: () => [CLASS],
  wakes: {
    nodes: ({ old, new: now }) => (keeps(old) === keeps(now) ? [] : [CLASS]),
    [CLASSES]: ({ old, new: now }) => (now || old!.metadata.name !== CLASS ? [] : [CLASS]),
  },
  view: (_key, reader) => {
    const wanted = !reader.get(CLASSES, '', CLASS) && reader.list('nodes').some((n) => n.metadata.annotations?.[VOLUMES_FOLDER])
    return wanted ? { taken: defaultClasses(reader.list(CLASSES), storageDefaults).length > 0 } : undefined
  },
  reconcile: (_key, { taken }) => {
    const annotations = { [storageDefaults[0]!]: String(!taken) }
    const object = {
      metadata: { name: CLASS, annotations } as unknown as KObject['metadata'],
      provisioner: LOCAL_PROVISIONER,
      reclaimPolicy: 'Delete',
      volumeBindingMode: 'WaitForFirstConsumer',
      allowVolumeExpansion: true,
    }
    return { writes: [{ verb: 'create', resource: CLASSES, object }] }
  },
}

interface ReclaimView {
  volume: KObject
  nodeIsGone: boolean
}

function reclaim(_key: string, { volume, nodeIsGone }: ReclaimView): Result {
  const { metadata, spec, status } = volume
  if (metadata.deletionTimestamp) {
    if (!nodeIsGone || !metadata.finalizers?.includes(KEPT)) return { writes: [] }
    const finalizers = metadata.finalizers.filter((f) => f !== KEPT)
    return { writes: [{ verb: 'update', resource: VOLUMES, object: { ...volume, metadata: { ...metadata, finalizers } } }] }
  }
  if (status?.phase !== 'Released' || spec.persistentVolumeReclaimPolicy === 'Retain') return { writes: [] }
  const by = metadata.annotations?.[PROVISIONED_BY]
  if (by === LOCAL_PROVISIONER) return { writes: [{ verb: 'delete', resource: VOLUMES, object: volume }] }
  // Whoever made it takes it away.
  if (by) return { writes: [] }
  const message = `error getting deleter volume plugin for volume "${metadata.name}": no deletable volume plugin matched`
  return {
    writes: [
      { verb: 'update', resource: VOLUMES, object: { ...volume, status: { ...status, phase: 'Failed', message } }, part: 'status' },
      told(
        { ...kind, resource: VOLUMES, kind: 'PersistentVolume', component: 'persistentvolume-controller' },
        volume,
        'Warning',
        'VolumeFailedDelete',
        message,
      ),
    ],
  }
}

const keptOn = (name: string, reader: Reader): string[] =>
  reader
    .list(VOLUMES)
    .filter((v) => v.metadata.labels?.[KEPT_BY] === name)
    .map(keyOf)

export const volumeReclaim: Controller<ReclaimView> = {
  name: 'persistentvolume-reclaim',
  all: (r) => r.list(VOLUMES).map(keyOf),
  wakes: { [VOLUMES]: ownWakes, nodes: ({ new: now, old }, reader) => (now ? [] : keptOn(old!.metadata.name, reader)) },
  view: (key, reader) => {
    const volume = reader.get(VOLUMES, '', key)
    return volume && { volume, nodeIsGone: !reader.get('nodes', '', volume.metadata.labels?.[KEPT_BY] ?? '') }
  },
  reconcile: reclaim,
}
