// What a namespace's annotations ask of its pods, where these are enabled. PodNodeSelector: the nodes that they go to. PodTolerationRestriction: what
// they tolerate, and what they may.

import { qosClass } from '../../shared/kinds/pod-defaults.ts'
import type { KObject } from '../../shared/meta/object.ts'
import { parseLabelSelector } from '../../shared/meta/selector.ts'
import { equal } from '../../shared/schema/field-set.ts'
import { badRequest, forbidden, type StatusError } from '../../shared/status/index.ts'
import { subjectOf } from '../registry/validate.ts'
import type { Request, Step } from './index.ts'

const PREFIX = 'scheduler.alpha.kubernetes.io/'
const PRESSURE = { key: 'node.kubernetes.io/memory-pressure', operator: 'Exists', effect: 'NoSchedule' }

const refused = ({ kind, object }: Request, why: string): StatusError => forbidden(subjectOf(kind, object.metadata.name), why)

async function annotation({ env, object }: Request, name: string): Promise<string | undefined> {
  const ns: KObject | undefined = await env.lookup.get('namespaces', '', object.metadata.namespace!)
  return ns?.metadata.annotations?.[PREFIX + name]
}

/** `a=b,c=d`. */
function parseSelector(text: string): Record<string, string> {
  const pairs = parseLabelSelector(text).map(({ key, operator, values }): [string, string] => {
    if (operator !== '=') throw badRequest(`the node selector ${JSON.stringify(text)} of the namespace may only have equations`)
    return [key, values[0]!]
  })
  return Object.fromEntries(pairs)
}

export const podNodeSelector: Step = {
  name: 'PodNodeSelector',
  create: async (r) => {
    const { env, kind, object: o } = r
    if (kind.kind !== 'Pod' || !env.settings.admissionPlugins.includes('PodNodeSelector')) return undefined
    const text = await annotation(r, 'node-selector')
    if (!text) return undefined
    const wanted = parseSelector(text)
    const given: Record<string, string> = o.spec.nodeSelector ?? {}
    if (Object.entries(wanted).some(([k, v]) => (given[k] ?? v) !== v))
      throw refused(r, 'pod node label selector conflicts with its namespace node label selector')
    o.spec.nodeSelector = { ...wanted, ...given }
    return undefined
  },
}

async function tolerationsFrom(r: Request, name: string): Promise<any[] | undefined> {
  const text = await annotation(r, name)
  if (text === undefined) return undefined
  try {
    const list = text ? JSON.parse(text) : []
    if (Array.isArray(list)) return list
  } catch {
    // Told below.
  }
  throw badRequest(`the annotation ${PREFIX}${name} of namespace ${JSON.stringify(r.object.metadata.namespace)} is no list of tolerations`)
}

const sameTaint = (a: any, b: any): boolean => (a.key ?? '') === (b.key ?? '') && (a.effect ?? '') === (b.effect ?? '')
/** Whether whoever is allowed `a` is allowed everything that `b` tolerates. */
const covers = (a: any, b: any): boolean =>
  (!a.effect || a.effect === b.effect) &&
  (!a.key || a.key === b.key) &&
  (a.operator === 'Exists' || (b.operator !== 'Exists' && (a.value ?? '') === (b.value ?? '')))

async function restrict(r: Request): Promise<undefined> {
  const { env, kind, object: o, old } = r
  if (kind.kind !== 'Pod' || r.part !== 'main' || !env.settings.admissionPlugins.includes('PodTolerationRestriction')) return undefined
  if (old && equal(old.spec.tolerations, o.spec.tolerations)) return undefined
  if (!old) {
    const given: any[] = o.spec.tolerations ?? []
    const added = (await tolerationsFrom(r, 'defaultTolerations')) ?? []
    const clash = added.some((a) => given.some((g) => sameTaint(a, g) && !equal(a, g)))
    if (clash) throw refused(r, 'namespace tolerations and pod tolerations conflict')
    const all = [...given, ...added.filter((a) => !given.some((g) => equal(a, g)))]
    if (qosClass(o.spec) !== 'BestEffort' && !all.some((t) => covers(t, PRESSURE))) all.push(PRESSURE)
    if (all.length) o.spec.tolerations = all
  }
  const allowed = await tolerationsFrom(r, 'tolerationsWhitelist')
  const before: any[] = old?.spec.tolerations ?? []
  const strange = (o.spec.tolerations ?? []).some(
    (t: any) => !equal(t, PRESSURE) && !before.some((b) => equal(b, t)) && !allowed?.some((a) => covers(a, t)),
  )
  if (allowed?.length && strange)
    throw refused(r, 'pod tolerations (possibly merged with namespace default tolerations) conflict with its namespace whitelist')
  return undefined
}

export const podTolerationRestriction: Step = { name: 'PodTolerationRestriction', create: restrict, update: restrict }
