// Who may do what, from roles and bindings alone, as RBAC reads them. Pure.
import { type Rule, ruleAllows } from '../shared/rbac.ts'

export interface Subject {
  kind: string
  name: string
  namespace?: string
}

export interface Grant {
  subject: Subject
  /** Where it holds; everywhere where it is empty. */
  namespace: string
  /** `ClusterRole view`. */
  role: string
  /** What gives it: `RoleBinding default/viewers`. */
  by: string
  rules: Rule[]
}

export interface Access {
  clusterRoles: any[]
  roles: any[]
  clusterRoleBindings: any[]
  roleBindings: any[]
}

export const subjectText = (s: Subject): string =>
  s.kind === 'ServiceAccount' ? `service account ${s.namespace}/${s.name}` : `${s.kind.toLowerCase()} ${s.name}`

/** Every binding of a subject to a role, with the role's rules. */
export function grantsOf(a: Access): Grant[] {
  const cluster = new Map(a.clusterRoles.map((r) => [r.metadata.name, r.rules ?? []]))
  const own = new Map(a.roles.map((r) => [`${r.metadata.namespace}/${r.metadata.name}`, r.rules ?? []]))
  const of = (b: any, namespace: string, kind: string): Grant[] => {
    const { kind: role, name } = b.roleRef
    const rules = role === 'ClusterRole' ? cluster.get(name) : own.get(`${namespace}/${name}`)
    const by = `${kind} ${namespace ? `${namespace}/` : ''}${b.metadata.name}`
    return (b.subjects ?? []).map((s: any) => ({
      subject: { kind: s.kind, name: s.name, ...(s.kind === 'ServiceAccount' ? { namespace: s.namespace ?? namespace } : {}) },
      namespace,
      role: `${role} ${name}`,
      by,
      rules: rules ?? [],
    }))
  }
  return [
    ...a.clusterRoleBindings.flatMap((b) => of(b, '', 'ClusterRoleBinding')),
    ...a.roleBindings.flatMap((b) => of(b, b.metadata.namespace, 'RoleBinding')),
  ]
}

/** Of those who may do something in a namespace, or in all where that is empty. */
export function whoCan(
  grants: readonly Grant[],
  q: { verb: string; group: string; resource: string; subresource?: string; namespace: string; name?: string },
): Grant[] {
  return grants.filter((g) => (!g.namespace || g.namespace === q.namespace) && g.rules.some((r) => ruleAllows(r, q)))
}

/** Whether a grant is somebody's: by name, or by a group that everybody of their kind is in. */
export function isOf(g: Grant, s: Subject): boolean {
  const { subject: t } = g
  if (t.kind === s.kind && t.name === s.name && (t.kind !== 'ServiceAccount' || t.namespace === s.namespace)) return true
  if (t.kind !== 'Group') return false
  if (t.name === 'system:authenticated') return s.kind !== 'Group'
  if (s.kind !== 'ServiceAccount') return false
  return t.name === 'system:serviceaccounts' || t.name === `system:serviceaccounts:${s.namespace}`
}
