// OwnerReferencesPermissionEnforcement, where it is enabled: who may not delete an object may not give it owners, and who may not hold an owner back
// may not block its deletion.
import type { KObject, OwnerReference } from '../../shared/meta/object.ts'
import { equal } from '../../shared/schema/field-set.ts'
import { forbidden } from '../../shared/status/index.ts'
import { subjectOf } from '../registry/validate.ts'
import type { Request, Step } from './index.ts'

const NAME = 'OwnerReferencesPermissionEnforcement'
const ownersOf = (o: KObject | undefined): OwnerReference[] => o?.metadata.ownerReferences ?? []

async function check({ env, kind, object: o, old, part, ctx }: Request): Promise<undefined> {
  if (!env.settings.admissionPlugins.includes(NAME) || part !== 'main' || equal(ownersOf(o), ownersOf(old))) return undefined
  const { namespace, name } = o.metadata
  const refuse = (why: string) => forbidden(subjectOf(kind, name), why)
  const may = (verb: string, group: string, resource: string, of: { name: string; namespace?: string; subresource?: string }) =>
    env.allowed(ctx.user, { verb, group, resource, ...of })
  if (old && !(await may('delete', kind.group, kind.plural, { name, ...(namespace ? { namespace } : {}) })))
    throw refuse("cannot set an ownerRef on a resource you can't delete")
  const before = new Map(ownersOf(old).map((r) => [r.uid, r]))
  for (const ref of ownersOf(o)) {
    if (!ref.blockOwnerDeletion || before.get(ref.uid)?.blockOwnerDeletion) continue
    const group = ref.apiVersion.includes('/') ? ref.apiVersion.split('/')[0]! : ''
    const owner = env.kinds.byName(group, ref.kind)
    if (!owner)
      throw refuse(
        `cannot set blockOwnerDeletion in this case because cannot find RESTMapping for APIVersion ${ref.apiVersion} Kind ${ref.kind}: no matches for kind ${JSON.stringify(ref.kind)}`,
      )
    const at = { name: ref.name, subresource: 'finalizers', ...(owner.namespaced && namespace ? { namespace } : {}) }
    if (!(await may('update', group, owner.plural, at)))
      throw refuse("cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on")
  }
  return undefined
}

export const ownerReferences: Step = { name: NAME, create: check, update: check }
