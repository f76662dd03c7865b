// ResourceQuota: what counts is added to the quota in the same transaction that writes it, so that no race can go over. The controller counts
// down, and counts anew: one log orders both.
import { resourceOf } from '../../shared/kinds/index.ts'
import type { Kind } from '../../shared/kinds/kind.ts'
import { type Amounts, amountOf } from '../../shared/kinds/pod-resources.ts'
import { inScope, missingRequests, usageOf, usageTexts } from '../../shared/kinds/quota-usage.ts'
import type { KObject } from '../../shared/meta/object.ts'
import { conflict, forbidden } from '../../shared/status/index.ts'
import { decodeBody, encodeBody } from '../registry/codec.ts'
import { subjectOf } from '../registry/validate.ts'
import type { Beside, Stored } from '../store/store.ts'
import type { Admission, Request, Step } from './index.ts'

const TRIES = 64
const RESOURCE = 'resourcequotas'

/** What the write adds, by quota name; what it frees is the controller's to count. */
function added({ kind, object, old, env }: Request): Amounts {
  const resource = resourceOf(kind)
  const now = env.clock.now()
  const [after, before] = [usageOf(resource, object, now), old ? usageOf(resource, old, now) : {}]
  return Object.fromEntries(
    Object.entries(after)
      .map(([k, v]) => [k, v - ((before as Amounts)[k] ?? 0)] as const)
      .filter(([, v]) => v > 0),
  )
}

const listed = (names: string[], amounts: Amounts): string =>
  Object.entries(usageTexts(names, amounts))
    .map(([k, v]) => `${k}=${v}`)
    .join(',')

/** The quota with the amounts added. Throws 403 when it has no room for them. */
function charge(kind: Kind, object: KObject, quota: KObject, amounts: Amounts): KObject | undefined {
  const hard: Record<string, string> = quota.status?.hard ?? {}
  const names = Object.keys(amounts)
    .filter((n) => hard[n] !== undefined)
    .sort()
  if (!names.length) return undefined
  const refuse = (why: string) => forbidden(subjectOf(kind, object.metadata.name), why)
  const unknown = names.filter((n) => quota.status?.used?.[n] === undefined)
  if (unknown.length) throw refuse(`status unknown for quota: ${quota.metadata.name}, resources: ${unknown.join(',')}`)
  const used = Object.fromEntries(names.map((n) => [n, amountOf(n, quota.status.used[n])]))
  const over = names.filter((n) => used[n]! + amounts[n]! > amountOf(n, hard[n]))
  if (over.length) {
    const limits = Object.fromEntries(over.map((n) => [n, amountOf(n, hard[n])]))
    throw refuse(
      `exceeded quota: ${quota.metadata.name}, requested: ${listed(over, amounts)}, used: ${listed(over, used)}, limited: ${listed(over, limits)}`,
    )
  }
  const sums = Object.fromEntries(names.map((n) => [n, used[n]! + amounts[n]!]))
  return { ...quota, status: { ...quota.status, used: { ...quota.status.used, ...usageTexts(names, sums) } } }
}

async function admit(r: Request): Promise<Admission | undefined> {
  const { env, kind, object, old, part } = r
  const ns = object.metadata.namespace
  if (!ns || !['main', 'resize'].includes(part) || kind.kind === 'Event' || (kind.kind === 'ResourceQuota' && old)) return undefined
  const resource = resourceOf(kind)
  const known = await env.lookup.list(RESOURCE, ns)
  if (!known.length) return undefined
  const amounts = added(r)
  if (!Object.keys(amounts).length) return undefined
  let besides: Beside[] = []
  const look = async () => {
    besides = []
    const names = known.filter((q) => inScope(q, resource, object)).map((q) => q.metadata.name)
    const quotas = (await Promise.all(names.map((name) => env.store.get({ resource: RESOURCE, ns, name })))).filter((q): q is Stored => !!q)
    for (const stored of quotas) {
      const quota = decodeBody(stored.body, stored.rv)
      const missing = resource === 'pods' && !old ? missingRequests(quota, object) : undefined
      if (missing) throw forbidden(subjectOf(kind, object.metadata.name), `failed quota: ${quota.metadata.name}: must specify ${missing}`)
      const charged = charge(kind, object, quota, amounts)
      if (!charged) continue
      const labels = quota.metadata.labels ?? {}
      const { name, uid } = quota.metadata
      besides.push({
        version: { resource: RESOURCE, ns, name, uid, body: encodeBody(charged), labels, fields: {}, by: r.ctx.by, object: charged },
        old: { rv: stored.rv, labels, fields: {}, body: stored.body },
      })
    }
  }
  await look()
  return {
    besides: () => besides,
    refresh: async (tries) => {
      if (tries >= TRIES) throw conflict(subjectOf(kind, object.metadata.name), 'the quota keeps being modified; please try again')
      await look()
    },
  }
}

export const resourceQuota: Step = { name: 'ResourceQuota', create: admit, update: admit }
