// Role, ClusterRole and their bindings. Escalation checks need the caller's rights and live in admission.
import type { FieldErrors } from '../meta/field-error.ts'
import { dnsSubdomain, pathSegment } from '../meta/names.ts'
import type { KObject } from '../meta/object.ts'
import { equal } from '../schema/field-set.ts'
import { ageColumn, ageOf, type Column, type Kind, nameColumn, plainKind, text } from './kind.ts'

const GROUP = 'rbac.authorization.k8s.io'

const validateRules = (clusterWide: boolean) => (o: KObject, e: FieldErrors) => {
  o.rules?.forEach((r: any, i: number) => {
    const at = `rules[${i}]`
    if (!r.verbs?.length) e.required(`${at}.verbs`, 'verbs must contain at least one value')
    if (r.nonResourceURLs?.length) {
      if (!clusterWide) e.invalid(`${at}.nonResourceURLs`, r.nonResourceURLs, 'namespaced rules cannot apply to non-resource URLs')
      if (r.apiGroups?.length || r.resources?.length || r.resourceNames?.length)
        e.invalid(`${at}.nonResourceURLs`, r.nonResourceURLs, 'rules cannot apply to both regular resources and non-resource URLs')
      return
    }
    if (!r.apiGroups?.length) e.required(`${at}.apiGroups`, 'resource rules must supply at least one api group')
    if (!r.resources?.length) e.required(`${at}.resources`, 'resource rules must supply at least one resource')
  })
}

const createdColumns: Column[] = [nameColumn, { ...text('Created At', 'When the role was made.'), type: 'date' }]
const roleKind = (kind: string, namespaced: boolean): Kind =>
  plainKind({
    group: GROUP,
    kind,
    plural: `${kind.toLowerCase()}s`,
    namespaced,
    type: `V1${kind}`,
    nameFormat: pathSegment,
    defaults: (o) => {
      o.rules ??= null
    },
    validate: validateRules(!namespaced),
    columns: createdColumns,
    cells: (o) => [o.metadata.name, o.metadata.creationTimestamp],
    deleteReturnsObject: false,
  })

const kinds = ['User', 'Group', 'ServiceAccount']
const bindingKind = (kind: string, namespaced: boolean): Kind =>
  plainKind({
    group: GROUP,
    kind,
    plural: `${kind.toLowerCase()}s`,
    namespaced,
    type: `V1${kind}`,
    nameFormat: pathSegment,
    defaults: (o) => {
      if (o.roleRef) o.roleRef.apiGroup ||= GROUP
      for (const s of o.subjects ?? []) {
        if (s.kind !== 'ServiceAccount') s.apiGroup ||= GROUP
      }
    },
    validate: (o, e) => {
      const r = o.roleRef ?? {}
      if (r.apiGroup !== GROUP) e.notSupported('roleRef.apiGroup', r.apiGroup ?? '', [GROUP])
      const roles = namespaced ? ['Role', 'ClusterRole'] : ['ClusterRole']
      if (!roles.includes(r.kind)) e.notSupported('roleRef.kind', r.kind ?? '', roles)
      if (!r.name) e.required('roleRef.name')
      o.subjects?.forEach((s: any, i: number) => {
        const at = `subjects[${i}]`
        if (!s.name) e.required(`${at}.name`)
        if (!kinds.includes(s.kind)) e.notSupported(`${at}.kind`, s.kind ?? '', kinds)
        else if (s.kind === 'ServiceAccount') {
          if (s.name) e.format(`${at}.name`, s.name, dnsSubdomain(s.name))
          if (!s.namespace && !namespaced) e.required(`${at}.namespace`)
        } else if (s.apiGroup !== GROUP) e.notSupported(`${at}.apiGroup`, s.apiGroup ?? '', [GROUP])
      })
    },
    validateUpdate: (o, old, e) => {
      if (!equal(o.roleRef, old.roleRef)) e.invalid('roleRef', o.roleRef, 'cannot change roleRef')
    },
    columns: [
      nameColumn,
      text('Role', 'The role that is granted.'),
      ageColumn,
      text('Users', 'Users who have it.', 1),
      text('Groups', 'Groups that have it.', 1),
      text('ServiceAccounts', 'Service accounts that have it.', 1),
    ],
    cells: (o, now) => {
      const of = (k: string) => (o.subjects ?? []).filter((s: any) => s.kind === k)
      const names = (k: string) =>
        of(k)
          .map((s: any) => s.name)
          .join(', ')
      const accounts = of('ServiceAccount')
        .map((s: any) => `${s.namespace}/${s.name}`)
        .join(', ')
      return [o.metadata.name, `${o.roleRef?.kind}/${o.roleRef?.name}`, ageOf(o, now), names('User'), names('Group'), accounts]
    },
  })

export const role = roleKind('Role', true)
export const clusterRole: Kind = { ...roleKind('ClusterRole', false) }
export const roleBinding = bindingKind('RoleBinding', true)
export const clusterRoleBinding = bindingKind('ClusterRoleBinding', false)
