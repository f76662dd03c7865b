// NodeRestriction: a node writes its own Node and the pods that are bound to it, lets go of volumes that it kept, says how large claims are, and nothing else
// of theirs.
import { referencesOf } from '../../shared/kinds/pod-references.ts'
import { KEPT, KEPT_BY } from '../../shared/meta/node-annotations.ts'
import type { KObject } from '../../shared/meta/object.ts'
import { isMirror } from '../../shared/meta/static-pods.ts'
import { equal } from '../../shared/schema/field-set.ts'
import { forbidden } from '../../shared/status/index.ts'
import { subjectOf } from '../registry/validate.ts'
import type { Request, Step } from './index.ts'

/** The node behind a user, if it is one. */
export function nodeOf(user: { username: string; groups: string[] }): string | undefined {
  return user.groups.includes('system:nodes') && user.username.startsWith('system:node:')
    ? user.username.slice('system:node:'.length)
    : undefined
}

/** A node may show a pod that it runs by itself: bound to it, owned by it, and referring to nothing that it would get to see by that. */
function mirrorFault(pod: KObject, node: string): string | undefined {
  const { spec } = pod
  if (!isMirror(pod)) return 'can only create mirror pods'
  if (spec?.nodeName !== node) return 'can only create pods with spec.nodeName set to itself'
  const [owner, ...more] = pod.metadata.ownerReferences ?? []
  if (
    more.length ||
    owner?.apiVersion !== 'v1' ||
    owner.kind !== 'Node' ||
    owner.name !== node ||
    !owner.controller ||
    owner.blockOwnerDeletion
  )
    return 'can only create pods with an owner reference set to itself'
  const [kind] = Object.entries(referencesOf(spec, pod.metadata.name)).find(([, names]) => names.size) ?? []
  return kind && `can not create pods that reference ${kind}`
}

function check({ kind, object, old, ctx }: Request): undefined {
  const node = nodeOf(ctx.user)
  if (!node) return undefined
  const refuse = (why: string) => forbidden(subjectOf(kind, object.metadata.name), `node ${JSON.stringify(node)} ${why}`)
  if (kind.kind === 'Node') {
    if (object.metadata.name !== node) throw refuse(`is not allowed to modify node ${JSON.stringify(object.metadata.name)}`)
    if (old && taintsOf(old) !== taintsOf(object)) throw refuse('is not allowed to modify taints')
  }
  if (kind.kind === 'Pod') {
    const fault = old ? undefined : mirrorFault(object, node)
    if (fault) throw refuse(fault)
    if (old && old.spec?.nodeName !== node) throw refuse(`can only update pods with spec.nodeName set to itself`)
  }
  if (kind.kind === 'CSINode' && object.metadata.name !== node)
    throw refuse(`is not allowed to modify the CSINode of ${JSON.stringify(object.metadata.name)}`)
  if (kind.kind === 'PersistentVolumeClaim' && !(old && equal(sizeless(object), sizeless(old))))
    throw refuse('is not allowed to update fields other than status.quantity and status.conditions')
  if (kind.kind === 'PersistentVolume') {
    const kept = (old?.metadata.finalizers ?? []).filter((f) => f !== KEPT)
    const without = (o: KObject) => ({ ...o, metadata: { ...o.metadata, finalizers: kept, managedFields: [], resourceVersion: '' } })
    const lets = !!old?.metadata.deletionTimestamp && equal(object.metadata.finalizers ?? [], kept) && equal(without(object), without(old))
    if (old?.metadata.labels?.[KEPT_BY] !== node || !lets) throw refuse('can only let go of deleted volumes that it keeps')
  }
}
/** A claim without what a node may say of it. */
function sizeless({ metadata, status, ...rest }: KObject) {
  const { capacity, conditions, allocatedResources, allocatedResourceStatuses, ...others } = status ?? {}
  return { ...rest, status: others, metadata: { ...metadata, managedFields: [], resourceVersion: '' } }
}
const taintsOf = (o: KObject) => JSON.stringify(o.spec?.taints ?? [])

export const nodeRestriction: Step = {
  name: 'NodeRestriction',
  create: check,
  update: check,
  delete: ({ kind, object, ctx }) => {
    const node = nodeOf(ctx.user)
    if (node && kind.kind === 'Pod' && object.spec?.nodeName !== node)
      throw forbidden(
        subjectOf(kind, object.metadata.name),
        `node ${JSON.stringify(node)} can only delete pods with spec.nodeName set to itself`,
      )
  },
}
