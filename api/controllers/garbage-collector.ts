// Garbage collection: dependents go when all their owners are gone; foreground deletion waits for them, orphaning sets them free.
import { groupOf, resourceOf } from '../../shared/kinds/index.ts'
import type { KObject, OwnerReference } from '../../shared/meta/object.ts'
import type { Controller, Reader, Result, Write } from '../engine/types.ts'

interface View {
  resource: string
  object: KObject
  /** Each owner that the object names: there (with its object), gone, or of a kind that nobody knows here. */
  owners: { reference: OwnerReference; state: 'present' | 'gone' | 'unknown'; object?: KObject; elsewhere?: boolean }[]
  dependents: { resource: string; object: KObject }[]
}

// Keys are uids: a name that was reused is another object.
const uidOf = ({ old, new: now }: { old?: KObject; new?: KObject }) => (now ?? old)!.metadata.uid

function ownerState(reader: Reader, dependent: KObject, reference: OwnerReference): View['owners'][number] {
  const kind = reader.kinds.byName(groupOf(reference.apiVersion), reference.kind)
  if (!kind) return { reference, state: 'unknown' }
  const found = reader.byUid(reference.uid)
  const same = found && found.resource === resourceOf(kind) && found.object.metadata.name === reference.name
  const { namespace } = dependent.metadata
  const elsewhere = !!same && kind.namespaced && found.object.metadata.namespace !== namespace
  // What is of no namespace cannot be owned by what is in one: nobody can say that such an owner is gone.
  if (kind.namespaced && namespace === undefined) return { reference, state: 'unknown', elsewhere: true }
  if (elsewhere) return { reference, state: 'gone', elsewhere }
  return same ? { reference, state: 'present', object: found.object } : { reference, state: 'gone' }
}

function reconcile(_key: string, { resource, object: o, owners, dependents }: View): Result {
  const writes: Write[] = []
  const { finalizers = [], deletionTimestamp } = o.metadata
  if (deletionTimestamp && finalizers.includes('orphan')) {
    for (const d of dependents) {
      const ownerReferences = d.object.metadata.ownerReferences!.filter((r) => r.uid !== o.metadata.uid)
      writes.push({ verb: 'update', resource: d.resource, object: { ...d.object, metadata: { ...d.object.metadata, ownerReferences } } })
    }
    writes.push(withoutFinalizer(resource, o, 'orphan'))
    return { writes }
  }
  if (deletionTimestamp && finalizers.includes('foregroundDeletion')) {
    const blocking = dependents.filter((d) =>
      d.object.metadata.ownerReferences!.some((r) => r.uid === o.metadata.uid && r.blockOwnerDeletion),
    )
    for (const d of dependents)
      if (!d.object.metadata.deletionTimestamp)
        writes.push({ verb: 'delete', resource: d.resource, object: d.object, propagationPolicy: 'Foreground' })
    if (!blocking.length) writes.push(withoutFinalizer(resource, o, 'foregroundDeletion'))
    return { writes }
  }
  if (!owners.length || deletionTimestamp) return { writes }
  for (const { reference: r, elsewhere } of owners)
    if (elsewhere) {
      const { namespace = '' } = o.metadata
      const owner = `[${r.apiVersion}/${r.kind}, namespace: ${namespace}, name: ${r.name}, uid: ${r.uid}]`
      const message = `ownerRef ${owner} does not exist in namespace "${namespace}"`
      const about = { resource, object: o }
      writes.push({
        verb: 'event',
        about,
        type: 'Warning',
        reason: 'OwnerRefInvalidNamespace',
        message,
        component: 'garbage-collector-controller',
      })
    }
  const gone = owners.filter((w) => w.state === 'gone')
  if (!gone.length) return { writes }
  if (gone.length === owners.length) {
    const policy = finalizers.includes('orphan') ? 'Orphan' : finalizers.includes('foregroundDeletion') ? 'Foreground' : 'Background'
    return { writes: [...writes, { verb: 'delete', resource, object: o, propagationPolicy: policy }] }
  }
  // Some owners live on: only the dangling references go.
  const ownerReferences = o.metadata.ownerReferences!.filter((r) => !gone.some((g) => g.reference === r))
  return { writes: [...writes, { verb: 'update', resource, object: { ...o, metadata: { ...o.metadata, ownerReferences } } }] }
}

function withoutFinalizer(resource: string, o: KObject, finalizer: string): Write {
  const finalizers = o.metadata.finalizers!.filter((f) => f !== finalizer)
  return { verb: 'update', resource, object: { ...o, metadata: { ...o.metadata, finalizers } } }
}

/** Whether anything is to be done about an object: it is on its way out, or not all of its owners are there. One that goes later wakes it. */
const needsLook = (reader: Reader, o: KObject): boolean =>
  !!o.metadata.deletionTimestamp || !!o.metadata.ownerReferences?.some((r) => ownerState(reader, o, r).state !== 'present')

const wake = (change: { old?: KObject; new?: KObject }, reader: Reader): string[] => {
  const { old, new: now } = change
  // An object that went leaves its dependents, and perhaps owners that waited for it.
  if (!now)
    return [
      ...reader.dependents(old!.metadata.uid).map((d) => d.object.metadata.uid),
      ...(old!.metadata.ownerReferences ?? []).map((r) => r.uid),
    ]
  return needsLook(reader, now) ? [uidOf(change)] : []
}

export const garbageCollector: Controller<View> = {
  name: 'garbage-collector',
  all: (r) =>
    r
      .resources()
      .flatMap((resource) => r.list(resource).filter((o) => needsLook(r, o)))
      .map((o) => o.metadata.uid),
  wakes: { '*': wake },
  view: (key, reader) => {
    const found = reader.byUid(key)
    if (!found) return undefined
    const { resource, object } = found
    return {
      resource,
      object,
      owners: (object.metadata.ownerReferences ?? []).map((r) => ownerState(reader, object, r)),
      dependents: object.metadata.deletionTimestamp ? reader.dependents(key) : [],
    }
  },
  reconcile,
}
