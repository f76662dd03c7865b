// Validation that every object gets: metadata by Kubernetes' rules, then the kind's own.
import type { Kind } from '../../shared/kinds/kind.ts'
import { validateLabels } from '../../shared/kinds/pod-validation.ts'
import { FieldErrors } from '../../shared/meta/field-error.ts'
import { dnsSubdomain, qualifiedName } from '../../shared/meta/names.ts'
import type { KObject } from '../../shared/meta/object.ts'
import { badRequest, invalid, type Subject } from '../../shared/status/index.ts'
import type { RequestContext } from './context.ts'

const MAX_ANNOTATIONS = 256 * 1024
const standardFinalizers = ['foregroundDeletion', 'orphan', 'kubernetes']

export const subjectOf = (kind: Kind, name?: string): Subject => ({ group: kind.group, resource: kind.plural, name })

function validateMeta(kind: Kind, o: KObject, e: FieldErrors) {
  const m = o.metadata
  if (!m.name) e.required('metadata.name', 'name or generateName is required')
  else e.format('metadata.name', m.name, (kind.nameFormat ?? dnsSubdomain)(m.name))
  validateLabels(m.labels, 'metadata.labels', e)
  let size = 0
  for (const [k, v] of Object.entries(m.annotations ?? {})) {
    e.format('metadata.annotations', k, qualifiedName(k.toLowerCase()))
    size += k.length + v.length
  }
  if (size > MAX_ANNOTATIONS) e.tooLong('metadata.annotations', MAX_ANNOTATIONS)
  m.finalizers?.forEach((f, i) => {
    e.format(`metadata.finalizers[${i}]`, f, qualifiedName(f))
    // Definitions and what they define may name theirs without a domain.
    const loose = kind.custom || kind.group === 'apiextensions.k8s.io'
    if (!loose && !f.includes('/') && !standardFinalizers.includes(f))
      e.invalid(`metadata.finalizers[${i}]`, f, 'name is neither a standard finalizer name nor is it fully qualified')
  })
  let controllers = 0
  m.ownerReferences?.forEach((r, i) => {
    const at = `metadata.ownerReferences[${i}]`
    for (const f of ['apiVersion', 'kind', 'name', 'uid'] as const)
      if (!r[f]) e.invalid(`${at}.${f}`, r[f] ?? '', `${f === 'apiVersion' ? 'version' : f} must not be empty`)
    if (r.controller) controllers++
  })
  if (controllers > 1)
    e.invalid('metadata.ownerReferences', controllers, 'Only one reference can have Controller set to true. Found "true" in references')
}

/** Throws 422 with every fault found. Returns what is wrong but was so before, to be warned of. */
export function validateObject(kind: Kind, o: KObject, ctx: RequestContext, old?: KObject, part = 'main'): string[] {
  const e = new FieldErrors()
  validateMeta(kind, o, e)
  kind.validate?.(o, e)
  if (!old) kind.validateCreate?.(o, e)
  else {
    const own = kind.subresources?.[part]?.part
    if (own) own.validate?.(o, old, e)
    else kind.validateUpdate?.(o, old, e)
    if (old.metadata.deletionTimestamp) {
      const added = (o.metadata.finalizers ?? []).filter((f) => !old.metadata.finalizers?.includes(f))
      // Upstream checks this twice, in the generic part and in the kind's, and tells both.
      if (added.length)
        for (let times = 0; times < 2; times++)
          e.forbidden(
            'metadata.finalizers',
            `no new finalizers can be added if the object is being deleted, found new finalizers []string{${added.map((a) => JSON.stringify(a)).join(', ')}}`,
          )
    }
  }
  ctx.cost = (ctx.cost ?? 0) + e.cost
  if (e.any) throw invalid(kind.group, kind.kind, o.metadata.name ?? '', e.causes)
  return e.warnings
}

/** The namespace of the path is the object's; a different one in the body is refused. */
export function placeInNamespace(kind: Kind, o: KObject, ns: string): void {
  if (!kind.namespaced) {
    if (o.metadata.namespace) delete o.metadata.namespace
    return
  }
  if (o.metadata.namespace && o.metadata.namespace !== ns)
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request')
  o.metadata.namespace = ns
}
