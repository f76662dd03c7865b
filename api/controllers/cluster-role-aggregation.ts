// Cluster roles that are made of others: their rules are those of every role that their selectors meet, written down for all to see.
// What they allow does not wait for this (api/auth/rbac.ts).
import type { KObject } from '../../shared/meta/object.ts'
import { fromLabelSelector, matches } from '../../shared/meta/selector.ts'
import { equal } from '../../shared/schema/field-set.ts'
import type { Controller } from '../engine/types.ts'

const ROLES = 'clusterroles.rbac.authorization.k8s.io'

interface View {
  role: KObject
  parts: readonly KObject[]
}

const selectorsOf = (role: KObject) => (role.aggregationRule?.clusterRoleSelectors ?? []).map(fromLabelSelector)
const meets = (role: KObject, labels: Record<string, string> | undefined): boolean =>
  selectorsOf(role).some((s: ReturnType<typeof fromLabelSelector>) => matches(s, labels))

export const clusterRoleAggregation: Controller<View> = {
  name: 'clusterrole-aggregation-controller',
  all: (r) =>
    r
      .list(ROLES)
      .filter((o) => o.aggregationRule)
      .map((o) => o.metadata.name),
  wakes: {
    [ROLES]: ({ old, new: now }, reader) => {
      const aggregated = reader.list(ROLES).filter((o) => o.aggregationRule)
      return aggregated.filter((o) => o === now || [old, now].some((r) => r && meets(o, r.metadata.labels))).map((o) => o.metadata.name)
    },
  },
  view: (key, reader) => {
    const role = reader.get(ROLES, '', key)
    if (!role?.aggregationRule) return undefined
    const parts = reader.list(ROLES).filter((o) => o !== role && meets(role, o.metadata.labels))
    return { role, parts: parts.sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1)) }
  },
  reconcile: (_key, { role, parts }) => {
    const rules: unknown[] = []
    for (const rule of parts.flatMap((p) => p.rules ?? [])) if (!rules.some((r) => equal(r, rule))) rules.push(rule)
    return equal(rules, role.rules ?? []) ? { writes: [] } : { writes: [{ verb: 'update', resource: ROLES, object: { ...role, rules } }] }
  },
}
