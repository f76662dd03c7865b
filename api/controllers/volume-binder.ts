// Claims and volumes find each other: a claim gets the smallest volume that has what it asks for, or the one that it, or the volume, names.
// A volume whose claim has gone is released, and stays for its owner to look at.
import { classOf } from '../../shared/kinds/claim.ts'
import { defaultClasses, storageDefaults } from '../../shared/kinds/storage.ts'
import { type KObject, keyOf, timeString } from '../../shared/meta/object.ts'
import { nanoOf } from '../../shared/meta/quantity.ts'
import { fromLabelSelector, matches } from '../../shared/meta/selector.ts'
import { equal } from '../../shared/schema/field-set.ts'
import { type Controller, type Reader, type Result, splitKey, type Write } from '../engine/types.ts'
import { type OwnerKind, ownWakes, told } from './owned.ts'

export const CLAIMS = 'persistentvolumeclaims'
export const VOLUMES = 'persistentvolumes'
export const CLASSES = 'storageclasses.storage.k8s.io'
/** On claims, and on volumes that were nobody's before. */
const BOUND = 'pv.kubernetes.io/bind-completed'
const BY_US = 'pv.kubernetes.io/bound-by-controller'
export const SELECTED_NODE = 'volume.kubernetes.io/selected-node'
const BETA_CLASS = 'volume.beta.kubernetes.io/storage-class'

const kind: OwnerKind = { resource: CLAIMS, kind: 'PersistentVolumeClaim', apiVersion: 'v1', component: 'persistentvolume-controller' }

/** Whether a claim of a class is bound only when it is known where its pod will run. */
export const waitsForConsumer = (cls: KObject | undefined): boolean => cls?.volumeBindingMode === 'WaitForFirstConsumer'

/** Whether a volume is set aside for a claim: for it alone, by name and, once both are bound, by uid. */
function reservedFor(volume: KObject, claim: KObject): boolean {
  const ref = volume.spec.claimRef
  return (
    !!ref && ref.name === claim.metadata.name && ref.namespace === claim.metadata.namespace && (!ref.uid || ref.uid === claim.metadata.uid)
  )
}

const sizeOf = (volume: KObject): bigint => nanoOf(volume.spec.capacity?.storage)

/** Whether a volume has what a claim asks for. */
function suits(volume: KObject, claim: KObject): boolean {
  const [v, c] = [volume.spec, claim.spec]
  if (volume.metadata.deletionTimestamp || (v.volumeMode ?? 'Filesystem') !== (c.volumeMode ?? 'Filesystem')) return false
  if (classOf(volume) !== classOf(claim) || !(c.accessModes ?? []).every((m: string) => v.accessModes?.includes(m))) return false
  if (c.selector && !matches(fromLabelSelector(c.selector), volume.metadata.labels)) return false
  return sizeOf(volume) >= nanoOf(c.resources?.requests?.storage)
}

/** The best of the volumes for a claim: one that is reserved for it, or the smallest that is free. */
export function bestVolume(claim: KObject, volumes: readonly KObject[], fits: (v: KObject) => boolean = () => true): KObject | undefined {
  const good = volumes.filter((v) => suits(v, claim) && fits(v))
  const reserved = good.find((v) => reservedFor(v, claim))
  if (reserved) return reserved
  return good
    .filter((v) => !v.spec.claimRef && v.status?.phase !== 'Released')
    .sort((a, b) => Number(sizeOf(a) - sizeOf(b)) || (a.metadata.name < b.metadata.name ? -1 : 1))[0]
}

interface ClaimView {
  claim: KObject
  cls?: KObject
  /** The one that it names. */
  volume?: KObject
  volumes: readonly KObject[]
  /** The class of claims that name none. */
  fallback?: KObject
}

const annotated = (o: KObject, ...names: string[]): KObject => ({
  ...o,
  metadata: { ...o.metadata, annotations: { ...o.metadata.annotations, ...Object.fromEntries(names.map((n) => [n, 'yes'])) } },
})

/** What a volume says of the claim that it is for. */
export function withClaim(volume: KObject, claim: KObject): KObject {
  const { name, namespace, uid } = claim.metadata
  const claimRef = { ...volume.spec.claimRef, kind: 'PersistentVolumeClaim', apiVersion: 'v1', namespace, name, uid }
  // One that its owner had reserved is not ours to free.
  const marked = volume.spec.claimRef ? volume : annotated(volume, BY_US)
  return { ...marked, spec: { ...volume.spec, claimRef } }
}

function bind(claim: KObject, volume: KObject): Write[] {
  const writes: Write[] = []
  if (volume.spec.claimRef?.uid !== claim.metadata.uid) writes.push({ verb: 'update', resource: VOLUMES, object: withClaim(volume, claim) })
  const marks = claim.spec.volumeName ? [BOUND] : [BOUND, BY_US]
  const next = { ...annotated(claim, ...marks), spec: { ...claim.spec, volumeName: volume.metadata.name } }
  if (!equal(next, claim)) writes.push({ verb: 'update', resource: CLAIMS, object: next })
  // The status follows in the next look, with the version that this makes.
  if (writes.length) return writes
  // A volume that grows later may still have to be grown where it is mounted: who does that says how large it is.
  const capacity = (claim.status?.phase === 'Bound' && claim.status.capacity) || volume.spec.capacity
  const status = { ...claim.status, phase: 'Bound', accessModes: volume.spec.accessModes, capacity }
  return equal(status, claim.status) ? [] : [{ verb: 'update', resource: CLAIMS, object: { ...claim, status }, part: 'status' }]
}

function withPhase(claim: KObject, phase: string): Write[] {
  return claim.status?.phase === phase
    ? []
    : [{ verb: 'update', resource: CLAIMS, object: { ...claim, status: { ...claim.status, phase } }, part: 'status' }]
}

const namesNoClass = (claim: KObject): boolean =>
  claim.spec.storageClassName === undefined && claim.metadata.annotations?.[BETA_CLASS] === undefined && !claim.spec.volumeName

function reconcileClaim(_key: string, { claim, cls, volume, volumes, fallback }: ClaimView): Result {
  if (claim.metadata.deletionTimestamp) return { writes: [] }
  // A default came after the claim.
  if (fallback) {
    const spec = { ...claim.spec, storageClassName: fallback.metadata.name }
    return { writes: [{ verb: 'update', resource: CLAIMS, object: { ...claim, spec } }] }
  }
  const wasBound = !!claim.metadata.annotations?.[BOUND]
  if (claim.spec.volumeName) {
    if (!volume) return { writes: withPhase(claim, wasBound ? 'Lost' : 'Pending') }
    if (volume.spec.claimRef && !reservedFor(volume, claim)) return { writes: withPhase(claim, wasBound ? 'Lost' : 'Pending') }
    if (!wasBound && !suits(volume, claim)) {
      const message = `Cannot bind to requested volume ${JSON.stringify(volume.metadata.name)}: it does not have what the claim asks for`
      return { writes: [...withPhase(claim, 'Pending'), told(kind, claim, 'Warning', 'VolumeMismatch', message)] }
    }
    return { writes: bind(claim, volume) }
  }
  const found = bestVolume(claim, volumes)
  const node = claim.metadata.annotations?.[SELECTED_NODE]
  // One that is reserved for it needs nobody to wait for.
  if (found && (!waitsForConsumer(cls) || reservedFor(found, claim))) return { writes: bind(claim, found) }
  const tell = (reason: string, message: string) => ({ writes: [told(kind, claim, 'Normal', reason, message)] })
  if (waitsForConsumer(cls) && !node) return tell('WaitForFirstConsumer', 'waiting for first consumer to be created before binding')
  if (cls && cls.provisioner !== 'kubernetes.io/no-provisioner')
    return tell(
      'ExternalProvisioning',
      `Waiting for a volume to be created either by the external provisioner '${cls.provisioner}' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.`,
    )
  return tell('FailedBinding', 'no persistent volumes available for this claim and no storage class is set')
}

/** Volumes wake the claims that they might be for. */
const claimsFor: Controller['wakes'][string] = ({ old, new: now }, reader) => {
  const volume = (now ?? old)!
  const refs = [old, now].flatMap((v) => (v?.spec.claimRef ? [`${v.spec.claimRef.namespace}/${v.spec.claimRef.name}`] : []))
  const naming = reader.list(CLAIMS).filter((c) => c.spec.volumeName === volume.metadata.name)
  const free = now && !now.spec.claimRef && !(old && equal(old.spec, now.spec) && equal(old.metadata.labels, now.metadata.labels))
  const waiting = free ? reader.list(CLAIMS).filter((c) => !c.spec.volumeName && suits(now, c)) : []
  return [...new Set([...refs, ...[...naming, ...waiting].map(keyOf)])]
}

export const claimBinder: Controller<ClaimView> = {
  name: 'persistentvolume-binder',
  all: (r) => r.list(CLAIMS).map(keyOf),
  wakes: {
    [CLAIMS]: ownWakes,
    [VOLUMES]: claimsFor,
    [CLASSES]: ({ new: now }, reader) =>
      now
        ? reader
            .list(CLAIMS)
            .filter((c) => !c.spec.volumeName && (classOf(c) === now.metadata.name || namesNoClass(c)))
            .map(keyOf)
        : [],
  },
  view: (key, reader) => {
    const claim = reader.get(CLAIMS, ...splitKey(key))
    if (!claim) return undefined
    const { volumeName } = claim.spec
    const [fallback] = namesNoClass(claim) ? defaultClasses(reader.list(CLASSES), storageDefaults) : []
    return {
      ...(fallback ? { fallback } : {}),
      claim,
      cls: reader.get(CLASSES, '', classOf(claim)),
      volume: volumeName && reader.get(VOLUMES, '', volumeName),
      volumes: volumeName ? [] : reader.list(VOLUMES),
    }
  },
  reconcile: reconcileClaim,
}

interface VolumeView {
  volume: KObject
  claim?: KObject
}

function phaseOf({ volume, claim }: VolumeView): string {
  const ref = volume.spec.claimRef
  if (!ref) return 'Available'
  // Reserved, and nobody has come for it.
  if (!ref.uid) return 'Available'
  if (claim?.metadata.uid === ref.uid) return 'Bound'
  // Whoever was to take it away could not.
  return volume.status?.phase === 'Failed' ? 'Failed' : 'Released'
}

export const volumePhase: Controller<VolumeView> = {
  name: 'persistentvolume-phase',
  all: (r) => r.list(VOLUMES).map(keyOf),
  wakes: {
    [VOLUMES]: ownWakes,
    [CLAIMS]: ({ old, new: now }, reader) => {
      const { spec, metadata } = (now ?? old)!
      if (spec.volumeName) return !now || !old || old.spec.volumeName !== spec.volumeName ? [spec.volumeName] : []
      if (now) return []
      // It went before it had said which volume it has; the volume knows.
      const isFor = ({ spec: { claimRef } }: KObject) => claimRef?.namespace === metadata.namespace && claimRef?.name === metadata.name
      return reader.list(VOLUMES).filter(isFor).map(keyOf)
    },
  },
  view: (key, reader: Reader) => {
    const volume = reader.get(VOLUMES, '', key)
    const ref = volume?.spec.claimRef
    return volume && { volume, claim: ref && reader.get(CLAIMS, ref.namespace, ref.name) }
  },
  reconcile: (_key, view, now) => {
    const { volume } = view
    const phase = phaseOf(view)
    if (volume.status?.phase === phase) return { writes: [] }
    const status = { ...volume.status, phase, lastPhaseTransitionTime: timeString(now) }
    return { writes: [{ verb: 'update', resource: VOLUMES, object: { ...volume, status }, part: 'status' }] }
  },
}
