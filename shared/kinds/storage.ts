// storage.k8s.io: classes of storage, and what CSI drivers say of themselves.
import type { FieldErrors } from '../meta/field-error.ts'
import { dnsSubdomain, qualifiedName } from '../meta/names.ts'
import type { KObject } from '../meta/object.ts'
import { nanoOf } from '../meta/quantity.ts'
import { equal } from '../schema/field-set.ts'
import { ageColumn, ageOf, boolean, integer, type Kind, nameColumn, plainKind, statusSubresource, text, withStatus } from './kind.ts'
import { validateLabelSelector } from './pod-validation.ts'

const GROUP = 'storage.k8s.io'
const DEFAULT_CLASS = 'storageclass.kubernetes.io/is-default-class'
const MAX_PARAMETERS = 512
const MAX_PARAMETER_BYTES = 256 * 1024

const immutable = (o: any, old: any, at: string, fields: string[], e: FieldErrors): void => {
  for (const f of fields) if (!equal(o?.[f], old?.[f])) e.invalid(`${at}${f}`, o?.[f], 'field is immutable')
}

/** What marks the class of claims that name none. */
export const storageDefaults = [DEFAULT_CLASS, 'storageclass.beta.kubernetes.io/is-default-class']
const isMarked = (o: KObject, annotations: readonly string[]): boolean => annotations.some((a) => o.metadata.annotations?.[a] === 'true')

/** The classes that one of the annotations marks as the default, the newest first. */
export const defaultClasses = (classes: readonly KObject[], annotations: readonly string[]): KObject[] =>
  classes
    .filter((c) => isMarked(c, annotations))
    .sort(
      (a, b) =>
        (Date.parse(b.metadata.creationTimestamp) || 0) - (Date.parse(a.metadata.creationTimestamp) || 0) ||
        (a.metadata.name < b.metadata.name ? -1 : 1),
    )

function validateParameters(p: Record<string, string> | undefined, e: FieldErrors): void {
  const entries = Object.entries(p ?? {})
  if (entries.length > MAX_PARAMETERS) e.invalidType('parameters', `Too many: ${entries.length}: must have at most ${MAX_PARAMETERS} items`)
  if (entries.some(([k]) => !k)) e.invalid('parameters', '', 'field can not be empty.')
  if (entries.reduce((n, [k, v]) => n + k.length + v.length, 0) > MAX_PARAMETER_BYTES) e.tooLong('parameters', MAX_PARAMETER_BYTES)
}

export const storageClass: Kind = plainKind({
  group: GROUP,
  kind: 'StorageClass',
  plural: 'storageclasses',
  shortNames: ['sc'],
  namespaced: false,
  type: 'V1StorageClass',
  defaults: (o) => {
    o.reclaimPolicy ??= 'Delete'
    o.volumeBindingMode ??= 'Immediate'
  },
  validate: (o, e) => {
    if (!o.provisioner) e.required('provisioner')
    else e.format('provisioner', o.provisioner, qualifiedName(o.provisioner.toLowerCase()))
    validateParameters(o.parameters, e)
    if (!['Delete', 'Retain'].includes(o.reclaimPolicy)) e.notSupported('reclaimPolicy', o.reclaimPolicy, ['Delete', 'Retain'])
    const modes = ['Immediate', 'WaitForFirstConsumer']
    if (!modes.includes(o.volumeBindingMode)) e.notSupported('volumeBindingMode', o.volumeBindingMode, modes)
    o.allowedTopologies?.forEach((t: any, i: number) => {
      t.matchLabelExpressions?.forEach((r: any, j: number) => {
        const at = `allowedTopologies[${i}].matchLabelExpressions[${j}]`
        e.format(`${at}.key`, r.key, qualifiedName(r.key ?? ''))
        if (!r.values?.length) e.required(`${at}.values`)
      })
    })
  },
  validateUpdate: (o, old, e) => immutable(o, old, '', ['parameters', 'provisioner', 'reclaimPolicy', 'volumeBindingMode'], e),
  columns: [
    nameColumn,
    text('Provisioner', 'Who makes the volumes.'),
    text('ReclaimPolicy', 'What becomes of them when their claims go.'),
    text('VolumeBindingMode', 'When they are made.'),
    boolean('AllowVolumeExpansion', 'Whether claims may grow.'),
    ageColumn,
  ],
  cells: (o, now) => [
    `${o.metadata.name}${isMarked(o, storageDefaults) ? ' (default)' : ''}`,
    o.provisioner ?? '',
    o.reclaimPolicy ?? 'Delete',
    o.volumeBindingMode ?? 'Immediate',
    o.allowVolumeExpansion ?? false,
    ageOf(o, now),
  ],
})

export const volumeAttributesClass: Kind = plainKind({
  group: GROUP,
  kind: 'VolumeAttributesClass',
  plural: 'volumeattributesclasses',
  shortNames: ['vac'],
  namespaced: false,
  type: 'V1VolumeAttributesClass',
  validate: (o, e) => {
    if (!o.driverName) e.required('driverName')
    else e.format('driverName', o.driverName, dnsSubdomain(o.driverName.toLowerCase()))
    validateParameters(o.parameters, e)
    if (!Object.keys(o.parameters ?? {}).length) e.required('parameters', 'must contain at least one key/value pair')
  },
  validateUpdate: (o, old, e) => {
    for (const f of ['driverName', 'parameters']) if (!equal(o[f], old[f])) e.forbidden(f, 'updates to are forbidden.')
  },
  columns: [nameColumn, text('DriverName', 'The driver that knows the attributes.'), ageColumn],
  cells: (o, now) => [o.metadata.name, o.driverName ?? '', ageOf(o, now)],
})

export const volumeAttachment: Kind = plainKind({
  group: GROUP,
  kind: 'VolumeAttachment',
  plural: 'volumeattachments',
  namespaced: false,
  type: 'V1VolumeAttachment',
  subresources: statusSubresource,
  ...withStatus(() => ({ attached: false })),
  generation: false,
  defaults: (o) => {
    o.spec ??= {}
  },
  validate: (o, e) => {
    const s = o.spec
    if (!s.attacher) e.required('spec.attacher')
    if (!s.nodeName) e.required('spec.nodeName')
    const { persistentVolumeName, inlineVolumeSpec } = s.source ?? {}
    if (!persistentVolumeName && !inlineVolumeSpec)
      e.required('spec.source', 'must specify exactly one of inlineVolumeSpec and persistentVolumeName')
    else if (persistentVolumeName && inlineVolumeSpec)
      e.forbidden('spec.source', 'must specify exactly one of inlineVolumeSpec and persistentVolumeName')
  },
  validateUpdate: (o, old, e) => immutable(o, old, '', ['spec'], e),
  columns: [
    nameColumn,
    text('Attacher', 'The driver that attaches it.'),
    text('PV', 'The volume.'),
    text('Node', 'The node.'),
    boolean('Attached', 'Whether it is attached.'),
    ageColumn,
  ],
  cells: (o, now) => [
    o.metadata.name,
    o.spec?.attacher ?? '',
    o.spec?.source?.persistentVolumeName ?? '',
    o.spec?.nodeName ?? '',
    o.status?.attached ?? false,
    ageOf(o, now),
  ],
})

export const csiDriver: Kind = plainKind({
  group: GROUP,
  kind: 'CSIDriver',
  plural: 'csidrivers',
  namespaced: false,
  type: 'V1CSIDriver',
  defaults: (o) => {
    o.spec ??= {}
    const s = o.spec
    s.attachRequired ??= true
    s.podInfoOnMount ??= false
    s.storageCapacity ??= false
    s.fsGroupPolicy ??= 'ReadWriteOnceWithFSType'
    if (!s.volumeLifecycleModes?.length) s.volumeLifecycleModes = ['Persistent']
    s.requiresRepublish ??= false
    s.seLinuxMount ??= false
  },
  validate: (o, e) => {
    const s = o.spec
    if (o.metadata.name?.length > 63) e.tooLong('metadata.name', 63)
    const policies = ['File', 'None', 'ReadWriteOnceWithFSType']
    if (!policies.includes(s.fsGroupPolicy)) e.notSupported('spec.fsGroupPolicy', s.fsGroupPolicy, policies)
    const modes = ['Ephemeral', 'Persistent']
    for (const m of s.volumeLifecycleModes) if (!modes.includes(m)) e.notSupported('spec.volumeLifecycleModes', m, modes)
    const audiences = new Set<string>()
    s.tokenRequests?.forEach((t: any, i: number) => {
      const at = `spec.tokenRequests[${i}]`
      if (audiences.has(t.audience ?? '')) e.duplicate(`${at}.audience`, t.audience ?? '')
      audiences.add(t.audience ?? '')
      if (t.expirationSeconds < 600)
        e.invalid(`${at}.expirationSeconds`, t.expirationSeconds, 'may not specify a duration less than 10 minutes')
    })
  },
  validateUpdate: (o, old, e) => immutable(o.spec, old.spec, 'spec.', ['attachRequired', 'volumeLifecycleModes'], e),
  columns: [
    nameColumn,
    boolean('AttachRequired', 'Whether volumes are attached before they are mounted.'),
    boolean('PodInfoOnMount', 'Whether the driver is told of the pod.'),
    boolean('StorageCapacity', 'Whether it tells how much room there is.'),
    text('TokenRequests', 'Audiences of the tokens that it is given.'),
    boolean('RequiresRepublish', 'Whether mounts are renewed.'),
    text('Modes', 'Persistent, Ephemeral or both.'),
    ageColumn,
  ],
  cells: (o, now) => [
    o.metadata.name,
    o.spec?.attachRequired ?? true,
    o.spec?.podInfoOnMount ?? false,
    o.spec?.storageCapacity ?? false,
    o.spec?.tokenRequests ? o.spec.tokenRequests.map((t: any) => t.audience ?? '').join(',') : '<unset>',
    o.spec?.requiresRepublish ?? false,
    o.spec?.volumeLifecycleModes?.join(',') || '<none>',
    ageOf(o, now),
  ],
})

export const csiNode: Kind = plainKind({
  group: GROUP,
  kind: 'CSINode',
  plural: 'csinodes',
  namespaced: false,
  type: 'V1CSINode',
  defaults: (o) => {
    o.spec ??= {}
    o.spec.drivers ??= []
  },
  validate: (o, e) => {
    const names = new Set<string>()
    o.spec.drivers.forEach((d: any, i: number) => {
      const at = `spec.drivers[${i}]`
      if (!d.name) e.required(`${at}.name`)
      if (names.has(d.name)) e.duplicate(`${at}.name`, d.name)
      names.add(d.name)
      if (!d.nodeID) e.required(`${at}.nodeID`)
      if (d.allocatable?.count < 0) e.invalid(`${at}.allocatable.count`, d.allocatable.count, 'must be greater than or equal to 0')
      for (const k of d.topologyKeys ?? []) e.format(`${at}.topologyKeys`, k, qualifiedName(k))
    })
  },
  columns: [nameColumn, integer('Drivers', 'Drivers indicates the number of CSI drivers registered on the node'), ageColumn],
  cells: (o, now) => [o.metadata.name, o.spec?.drivers?.length ?? 0, ageOf(o, now)],
})

export const csiStorageCapacity: Kind = plainKind({
  group: GROUP,
  kind: 'CSIStorageCapacity',
  plural: 'csistoragecapacities',
  namespaced: true,
  type: 'V1CSIStorageCapacity',
  validate: (o, e) => {
    validateLabelSelector(o.nodeTopology, 'nodeTopology', e)
    e.format('storageClassName', o.storageClassName, dnsSubdomain(o.storageClassName ?? ''))
    for (const f of ['capacity', 'maximumVolumeSize'])
      if (o[f] !== undefined && nanoOf(o[f]) < 0n) e.invalid(f, o[f], 'must be greater than or equal to 0')
  },
  validateUpdate: (o, old, e) => immutable(o, old, '', ['nodeTopology', 'storageClassName'], e),
  columns: [nameColumn, text('StorageClassName', 'The class that it is about.'), text('Capacity', 'How much room there is.')],
  cells: (o) => [o.metadata.name, o.storageClassName ?? '', o.capacity ?? '<unset>'],
})
