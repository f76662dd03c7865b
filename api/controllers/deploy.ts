// Deliveries of deploy hooks: one at a time for each place, from the call to the last pod, and back when that fails. What needs the network or rights of
// a service account is a task; everything else is decided here.
import { subjectOfFacts } from '../../shared/kinds/deploy.ts'
import { condition } from '../../shared/meta/conditions.ts'
import { type KObject, timeString } from '../../shared/meta/object.ts'
import type { Controller, Reader, Result, Write } from '../engine/types.ts'

const HOOKS = 'deployhooks.deploy.kedge.dev'
const DELIVERIES = 'deploydeliveries.deploy.kedge.dev'
const COMPONENT = 'deploy-hooks'
const REVISION = 'deployment.kubernetes.io/revision'
const final = ['Succeeded', 'Failed', 'RolledBack', 'Superseded']

interface View {
  delivery: KObject
  hook: KObject | undefined
  /** Of the same hook, this one among them. */
  all: readonly KObject[]
  /** What it changed, as it is now. */
  workloads: (KObject | undefined)[]
}

const phaseOf = (d: KObject): string => d.status?.phase ?? ''
/** What two deliveries may not work on at once: the hook's namespace, or one pull request's. */
const placeOf = (d: KObject): string => d.spec.facts?.number ?? ''
/** By when they came in; at the same moment the name decides, the same way everywhere. */
const order = (d: KObject): string => `${d.spec.received ?? d.metadata.creationTimestamp} ${d.metadata.name}`
const before = (a: KObject, b: KObject): boolean => order(a) < order(b)

const setStatus = (d: KObject, change: object): Write => ({
  verb: 'update',
  resource: DELIVERIES,
  part: 'status',
  object: { ...d, status: { ...d.status, ...change } },
})

/** On the hook itself, and on the workloads that were changed: where people look. */
const tell = (v: View, type: 'Normal' | 'Warning', reason: string, message: string): Write[] =>
  [
    ...(v.hook ? [{ resource: HOOKS, object: v.hook }] : []),
    ...v.workloads.flatMap((w) => (w ? [{ resource: 'deployments.apps', object: w }] : [])),
  ].map((about) => ({ verb: 'event', about, type, reason, message, component: COMPONENT }))

function finish(v: View, phase: string, message: string, now: number): Write[] {
  const changes = v.delivery.status?.changes?.map((c: any, i: number) => {
    const revision = v.workloads[i]?.metadata.annotations?.[REVISION]
    return { ...c, ...(revision ? { revision } : {}) }
  })
  return [setStatus(v.delivery, { phase, message, finishedAt: timeString(now), ...(changes ? { changes } : {}) })]
}

const reasons: Record<string, [type: 'Normal' | 'Warning', reason: string]> = {
  Succeeded: ['Normal', 'Deployed'],
  Failed: ['Warning', 'DeployFailed'],
  RolledBack: ['Warning', 'DeployRolledBack'],
}

/** After the end, whoever brought it about: an event, once. */
function announce(v: View): Write[] {
  const { delivery } = v
  const { phase, message, reported = [] } = delivery.status
  if (!reasons[phase] || reported.includes('event')) return []
  return [
    ...tell(v, ...reasons[phase], `${subjectOfFacts(delivery.spec.facts)}: ${message}`),
    setStatus(delivery, { reported: [...reported, 'event'] }),
  ]
}

/** How a rollout stands: done, failed with why, or under way. */
function rollout(w: KObject | undefined, generation: number): 'done' | 'going' | { failed: string } {
  if (!w) return { failed: 'a workload is gone' }
  const s = w.status ?? {}
  if ((s.observedGeneration ?? 0) < generation) return 'going'
  const progressing = condition(w, 'Progressing')
  if (progressing?.reason === 'ProgressDeadlineExceeded') return { failed: `${w.metadata.name}: ${progressing.message}` }
  const wanted = w.spec.replicas ?? 1
  const done = (s.updatedReplicas ?? 0) >= wanted && (s.replicas ?? 0) <= (s.updatedReplicas ?? 0) && (s.availableReplicas ?? 0) >= wanted
  return done ? 'done' : 'going'
}

/** Reports come from a task of their own: once for the beginning, once for the end. */
function report(v: View, stage: 'begin' | 'end'): Write[] {
  const { commitStatus, callbackUrl } = v.hook?.spec.report ?? {}
  if ((!commitStatus && !callbackUrl) || v.delivery.status?.reported?.includes(stage)) return []
  return [{ verb: 'task', task: 'deploy-report', object: v.delivery }]
}

/** Finished deliveries beyond what the hook keeps, the oldest first. */
function surplus(v: View): Write[] {
  const ended = v.all.filter((d) => final.includes(phaseOf(d))).sort((a, b) => (before(a, b) ? -1 : 1))
  const keep = v.hook?.spec.historyLimit ?? 20
  return ended.slice(0, Math.max(0, ended.length - keep)).map((object) => ({ verb: 'delete', resource: DELIVERIES, object }))
}

function begin(v: View, now: number): Result {
  const { delivery, all } = v
  const rivals = all.filter((d) => d.metadata.uid !== delivery.metadata.uid && placeOf(d) === placeOf(delivery))
  const newer = rivals.find((d) => !final.includes(phaseOf(d)) && before(delivery, d))
  if (newer) return { writes: finish(v, 'Superseded', `${newer.metadata.name} came after it`, now) }
  // An older one goes first, even where the view does not show that it has begun: that write may be on its way. Its end wakes this one.
  if (rivals.some((d) => !final.includes(phaseOf(d)))) return { writes: [] }
  return { writes: [setStatus(delivery, { phase: 'Running', startedAt: timeString(now) })] }
}

function reconcile(_key: string, v: View, now: number): Result {
  const { delivery, hook } = v
  const phase = phaseOf(delivery)
  const status = delivery.status ?? {}
  if (!hook) return { writes: [] }
  if (final.includes(phase)) {
    const told = announce(v)
    // Each wakes this key again: one writer of the status at a time.
    return { writes: [...hookPhase(v), ...(told.length ? told : [...(status.startedAt ? report(v, 'end') : []), ...surplus(v)])] }
  }
  if (!phase) return begin(v, now)

  const deadline = Date.parse(status.startedAt) + hook.spec.rollout.timeoutSeconds * 1000
  const begun = report(v, 'begin')
  if (begun.length) return { writes: [...hookPhase(v), ...begun] }
  const late = now >= deadline
  if (!status.acted) {
    if (late) return { writes: finish(v, 'Failed', `${status.message ? `${status.message}; ` : ''}it was not carried out in time`, now) }
    return { writes: [{ verb: 'task', task: 'deploy-act', object: delivery }], requeueAt: deadline }
  }
  const states = (status.changes ?? []).map((c: any, i: number) => rollout(v.workloads[i], c.generation ?? 0))
  if (states.every((s: unknown) => s === 'done')) return { writes: finish(v, 'Succeeded', status.message || 'deployed', now) }
  const failed: string | undefined =
    states.find((s: any) => s.failed)?.failed ?? (late ? `the rollout was not done in ${hook.spec.rollout.timeoutSeconds} s` : undefined)
  if (failed === undefined) return { writes: hookPhase(v), requeueAt: deadline }
  if (!hook.spec.rollout.rollback) return { writes: finish(v, 'Failed', failed, now) }
  // The task says in the status how that went.
  return { writes: [{ verb: 'task', task: 'deploy-rollback', object: { ...delivery, status: { ...status, message: failed } } }] }
}

/** The hook shows how its newest delivery stands. */
function hookPhase(v: View): Write[] {
  const { hook, delivery } = v
  if (!hook || hook.status?.lastDelivery !== delivery.metadata.name || hook.status.lastPhase === phaseOf(delivery)) return []
  return [
    { verb: 'update', resource: HOOKS, part: 'status', object: { ...hook, status: { ...hook.status, lastPhase: phaseOf(delivery) } } },
  ]
}

const keyOf = (d: KObject) => `${d.metadata.namespace}/${d.metadata.name}`
const unfinished = (reader: Reader, ns: string, hook: string): string[] =>
  reader
    .list(DELIVERIES, ns)
    .filter((d) => d.spec.hook === hook && !final.includes(phaseOf(d)))
    .map(keyOf)

export const deploy: Controller<View> = {
  name: 'deploy-hook-controller',
  all: (r) => r.list(DELIVERIES).map(keyOf),
  wakes: {
    [DELIVERIES]: ({ old, new: now }, reader) => {
      const d = (now ?? old)!
      return [...(now ? [keyOf(now)] : []), ...unfinished(reader, d.metadata.namespace!, d.spec.hook)]
    },
    [HOOKS]: ({ new: now }, reader) => (now ? unfinished(reader, now.metadata.namespace!, now.metadata.name) : []),
    // A rollout that goes on wakes whoever waits for it.
    'deployments.apps': ({ new: now }, reader) =>
      now
        ? reader
            .list(DELIVERIES)
            .filter(
              (d) =>
                phaseOf(d) === 'Running' &&
                d.status?.changes?.some((c: any) => c.name === now.metadata.name && c.namespace === now.metadata.namespace),
            )
            .map(keyOf)
        : [],
  },
  view: (key, reader) => {
    const [ns, name] = key.split('/') as [string, string]
    const delivery = reader.get(DELIVERIES, ns, name)
    if (!delivery) return undefined
    return {
      delivery,
      hook: reader.get(HOOKS, ns, delivery.spec.hook),
      all: reader.list(DELIVERIES, ns).filter((d) => d.spec.hook === delivery.spec.hook),
      workloads: (delivery.status?.changes ?? []).map((c: any) => reader.get('deployments.apps', c.namespace, c.name)),
    }
  },
  reconcile,
}
