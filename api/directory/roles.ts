// What roles give: on the account under /v1, and inside a cluster as grants of Kubernetes' own cluster roles.
import type { Grant } from '../registry/context.ts'

/** From the least to the most. */
export const roles = ['view', 'edit', 'admin', 'owner'] as const
export type Role = (typeof roles)[number]

export const atLeast = (role: Role, needed: Role): boolean => roles.indexOf(role) >= roles.indexOf(needed)

/** Where a token holds: a whole account, one of its clusters, one namespace of that. */
export interface Scope {
  cluster?: string
  namespace?: string
}

/** Whether a token of `outer` may hand out one of `inner`. */
export const within = (inner: Scope, outer: Scope): boolean =>
  (outer.cluster === undefined || outer.cluster === inner.cluster) && (outer.namespace === undefined || outer.namespace === inner.namespace)

/** The cluster role that an account's role stands for in a cluster, in one namespace or everywhere. */
export function grantsOf(role: Role, namespace: string | undefined): Grant[] {
  if (namespace !== undefined) return [{ clusterRole: role === 'owner' ? 'admin' : role, namespace }]
  return [{ clusterRole: atLeast(role, 'admin') ? 'cluster-admin' : role }]
}
