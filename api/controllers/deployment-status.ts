// A deployment's status: counts over its sets, the Available and Progressing conditions, and when its progress deadline falls due.

import { REPLICA_FAILURE } from '../../shared/kinds/workloads.ts'
import { condition } from '../../shared/meta/conditions.ts'
import { type KObject, timeString } from '../../shared/meta/object.ts'
import { withCondition } from './pods.ts'

export const sum = (sets: readonly KObject[], f: (s: KObject) => number | undefined) => sets.reduce((n, s) => n + (f(s) ?? 0), 0)
/** The replicas that a set should have. */
export const wanted = (s: KObject): number => s.spec.replicas ?? 1

/** The status to write; `unavailable` is how many pods may be missing. `requeueAt` (ms) is the progress deadline, while one runs. */
export function statusOf(
  d: KObject,
  sets: readonly KObject[],
  current: KObject | undefined,
  now: number,
  unavailable: number,
): { status: any; requeueAt?: number } {
  const available = sum(sets, (s) => s.status?.availableReplicas)
  const total = sum(sets, (s) => s.status?.replicas)
  const updated = current?.status?.replicas ?? 0
  const counts = {
    replicas: total,
    updatedReplicas: updated,
    readyReplicas: sum(sets, (s) => s.status?.readyReplicas),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, sum(sets, wanted) - available),
  }
  const time = timeString(now)
  const was = d.status ?? {}
  let conditions: any[] | undefined = was.conditions
  const set = (type: string, status: string, reason: string, message: string, touch = false) => {
    const before = conditions?.find((c) => c.type === type)
    const next = withCondition(conditions, { type, status, reason, message, lastUpdateTime: before?.lastUpdateTime ?? time }, time)
    conditions = next === conditions && !touch ? next : next.map((c) => (c.type === type ? { ...c, lastUpdateTime: time } : c))
  }
  const enough = available >= d.spec.replicas - (d.spec.strategy.type === 'RollingUpdate' ? unavailable : 0)
  if (enough) {
    if (condition(d, 'Available')?.status !== 'True')
      set('Available', 'True', 'MinimumReplicasAvailable', 'Deployment has minimum availability.')
  } else if (condition(d, 'Available')?.status !== 'False')
    set('Available', 'False', 'MinimumReplicasUnavailable', 'Deployment does not have minimum availability.')

  const complete = updated === d.spec.replicas && total === d.spec.replicas && available === d.spec.replicas && !!current
  const progressing = condition(d, 'Progressing')
  let requeueAt: number | undefined
  const deadline: number = d.spec.progressDeadlineSeconds
  if (deadline !== 2 ** 31 - 1) {
    const moved =
      counts.updatedReplicas > (was.updatedReplicas ?? 0) ||
      total - updated < (was.replicas ?? 0) - (was.updatedReplicas ?? 0) ||
      counts.readyReplicas > (was.readyReplicas ?? 0) ||
      available > (was.availableReplicas ?? 0)
    const name = current?.metadata.name
    if (d.spec.paused) {
      if (progressing?.reason !== 'DeploymentPaused') set('Progressing', 'Unknown', 'DeploymentPaused', 'Deployment is paused')
    } else if (progressing?.reason === 'DeploymentPaused') set('Progressing', 'Unknown', 'DeploymentResumed', 'Deployment is resumed')
    else if (complete) {
      if (progressing?.reason !== 'NewReplicaSetAvailable' || !progressing.message.includes(name))
        set('Progressing', 'True', 'NewReplicaSetAvailable', `ReplicaSet "${name}" has successfully progressed.`)
    } else if (!progressing || (current && !d.status?.observedGeneration) || (current?.metadata.uid === undefined && current)) {
      set('Progressing', 'True', 'NewReplicaSetCreated', `Created new replica set "${name}"`)
    } else if (moved || progressing.reason === 'NewReplicaSetAvailable') {
      set('Progressing', 'True', 'ReplicaSetUpdated', `ReplicaSet "${name}" is progressing.`, true)
    } else if (progressing.reason !== 'ProgressDeadlineExceeded') {
      const at = Date.parse(progressing.lastUpdateTime) + deadline * 1000
      if (at <= now) set('Progressing', 'False', 'ProgressDeadlineExceeded', `ReplicaSet "${name}" has timed out progressing.`)
      else requeueAt = at
    }
    const after = conditions?.find((c) => c.type === 'Progressing')
    if (!complete && !d.spec.paused && after?.status === 'True' && requeueAt === undefined)
      requeueAt = Date.parse(after.lastUpdateTime) + deadline * 1000
  }
  // Of the newest set, or else of another.
  const failed = [...(current ? [current] : []), ...sets].map((s) => condition(s, REPLICA_FAILURE)).find((c) => c?.status === 'True')
  if (failed) {
    const said = condition(d, REPLICA_FAILURE)
    if (said?.status !== 'True' || said.message !== failed.message) set(REPLICA_FAILURE, 'True', failed.reason, failed.message, true)
  } else if (conditions?.some((c) => c.type === REPLICA_FAILURE)) conditions = conditions.filter((c) => c.type !== REPLICA_FAILURE)
  const status = {
    observedGeneration: d.metadata.generation,
    ...Object.fromEntries(Object.entries(counts).filter(([, n]) => n)),
    ...(sum(sets, (s) => s.status?.terminatingReplicas) ? { terminatingReplicas: sum(sets, (s) => s.status?.terminatingReplicas) } : {}),
    ...(conditions ? { conditions } : {}),
    ...(was.collisionCount ? { collisionCount: was.collisionCount } : {}),
  }
  return { status, ...(requeueAt !== undefined ? { requeueAt } : {}) }
}
