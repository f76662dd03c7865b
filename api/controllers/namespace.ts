// Namespace: empties one that is being deleted, then lets it go. New content cannot enter meanwhile: the store's guard sees to that.
import { type KObject, timeString } from '../../shared/meta/object.ts'
import { equal } from '../../shared/schema/field-set.ts'
import type { Controller, Result, Write } from '../engine/types.ts'
import { withCondition } from './pods.ts'

const BURST = 200

interface View {
  namespace: KObject
  objects: { resource: string; object: KObject }[]
}

/** What holds a namespace up, in kube-controller-manager's words. */
function conditionsOf(objects: View['objects']): { type: string; status: string; reason: string; message: string }[] {
  const count = (of: Map<string, number>, key: string) => of.set(key, (of.get(key) ?? 0) + 1)
  const [kinds, finalizers] = [new Map<string, number>(), new Map<string, number>()]
  for (const { resource, object } of objects) {
    count(kinds, resource.includes('.') ? resource : `${resource}.`)
    for (const f of object.metadata.finalizers ?? []) count(finalizers, f)
  }
  const told = (of: Map<string, number>, text: (key: string, n: number) => string) =>
    [...of]
      .map(([k, n]) => text(k, n))
      .sort()
      .join(', ')
  const remaining = `Some resources are remaining: ${told(kinds, (k, n) => `${k} has ${n} resource instances`)}`
  const held = `Some content in the namespace has finalizers remaining: ${told(finalizers, (f, n) => `${f} in ${n} resource instances`)}`
  const no = (type: string, reason: string, message: string) => ({ type, status: 'False', reason, message })
  return [
    no('NamespaceDeletionDiscoveryFailure', 'ResourcesDiscovered', 'All resources successfully discovered'),
    no('NamespaceDeletionGroupVersionParsingFailure', 'ParsedGroupVersions', 'All legacy kube types successfully parsed'),
    no('NamespaceDeletionContentFailure', 'ContentDeleted', 'All content successfully deleted, may be waiting on finalization'),
    { type: 'NamespaceContentRemaining', status: 'True', reason: 'SomeResourcesRemain', message: remaining },
    finalizers.size
      ? { type: 'NamespaceFinalizersRemaining', status: 'True', reason: 'SomeFinalizersRemain', message: held }
      : no('NamespaceFinalizersRemaining', 'ContentHasNoFinalizers', 'All content-preserving finalizers finished'),
  ]
}

function reconcile(_key: string, { namespace: ns, objects }: View, now: number): Result {
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
  if (writes.length) return { writes }
  // Everything is on its way out, and somebody holds it.
  const conditions = conditionsOf(objects).reduce((all, c) => withCondition(all, c, timeString(now)), ns.status?.conditions ?? [])
  if (!equal(conditions, ns.status?.conditions))
    writes.push({ verb: 'update', resource: 'namespaces', part: 'status', object: { ...ns, status: { ...ns.status, conditions } } })
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
