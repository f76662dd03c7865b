// Job: pods that run until enough of them have succeeded, or too many have failed. No pod is counted twice or lost: each carries a finalizer until the
// status has its uid, and the status keeps the uid until the finalizer is seen to be gone.

import { condition, isReady } from '../../shared/meta/conditions.ts'
import { type KObject, keyOf, timeString } from '../../shared/meta/object.ts'
import { equal } from '../../shared/schema/field-set.ts'
import { type Controller, type Result, splitKey, type Write } from '../engine/types.ts'
import { backoffUntil, verdictOn } from './job-failures.ts'
import { formatIndexes, parseIndexes } from './job-indexes.ts'
import { childName, claim, type OwnedView, type OwnerKind, ownedView, ownWakes, podOf, podWakes, told } from './owned.ts'
import { hasEnded, isActive } from './pods.ts'

const TRACKING = 'batch.kubernetes.io/job-tracking'
const INDEX = 'batch.kubernetes.io/job-completion-index'
const FAILURES = 'batch.kubernetes.io/job-index-failure-count'
const OURS = 'kubernetes.io/job-controller'
/** Pods made, and uids kept in the status, at a time. */
const BURST = 500

const kind: OwnerKind = { resource: 'jobs.batch', kind: 'Job', apiVersion: 'batch/v1', component: 'job-controller' }

type View = OwnedView | { stray: KObject }

interface Target {
  type: 'FailureTarget' | 'SuccessCriteriaMet'
  reason: string
  message: string
}

const tracked = (p: KObject) => !!p.metadata.finalizers?.includes(TRACKING)
const succeeded = (p: KObject) => p.status?.phase === 'Succeeded'
const is = (job: KObject, type: string) => condition(job, type)?.status === 'True'
const indexOf = (p: KObject): number => {
  const text = p.metadata.annotations?.[INDEX]
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : -1
}
const failuresOf = (p: KObject): number => Number(p.metadata.annotations?.[FAILURES] ?? 0)

const stripped = (p: KObject): Write => ({
  verb: 'update',
  resource: 'pods',
  object: { ...p, metadata: { ...p.metadata, finalizers: p.metadata.finalizers!.filter((f) => f !== TRACKING) } },
})

/** One look at a job. */
class Sync {
  readonly job: KObject
  readonly pods: readonly KObject[]
  readonly now: number
  readonly indexed: boolean
  /** Of what is counted for good. */
  done: number
  failed: number
  readonly uncounted: { succeeded: Set<string>; failed: Set<string> }
  readonly completed: Set<number>
  readonly failedIndexes: Set<number>
  readonly strip: KObject[] = []
  target?: Target
  requeueAt?: number

  constructor(job: KObject, pods: readonly KObject[], now: number) {
    this.job = job
    this.pods = pods
    this.now = now
    const { status = {}, spec } = job
    this.indexed = spec.completionMode === 'Indexed'
    this.done = status.succeeded ?? 0
    this.failed = status.failed ?? 0
    const { succeeded = [], failed = [] } = status.uncountedTerminatedPods ?? {}
    this.uncounted = { succeeded: new Set(succeeded), failed: new Set(failed) }
    this.completed = parseIndexes(status.completedIndexes, spec.completions)
    this.failedIndexes = parseIndexes(status.failedIndexes, spec.completions)
    for (const type of ['FailureTarget', 'SuccessCriteriaMet'] as const) {
      const c = condition(job, type)
      if (c?.status === 'True') this.target = { type, reason: c.reason, message: c.message }
    }
  }

  at(time: number): void {
    this.requeueAt = Math.min(this.requeueAt ?? time, time)
  }
  get succeededTotal(): number {
    return this.indexed ? this.completed.size : this.done + this.uncounted.succeeded.size
  }
  get failedTotal(): number {
    return this.failed + this.uncounted.failed.size
  }
  get active(): readonly KObject[] {
    return this.pods.filter(isActive)
  }
  get terminating(): number {
    return this.pods.filter((p) => p.metadata.deletionTimestamp && !hasEnded(p)).length
  }

  /** Whether a pod has failed, or may be replaced as if it had. */
  #hasFailed(p: KObject): boolean {
    if (p.status?.phase === 'Failed') return true
    return this.job.spec.podReplacementPolicy !== 'Failed' && !!p.metadata.deletionTimestamp && !succeeded(p)
  }

  /** What has ended since, and what of it counts. */
  count(): void {
    const byUid = new Map(this.pods.map((p) => [p.metadata.uid, p]))
    const gone = (uid: string) => !byUid.has(uid) || !tracked(byUid.get(uid)!)
    for (const uid of this.uncounted.succeeded)
      if (gone(uid)) {
        this.uncounted.succeeded.delete(uid)
        this.done++
      }
    for (const uid of this.uncounted.failed)
      if (gone(uid)) {
        this.uncounted.failed.delete(uid)
        this.failed++
      }
    for (const p of this.pods) {
      if (!tracked(p)) continue
      const { uid } = p.metadata
      if (this.uncounted.succeeded.has(uid) || this.uncounted.failed.has(uid)) this.strip.push(p)
      else if (this.strip.length < BURST) this.#look(p)
    }
  }

  #look(p: KObject): void {
    const index = indexOf(p)
    const fits = !this.indexed || (index >= 0 && index < this.job.spec.completions)
    if (succeeded(p)) {
      if (this.indexed && fits) this.completed.add(index)
      else if (!this.indexed) this.uncounted.succeeded.add(p.metadata.uid)
      this.strip.push(p)
      return
    }
    if (!this.#hasFailed(p)) {
      // Of a job that goes, nobody counts.
      if (this.job.metadata.deletionTimestamp) this.strip.push(p)
      return
    }
    const verdict = verdictOn(this.job, p)
    if (verdict.action === 'FailJob') this.target ??= { type: 'FailureTarget', reason: 'PodFailurePolicy', message: verdict.message }
    if (verdict.action !== 'Ignore') {
      this.uncounted.failed.add(p.metadata.uid)
      const limit: number | undefined = this.job.spec.backoffLimitPerIndex
      if (limit !== undefined && fits && !this.completed.has(index) && (verdict.action === 'FailIndex' || failuresOf(p) >= limit))
        this.failedIndexes.add(index)
    }
    this.strip.push(p)
  }

  /** To which end the job has come, if to any. */
  decide(): Target | undefined {
    const { spec, status = {} } = this.job
    const fails = (reason: string, message: string): Target => ({ type: 'FailureTarget', reason, message })
    const succeeds = (reason: string, message: string): Target => ({ type: 'SuccessCriteriaMet', reason, message })
    if (spec.activeDeadlineSeconds !== undefined && !spec.suspend) {
      const deadline = (Date.parse(status.startTime ?? '') || this.now) + spec.activeDeadlineSeconds * 1000
      if (this.now >= deadline) return fails('DeadlineExceeded', 'Job was active longer than specified deadline')
      this.at(deadline)
    }
    if (this.failedTotal > spec.backoffLimit || this.#restartsExceed())
      return fails('BackoffLimitExceeded', 'Job has reached the specified backoff limit')
    if (spec.maxFailedIndexes !== undefined && this.failedIndexes.size > spec.maxFailedIndexes)
      return fails('MaxFailedIndexesExceeded', 'Job has exceeded the specified maximal number of failed indexes')
    const met = this.#successRule()
    if (met !== undefined) return succeeds('SuccessPolicy', `Matched rules at index ${met}`)
    const { completions } = spec
    if (completions === undefined ? this.succeededTotal > 0 && !this.active.length : this.succeededTotal >= completions)
      return succeeds('CompletionsReached', 'Reached expected number of succeeded pods')
    if (this.indexed && this.failedIndexes.size && this.failedIndexes.size + this.completed.size >= completions)
      return fails('FailedIndexes', 'Job has failed indexes')
    return undefined
  }

  /** Pods that are restarted in place count their restarts. */
  #restartsExceed(): boolean {
    const { spec } = this.job
    if (spec.template.spec.restartPolicy !== 'OnFailure') return false
    const restarts = this.active
      .flatMap((p) => [...(p.status?.initContainerStatuses ?? []), ...(p.status?.containerStatuses ?? [])])
      .reduce((n, c: any) => n + (c.restartCount ?? 0), 0)
    return spec.backoffLimit === 0 ? restarts > 0 : restarts >= spec.backoffLimit
  }

  #successRule(): number | undefined {
    for (const [i, rule] of (this.job.spec.successPolicy?.rules ?? []).entries()) {
      const wanted = rule.succeededIndexes === undefined ? undefined : parseIndexes(rule.succeededIndexes, this.job.spec.completions)
      const met = wanted ? [...wanted].filter((x) => this.completed.has(x)).length : this.completed.size
      if (met >= (rule.succeededCount ?? wanted?.size ?? Number.POSITIVE_INFINITY)) return i
    }
    return undefined
  }

  /** How many pods are to run at once. */
  wanted(): number {
    const { completions, parallelism } = this.job.spec
    if (completions === undefined) return this.succeededTotal > 0 ? Math.min(this.active.length, parallelism) : parallelism
    return Math.max(0, Math.min(completions - this.succeededTotal - this.failedIndexes.size, parallelism))
  }
}

/** Pods that have got least far go first. */
const leastFirst = (a: KObject, b: KObject): number => {
  const rank = (p: KObject) => (p.spec.nodeName ? 1 : 0) + (p.status?.phase === 'Running' ? 1 : 0) + (isReady(p) ? 1 : 0)
  return rank(a) - rank(b) || Date.parse(b.metadata.creationTimestamp) - Date.parse(a.metadata.creationTimestamp)
}

function newPod(s: Sync, n: number, index?: number, failures = 0): KObject {
  const { job, now } = s
  const { template } = job.spec
  const base = index === undefined ? job.metadata.name : `${job.metadata.name}-${index}`
  const labels: Record<string, string> = index === undefined ? {} : { [INDEX]: String(index) }
  const pod = podOf(kind, job, template, childName(base, `${job.metadata.uid} ${now} ${n}`), { labels })
  pod.metadata.generateName = `${base}-`
  pod.metadata.finalizers = [...(pod.metadata.finalizers ?? []), TRACKING]
  if (index === undefined) return pod
  pod.metadata.annotations = {
    ...pod.metadata.annotations,
    [INDEX]: String(index),
    ...(job.spec.backoffLimitPerIndex === undefined ? {} : { [FAILURES]: String(failures) }),
  }
  const env = { name: 'JOB_COMPLETION_INDEX', valueFrom: { fieldRef: { fieldPath: `metadata.labels['${INDEX}']` } } }
  const withIndex = (c: any) => (c.env?.some((e: any) => e.name === env.name) ? c : { ...c, env: [...(c.env ?? []), env] })
  const { initContainers, containers } = template.spec
  pod.spec = {
    ...template.spec,
    hostname: base,
    containers: containers.map(withIndex),
    ...(initContainers ? { initContainers: initContainers.map(withIndex) } : {}),
  }
  return pod
}

/** The pods to make now; those that have to wait for their back-off are looked at again. */
function missing(s: Sync, count: number): readonly KObject[] {
  const { job, pods, now } = s
  const failed = pods.filter((p) => p.status?.phase === 'Failed' && verdictOn(job, p).action !== 'Ignore')
  const made: KObject[] = []
  if (!s.indexed || job.spec.backoffLimitPerIndex === undefined) {
    const until = backoffUntil(failed, pods.filter(succeeded))
    if (until > now) {
      s.at(until)
      return made
    }
  }
  if (!s.indexed) {
    for (let i = 0; i < Math.min(count, BURST); i++) made.push(newPod(s, i))
    return made
  }
  const replaceable = job.spec.podReplacementPolicy === 'Failed' ? (p: KObject) => !hasEnded(p) : isActive
  const taken = new Set(pods.filter(replaceable).map(indexOf))
  for (let i = 0; i < job.spec.completions && made.length < Math.min(count, BURST); i++) {
    if (taken.has(i) || s.completed.has(i) || s.failedIndexes.has(i)) continue
    if (job.spec.backoffLimitPerIndex === undefined) {
      made.push(newPod(s, i, i))
      continue
    }
    const before = failed.filter((p) => indexOf(p) === i)
    const until = backoffUntil(before, [])
    if (until > now) s.at(until)
    else made.push(newPod(s, i, i, before.length ? Math.max(...before.map(failuresOf)) + 1 : 0))
  }
  return made
}

/** What is to be made and deleted. */
function manage(s: Sync): { create: readonly KObject[]; remove: readonly KObject[] } {
  const { job } = s
  const running = s.active
  if (job.metadata.deletionTimestamp) return { create: [], remove: [] }
  if (s.target || job.spec.suspend) return { create: [], remove: running }
  // Two of an index, and those beyond the last.
  const spare = s.indexed
    ? running.filter((p, i) => {
        const index = indexOf(p)
        return index < 0 || index >= job.spec.completions || s.completed.has(index) || running.findIndex((q) => indexOf(q) === index) < i
      })
    : []
  const left = running.filter((p) => !spare.includes(p))
  const wanted = s.wanted()
  if (left.length > wanted) return { create: [], remove: [...spare, ...left.sort(leastFirst).slice(0, left.length - wanted)] }
  const busy = left.length + (job.spec.podReplacementPolicy === 'Failed' ? s.terminating : 0)
  return { create: busy < wanted ? missing(s, wanted - busy) : [], remove: spare }
}

/** A condition as jobs have them; the list and whether it changed. */
function withJobCondition(conditions: any[], type: string, status: string, reason: string, message: string, time: string): any[] {
  const old = conditions.find((c) => c.type === type)
  if (old?.status === status) return conditions
  const next = { type, status, lastProbeTime: time, lastTransitionTime: time, reason, message }
  return old ? conditions.map((c) => (c === old ? next : c)) : [...conditions, next]
}

function statusOf(s: Sync, create: number, remove: readonly KObject[], writes: Write[]): any {
  const { job, now } = s
  const { spec, status: was = {} } = job
  const time = timeString(now)
  let conditions: any[] = was.conditions ?? []
  let startTime: string | undefined = was.startTime
  let completionTime: string | undefined
  const running = s.active.filter((p) => !remove.includes(p))
  const ending = s.terminating + remove.length
  if (spec.suspend && !s.target) {
    if (!is(job, 'Suspended')) {
      conditions = withJobCondition(conditions, 'Suspended', 'True', 'JobSuspended', 'Job suspended', time)
      writes.push(told(kind, job, 'Normal', 'Suspended', 'Job suspended'))
    }
    startTime = undefined
  } else if (is(job, 'Suspended') && !s.target) {
    conditions = withJobCondition(conditions, 'Suspended', 'False', 'JobResumed', 'Job resumed', time)
    writes.push(told(kind, job, 'Normal', 'Resumed', 'Job resumed'))
    startTime = time
  } else startTime ??= time
  const { target } = s
  if (target) {
    conditions = withJobCondition(conditions, target.type, 'True', target.reason, target.message, time)
    // The end is told when nothing runs and everything is counted.
    if (!running.length && !ending && !s.uncounted.succeeded.size && !s.uncounted.failed.size && !s.strip.length) {
      const good = target.type === 'SuccessCriteriaMet'
      conditions = withJobCondition(conditions, good ? 'Complete' : 'Failed', 'True', target.reason, target.message, time)
      if (good) completionTime = time
      writes.push(
        good ? told(kind, job, 'Normal', 'Completed', 'Job completed') : told(kind, job, 'Warning', target.reason, target.message),
      )
    }
  }
  const count = (field: string, n: number) => (n ? { [field]: n } : {})
  const uncounted = {
    ...(s.uncounted.succeeded.size ? { succeeded: [...s.uncounted.succeeded] } : {}),
    ...(s.uncounted.failed.size ? { failed: [...s.uncounted.failed] } : {}),
  }
  return {
    ...(conditions.length ? { conditions } : {}),
    ...(startTime ? { startTime } : {}),
    ...(completionTime ? { completionTime } : {}),
    ...count('active', running.length + create),
    ...count('succeeded', s.indexed ? s.completed.size : s.done),
    ...count('failed', s.failed),
    terminating: ending,
    ...(s.completed.size ? { completedIndexes: formatIndexes(s.completed) } : {}),
    ...(spec.backoffLimitPerIndex !== undefined ? { failedIndexes: formatIndexes(s.failedIndexes) } : {}),
    uncountedTerminatedPods: uncounted,
    ready: running.filter(isReady).length,
  }
}

function finished(job: KObject, pods: readonly KObject[], now: number): Result {
  const writes = pods.filter(tracked).map(stripped)
  const ttl: number | undefined = job.spec.ttlSecondsAfterFinished
  if (ttl === undefined || job.metadata.deletionTimestamp) return { writes }
  const ended = ['Complete', 'Failed'].flatMap((t) => (is(job, t) ? [Date.parse(condition(job, t).lastTransitionTime)] : []))
  const at = Math.max(...ended) + ttl * 1000
  if (at > now) return { writes, requeueAt: at }
  return { writes: [...writes, { verb: 'delete', resource: kind.resource, object: job, propagationPolicy: 'Foreground' }] }
}

function reconcile(_key: string, view: View, now: number): Result {
  // Its job is gone: nobody counts it any more.
  if ('stray' in view) return { writes: [stripped(view.stray)] }
  const { owner: job } = view
  if (job.spec.managedBy !== undefined && job.spec.managedBy !== OURS) return { writes: [] }
  const { pods, writes } = claim(kind, view, () => true)
  if (is(job, 'Complete') || is(job, 'Failed')) return finished(job, pods, now)
  const s = new Sync(job, pods, now)
  s.count()
  if (!job.metadata.deletionTimestamp) s.target ??= s.decide()
  const { create, remove } = manage(s)
  const events: Write[] = []
  const status = statusOf(s, create.length, remove, events)
  if (!equal(status, job.status)) writes.push({ verb: 'update', resource: kind.resource, object: { ...job, status }, part: 'status' })
  // What the status does not know yet keeps its finalizer.
  for (const p of s.strip) writes.push(stripped(p))
  for (const p of remove) {
    // Only a job that fails counts those that it ends.
    if (s.target?.type !== 'FailureTarget' && tracked(p)) writes.push(stripped(p))
    writes.push({ verb: 'delete', resource: 'pods', object: p })
    writes.push(told(kind, job, 'Normal', 'SuccessfulDelete', `Deleted pod: ${p.metadata.name}`))
  }
  for (const p of create) {
    writes.push({ verb: 'create', resource: 'pods', object: p })
    writes.push(told(kind, job, 'Normal', 'SuccessfulCreate', `Created pod: ${p.metadata.name}`))
  }
  return { writes: [...writes, ...events], ...(s.requeueAt !== undefined ? { requeueAt: s.requeueAt } : {}) }
}

/** Keys of pods stand beside those of jobs: no namespace has such a name. */
const STRAY = 'pod:'
const isStray = (p: KObject, reader: { byUid(uid: string): unknown }): boolean => {
  const owner = p.metadata.ownerReferences?.find((r) => r.controller)
  return tracked(p) && !(owner && reader.byUid(owner.uid))
}

export const job: Controller<View> = {
  name: kind.component,
  all: (r) => [
    ...r.list(kind.resource).map(keyOf),
    ...r
      .list('pods')
      .filter((p) => isStray(p, r))
      .map((p) => STRAY + keyOf(p)),
  ],
  wakes: {
    [kind.resource]: (change, reader) =>
      change.new
        ? ownWakes(change, reader)
        : reader.controlledBy('pods', change.old!.metadata.uid).flatMap((p) => (tracked(p) ? [STRAY + keyOf(p)] : [])),
    pods: (change, reader) => {
      const { new: now } = change
      return [...podWakes(kind)(change, reader), ...(now && isStray(now, reader) ? [STRAY + keyOf(now)] : [])]
    },
  },
  view: (key, reader) => {
    if (!key.startsWith(STRAY)) return ownedView(kind, key, reader)
    const stray = reader.get('pods', ...splitKey(key.slice(STRAY.length)))
    return stray && isStray(stray, reader) ? { stray } : undefined
  },
  reconcile,
}
