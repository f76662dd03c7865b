// CronJob: a Job at every time of its schedule, named by that time, so that none is made twice.

import { condition } from '../../shared/meta/conditions.ts'
import { lastTime, nextTime, parseSchedule, zonedString } from '../../shared/meta/cron.ts'
import { type KObject, keyOf, timeString } from '../../shared/meta/object.ts'
import { equal } from '../../shared/schema/field-set.ts'
import { type Controller, type Result, splitKey, type Write } from '../engine/types.ts'
import { type OwnerKind, ownerReference, ownWakes, told } from './owned.ts'

const JOBS = 'jobs.batch'
const SCHEDULED = 'batch.kubernetes.io/cronjob-scheduled-timestamp'
/** So many missed times are worth a warning. */
const MANY = 100
const MINUTE = 60_000

const kind: OwnerKind = { resource: 'cronjobs.batch', kind: 'CronJob', apiVersion: 'batch/v1', component: 'cronjob-controller' }

interface View {
  cron: KObject
  jobs: readonly KObject[]
  /** Whether there is a job of a name in the namespace, whosesoever. */
  has: (name: string) => boolean
}

const endOf = (job: KObject): 'Complete' | 'Failed' | undefined =>
  (['Complete', 'Failed'] as const).find((t) => condition(job, t)?.status === 'True')
const startOf = (job: KObject): number => Date.parse(job.status?.startTime ?? job.metadata.creationTimestamp)
const completedAt = (job: KObject): number =>
  Date.parse(job.status?.completionTime ?? condition(job, 'Complete')?.lastTransitionTime ?? job.metadata.creationTimestamp)
/** The job's name carries the time that it was due, in minutes. */
const nameAt = (cron: KObject, due: number) => `${cron.metadata.name}-${Math.floor(due / MINUTE)}`

function jobAt(cron: KObject, due: number): KObject {
  const { metadata = {}, spec } = cron.spec.jobTemplate
  return {
    metadata: {
      name: nameAt(cron, due),
      namespace: cron.metadata.namespace,
      ...(metadata.labels ? { labels: metadata.labels } : {}),
      annotations: { ...metadata.annotations, [SCHEDULED]: zonedString(due, cron.spec.timeZone) },
      ownerReferences: [ownerReference(kind.kind, kind.apiVersion, cron)],
    } as unknown as KObject['metadata'],
    spec,
  }
}

/** Ended jobs beyond what the limits keep, the oldest first. */
function outdated(cron: KObject, jobs: readonly KObject[]): readonly KObject[] {
  const of = (end: 'Complete' | 'Failed', limit: number | undefined) => {
    if (limit === undefined) return []
    const ended = jobs.filter((j) => endOf(j) === end && !j.metadata.deletionTimestamp).sort((a, b) => startOf(a) - startOf(b))
    return ended.slice(0, Math.max(0, ended.length - limit))
  }
  const { successfulJobsHistoryLimit, failedJobsHistoryLimit } = cron.spec
  return [...of('Complete', successfulJobsHistoryLimit), ...of('Failed', failedJobsHistoryLimit)]
}

interface Due {
  at?: number
  next?: number
  /** Too late to begin. */
  missed?: boolean
  more?: boolean
}

/** The last time that it was due and has not been begun, and the next. */
function due(cron: KObject, now: number): Due {
  const { spec, status, metadata } = cron
  const schedule = parseSchedule(spec.schedule)
  const zone: string = spec.timeZone ?? 'UTC'
  const begun = Date.parse(status?.lastScheduleTime ?? metadata.creationTimestamp)
  const deadline: number | undefined = spec.startingDeadlineSeconds
  const since = deadline === undefined ? begun : Math.max(begun, now - deadline * 1000)
  const last = lastTime(schedule, since, now, zone, MANY)
  const next = nextTime(schedule, 'every' in schedule ? (last?.at ?? begun) : now, zone)
  if (last) return { ...last, next }
  // One that was due before the deadline's reach is told of.
  const missed = deadline !== undefined && lastTime(schedule, begun, now, zone, MANY)
  return { ...(missed ? { at: missed.at, missed: true } : {}), next }
}

function reconcile(_key: string, { cron, jobs, has }: View, now: number): Result {
  const writes: Write[] = []
  const tell = (type: 'Normal' | 'Warning', reason: string, message: string) => writes.push(told(kind, cron, type, reason, message))
  const { spec } = cron
  const was = cron.status ?? {}
  const running = jobs.filter((j) => !endOf(j)).sort((a, b) => startOf(a) - startOf(b))
  const known = new Set((was.active ?? []).map((r: any) => r.uid))
  for (const j of jobs) {
    const end = endOf(j)
    if (end && known.has(j.metadata.uid)) tell('Normal', 'SawCompletedJob', `Saw completed job: ${j.metadata.name}, condition: ${end}`)
  }
  for (const object of outdated(cron, jobs)) {
    writes.push({ verb: 'delete', resource: JOBS, object, propagationPolicy: 'Background' })
    tell('Normal', 'SuccessfulDelete', `Deleted job ${object.metadata.name}`)
  }
  let lastScheduleTime: string | undefined = was.lastScheduleTime
  let active = running
  let requeueAt: number | undefined
  if (!cron.metadata.deletionTimestamp && !spec.suspend) {
    const d = due(cron, now)
    requeueAt = d.next
    if (d.more)
      tell(
        'Warning',
        'TooManyMissedTimes',
        'too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew',
      )
    if (d.missed) {
      tell('Warning', 'MissSchedule', `Missed scheduled time to start a job: ${new Date(d.at!).toUTCString().replace('GMT', '+0000')}`)
      lastScheduleTime = timeString(d.at!)
    } else if (d.at !== undefined) {
      const name = nameAt(cron, d.at)
      if (has(name)) lastScheduleTime = timeString(d.at)
      else if (spec.concurrencyPolicy === 'Forbid' && running.length)
        tell('Normal', 'JobAlreadyActive', 'Not starting job because prior execution is running and concurrency policy is Forbid')
      else {
        if (spec.concurrencyPolicy === 'Replace') {
          for (const object of running) {
            writes.push({ verb: 'delete', resource: JOBS, object, propagationPolicy: 'Background' })
            tell('Normal', 'SuccessfulDelete', `Deleted job ${object.metadata.name}`)
          }
          active = []
        }
        writes.push({ verb: 'create', resource: JOBS, object: jobAt(cron, d.at) })
        tell('Normal', 'SuccessfulCreate', `Created job ${name}`)
        lastScheduleTime = timeString(d.at)
      }
    }
  }
  const successes = jobs.filter((j) => endOf(j) === 'Complete').map(completedAt)
  const lastSuccess = Math.max(Date.parse(was.lastSuccessfulTime ?? '') || 0, ...successes)
  const status = {
    ...(active.length
      ? {
          active: active.map((j) => ({
            kind: 'Job',
            namespace: j.metadata.namespace,
            name: j.metadata.name,
            uid: j.metadata.uid,
            apiVersion: 'batch/v1',
          })),
        }
      : {}),
    ...(lastScheduleTime ? { lastScheduleTime } : {}),
    ...(lastSuccess ? { lastSuccessfulTime: timeString(lastSuccess) } : {}),
  }
  if (!equal(status, was)) writes.push({ verb: 'update', resource: kind.resource, object: { ...cron, status }, part: 'status' })
  return { writes, ...(requeueAt !== undefined ? { requeueAt } : {}) }
}

export const cronJob: Controller<View> = {
  name: kind.component,
  all: (r) => r.list(kind.resource).map(keyOf),
  wakes: {
    [kind.resource]: ownWakes,
    [JOBS]: ({ old, new: now }) => {
      const o = (now ?? old)!
      const owner = o.metadata.ownerReferences?.find((r) => r.controller)
      // What runs on the way to its end is no matter here.
      if (owner?.kind !== kind.kind || (old && now && endOf(old) === endOf(now))) return []
      return [`${o.metadata.namespace}/${owner.name}`]
    },
  },
  view: (key, reader) => {
    const [ns, name] = splitKey(key)
    const cron = reader.get(kind.resource, ns, name)
    if (!cron) return undefined
    return { cron, jobs: reader.controlledBy(JOBS, cron.metadata.uid), has: (n) => reader.get(JOBS, ns, n) !== undefined }
  },
  reconcile,
}
