// pods/NAME/eviction: a deletion that takes one from the pod's disruption budget, or is put off by it.
import { kindByName, kindOfResource } from '../../shared/kinds/index.ts'
import { isReady } from '../../shared/meta/conditions.ts'
import { type KObject, timeString } from '../../shared/meta/object.ts'
import { fromLabelSelector, matches } from '../../shared/meta/selector.ts'
import { badRequest, forbidden, internalError, notFound, StatusError } from '../../shared/status/index.ts'
import { decodeBody } from '../registry/codec.ts'
import { type DeleteOptions, keyFor, remove } from '../registry/delete.ts'
import { mutate } from '../registry/update.ts'
import { subjectOf } from '../registry/validate.ts'
import { json } from './answer.ts'
import { admitted } from './other-admission.ts'
import { type Asked, body, key } from './resource.ts'

const BUDGETS = 'poddisruptionbudgets.policy'
const budgetKind = kindOfResource(BUDGETS)!
const podKind = kindByName('', 'Pod')!
const MAX_DISRUPTED = 2000
const options = { fieldManager: 'eviction', fieldValidation: 'Ignore' as const }

const putOff = (message: string, cause: string, retryAfterSeconds?: number) =>
  new StatusError(429, 'TooManyRequests', message, {
    causes: [{ reason: 'DisruptionBudget', message: cause } as never],
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
  })

/** Pods that do not run are nobody's loss. */
const countsForNothing = (p: KObject): boolean =>
  !!p.metadata.deletionTimestamp || ['Succeeded', 'Failed', 'Pending'].includes(p.status?.phase ?? 'Pending')

async function budgetOf({ cluster }: Asked, pod: KObject): Promise<KObject | undefined> {
  const { items } = await cluster.store.list({ resource: BUDGETS, ns: pod.metadata.namespace! })
  const all = items
    .map((i) => decodeBody(i.body, i.rv))
    .filter((b) => b.spec.selector && matches(fromLabelSelector(b.spec.selector), pod.metadata.labels))
  if (all.length > 1)
    throw internalError('This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.')
  return all[0]
}

/** Throws 429 when nothing is left to take. */
function take(budget: KObject, pod: KObject, now: number): KObject {
  const { name } = budget.metadata
  const status = budget.status ?? {}
  const why = "Cannot evict pod as it would violate the pod's disruption budget."
  if ((status.observedGeneration ?? 0) < (budget.metadata.generation ?? 0))
    throw putOff(why, `The disruption budget ${name} is still being processed by the server.`, 10)
  if (Object.keys(status.disruptedPods ?? {}).length > MAX_DISRUPTED)
    throw forbidden(subjectOf(budgetKind, name), 'DisruptedPods map too big - too many evictions not confirmed by PDB controller')
  if (!status.disruptionsAllowed)
    throw putOff(
      why,
      `The disruption budget ${name} needs ${status.desiredHealthy ?? 0} healthy pods and has ${status.currentHealthy ?? 0} currently`,
    )
  return {
    ...budget,
    status: {
      ...status,
      disruptionsAllowed: status.disruptionsAllowed - 1,
      disruptedPods: { ...status.disruptedPods, [pod.metadata.name]: timeString(now) },
    },
  }
}

/** A pod that is not ready may go while the budget is kept without it, or always, as the budget says. */
function mayGoAnyway(budget: KObject, pod: KObject): boolean {
  if (isReady(pod)) return false
  if (budget.spec.unhealthyPodEvictionPolicy === 'AlwaysAllow') return true
  const { currentHealthy = 0, desiredHealthy = 0 } = budget.status ?? {}
  return desiredHealthy > 0 && currentHealthy >= desiredHealthy
}

async function spend(a: Asked, pod: KObject, dryRun: boolean): Promise<void> {
  const { env, clock } = a.cluster
  const budget = await budgetOf(a, pod)
  if (!budget || mayGoAnyway(budget, pod)) return
  const at = keyFor(budgetKind, pod.metadata.namespace!, budget.metadata.name)
  const change = (old: KObject) => {
    const next = take(old, pod, clock.now())
    delete next.metadata.resourceVersion
    return { object: next }
  }
  await mutate(env, budgetKind, at, 'status', change, { ...options, dryRun }, a.ctx)
}

/** For those who ask why it went. */
async function mark(a: Asked): Promise<void> {
  const { env, clock } = a.cluster
  const change = (old: KObject) => {
    const time = timeString(clock.now())
    const others = (old.status?.conditions ?? []).filter((c: any) => c.type !== 'DisruptionTarget')
    const said = { reason: 'EvictionByEvictionAPI', message: 'Eviction API: evicting', lastTransitionTime: time }
    delete old.metadata.resourceVersion
    const conditions = [...others, { type: 'DisruptionTarget', status: 'True', ...said }]
    return { object: { ...old, status: { ...old.status, conditions } } }
  }
  await mutate(env, podKind, key(a), 'status', change, options, a.ctx)
}

export async function evict(a: Asked): Promise<Response> {
  const raw: any = await body(a)
  if (raw?.kind && raw.kind !== 'Eviction') throw badRequest(`${raw.kind} cannot be handled as an Eviction`)
  if (raw?.metadata?.name && raw.metadata.name !== a.r.name)
    throw new StatusError(400, 'BadRequest', 'name in URL does not match name in Eviction object')
  const asked: DeleteOptions & { dryRun?: string[] } = raw?.deleteOptions ?? {}
  const dryRun = a.query.get('dryRun') === 'All' || !!asked.dryRun?.includes('All')
  await admitted(a, 'CREATE', 'policy/v1', 'Eviction', raw, dryRun)
  const stored = await a.cluster.store.get(key(a))
  if (!stored) throw notFound(subjectOf(a.r.kind, a.r.name))
  const pod = decodeBody(stored.body, stored.rv)
  if (!countsForNothing(pod)) {
    await spend(a, pod, dryRun)
    if (!dryRun) await mark(a)
  }
  // The pod that was looked at, and no other of its name.
  const preconditions = { uid: pod.metadata.uid, ...asked.preconditions }
  await remove(a.cluster.env, a.r.kind, key(a), { ...asked, preconditions, dryRun }, a.ctx)
  return json(JSON.stringify({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 }), 201)
}
