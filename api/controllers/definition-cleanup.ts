// A definition that is deleted takes its objects with it, and goes when the last of them is gone.
import { CLEANUP, CRD_RESOURCE } from '../../shared/crd/definition.ts'
import type { KObject } from '../../shared/meta/object.ts'
import { timeString } from '../../shared/meta/object.ts'
import type { Controller, Result, Write } from '../engine/types.ts'

const BURST = 200

interface View {
  crd: KObject
  resource: string
  objects: readonly KObject[]
}

const resourceOf = (crd: KObject): string => `${crd.spec.names.plural}.${crd.spec.group}`

function reconcile(_key: string, { crd, resource, objects }: View, now: number): Result {
  if (!crd.metadata.finalizers?.includes(CLEANUP)) return { writes: [] }
  if (!objects.length) {
    const finalizers = crd.metadata.finalizers.filter((f) => f !== CLEANUP)
    return { writes: [{ verb: 'update', resource: CRD_RESOURCE, object: { ...crd, metadata: { ...crd.metadata, finalizers } } }] }
  }
  const writes: Write[] = objects
    .filter((o) => !o.metadata.deletionTimestamp)
    .slice(0, BURST)
    .map((object) => ({ verb: 'delete', resource, object, propagationPolicy: 'Background' }))
  if (crd.status?.conditions?.some((c: any) => c.type === 'Terminating')) return { writes }
  const terminating = {
    type: 'Terminating',
    status: 'True',
    lastTransitionTime: timeString(now),
    reason: 'InstanceDeletionInProgress',
    message: 'CustomResource deletion is in progress',
  }
  const status = { ...crd.status, conditions: [...(crd.status?.conditions ?? []), terminating] }
  return { writes: [...writes, { verb: 'update', resource: CRD_RESOURCE, object: { ...crd, status }, part: 'status' }] }
}

export const definitionCleanup: Controller<View> = {
  name: 'crd-finalizer',
  all: (r) => r.list(CRD_RESOURCE).map((o) => o.metadata.name),
  wakes: {
    [CRD_RESOURCE]: ({ new: now }) => (now?.metadata.deletionTimestamp ? [now.metadata.name] : []),
    // An object that went may have been the last.
    '*': ({ resource, new: now }, reader) => (!now && reader.get(CRD_RESOURCE, '', resource)?.metadata.deletionTimestamp ? [resource] : []),
  },
  view: (key, reader) => {
    const crd = reader.get(CRD_RESOURCE, '', key)
    if (!crd?.metadata.deletionTimestamp) return undefined
    const resource = resourceOf(crd)
    return { crd, resource, objects: reader.list(resource) }
  },
  reconcile,
}
