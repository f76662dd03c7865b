// What kube-state-metrics says of what runs pods.

import { scaledValue } from '../../../shared/kinds/workloads.ts'
import { condition } from '../../../shared/meta/conditions.ts'
import { nextTime, parseSchedule } from '../../../shared/meta/cron.ts'
import type { KObject } from '../../../shared/meta/object.ts'
import {
  amount,
  conditions,
  created,
  generation,
  info,
  type Metric,
  namespaced,
  number,
  type ObjectMetrics,
  owners,
  several,
  text,
  time,
} from './metric.ts'

const counted = (kind: string, name: string, help: string, field: string): Metric =>
  number(`kube_${kind}_${name}`, help, (o) => o.status?.[field] ?? 0)

const observed = (kind: string): Metric =>
  number(`kube_${kind}_status_observed_generation`, 'The generation observed by the controller.', (o) => o.status?.observedGeneration ?? 0)

const rolling = (o: KObject, field: string, up: boolean): number | undefined => {
  const value = o.spec.strategy?.rollingUpdate?.[field]
  return value === undefined ? undefined : scaledValue(value, o.spec.replicas ?? 1, up)
}

const deployments: ObjectMetrics = {
  resource: 'deployments.apps',
  labels: namespaced('deployment'),
  metrics: [
    created('deployment'),
    counted('deployment', 'status_replicas', 'The number of replicas per deployment.', 'replicas'),
    counted('deployment', 'status_replicas_ready', 'The number of ready replicas per deployment.', 'readyReplicas'),
    counted('deployment', 'status_replicas_available', 'The number of available replicas per deployment.', 'availableReplicas'),
    counted('deployment', 'status_replicas_unavailable', 'The number of unavailable replicas per deployment.', 'unavailableReplicas'),
    counted('deployment', 'status_replicas_updated', 'The number of updated replicas per deployment.', 'updatedReplicas'),
    observed('deployment'),
    several('kube_deployment_status_condition', 'The current status conditions of a deployment.', (o) =>
      conditions(o, (c) => ({ reason: text(c.reason) })),
    ),
    number('kube_deployment_spec_replicas', 'Number of desired pods for a deployment.', (o) => o.spec.replicas),
    number(
      'kube_deployment_spec_paused',
      'Whether the deployment is paused and will not be processed by the deployment controller.',
      (o) => !!o.spec.paused,
    ),
    number(
      'kube_deployment_spec_strategy_rollingupdate_max_unavailable',
      'Maximum number of unavailable replicas during a rolling update of a deployment.',
      (o) => rolling(o, 'maxUnavailable', false),
    ),
    number(
      'kube_deployment_spec_strategy_rollingupdate_max_surge',
      'Maximum number of replicas that can be scheduled above the desired number of replicas during a rolling update of a deployment.',
      (o) => rolling(o, 'maxSurge', true),
    ),
    generation('deployment'),
    time('kube_deployment_deletion_timestamp', 'Unix deletion timestamp', (o) => o.metadata.deletionTimestamp),
    owners('kube_deployment_owner', "Information about the Deployment's owner."),
  ],
}

const replicaSets = (resource: string, kind: string): ObjectMetrics => ({
  resource,
  labels: namespaced(kind),
  metrics: [
    created(kind),
    counted(kind, 'status_replicas', `The number of replicas per ${kind}.`, 'replicas'),
    counted(kind, 'status_fully_labeled_replicas', `The number of fully labeled replicas per ${kind}.`, 'fullyLabeledReplicas'),
    counted(kind, 'status_ready_replicas', `The number of ready replicas per ${kind}.`, 'readyReplicas'),
    ...(kind === 'replicationcontroller'
      ? [counted(kind, 'status_available_replicas', `The number of available replicas per ${kind}.`, 'availableReplicas')]
      : []),
    observed(kind),
    number(`kube_${kind}_spec_replicas`, `Number of desired pods for a ${kind}.`, (o) => o.spec.replicas),
    generation(kind),
    owners(`kube_${kind}_owner`, `Information about the ${kind}'s owner.`),
  ],
})

const statefulSets: ObjectMetrics = {
  resource: 'statefulsets.apps',
  labels: namespaced('statefulset'),
  metrics: [
    created('statefulset'),
    counted('statefulset', 'status_replicas', 'The number of replicas per StatefulSet.', 'replicas'),
    counted('statefulset', 'status_replicas_available', 'The number of available replicas per StatefulSet.', 'availableReplicas'),
    counted('statefulset', 'status_replicas_current', 'The number of current replicas per StatefulSet.', 'currentReplicas'),
    counted('statefulset', 'status_replicas_ready', 'The number of ready replicas per StatefulSet.', 'readyReplicas'),
    counted('statefulset', 'status_replicas_updated', 'The number of updated replicas per StatefulSet.', 'updatedReplicas'),
    observed('statefulset'),
    number('kube_statefulset_replicas', 'Number of desired pods for a StatefulSet.', (o) => o.spec.replicas),
    number('kube_statefulset_ordinals_start', 'Start ordinal of the StatefulSet.', (o) => o.spec.ordinals?.start),
    generation('statefulset'),
    info('kube_statefulset_persistentvolumeclaim_retention_policy', 'Count of retention policy for StatefulSet template PVCs', (o) => {
      const p = o.spec.persistentVolumeClaimRetentionPolicy
      return p && { when_deleted: text(p.whenDeleted), when_scaled: text(p.whenScaled) }
    }),
    info(
      'kube_statefulset_status_current_revision',
      'Indicates the version of the StatefulSet used to generate Pods in the sequence [0,currentReplicas).',
      (o) => (o.status?.currentRevision ? { revision: o.status.currentRevision } : undefined),
    ),
    info(
      'kube_statefulset_status_update_revision',
      'Indicates the version of the StatefulSet used to generate Pods in the sequence [replicas-updatedReplicas,replicas)',
      (o) => (o.status?.updateRevision ? { revision: o.status.updateRevision } : undefined),
    ),
  ],
}

const daemonSet = (name: string, help: string, field: string) => counted('daemonset', `status_${name}`, help, field)
const daemonSets: ObjectMetrics = {
  resource: 'daemonsets.apps',
  labels: namespaced('daemonset'),
  metrics: [
    created('daemonset'),
    daemonSet(
      'current_number_scheduled',
      'The number of nodes running at least one daemon pod and are supposed to.',
      'currentNumberScheduled',
    ),
    daemonSet('desired_number_scheduled', 'The number of nodes that should be running the daemon pod.', 'desiredNumberScheduled'),
    daemonSet(
      'number_available',
      'The number of nodes that should be running the daemon pod and have one or more of the daemon pod running and available',
      'numberAvailable',
    ),
    daemonSet('number_misscheduled', 'The number of nodes running a daemon pod but are not supposed to.', 'numberMisscheduled'),
    daemonSet(
      'number_ready',
      'The number of nodes that should be running the daemon pod and have one or more of the daemon pod running and ready.',
      'numberReady',
    ),
    daemonSet(
      'number_unavailable',
      'The number of nodes that should be running the daemon pod and have none of the daemon pod running and available',
      'numberUnavailable',
    ),
    observed('daemonset'),
    number(
      'kube_daemonset_updated_number_scheduled',
      'The total number of nodes that are running updated daemon pod',
      (o) => o.status?.updatedNumberScheduled ?? 0,
    ),
    generation('daemonset'),
  ],
}

/** Whether a job has come to such an end, for every answer. */
const ended = (type: string, name: string, help: string): Metric =>
  several(name, help, (o) => {
    const c = condition(o, type)
    return c ? ['true', 'false', 'unknown'].map((s) => [{ condition: s }, Number(s === text(c.status).toLowerCase())] as const) : []
  })
const FAILURES = ['BackoffLimitExceeded', 'DeadlineExceeded', 'Evicted']
const jobs: ObjectMetrics = {
  resource: 'jobs.batch',
  labels: namespaced('job_name'),
  metrics: [
    info('kube_job_info', 'Information about job.', () => ({})),
    created('job'),
    owners('kube_job_owner', "Information about the Job's owner."),
    number(
      'kube_job_spec_parallelism',
      'The maximum desired number of pods the job should run at any given time.',
      (o) => o.spec.parallelism,
    ),
    number(
      'kube_job_spec_completions',
      'The desired number of successfully finished pods the job should be run with.',
      (o) => o.spec.completions,
    ),
    number(
      'kube_job_spec_active_deadline_seconds',
      'The duration in seconds relative to the startTime that the job may be active before the system tries to terminate it.',
      (o) => o.spec.activeDeadlineSeconds,
    ),
    number('kube_job_status_succeeded', 'The number of pods which reached Phase Succeeded.', (o) => o.status?.succeeded ?? 0),
    several('kube_job_status_failed', 'The number of pods which reached Phase Failed and the reason for failure.', (o) => {
      const reason = condition(o, 'Failed')?.reason
      return o.status?.failed ? FAILURES.map((r) => [{ reason: r }, Number(r === reason)] as const) : [[{}, 0] as const]
    }),
    number('kube_job_status_active', 'The number of actively running pods.', (o) => o.status?.active ?? 0),
    number('kube_job_status_suspended', 'The number of suspended jobs.', (o) => condition(o, 'Suspended')?.status === 'True'),
    ended('Complete', 'kube_job_complete', 'The job has completed its execution.'),
    ended('Failed', 'kube_job_failed', 'The job has failed its execution.'),
    time(
      'kube_job_status_start_time',
      'StartTime represents time when the job was acknowledged by the Job Manager.',
      (o) => o.status?.startTime,
    ),
    time('kube_job_status_completion_time', 'CompletionTime represents time when the job was completed.', (o) => o.status?.completionTime),
  ],
}

const cronJobs: ObjectMetrics = {
  resource: 'cronjobs.batch',
  labels: namespaced('cronjob'),
  metrics: [
    info('kube_cronjob_info', 'Info about cronjob.', (o) => ({
      schedule: text(o.spec.schedule),
      concurrency_policy: text(o.spec.concurrencyPolicy),
      timezone: text(o.spec.timeZone ?? 'local'),
    })),
    created('cronjob'),
    number('kube_cronjob_status_active', 'Active holds pointers to currently running jobs.', (o) => o.status?.active?.length ?? 0),
    time(
      'kube_cronjob_status_last_schedule_time',
      'LastScheduleTime keeps information of when was the last time the job was successfully scheduled.',
      (o) => o.status?.lastScheduleTime,
    ),
    time(
      'kube_cronjob_status_last_successful_time',
      'LastSuccessfulTime keeps information of when was the last time the job was completed successfully.',
      (o) => o.status?.lastSuccessfulTime,
    ),
    number('kube_cronjob_next_schedule_time', 'Next time the cronjob should be scheduled.', (o) => {
      if (o.spec.suspend) return undefined
      const after = Date.parse(o.status?.lastScheduleTime ?? o.metadata.creationTimestamp)
      const at = nextTime(parseSchedule(o.spec.schedule), after, o.spec.timeZone)
      return at === undefined ? undefined : at / 1000
    }),
    number('kube_cronjob_spec_suspend', 'Suspend flag tells the controller to suspend subsequent executions.', (o) => !!o.spec.suspend),
    number(
      'kube_cronjob_spec_starting_deadline_seconds',
      'Deadline in seconds for starting the job if it misses scheduled time for any reason.',
      (o) => o.spec.startingDeadlineSeconds,
    ),
    number(
      'kube_cronjob_spec_successful_job_history_limit',
      'Successful job history limit tells the controller how many completed jobs should be preserved.',
      (o) => o.spec.successfulJobsHistoryLimit,
    ),
    number(
      'kube_cronjob_spec_failed_job_history_limit',
      'Failed job history limit tells the controller how many failed jobs should be preserved.',
      (o) => o.spec.failedJobsHistoryLimit,
    ),
  ],
}

const targetOf = (m: any): any => m[`${m.type[0].toLowerCase()}${m.type.slice(1)}`]
const targets = (all: any[] | undefined, field: 'target' | 'current') =>
  (all ?? []).flatMap((m) => {
    const of = m.type ? targetOf(m) : undefined
    const metric_name = text(of?.metric?.name ?? of?.name)
    const value = of?.[field] ?? {}
    return [
      ['value', value.value === undefined ? undefined : amount(value.value)],
      ['average', value.averageValue === undefined ? undefined : amount(value.averageValue)],
      ['utilization', value.averageUtilization],
    ].flatMap(([metric_target_type, n]) =>
      typeof n === 'number' ? [[{ metric_name, metric_target_type: metric_target_type as string }, n] as const] : [],
    )
  })
const HPA = 'kube_horizontalpodautoscaler'
const autoscalers: ObjectMetrics = {
  resource: 'horizontalpodautoscalers.autoscaling',
  labels: namespaced('horizontalpodautoscaler'),
  metrics: [
    info(`${HPA}_info`, 'Information about this autoscaler.', ({ spec }) => ({
      scaletargetref_api_version: text(spec.scaleTargetRef?.apiVersion),
      scaletargetref_kind: text(spec.scaleTargetRef?.kind),
      scaletargetref_name: text(spec.scaleTargetRef?.name),
    })),
    generation('horizontalpodautoscaler'),
    number(
      `${HPA}_spec_max_replicas`,
      'Upper limit for the number of pods that can be set by the autoscaler; cannot be smaller than MinReplicas.',
      (o) => o.spec.maxReplicas,
    ),
    number(
      `${HPA}_spec_min_replicas`,
      'Lower limit for the number of pods that can be set by the autoscaler, default 1.',
      (o) => o.spec.minReplicas,
    ),
    several(
      `${HPA}_spec_target_metric`,
      'The metric specifications used by this autoscaler when calculating the desired replica count.',
      (o) => targets(o.spec.metrics, 'target'),
    ),
    several(
      `${HPA}_status_target_metric`,
      'The current metric status used by this autoscaler when calculating the desired replica count.',
      (o) => targets(o.status?.currentMetrics, 'current'),
    ),
    number(
      `${HPA}_status_current_replicas`,
      'Current number of replicas of pods managed by this autoscaler.',
      (o) => o.status?.currentReplicas ?? 0,
    ),
    number(
      `${HPA}_status_desired_replicas`,
      'Desired number of replicas of pods managed by this autoscaler.',
      (o) => o.status?.desiredReplicas ?? 0,
    ),
    several(`${HPA}_status_condition`, 'The condition of this autoscaler.', conditions),
  ],
}

const PDB = 'kube_poddisruptionbudget'
const budgets: ObjectMetrics = {
  resource: 'poddisruptionbudgets.policy',
  labels: namespaced('poddisruptionbudget'),
  metrics: [
    created('poddisruptionbudget'),
    number(`${PDB}_status_current_healthy`, 'Current number of healthy pods', (o) => o.status?.currentHealthy ?? 0),
    number(`${PDB}_status_desired_healthy`, 'Minimum desired number of healthy pods', (o) => o.status?.desiredHealthy ?? 0),
    number(
      `${PDB}_status_pod_disruptions_allowed`,
      'Number of pod disruptions that are currently allowed',
      (o) => o.status?.disruptionsAllowed ?? 0,
    ),
    number(`${PDB}_status_expected_pods`, 'Total number of pods counted by this disruption budget', (o) => o.status?.expectedPods ?? 0),
    number(
      `${PDB}_status_observed_generation`,
      'Most recent generation observed when updating this PDB status',
      (o) => o.status?.observedGeneration ?? 0,
    ),
  ],
}

export const workloadMetrics: readonly ObjectMetrics[] = [
  deployments,
  replicaSets('replicasets.apps', 'replicaset'),
  replicaSets('replicationcontrollers', 'replicationcontroller'),
  statefulSets,
  daemonSets,
  jobs,
  cronJobs,
  autoscalers,
  budgets,
]
