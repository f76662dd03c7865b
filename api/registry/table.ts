// Tables and partial metadata: other faces of the same objects, for kubectl get and metadata informers.
import { apiVersionOf } from '../../shared/kinds/index.ts'
import type { Kind } from '../../shared/kinds/kind.ts'
import type { KObject } from '../../shared/meta/object.ts'
import { inVersion } from './codec.ts'

export type IncludeObject = 'None' | 'Metadata' | 'Object'

const definitions = (kind: Kind) =>
  kind.columns.map((c) => ({ name: c.name, type: c.type, format: c.format ?? '', description: c.description, priority: c.priority ?? 0 }))

function row(kind: Kind, o: KObject, now: number, include: IncludeObject) {
  const object =
    include === 'Object'
      ? { kind: kind.kind, apiVersion: apiVersionOf(kind), ...inVersion(kind, o) }
      : include === 'None'
        ? undefined
        : { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: o.metadata }
  return { cells: (kind.stored?.kind ?? kind).cells(o, now), ...(object ? { object } : {}) }
}

/** A meta.k8s.io/v1 Table. Watch events after the first leave the columns out. */
export function table(kind: Kind, objects: KObject[], meta: Record<string, unknown>, now: number, include: IncludeObject, columns = true) {
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: meta,
    columnDefinitions: columns ? definitions(kind) : null,
    rows: objects.map((o) => row(kind, o, now, include)),
  }
}

export const partial = (o: KObject) => ({ kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: o.metadata })

export const partialList = (objects: KObject[], meta: Record<string, unknown>) => ({
  kind: 'PartialObjectMetadataList',
  apiVersion: 'meta.k8s.io/v1',
  metadata: meta,
  items: objects.map(partial),
})
