// LimitRanger: fills in what containers leave out, and refuses what is beyond a LimitRange of the namespace.
import { amountText, podAmounts } from '../../shared/kinds/pod-resources.ts'
import type { KObject } from '../../shared/meta/object.ts'
import { canonicalQuantity, nanoOf } from '../../shared/meta/quantity.ts'
import { forbidden } from '../../shared/status/index.ts'
import { subjectOf } from '../registry/validate.ts'
import type { Request, Step } from './index.ts'

const ANNOTATION = 'kubernetes.io/limit-ranger'
const NANO = 1_000_000_000n

type Texts = Record<string, string>
interface Asked {
  requests: Texts
  limits: Texts
}

/** Defaults of one range into the containers; what was set, in words. */
function fill(pod: KObject, range: KObject): string[] {
  const said: string[] = []
  const items = (range.spec?.limits ?? []).filter((l: any) => l.type === 'Container')
  const merged = (field: string): Texts => Object.assign({}, ...items.map((l: any) => l[field] ?? {}))
  const wanted = { requests: merged('defaultRequest'), limits: merged('default') }
  for (const [list, what] of [
    [pod.spec.containers, 'container'],
    [pod.spec.initContainers, 'init container'],
  ] as const)
    for (const c of list ?? []) {
      const had = { requests: { ...c.resources?.requests }, limits: { ...c.resources?.limits } }
      for (const kind of ['requests', 'limits'] as const) {
        const missing = Object.keys(wanted[kind])
          .filter((k) => had[kind][k] === undefined)
          .sort()
        if (!missing.length) continue
        c.resources ??= {}
        c.resources[kind] = { ...had[kind], ...Object.fromEntries(missing.map((k) => [k, wanted[kind][k]])) }
        said.push(`${missing.join(', ')} ${kind.slice(0, -1)} for ${what} ${c.name}`)
      }
    }
  return said
}

const show = (text: string): string => canonicalQuantity(text) ?? text

function faults(l: any, { requests, limits }: Asked, onlyRequests = false): string[] {
  const out: string[] = []
  for (const [k, v] of Object.entries<string>(l.min ?? {})) {
    const head = `minimum ${k} usage per ${l.type} is ${show(v)}`
    if (requests[k] === undefined) out.push(`${head}.  No request is specified`)
    else if (nanoOf(requests[k]) < nanoOf(v)) out.push(`${head}, but request is ${show(requests[k])}`)
    else if (limits[k] !== undefined && nanoOf(limits[k]) < nanoOf(v)) out.push(`${head}, but limit is ${show(limits[k])}`)
  }
  for (const [k, v] of Object.entries<string>(l.max ?? {})) {
    const head = `maximum ${k} usage per ${l.type} is ${show(v)}`
    if (onlyRequests && requests[k] === undefined) out.push(`${head}.  No request is specified`)
    else if (!onlyRequests && limits[k] === undefined) out.push(`${head}.  No limit is specified`)
    else if (limits[k] !== undefined && nanoOf(limits[k]) > nanoOf(v)) out.push(`${head}, but limit is ${show(limits[k])}`)
    else if (requests[k] !== undefined && nanoOf(requests[k]) > nanoOf(v)) out.push(`${head}, but request is ${show(requests[k])}`)
  }
  for (const [k, v] of Object.entries<string>(l.maxLimitRequestRatio ?? {})) {
    const head = `${k} max limit to request ratio per ${l.type} is ${show(v)}`
    const [request, limit] = [nanoOf(requests[k]), nanoOf(limits[k])]
    if (!request) out.push(`${head}, but no request is specified or request is 0`)
    else if (!limit) out.push(`${head}, but no limit is specified or limit is 0`)
    else if (limit * NANO > request * nanoOf(v)) out.push(`${head}, but provided ratio is ${(Number(limit) / Number(request)).toFixed(6)}`)
  }
  return out
}

const textsOf = (spec: any, list: 'requests' | 'limits'): Texts =>
  Object.fromEntries(Object.entries(podAmounts(spec, list)).map(([k, v]) => [k, amountText(k, v)]))

function podFaults(pod: KObject, range: KObject): string[] {
  return (range.spec?.limits ?? []).flatMap((l: any) => {
    if (l.type === 'Pod') return faults(l, { requests: textsOf(pod.spec, 'requests'), limits: textsOf(pod.spec, 'limits') })
    if (l.type !== 'Container') return []
    return [...(pod.spec.containers ?? []), ...(pod.spec.initContainers ?? [])].flatMap((c: any) =>
      faults(l, { requests: c.resources?.requests ?? {}, limits: c.resources?.limits ?? {} }),
    )
  })
}

function claimFaults(claim: KObject, range: KObject): string[] {
  const asked = { requests: claim.spec?.resources?.requests ?? {}, limits: {} }
  return (range.spec?.limits ?? []).filter((l: any) => l.type === 'PersistentVolumeClaim').flatMap((l: any) => faults(l, asked, true))
}

async function admit({ env, kind, object, old, part }: Request): Promise<undefined> {
  const pod = kind.kind === 'Pod' && (!old || part === 'resize')
  const claim = kind.kind === 'PersistentVolumeClaim' && part === 'main'
  if (!pod && !claim) return
  const ranges = await env.lookup.list('limitranges', object.metadata.namespace!)
  if (!ranges.length) return
  const said = pod && !old ? ranges.flatMap((r) => fill(object, r)) : []
  if (said.length)
    object.metadata.annotations = { ...object.metadata.annotations, [ANNOTATION]: `LimitRanger plugin set: ${said.join('; ')}` }
  const found = ranges.flatMap((r) => (pod ? podFaults(object, r) : claimFaults(object, r)))
  if (found.length)
    throw forbidden(subjectOf(kind, object.metadata.name), found.length === 1 ? found[0]! : `[${[...new Set(found)].join(', ')}]`)
}

export const limitRanger: Step = { name: 'LimitRanger', create: admit, update: admit }
