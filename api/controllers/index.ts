// The controllers that the engine runs, one file each.
import type { Controller } from '../engine/types.ts'
import { acmeAccount, acmeCertificates } from './acme.ts'
import { apiServiceAvailability } from './api-service.ts'
import { apiServiceRegistration } from './api-service-registration.ts'
import { attachDetach } from './attach-detach.ts'
import { horizontalPodAutoscaler } from './autoscaler/autoscaler.ts'
import { certificateCleaner } from './certificate-cleaner.ts'
import { clusterRoleAggregation } from './cluster-role-aggregation.ts'
import { cronJob } from './cron-job.ts'
import { daemonSet } from './daemon-set.ts'
import { definitionCleanup } from './definition-cleanup.ts'
import { deploy } from './deploy.ts'
import { deployment } from './deployment.ts'
import { disruption } from './disruption.ts'
import { endpointSliceMirroring } from './endpoint-slice-mirroring.ts'
import { endpoints } from './endpoints.ts'
import { ephemeralVolume } from './ephemeral-volume.ts'
import { flowSchemaStatus } from './flow-schema.ts'
import { garbageCollector } from './garbage-collector.ts'
import { ingress, ingressClass } from './ingress.ts'
import { job } from './job.ts'
import { loadBalancer } from './load-balancer.ts'
import { localClass, localVolume, volumeReclaim } from './local-volume.ts'
import { namespace } from './namespace.ts'
import { nodeEviction } from './node-eviction.ts'
import { nodeIpam } from './node-ipam.ts'
import { nodeLifecycle } from './node-lifecycle.ts'
import { nodeTtl } from './node-ttl.ts'
import { nodeUpgrade } from './node-upgrade.ts'
import { endedPods, podGarbageCollector } from './pod-garbage-collector.ts'
import { replicaSet, replicationController } from './replica-set.ts'
import { resourceQuotaController } from './resource-quota.ts'
import { scheduler } from './scheduler/scheduler.ts'
import { serviceAccount } from './service-account.ts'
import { statefulSet } from './stateful-set.ts'
import { claimProtection, volumeProtection } from './storage-protection.ts'
import { taintEviction } from './taint-eviction.ts'
import { accountTokens, bootstrapTokens, legacyTokens } from './token-secrets.ts'
import { claimBinder, volumePhase } from './volume-binder.ts'

/** What kube-controller-manager does; where one runs and holds its lease, these rest. */
const ofControllerManager: readonly Controller[] = [
  deployment,
  replicaSet,
  replicationController,
  statefulSet,
  daemonSet,
  job,
  cronJob,
  horizontalPodAutoscaler,
  disruption,
  endpoints,
  endpointSliceMirroring,
  taintEviction,
  podGarbageCollector,
  endedPods(),
  nodeTtl,
  attachDetach,
  accountTokens,
  legacyTokens,
  bootstrapTokens,
  namespace,
  serviceAccount,
  garbageCollector,
  resourceQuotaController,
  claimBinder,
  ephemeralVolume,
  volumePhase,
  volumeReclaim,
  claimProtection,
  volumeProtection,
  clusterRoleAggregation,
  certificateCleaner,
]

export const controllers: readonly Controller[] = [
  ...ofControllerManager.map((c): Controller => ({ ...c, upstream: 'kube-controller-manager' })),
  scheduler,
  nodeIpam,
  nodeLifecycle,
  nodeEviction,
  nodeUpgrade,
  loadBalancer,
  ingressClass,
  ingress,
  acmeAccount,
  acmeCertificates,
  localClass,
  localVolume,
  deploy,
  definitionCleanup,
  apiServiceAvailability,
  apiServiceRegistration,
  flowSchemaStatus,
]
