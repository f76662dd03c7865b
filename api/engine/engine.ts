// The engine: wakes controllers by the log and by due times, builds their views, applies their writes, backs off on failure.
// Level-triggered: a cold start looks at every key, so nothing that a crash cut short is forgotten.

import { condition } from '../../shared/meta/conditions.ts'
import { controllerOf, type KObject } from '../../shared/meta/object.ts'
import type { Cluster } from '../cluster.ts'
import { controllers as all } from '../controllers/index.ts'
import type { LocalHub } from '../hub/local-hub.ts'
import { type Pending, Scheduling } from '../metrics/scheduling.ts'
import { WorkQueues } from '../metrics/work-queues.ts'
import type { Alarm } from '../ports/clock.ts'
import type { LogEvent } from '../store/store.ts'
import { traceOf } from '../tracing/tracer.ts'
import { applyWrite, type Tasks } from './apply.ts'
import { Cache } from './cache.ts'
import { exportEvents } from './event-export.ts'
import { repairAllocations } from './repair.ts'
import { soon } from './soon.ts'
import { handedOver, takenUntil } from './stand-in.ts'
import type { Controller, Result, Write } from './types.ts'

const CONCURRENCY = 64
/** Independent writes of one reconcile that are under way at once. */
const TOGETHER = 64
const MIN_BACKOFF = 100
const MAX_BACKOFF = 60_000
const CONFLICT_DELAY = 20
/** Due times further off than this become rows, which a restart finds again. */
const DURABLE_AFTER = 5000
const HISTORY = 24 * 3600 * 1000
const EVENT_AGE = 3600 * 1000
const SWEEP_EVERY = 10 * 60_000
/** A look that costs this much, ms, and brings next to nothing, is not repeated at once: the key rests for ten times as long. */
const DEAR = 5
/** Keys whose traces are remembered until they are looked at. */
const MOST_TRACES = 10_000
const REST = 10
const MAX_REST = 500
/** A status and an event: what a look writes that only takes note. */
const NEXT_TO_NOTHING = 2

/** What nobody else's state is made of: in which order several of them change is all the same. */
const LEAVES = new Set(['pods', 'nodes'])
/** Whether a write may travel with those that end in `before`: creates, binds, deletes, events; or updates of different leaves. */
const mayJoin = (w: Write, before: Write): boolean => {
  if (w.verb !== 'update' || before.verb !== 'update') return w.verb !== 'update' && before.verb !== 'update'
  return LEAVES.has(w.resource) && w.resource === before.resource && w.object.metadata.uid !== before.object.metadata.uid
}

interface Lane {
  controller: Controller
  /** Since when each key waits, ms. */
  dirty: Map<string, number>
  active: Set<string>
  failures: Map<string, number>
  due: Map<string, number>
  /** Until when a key is left alone, ms. */
  resting: Map<string, number>
}

export interface EngineOptions {
  cluster: Cluster
  hub: LocalHub
  alarm: Alarm
  nodeMonitorGracePeriod?: number
  /** When nodes were lost, ms; kept by a platform whose lives may be shorter than the grace that nodes have. */
  lost?: Map<string, number>
  tasks?: Tasks
  /** Others than all that there are. */
  controllers?: readonly Controller[]
}

export interface Engine {
  /** The alarm rang: look at what is due. Rings that come late, twice or early do no harm. */
  wake(): void
  sessionChanged(node: string, connected: boolean): void
  /** Resolves when no key is waiting or being worked on. */
  idle(): Promise<void>
  close(): Promise<void>
}

/** Of what is due, and of what waits, so many keys are shown. */
const SHOWN = 100
const laneView = ({ controller, dirty, active, failures, due }: Lane, now: number) => ({
  name: controller.name,
  waiting: dirty.size,
  waits: [...dirty].slice(0, SHOWN).map(([key, since]) => ({ key, ms: now - since })),
  active: [...active],
  failing: [...failures].slice(0, SHOWN).map(([key, times]) => ({ key, times })),
  due: due.size,
  dues: [...due]
    .sort((a, b) => a[1] - b[1])
    .slice(0, SHOWN)
    .map(([key, at]) => ({ key, in_ms: at - now })),
})

const SCHEDULER = 'default-scheduler'
function pendingPods(pods: readonly KObject[]): Pending {
  const out = { active: 0, unschedulable: 0, gated: 0 }
  for (const p of pods) {
    if (p.metadata.deletionTimestamp) continue
    if (p.spec.schedulingGates?.length) out.gated++
    else if (condition(p, 'PodScheduled')?.reason === 'Unschedulable') out.unschedulable++
    else out.active++
  }
  return out
}
/** What one look of the scheduler came to. */
function count(placing: Scheduling, writes: readonly Write[], now: number, ms: number): void {
  const profileOf = (pod: KObject): string => pod.spec?.schedulerName ?? SCHEDULER
  const results = new Map<string, { profile: string; result: 'scheduled' | 'unschedulable'; pods: number }>()
  const one = (pod: KObject, result: 'scheduled' | 'unschedulable') => {
    const id = `${profileOf(pod)} ${result}`
    const known = results.get(id) ?? { profile: profileOf(pod), result, pods: 0 }
    known.pods++
    results.set(id, known)
  }
  for (const w of writes)
    if (w.verb === 'bind') {
      one(w.pod, 'scheduled')
      placing.placed(now - Date.parse(w.pod.metadata.creationTimestamp))
    } else if (w.verb === 'event' && w.reason === 'FailedScheduling') one(w.about.object, 'unschedulable')
    else if (w.verb === 'event' && w.reason === 'Preempted') placing.preempted()
  for (const { profile, result, pods } of results.values()) placing.looked(profile, result, pods, ms)
}

/** Whether a write was not let in, by rules or for lack of room; whoever was faster, or is away, refuses nothing. */
const isRefusal = (w: Write, cause: { code?: number }): boolean =>
  w.verb === 'create' && cause.code !== undefined && ![404, 409, 429].includes(cause.code)

/** As each controller of Kubernetes words it. */
function failureText(about: { resource: string; object: KObject }, made: Extract<Write, { verb: 'create' }>, message: string): string {
  const { name } = made.object.metadata
  switch (about.resource) {
    case 'statefulsets.apps':
      return `create ${made.resource === 'pods' ? 'Pod' : 'Claim'} ${name} in StatefulSet ${about.object.metadata.name} failed error: ${message}`
    case 'cronjobs.batch':
      return `Error creating job: ${message}`
    default:
      return `Error creating: ${message}`
  }
}

export async function startEngine({
  cluster,
  hub,
  alarm,
  tasks = {},
  controllers = all,
  nodeMonitorGracePeriod = 40_000,
  lost = new Map(),
}: EngineOptions): Promise<Engine> {
  const { clock, log, store, tracer } = cluster
  const startedAt = clock.now()
  const cache = new Cache(
    { podCidr: cluster.env.settings.podCidr, caBundle: await cluster.authority.bundle(), nodeMonitorGracePeriod },
    cluster.env.kinds,
    (node) => {
      const connected = hub.sessions.isConnected(node)
      if (connected) lost.delete(node)
      else if (!lost.has(node)) lost.set(node, startedAt)
      return { connected, lostAt: lost.get(node) ?? startedAt }
    },
  )
  const lanes = controllers.map(
    (controller): Lane => ({ controller, dirty: new Map(), active: new Set(), failures: new Map(), due: new Map(), resting: new Map() }),
  )
  const queues = new WorkQueues(() => lanes.map((l) => ({ name: l.controller.name, depth: l.dirty.size, active: l.active.size })))
  let active = 0
  let closed = false
  let loaded = false
  let pumping = false
  const early: LogEvent[] = []
  const idlers = new Set<() => void>()
  let armed: number | undefined

  const busy = () => active > 0 || lanes.some((l) => l.dirty.size > 0)
  /** What a look at a key is part of: the first of what woke it. */
  const traces = new Map<string, string>()
  const enqueue = (lane: Lane, key: string, trace?: string) => {
    const looked = `${lane.controller.name} ${key}`
    if (trace && !traces.has(looked) && traces.size < MOST_TRACES) traces.set(looked, trace)
    const rests = lane.resting.get(key)
    if (rests !== undefined) {
      if (rests > clock.now()) return void setDue(lane, key, rests)
      lane.resting.delete(key)
    }
    queues.wait(lane.controller.name)
    if (!lane.dirty.has(key)) lane.dirty.set(key, clock.now())
    schedulePump()
  }
  const schedulePump = () => {
    if (pumping || closed || !loaded) return
    pumping = true
    // One tick later: the events of one commit group wake a key once.
    soon(() => {
      pumping = false
      pump()
    })
  }

  function observe(e: LogEvent): void {
    if (!loaded) {
      early.push(e)
      return
    }
    const change = cache.apply(e)
    if (!change) return
    // The alarm should have rung by now. Whatever became of it, what is due is done.
    if (armed !== undefined && armed <= clock.now()) ring()
    if (e.resource === 'nodes' && e.verb === 'delete') lost.delete(e.name)
    const trace = tracer && traceOf(e.by)
    if (trace && e.resource === 'pods') tracer.remember(`pods/${e.ns}/${e.name}`, trace)
    const released = handedOver(change)
    for (const lane of lanes) {
      const { wakes, upstream } = lane.controller
      if (released && released === upstream) for (const key of lane.controller.all(cache)) enqueue(lane, key)
      for (const key of (wakes[e.resource] ?? wakes['*'])?.(change, cache) ?? []) enqueue(lane, key, trace)
    }
  }

  function pump(): void {
    for (let more = true; more && active < CONCURRENCY && !closed; ) {
      more = false
      for (const lane of lanes) {
        if (active >= CONCURRENCY) break
        if (lane.controller.oneByOne && lane.active.size) continue
        for (const [key, since] of lane.dirty) {
          if (lane.active.has(key)) continue
          lane.dirty.delete(key)
          queues.waited(lane.controller.name, clock.now() - since)
          void run(lane, key)
          more = true
          break
        }
      }
    }
    if (busy()) return
    if (tooEarly) rearm()
    for (const done of [...idlers]) done()
  }

  async function run(lane: Lane, key: string): Promise<void> {
    lane.active.add(key)
    active++
    forgetDue(lane, key)
    const { controller } = lane
    const begun = clock.now()
    const looked = `${controller.name} ${key}`
    const partOf = traces.get(looked)
    const span = partOf ? tracer?.start(`reconcile ${controller.name}`, 'internal', partOf, { 'kedge.key': key }) : undefined
    traces.delete(looked)
    let failure: string | undefined
    try {
      const theirs = takenUntil(controller, cache)
      if (theirs > begun) return void (await setDue(lane, key, theirs))
      const view = controller.view(key, cache)
      if (view === undefined) cache.forget(controller.name, key)
      const result: Result = view === undefined ? { writes: [] } : controller.reconcile(key, view, begun)
      const cost = clock.now() - begun
      if (cost >= DEAR && result.writes.length <= NEXT_TO_NOTHING) lane.resting.set(key, begun + Math.min(REST * cost, MAX_REST))
      const newest = await applyAll(controller.name, key, result.writes, span?.context)
      span?.set('kedge.writes', result.writes.length)
      if (controller.name === SCHEDULER) count(placing, result.writes, clock.now(), clock.now() - begun)
      // The next look at this key must see what this one wrote.
      await hub.fanOut.reached(newest)
      lane.failures.delete(key)
      cache.refused(controller.name, key, undefined)
      if (result.memory !== undefined) cache.remember(controller.name, key, result.memory)
      if (result.requeueAt !== undefined) await setDue(lane, key, result.requeueAt)
    } catch (cause) {
      failure = (cause as Error).message
      queues.again(controller.name)
      const code = (cause as { code?: number }).code
      if (code === 409 || code === 404) {
        // Someone else was faster: the view was old.
        await hub.fanOut.catchUp()
        await setDue(lane, key, clock.now() + CONFLICT_DELAY)
      } else {
        const n = (lane.failures.get(key) ?? 0) + 1
        lane.failures.set(key, n)
        if (code === undefined || code >= 500 || n === 5)
          log.error('reconciling failed; trying again', cause, { controller: controller.name, key, failures: n })
        // The write may have happened, and only its answer been lost.
        if (code === undefined || code >= 500) await hub.fanOut.catchUp()
        await setDue(lane, key, clock.now() + Math.min(MIN_BACKOFF * 2 ** Math.min(n, 12), MAX_BACKOFF))
      }
    } finally {
      queues.worked(controller.name, clock.now() - begun)
      span?.end(failure)
      lane.active.delete(key)
      active--
      pump()
    }
  }

  /** In order; runs of writes that do not touch each other travel together. */
  async function applyAll(component: string, key: string, writes: Write[], trace?: string): Promise<number> {
    let newest = 0
    const answered = (value: unknown) => {
      if (value !== undefined) cache.answered(component, key, clock.now(), value)
    }
    const apply = (w: Write) => applyWrite(cluster, component, w, tasks, answered, trace)
    const tellings: Promise<unknown>[] = []
    try {
      for (let at = 0; at < writes.length; ) {
        let end = at + 1
        while (end < writes.length && end - at < TOGETHER && mayJoin(writes[end]!, writes[end - 1]!)) end++
        const part = writes.slice(at, end)
        const done = await Promise.allSettled(part.map((w) => (w.verb === 'event' ? undefined : apply(w))))
        for (const d of done) if (d.status === 'fulfilled') newest = Math.max(newest, d.value ?? 0)
        // An event tells of the write before it, and of what did not happen nothing is told.
        let happened = true
        for (const [i, w] of part.entries()) {
          if (w.verb !== 'event') happened = done[i]!.status === 'fulfilled'
          else if (happened) tellings.push(apply(w))
        }
        const failed = done.findIndex((d) => d.status === 'rejected')
        if (failed >= 0) {
          const { reason } = done[failed] as PromiseRejectedResult
          if (isRefusal(part[failed]!, reason)) await refused(component, key, part[failed]!, reason.message, writes.slice(end))
          throw reason
        }
        at = end
      }
    } finally {
      await Promise.allSettled(tellings)
    }
    return newest
  }

  /** Something could not be made: its owner is told, and what is so without it is still written down. */
  async function refused(component: string, key: string, w: Write, message: string, rest: Write[]): Promise<void> {
    cache.refused(component, key, message)
    const { object } = w as Extract<Write, { verb: 'create' }>
    const owner = controllerOf(object)
    const about = owner && cache.byUid(owner.uid)
    const told: Write[] = about
      ? [
          {
            verb: 'event',
            about,
            type: 'Warning',
            reason: 'FailedCreate',
            message: failureText(about, w as Extract<Write, { verb: 'create' }>, message),
            component,
            same: message.replaceAll(object.metadata.name ?? '', ''),
          },
        ]
      : []
    const statuses = rest.filter((r) => r.verb === 'update' && r.part === 'status')
    for (const next of [...told, ...statuses]) await applyWrite(cluster, component, next).catch(() => undefined)
  }

  async function setDue(lane: Lane, key: string, at: number): Promise<void> {
    const before = lane.due.get(key)
    if (before !== undefined && before <= at) return
    lane.due.set(key, at)
    armFor(at)
    if (at - clock.now() < DURABLE_AFTER) return
    await store.database
      .write([
        {
          sql: 'INSERT INTO wakeups(controller, key, due) VALUES (?, ?, ?) ON CONFLICT(controller, key) DO UPDATE SET due = excluded.due',
          args: [lane.controller.name, key, at],
        },
      ])
      .catch((cause) => log.error('a due time could not be kept', cause, { controller: lane.controller.name, key }))
  }

  /** Whether the alarm may be set to a time at which nothing is due any more: it would wake a sleeping cluster for nothing. */
  let tooEarly = false
  function forgetDue(lane: Lane, key: string): void {
    const at = lane.due.get(key)
    if (at === undefined) return
    lane.due.delete(key)
    if (armed !== undefined && at <= armed) tooEarly = true
  }

  /** Sets the alarm to `at` when that is sooner than what it is set to. */
  function armFor(at: number): void {
    if (armed !== undefined && armed <= at) return
    armed = at
    void alarm.set(at)
  }

  /** After the alarm rang: to the earliest of all due times. */
  function rearm(): void {
    let earliest = nextSweep
    for (const lane of lanes) for (const at of lane.due.values()) if (at < earliest) earliest = at
    tooEarly = false
    armed = undefined
    armFor(earliest)
  }

  let nextSweep = startedAt + SWEEP_EVERY
  /** Forgets old history, old events and due times that have passed. */
  async function sweep(): Promise<void> {
    const now = clock.now()
    nextSweep = now + SWEEP_EVERY
    try {
      await store.database.write([{ sql: 'DELETE FROM wakeups WHERE due < ?', args: [now - 60_000] }])
      await expireEvents(now)
      for (const w of await repairAllocations(store, cache.list('services'))) await applyWrite(cluster, 'service-allocation-repair', w)
      while ((await store.compact(now - HISTORY)) >= 5000) await new Promise<void>((r) => soon(r))
    } catch (cause) {
      log.error('the sweep failed; the next one tries again', cause)
    }
  }

  async function expireEvents(now: number): Promise<void> {
    const [rows] = await store.database.read([
      {
        sql: "SELECT o.ns, o.name FROM objects o JOIN log l ON l.rv = o.rv WHERE o.resource = 'events' AND l.at < ? LIMIT 1000",
        args: [now - EVENT_AGE],
      },
    ])
    for (const [ns, name] of rows ?? [])
      await applyWrite(cluster, 'event-ttl', {
        verb: 'delete',
        resource: 'events',
        object: { metadata: { namespace: ns as string, name: name as string } as never },
      }).catch(() => undefined)
  }

  /** Looks at what is due. */
  function ring(): void {
    if (closed) return
    const now = clock.now()
    for (const lane of lanes)
      for (const [key, at] of lane.due)
        if (at <= now) {
          lane.due.delete(key)
          enqueue(lane, key)
        }
    if (now >= nextSweep) void sweep()
    rearm()
  }

  const unsubscribe = hub.fanOut.subscribe(observe)
  const placing = new Scheduling(() => pendingPods(cache.podsOn('')))
  const unmeasured = [
    cluster.metrics.add(() => [...queues.families(), ...placing.families()]),
    cluster.debug.add('queues', () => lanes.map((lane) => laneView(lane, clock.now()))),
  ]
  await cache.load(store).catch((cause) => {
    unsubscribe()
    for (const end of unmeasured) end()
    throw cause
  })
  const exporting = exportEvents(cluster, hub, cluster.env.settings.eventOutputs ?? [])
  loaded = true
  for (const node of lost.keys()) if (!cache.get('nodes', '', node)) lost.delete(node)
  for (const e of early.splice(0)) observe(e)
  for (const lane of lanes) for (const key of lane.controller.all(cache)) lane.dirty.set(key, clock.now())
  const [rows] = await store.database.read([{ sql: 'SELECT controller, key, due FROM wakeups', args: [] }])
  for (const [name, key, due] of rows ?? []) lanes.find((l) => l.controller.name === name)?.due.set(key as string, due as number)
  rearm()
  schedulePump()

  return {
    wake: ring,
    sessionChanged: (node, connected) => {
      if (connected) lost.delete(node)
      else lost.set(node, clock.now())
      const lane = lanes.find((l) => l.controller.name === 'node-lifecycle')
      if (lane) enqueue(lane, node)
    },
    idle: () =>
      new Promise((resolve) => {
        const check = () => {
          if (busy()) return
          idlers.delete(check)
          resolve()
        }
        idlers.add(check)
        soon(check)
      }),
    close: async () => {
      closed = true
      unsubscribe()
      for (const end of unmeasured) end()
      void alarm.set(undefined)
      await exporting.close()
      while (active > 0) await new Promise((r) => setTimeout(r, 5))
    },
  }
}
