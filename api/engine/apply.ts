// Carries out what controllers ask for, through the registry like any client, with the version each write was computed from as its precondition.
import { apiVersionOf, kindOfResource } from '../../shared/kinds/index.ts'
import type { Kind } from '../../shared/kinds/kind.ts'
import { hashBytes } from '../../shared/meta/hash.ts'
import type { KObject } from '../../shared/meta/object.ts'
import { timeString } from '../../shared/meta/object.ts'
import { notFound } from '../../shared/status/index.ts'
import type { Cluster } from '../cluster.ts'
import { bindPod } from '../registry/bind.ts'
import { type RequestContext, systemContext } from '../registry/context.ts'
import { create } from '../registry/create.ts'
import { keyFor, remove } from '../registry/delete.ts'
import { mutate, type Part } from '../registry/update.ts'
import type { Write } from './types.ts'

/** By name: what controllers may ask for beyond writes, and what it comes to. */
export type Tasks = Record<string, (object: KObject) => Promise<unknown>>

const options = (component: string) => ({ fieldManager: component, fieldValidation: 'Ignore' as const })

/** A definition may have gone since the controller looked. */
function kindFor(cluster: Cluster, resource: string): Kind {
  const kind = cluster.env.kinds.ofResource(resource)
  if (!kind) throw notFound({ group: '', resource })
  return kind
}

/** The version of the newest row that the write made; undefined when it made none. What a task comes to goes to `answered`; `trace` is what the write is part of. Throws StatusErrors. */
export async function applyWrite(
  cluster: Cluster,
  component: string,
  w: Write,
  tasks: Tasks = {},
  answered: (value: unknown) => void = () => {},
  trace?: string,
): Promise<number | undefined> {
  const { env } = cluster
  const ctx = systemContext(component, trace)
  switch (w.verb) {
    case 'create': {
      const kind = kindFor(cluster, w.resource)
      const { resourceVersion: _, ...metadata } = w.object.metadata
      const done = await create(env, kind, w.object.metadata.namespace ?? '', { ...w.object, metadata }, options(component), ctx)
      return Number(done.object.metadata.resourceVersion)
    }
    case 'update': {
      const kind = kindFor(cluster, w.resource)
      const { name, namespace } = w.object.metadata
      const done = await mutate(
        env,
        kind,
        keyFor(kind, namespace ?? '', name),
        (w.part ?? 'main') as Part,
        () => ({ object: structuredClone(w.object) }),
        options(component),
        ctx,
      )
      return Number(done.object.metadata.resourceVersion)
    }
    case 'delete':
      return removeIgnoringGone(cluster, w, ctx)
    case 'deleteAll': {
      const page = await cluster.store.list({ resource: w.resource, ns: w.ns, limit: 500 })
      const kind = kindFor(cluster, w.resource)
      for (const i of page.items) await remove(env, kind, { resource: w.resource, ns: i.ns, name: i.name }, {}, ctx).catch(ignoreGone)
      return undefined
    }
    case 'bind': {
      const done = await bindPod(env, w.pod.metadata.namespace!, w.pod.metadata.name, w.node, options(component), ctx)
      return Number(done.object.metadata.resourceVersion)
    }
    case 'event':
      return recordEvent(cluster, w, ctx)
    case 'task':
      answered(await tasks[w.task]!(w.object))
      // What it wrote, the next look has to see.
      return (await cluster.store.head()).rv
  }
}

const ignoreGone = (e: { code?: number }) => {
  if (e?.code !== 404) throw e
  return undefined
}

async function removeIgnoringGone(
  cluster: Cluster,
  w: Extract<Write, { verb: 'delete' }>,
  ctx: RequestContext,
): Promise<number | undefined> {
  const kind = kindFor(cluster, w.resource)
  const { name, namespace, uid } = w.object.metadata
  const done = await remove(
    cluster.env,
    kind,
    keyFor(kind, namespace ?? '', name),
    {
      preconditions: { uid },
      ...(w.gracePeriodSeconds !== undefined ? { gracePeriodSeconds: w.gracePeriodSeconds } : {}),
      ...(w.propagationPolicy ? { propagationPolicy: w.propagationPolicy } : {}),
    },
    ctx,
  ).catch(ignoreGone)
  return done?.rv
}

const MAX_KNOWN = 5000
/** What each cluster's engine has told lately: id to the event's name. */
const told = new WeakMap<Cluster, Map<string, string>>()
let serial = 0

/** Records what happened to an object; the same thing again counts up. Events never fail the work they tell of. */
async function recordEvent(cluster: Cluster, w: Extract<Write, { verb: 'event' }>, ctx: RequestContext): Promise<undefined> {
  const { object, resource } = w.about
  const kind = kindFor(cluster, resource)
  const events = kindOfResource('events')!
  const ns = object.metadata.namespace ?? 'default'
  const known = told.get(cluster) ?? new Map<string, string>()
  told.set(cluster, known)
  const id = hashBytes([object.metadata.uid, w.reason, w.same ?? w.message, w.component].join('\n')).join()
  const now = timeString(cluster.clock.now())
  try {
    const before = known.get(id)
    if (before && (await countUp(cluster, ns, before, now, w.component, ctx))) return
    // Names grow with time, as upstream's do: within a second, lists then keep the order of what happened.
    const name = `${object.metadata.name.slice(0, 200)}.${(BigInt(cluster.clock.now()) * 1_000_000n + BigInt(serial++ % 1_000_000)).toString(16)}`
    if (known.size >= MAX_KNOWN) known.delete(known.keys().next().value!)
    known.set(id, name)
    const event: KObject = {
      metadata: { name, namespace: ns } as KObject['metadata'],
      involvedObject: {
        kind: kind.kind,
        namespace: object.metadata.namespace ?? '',
        name: object.metadata.name,
        uid: object.metadata.uid,
        apiVersion: apiVersionOf(kind),
        resourceVersion: object.metadata.resourceVersion ?? '',
      },
      reason: w.reason,
      message: w.message.slice(0, 1024),
      type: w.type,
      source: { component: w.component },
      reportingComponent: w.component,
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
    }
    await create(cluster.env, events, ns, event, options(w.component), ctx)
  } catch (cause) {
    const code = (cause as { code?: number }).code
    if (code !== 403 && code !== 404) cluster.log.error('an event could not be recorded', cause, { reason: w.reason })
  }
}

/** One more of an event that was told before; false when it is gone by now. */
async function countUp(cluster: Cluster, ns: string, name: string, now: string, component: string, ctx: RequestContext): Promise<boolean> {
  const events = kindOfResource('events')!
  const done = await mutate(
    cluster.env,
    events,
    keyFor(events, ns, name),
    'main',
    (old) => {
      delete old.metadata.resourceVersion
      return { object: { ...old, count: (old.count ?? 1) + 1, lastTimestamp: now } }
    },
    options(component),
    ctx,
  ).catch(ignoreGone)
  return done !== undefined
}
