// Shapes that every object has. Kinds keep spec and status loose: the schema checks them at the door, once.

export interface OwnerReference {
  apiVersion: string
  kind: string
  name: string
  uid: string
  controller?: boolean
  blockOwnerDeletion?: boolean
}

export interface ManagedFieldsEntry {
  manager: string
  operation: 'Apply' | 'Update'
  apiVersion: string
  time?: string
  fieldsType: 'FieldsV1'
  fieldsV1: any
  subresource?: string
}

interface ObjectMeta {
  name: string
  namespace?: string
  generateName?: string
  uid: string
  resourceVersion?: string
  generation?: number
  creationTimestamp: string
  deletionTimestamp?: string
  deletionGracePeriodSeconds?: number
  labels?: Record<string, string>
  annotations?: Record<string, string>
  ownerReferences?: OwnerReference[]
  finalizers?: string[]
  managedFields?: ManagedFieldsEntry[]
}

/** An API object as it is read and written; kind and apiVersion are absent inside lists and in the store. */
export interface KObject {
  apiVersion?: string
  kind?: string
  metadata: ObjectMeta
  spec?: any
  status?: any
  [field: string]: any
}

/** The one owner that manages the object, if any. */
export function controllerOf(object: KObject): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find((o) => o.controller)
}

/** `namespace/name`, or the name alone for cluster-scoped objects. */
export function keyOf(object: KObject): string {
  return object.metadata.namespace ? `${object.metadata.namespace}/${object.metadata.name}` : object.metadata.name
}

/** Seconds resolution, as Kubernetes writes metav1.Time. */
export function timeString(ms: number): string {
  const second = Math.floor(ms / 1000)
  if (second !== lastSecond) {
    lastText = `${new Date(ms).toISOString().slice(0, 19)}Z`
    lastSecond = second
  }
  return lastText
}
// Most calls ask for now, many times a second.
let lastSecond = Number.NaN
let lastText = ''
