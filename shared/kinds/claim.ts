// PersistentVolumeClaim and PersistentVolume: storage that is asked for, and storage that there is.
import { dictionary } from '../meta/dictionary.ts'
import type { FieldErrors } from '../meta/field-error.ts'
import { dnsSubdomain } from '../meta/names.ts'
import type { KObject } from '../meta/object.ts'
import { nanoOf } from '../meta/quantity.ts'
import { equal } from '../schema/field-set.ts'
import { ageColumn, ageOf, type Kind, nameColumn, plainKind, statusSubresource, text, withStatus } from './kind.ts'
import { validateLabelSelector } from './pod-validation.ts'

const MODES = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod']
const short: Record<string, string> = dictionary({
  ReadWriteOnce: 'RWO',
  ReadOnlyMany: 'ROX',
  ReadWriteMany: 'RWX',
  ReadWriteOncePod: 'RWOP',
})
const modesOf = (modes: string[] | undefined): string =>
  Object.keys(short)
    .filter((m) => modes?.includes(m))
    .map((m) => short[m])
    .join(',')
/** The class that a claim or a volume is of; empty for none. */
export const classOf = (o: KObject): string =>
  o.metadata.annotations?.['volume.beta.kubernetes.io/storage-class'] ?? o.spec?.storageClassName ?? ''
const phaseOf = (o: KObject): string => (o.metadata.deletionTimestamp ? 'Terminating' : (o.status?.phase ?? ''))

export function defaultClaim(o: any): void {
  o.spec ??= {}
  o.spec.volumeMode ??= 'Filesystem'
  o.status ??= {}
  o.status.phase ||= 'Pending'
}

function validateModes(modes: string[] | undefined, at: string, e: FieldErrors): void {
  if (!modes?.length) e.required(at, 'at least 1 access mode is required')
  for (const m of modes ?? []) if (!MODES.includes(m)) e.notSupported(at, m, MODES)
  if (modes?.includes('ReadWriteOncePod') && modes.length > 1) e.forbidden(at, 'may not use ReadWriteOncePod with other access modes')
}

function validateMode(mode: string | undefined, e: FieldErrors): void {
  if (mode !== undefined && mode !== 'Block' && mode !== 'Filesystem') e.notSupported('spec.volumeMode', mode, ['Block', 'Filesystem'])
}

function validateClaimSpec(s: any, at: string, e: FieldErrors): void {
  validateModes(s.accessModes, `${at}.accessModes`, e)
  validateLabelSelector(s.selector, `${at}.selector`, e)
  const storage = s.resources?.requests?.storage
  if (storage === undefined) e.required(`${at}.resources[storage]`)
  else if (nanoOf(storage) <= 0n) e.invalid(`${at}.resources[storage]`, storage, 'must be greater than zero')
  if (s.storageClassName) e.format(`${at}.storageClassName`, s.storageClassName, dnsSubdomain(s.storageClassName))
  validateMode(s.volumeMode, e)
}

/** The finalizers that keep what is in use, by kind. */
export const storageProtection: Record<string, string> = {
  PersistentVolumeClaim: 'kubernetes.io/pvc-protection',
  PersistentVolume: 'kubernetes.io/pv-protection',
}

export const persistentVolumeClaim: Kind = plainKind({
  group: '',
  kind: 'PersistentVolumeClaim',
  plural: 'persistentvolumeclaims',
  shortNames: ['pvc'],
  namespaced: true,
  type: 'V1PersistentVolumeClaim',
  subresources: statusSubresource,
  ...withStatus(() => ({ phase: 'Pending' })),
  generation: false,
  defaults: defaultClaim,
  validate: (o, e) => validateClaimSpec(o.spec, 'spec', e),
  validateUpdate: (o, old, e) => {
    const [now, before] = [o.spec, old.spec]
    // The controller binds by naming the volume, and a bound claim may ask for more.
    const fixed = (s: any, from: any) => ({
      ...s,
      volumeName: before.volumeName ? s.volumeName : from.volumeName,
      resources: { ...s.resources, requests: { ...s.resources?.requests, storage: from.resources?.requests?.storage } },
      volumeAttributesClassName: from.volumeAttributesClassName,
      storageClassName: before.storageClassName === undefined ? from.storageClassName : s.storageClassName,
    })
    const bound = old.status?.phase === 'Bound'
    const same = equal(fixed(now, before), fixed(before, before))
    const resized = !equal(now.resources?.requests?.storage, before.resources?.requests?.storage)
    if (!same || (resized && !bound))
      e.forbidden('spec', 'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims')
    if (
      resized &&
      bound &&
      nanoOf(now.resources?.requests?.storage) < nanoOf(old.status?.capacity?.storage ?? before.resources?.requests?.storage)
    )
      e.forbidden('spec.resources.requests.storage', 'field can not be less than status.capacity')
  },
  columns: [
    nameColumn,
    text('Status', 'Phase of the claim.'),
    text('Volume', 'The volume that backs the claim.'),
    text('Capacity', 'The storage that it has.'),
    text('Access Modes', 'How the volume may be mounted.'),
    text('StorageClass', 'StorageClass of the pvc'),
    text('VolumeAttributesClass', 'VolumeAttributesClass of the pvc'),
    ageColumn,
    text('VolumeMode', 'Block or Filesystem.', 1),
  ],
  cells: (o, now) => [
    o.metadata.name,
    phaseOf(o),
    o.spec?.volumeName ?? '',
    o.spec?.volumeName ? (o.status?.capacity?.storage ?? '0') : '',
    o.spec?.volumeName ? modesOf(o.status?.accessModes) : '',
    classOf(o),
    o.spec?.volumeAttributesClassName ?? '<unset>',
    ageOf(o, now),
    o.spec?.volumeMode ?? '<unset>',
  ],
})

const notSources = new Set([
  'capacity',
  'accessModes',
  'claimRef',
  'persistentVolumeReclaimPolicy',
  'storageClassName',
  'mountOptions',
  'volumeMode',
  'nodeAffinity',
  'volumeAttributesClassName',
])

export const persistentVolume: Kind = plainKind({
  group: '',
  kind: 'PersistentVolume',
  plural: 'persistentvolumes',
  shortNames: ['pv'],
  namespaced: false,
  type: 'V1PersistentVolume',
  subresources: statusSubresource,
  ...withStatus(() => ({ phase: 'Pending' })),
  generation: false,
  defaults: (o) => {
    o.spec ??= {}
    o.spec.persistentVolumeReclaimPolicy ||= 'Retain'
    o.spec.volumeMode ??= 'Filesystem'
    o.status ??= {}
    o.status.phase ||= 'Pending'
    if (o.spec.hostPath) o.spec.hostPath.type ??= ''
  },
  validate: (o, e) => {
    const s = o.spec ?? {}
    validateModes(s.accessModes, 'spec.accessModes', e)
    const { storage, ...others } = s.capacity ?? {}
    if (!s.capacity || !Object.keys(s.capacity).length) e.required('spec.capacity')
    else if (storage === undefined || Object.keys(others).length) e.notSupported('spec.capacity', s.capacity, ['storage'])
    else if (nanoOf(storage) <= 0n) e.invalid('spec.capacity[storage]', storage, 'must be greater than zero')
    const policies = ['Delete', 'Recycle', 'Retain']
    if (!policies.includes(s.persistentVolumeReclaimPolicy))
      e.notSupported('spec.persistentVolumeReclaimPolicy', s.persistentVolumeReclaimPolicy, policies)
    const sources = Object.keys(s).filter((k) => !notSources.has(k))
    if (!sources.length) e.required('spec', 'must specify a volume type')
    for (const extra of sources.slice(1)) e.forbidden(`spec.${extra}`, 'may not specify more than 1 volume type')
    if (s.hostPath) {
      if (!s.hostPath.path) e.required('spec.hostPath.path')
      else if (s.hostPath.path.split('/').includes('..')) e.invalid('spec.hostPath.path', s.hostPath.path, "must not contain '..'")
      if (s.hostPath.path === '/' && s.persistentVolumeReclaimPolicy === 'Recycle')
        e.forbidden('spec.persistentVolumeReclaimPolicy', "may not be 'recycle' for a hostPath mount of '/'")
    }
    if (s.nfs) {
      if (!s.nfs.server) e.required('spec.nfs.server')
      if (!s.nfs.path) e.required('spec.nfs.path')
      else if (!s.nfs.path.startsWith('/')) e.invalid('spec.nfs.path', s.nfs.path, 'must be an absolute path')
    }
    if (s.local) {
      if (!s.local.path) e.required('spec.local.path')
      if (!s.nodeAffinity?.required) e.required('spec.nodeAffinity', 'Local volume requires node affinity')
    }
    if (s.storageClassName) e.format('spec.storageClassName', s.storageClassName, dnsSubdomain(s.storageClassName))
    validateMode(s.volumeMode, e)
  },
  validateUpdate: (o, old, e) => {
    const source = (s: any) => Object.fromEntries(Object.entries(s ?? {}).filter(([k]) => !notSources.has(k)))
    if (!equal(source(o.spec), source(old.spec)))
      e.forbidden('spec.persistentvolumesource', 'spec.persistentvolumesource is immutable after creation')
    if (o.spec.volumeMode !== old.spec.volumeMode) e.invalid('volumeMode', o.spec.volumeMode, 'field is immutable')
  },
  columns: [
    nameColumn,
    text('Capacity', 'The storage that it has.'),
    text('Access Modes', 'How the volume may be mounted.'),
    text('Reclaim Policy', 'What becomes of it when its claim goes.'),
    text('Status', 'Phase of the volume.'),
    text('Claim', 'The claim that it is bound to.'),
    text('StorageClass', 'StorageClass of the pv'),
    text('VolumeAttributesClass', 'VolumeAttributesClass of the pv'),
    text('Reason', 'Why it is in its phase.'),
    ageColumn,
    text('VolumeMode', 'Block or Filesystem.', 1),
  ],
  cells: (o, now) => [
    o.metadata.name,
    o.spec?.capacity?.storage ?? '0',
    modesOf(o.spec?.accessModes),
    o.spec?.persistentVolumeReclaimPolicy ?? '',
    phaseOf(o),
    o.spec?.claimRef ? `${o.spec.claimRef.namespace ?? ''}/${o.spec.claimRef.name ?? ''}` : '',
    classOf(o),
    o.spec?.volumeAttributesClassName ?? '<unset>',
    o.status?.reason ?? '',
    ageOf(o, now),
    o.spec?.volumeMode ?? '<unset>',
  ],
})
