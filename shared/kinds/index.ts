// The table of kinds. Discovery, RBAC resources, OpenAPI and the store are all driven by it.
import { configMap } from './config-map.ts'
import { controllerRevision } from './controller-revision.ts'
import { deployDelivery, deployHook } from './deploy.ts'
import { deployment } from './deployment.ts'
import { endpointSlice } from './endpoint-slice.ts'
import { endpoints } from './endpoints.ts'
import { event } from './event.ts'
import type { Kind } from './kind.ts'
import { lease } from './lease.ts'
import { namespace } from './namespace.ts'
import { node } from './node.ts'
import { pod } from './pod.ts'
import { clusterRole, clusterRoleBinding, role, roleBinding } from './rbac.ts'
import { replicaSet } from './replica-set.ts'
import { reviews } from './reviews.ts'
import { secret } from './secret.ts'
import { service } from './service.ts'
import { serviceAccount } from './service-account.ts'

export const kinds: readonly Kind[] = [
  configMap,
  endpoints,
  event,
  namespace,
  node,
  pod,
  secret,
  service,
  serviceAccount,
  controllerRevision,
  deployment,
  replicaSet,
  lease,
  endpointSlice,
  role,
  clusterRole,
  roleBinding,
  clusterRoleBinding,
  deployHook,
  deployDelivery,
  ...reviews,
]

const byResource = new Map(kinds.map((k) => [`${k.group}/${k.version}/${k.plural}`, k]))
const byKind = new Map(kinds.map((k) => [`${k.group}/${k.kind}`, k]))

export const kindByResource = (group: string, version: string, plural: string): Kind | undefined =>
  byResource.get(`${group}/${version}/${plural}`)
export const kindByName = (group: string, kind: string): Kind | undefined => byKind.get(`${group}/${kind}`)

/** `apps/v1`, or `v1` for the core group. */
export const apiVersionOf = (k: { group: string; version: string }): string => (k.group ? `${k.group}/${k.version}` : k.version)
/** How the store and controllers name a resource: `pods`, `deployments.apps`. */
export const resourceOf = (k: { group: string; plural: string }): string => (k.group ? `${k.plural}.${k.group}` : k.plural)
const byStored = new Map(kinds.map((k) => [resourceOf(k), k]))
/** The kind behind a stored resource name. */
export const kindOfResource = (resource: string): Kind | undefined => byStored.get(resource)
/** `apps/v1` → its group. */
export const groupOf = (apiVersion: string): string => (apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '')
