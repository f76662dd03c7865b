// The past of a cluster: `?at=` reads objects and lists as they were, `?diff=FROM..TO` tells what changed between two moments. A moment is a version, a
// time, or how long ago. Ours, not Kubernetes'.
import { type KObject, timeString } from '../../shared/meta/object.ts'
import { jsonDiff, type Operation } from '../../shared/schema/diff.ts'
import { badRequest, expired, notFound, StatusError } from '../../shared/status/index.ts'
import type { Cluster } from '../cluster.ts'
import { decodeBody, inVersion } from '../registry/codec.ts'
import { readAs } from '../registry/conversion.ts'
import { subjectOf } from '../registry/validate.ts'
import { Compacted, type ListQuery, type Page, type Stored } from '../store/store.ts'
import { json } from './answer.ts'
import type { ResourceRequest } from './request.ts'

const UNITS: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
/** A difference of more objects than these is none that anybody reads. */
const MAX_CHANGES = 5000

/** `1234`, `2026-11-21T10:00:00Z`, `90s`, `2h`, or `now`, as a version. Throws 400. */
export async function versionOfMoment(cluster: Cluster, text: string): Promise<number> {
  if (/^\d{1,15}$/.test(text)) return Number(text)
  if (text === 'now') return (await cluster.store.head()).rv
  const ago = /^(\d{1,6})([smhd])$/.exec(text)
  const time = ago ? cluster.clock.now() - Number(ago[1]) * UNITS[ago[2]!]! : /^\d{4}-\d\d-\d\dT/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(time))
    throw badRequest(
      `${JSON.stringify(text)} is no moment: a resource version, a time as 2026-01-31T12:00:00Z, how long ago as 90s, 15m, 2h or 3d, or now`,
    )
  return cluster.store.versionAt(time)
}

export const tooOld = (e: unknown, rv: number): unknown =>
  e instanceof Compacted ? expired(`version ${rv} is no longer kept: history begins at ${e.floor}`) : e

const future = (rv: number, head: number) => new StatusError(400, 'BadRequest', `version ${rv} is yet to come: the newest is ${head}`)

async function stateAt(cluster: Cluster, query: ListQuery, at: number): Promise<Page> {
  const page = await cluster.store.list({ ...query, at }).catch((e) => {
    throw tooOld(e, at)
  })
  if (page.rv < at) throw future(at, page.rv)
  return page
}

/** One object as it was; its version is that of then. Throws 404 and 410. */
export async function pastObject(cluster: Cluster, r: ResourceRequest, resource: string, moment: string) {
  const at = await versionOfMoment(cluster, moment)
  const page = await stateAt(cluster, { resource, ns: r.namespace ?? '', name: r.name! }, at)
  if (!page.items[0]) throw notFound(subjectOf(r.kind, r.name))
  return page.items[0]
}

interface Changed {
  namespace?: string
  name: string
  change: 'added' | 'changed' | 'removed'
  /** What to do to the former state to get the latter, versions and managers aside. */
  patch?: Operation[]
}

function shown(o: KObject): object {
  const { resourceVersion: _, managedFields: __, ...metadata } = o.metadata
  return { ...o, metadata }
}

/** What became of the selected objects between two moments. */
export async function difference(cluster: Cluster, r: ResourceRequest, query: ListQuery, text: string): Promise<Response> {
  const m = /^(.+)\.\.(.+)$/.exec(text)
  if (!m) throw badRequest(`diff wants two moments, FROM..TO, not ${JSON.stringify(text)}`)
  const [from, to] = [await versionOfMoment(cluster, m[1]!), await versionOfMoment(cluster, m[2]!)]
  const [before, after] = [await stateAt(cluster, query, from), await stateAt(cluster, query, to)]
  const known = new Map(before.items.map((i) => [`${i.ns}/${i.name}`, i]))
  const named = (i: { ns: string; name: string }) => ({ ...(i.ns ? { namespace: i.ns } : {}), name: i.name })
  const both: [Stored, Stored][] = []
  const added: Changed[] = []
  for (const i of after.items) {
    const old = known.get(`${i.ns}/${i.name}`)
    known.delete(`${i.ns}/${i.name}`)
    if (!old) added.push({ ...named(i), change: 'added' })
    else if (old.rv !== i.rv) both.push([old, i])
  }
  if (added.length + both.length + known.size > MAX_CHANGES)
    throw badRequest(`more than ${MAX_CHANGES} objects changed: narrow it down by namespace or selector`)
  const states = await readAs(cluster.env, r.kind, both.flat())
  const of = (i: Stored) => shown(inVersion(r.kind, decodeBody(i.body, i.rv)))
  const items: Changed[] = []
  for (let n = 0; n < states.length; n += 2)
    items.push({ ...named(states[n]!), change: 'changed', patch: jsonDiff(of(states[n]!), of(states[n + 1]!)) })
  items.push(...added)
  for (const i of known.values()) items.push({ ...named(i), change: 'removed' })
  return json(
    JSON.stringify({
      kind: 'Difference',
      apiVersion: 'kedge.dev/v1',
      metadata: {},
      from: String(from),
      to: String(to),
      at: timeString(cluster.clock.now()),
      items,
    }),
  )
}
