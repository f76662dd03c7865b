// RBAC escalation: nobody grants what they do not hold, unless they may `escalate` roles or `bind` them.
import { kindByName } from '../../shared/kinds/index.ts'
import type { KObject } from '../../shared/meta/object.ts'
import { equal } from '../../shared/schema/field-set.ts'
import { forbidden } from '../../shared/status/index.ts'
import { subjectOf } from '../registry/validate.ts'
import type { Request, Step } from './index.ts'

const GROUP = 'rbac.authorization.k8s.io'

const print = (r: any) =>
  `{APIGroups:${JSON.stringify(r.apiGroups ?? [])}, Resources:${JSON.stringify(r.resources ?? [])}, Verbs:${JSON.stringify(r.verbs ?? [])}}`

async function check({ env, kind, object, old, ctx }: Request): Promise<undefined> {
  if (kind.group !== GROUP || ctx.user.groups.includes('system:masters')) return undefined
  const ns = object.metadata.namespace
  const subject = subjectOf(kind, object.metadata.name)
  const may = (verb: string, resource: string, name: string) => env.allowed(ctx.user, { verb, group: GROUP, resource, namespace: ns, name })
  let rules: any[]
  if (kind.kind === 'Role' || kind.kind === 'ClusterRole') {
    if (old && equal(old.rules, object.rules)) return undefined
    if (await may('escalate', kind.plural, object.metadata.name)) return undefined
    rules = object.rules ?? []
  } else {
    if (old && equal(old.subjects, object.subjects) && equal(old.roleRef, object.roleRef)) return undefined
    const ref = object.roleRef
    const target = kindByName(GROUP, ref.kind)
    if (!target || (await may('bind', target.plural, ref.name))) return undefined
    const role: KObject | undefined = await env.lookup.get(`${target.plural}.${GROUP}`, target.namespaced ? ns! : '', ref.name)
    if (!role) throw forbidden(subject, `${target.plural}.${GROUP} "${ref.name}" not found`)
    rules = role.rules ?? []
  }
  if (await env.covers(ctx.user, ns, rules)) return undefined
  throw forbidden(
    subject,
    `user ${JSON.stringify(ctx.user.username)} (groups=${JSON.stringify(ctx.user.groups)}) is attempting to grant RBAC permissions not currently held:\n${rules.map(print).join('\n')}`,
  )
}

export const rbacEscalation: Step = {
  name: 'RBACEscalation',
  create: check,
  update: check,
}
