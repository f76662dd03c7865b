// Namespace: empties one that is being deleted, then lets it go. New content cannot enter meanwhile: the store's guard sees to that.
import type { KObject } from '../../shared/meta/object.ts'
import type { Controller, Result, Write } from '../engine/types.ts'

const BURST = 200

interface View {
  namespace: KObject
  objects: { resource: string; object: KObject }[]
}

function reconcile(_key: string, { namespace: ns, objects }: View): Result {
  const writes: Write[] = []
  if (!objects.length) {
    if (!ns.spec?.finalizers?.length) return { writes }
    writes.push({ verb: 'deleteAll', resource: 'events', ns: ns.metadata.name })
    writes.push({
      verb: 'update',
      resource: 'namespaces',
      part: 'finalize',
      object: { ...ns, spec: { ...ns.spec, finalizers: ns.spec.finalizers.filter((f: string) => f !== 'kubernetes') } },
    })
    return { writes }
  }
  for (const { resource, object } of objects) {
    if (object.metadata.deletionTimestamp) continue
    if (writes.length >= BURST) break
    writes.push({ verb: 'delete', resource, object, propagationPolicy: 'Background' })
  }
  return { writes }
}

export const namespace: Controller<View> = {
  name: 'namespace-controller',
  all: (r) => r.list('namespaces').map((n) => n.metadata.name),
  wakes: {
    namespaces: ({ new: now }) => (now?.metadata.deletionTimestamp ? [now.metadata.name] : []),
    '*': ({ old, new: now }, reader) => {
      const name = (now ?? old)!.metadata.namespace
      return name && reader.get('namespaces', '', name)?.metadata.deletionTimestamp ? [name] : []
    },
  },
  view: (key, reader) => {
    const ns = reader.get('namespaces', '', key)
    if (!ns?.metadata.deletionTimestamp) return undefined
    return {
      namespace: ns,
      objects: reader.resources().flatMap((resource) => reader.list(resource, key).map((object) => ({ resource, object }))),
    }
  },
  reconcile,
}
