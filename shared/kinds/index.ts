// The table of kinds. Discovery, RBAC resources, OpenAPI and the store are all driven by it.

import { customResourceDefinition } from '../crd/definition.ts'
import {
  mutatingAdmissionPolicy,
  mutatingAdmissionPolicyBinding,
  mutatingWebhookConfiguration,
  validatingAdmissionPolicy,
  validatingAdmissionPolicyBinding,
  validatingWebhookConfiguration,
} from './admission-registration.ts'
import { apiService } from './api-service.ts'
import { horizontalPodAutoscaler, horizontalPodAutoscalerV1 } from './autoscaling.ts'
import { binding } from './binding.ts'
import { certificateSigningRequest, clusterTrustBundle } from './certificates.ts'
import { persistentVolume, persistentVolumeClaim } from './claim.ts'
import { componentStatus } from './component-status.ts'
import { configMap } from './config-map.ts'
import { controllerRevision } from './controller-revision.ts'
import { daemonSet } from './daemon-set.ts'
import { deployDelivery, deployHook } from './deploy.ts'
import { deployment } from './deployment.ts'
import { deviceClass, resourceClaim, resourceClaimTemplate, resourceSlice } from './dynamic-resources.ts'
import { endpointSlice } from './endpoint-slice.ts'
import { endpoints } from './endpoints.ts'
import { event, eventV1 } from './event.ts'
import { flowSchema, priorityLevelConfiguration } from './flow-control.ts'
import { cronJob, job } from './job.ts'
import type { Kind } from './kind.ts'
import { lease } from './lease.ts'
import { logCounter } from './log-counter.ts'
import { nodeMetrics, podMetrics } from './metrics.ts'
import { namespace } from './namespace.ts'
import { ingress, ingressClass, ipAddress, networkPolicy, serviceCidr } from './networking.ts'
import { node } from './node.ts'
import { pod } from './pod.ts'
import { podDisruptionBudget } from './policy.ts'
import { limitRange, resourceQuota } from './quota.ts'
import { clusterRole, clusterRoleBinding, role, roleBinding } from './rbac.ts'
import { replicaSet } from './replica-set.ts'
import { podTemplate, replicationController } from './replication-controller.ts'
import { reviews } from './reviews.ts'
import { priorityClass, runtimeClass } from './scheduling.ts'
import { secret } from './secret.ts'
import { service } from './service.ts'
import { serviceAccount } from './service-account.ts'
import { statefulSet } from './stateful-set.ts'
import { csiDriver, csiNode, csiStorageCapacity, storageClass, volumeAttachment, volumeAttributesClass } from './storage.ts'

export const kinds: readonly Kind[] = [
  binding,
  componentStatus,
  configMap,
  endpoints,
  event,
  namespace,
  node,
  pod,
  secret,
  service,
  serviceAccount,
  limitRange,
  persistentVolume,
  persistentVolumeClaim,
  podTemplate,
  replicationController,
  resourceQuota,
  controllerRevision,
  daemonSet,
  deployment,
  replicaSet,
  statefulSet,
  cronJob,
  job,
  horizontalPodAutoscalerV1,
  horizontalPodAutoscaler,
  lease,
  endpointSlice,
  eventV1,
  ingress,
  ingressClass,
  ipAddress,
  networkPolicy,
  serviceCidr,
  runtimeClass,
  podDisruptionBudget,
  priorityClass,
  csiDriver,
  csiNode,
  csiStorageCapacity,
  storageClass,
  volumeAttachment,
  volumeAttributesClass,
  mutatingAdmissionPolicy,
  mutatingAdmissionPolicyBinding,
  mutatingWebhookConfiguration,
  validatingAdmissionPolicy,
  validatingAdmissionPolicyBinding,
  validatingWebhookConfiguration,
  customResourceDefinition,
  apiService,
  certificateSigningRequest,
  clusterTrustBundle,
  nodeMetrics,
  podMetrics,
  flowSchema,
  priorityLevelConfiguration,
  deviceClass,
  resourceClaim,
  resourceClaimTemplate,
  resourceSlice,
  role,
  clusterRole,
  roleBinding,
  clusterRoleBinding,
  deployHook,
  deployDelivery,
  logCounter,
  ...reviews,
]

const byResource = new Map(kinds.map((k) => [`${k.group}/${k.version}/${k.plural}`, k]))
const storedKinds = kinds.filter((k) => !k.stored)
const byKind = new Map([...kinds, ...storedKinds].map((k) => [`${k.group}/${k.kind}`, k]))

export const kindByResource = (group: string, version: string, plural: string): Kind | undefined =>
  byResource.get(`${group}/${version}/${plural}`)
/** The stored version, where there are several. */
export const kindByName = (group: string, kind: string): Kind | undefined => byKind.get(`${group}/${kind}`)

const groups = new Set(kinds.map((k) => k.group))
export const isBuiltIn = (group: string): boolean => groups.has(group)

/** `apps/v1`, or `v1` for the core group. */
export const apiVersionOf = (k: { group: string; version: string }): string => (k.group ? `${k.group}/${k.version}` : k.version)
/** How the store and controllers name a resource: `pods`, `deployments.apps`. */
export function resourceOf(k: { group: string; plural: string; stored?: { kind: Kind } }): string {
  const { group, plural } = k.stored?.kind ?? k
  return group ? `${plural}.${group}` : plural
}
const byStored = new Map(storedKinds.map((k) => [resourceOf(k), k]))
/** The kind behind a stored resource name. */
export const kindOfResource = (resource: string): Kind | undefined => byStored.get(resource)
/** `apps/v1` → its group. */
export const groupOf = (apiVersion: string): string => (apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '')
