// JSON patch, JSON merge patch and strategic merge patch. Inputs are never changed; server-side apply is in apply.ts.
import { applyPatch } from 'rfc6902'
import { badRequest, StatusError } from '../status/index.ts'
import type { Schema } from './types.ts'

const MAX_OPERATIONS = 10_000

const isObject = (v: unknown): v is Record<string, any> => typeof v === 'object' && v !== null && !Array.isArray(v)
const clone = <T>(v: T): T => structuredClone(v)

/** RFC 6902. 400 on a malformed patch, 422 when an operation does not apply. */
export function jsonPatch(target: any, operations: unknown): any {
  if (!Array.isArray(operations))
    throw badRequest('error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch')
  if (operations.length > MAX_OPERATIONS)
    throw new StatusError(
      413,
      'RequestEntityTooLarge',
      `The allowed maximum operations in a JSON patch is ${MAX_OPERATIONS}, got ${operations.length}`,
    )
  const out = clone(target)
  for (const op of operations) {
    if (!isObject(op) || typeof op.op !== 'string' || typeof op.path !== 'string')
      throw badRequest('error decoding patch: malformed operation')
    const [error] = applyPatch(out, [op as never])
    if (error) throw new StatusError(422, 'Invalid', 'the server rejected our request due to an error in our request', {})
  }
  return out
}

/** RFC 7386. */
export function mergePatch(target: any, patch: any): any {
  if (!isObject(patch)) return clone(patch)
  const out: Record<string, any> = isObject(target) ? { ...target } : {}
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete out[key]
    else out[key] = mergePatch(out[key], value)
  }
  return out
}

const ORDER = '$setElementOrder/'
const DELETE_PRIMITIVES = '$deleteFromPrimitiveList/'

/** Kubernetes' strategic merge patch by the list keys of `schema`. */
export function strategicPatch(schema: Schema | undefined, target: any, patch: any): any {
  if (!isObject(patch)) return clone(patch)
  if (patch['$patch'] === 'replace') {
    const { $patch: _, ...rest } = patch
    return clone(rest)
  }
  if (patch['$patch'] === 'delete') return {}
  const out: Record<string, any> = isObject(target) ? { ...target } : {}
  const child = (key: string): Schema | undefined => (schema?.type === 'map' ? schema.items : schema?.properties?.[key])
  const retain = patch['$retainKeys'] as string[] | undefined
  if (retain) for (const key of Object.keys(out)) if (!retain.includes(key)) delete out[key]
  for (const [key, value] of Object.entries(patch)) {
    if (key === '$patch' || key === '$retainKeys' || key.startsWith(ORDER)) continue
    if (key.startsWith(DELETE_PRIMITIVES)) {
      const field = key.slice(DELETE_PRIMITIVES.length)
      if (Array.isArray(out[field])) out[field] = out[field].filter((v: unknown) => !(value as unknown[]).includes(v))
      continue
    }
    if (value === null) delete out[key]
    else if (Array.isArray(value)) out[key] = mergeList(child(key), out[key], value, patch[ORDER + key])
    else if (isObject(value) && isObject(out[key])) {
      const merged = strategicPatch(child(key), out[key], value)
      if (value['$patch'] === 'delete') delete out[key]
      else out[key] = merged
    } else if (isObject(value)) {
      if (value['$patch'] !== 'delete') out[key] = strategicPatch(child(key), undefined, value)
    } else out[key] = value
  }
  // An order may come without any change to the list's elements.
  for (const key of Object.keys(patch)) {
    if (!key.startsWith(ORDER)) continue
    const field = key.slice(ORDER.length)
    if (!(field in patch) && Array.isArray(out[field])) out[field] = order(child(field), out[field], out[field], patch[key])
  }
  return out
}

function mergeList(schema: Schema | undefined, target: any, patch: any[], wanted: any[] | undefined): any[] {
  const key = schema?.mergeKey
  if (!key) return clone(patch).filter((v) => !(isObject(v) && '$patch' in v))
  const current: any[] = Array.isArray(target) ? target : []
  if (key === 'set') return order(schema, [...new Set([...current, ...patch])], current, wanted ?? patch)
  if (patch.some((p) => isObject(p) && p['$patch'] === 'replace')) return clone(patch.filter((p) => p['$patch'] !== 'replace'))
  let out = [...current]
  for (const item of patch) {
    if (!isObject(item)) throw badRequest('strategic merge patch: list elements must be objects')
    if (item[key] === undefined) throw badRequest(`error when applying patch: map: map[] does not contain declared merge key: ${key}`)
    const at = out.findIndex((o) => o[key] === item[key])
    if (item['$patch'] === 'delete') {
      if (at >= 0) out = out.filter((_, i) => i !== at)
    } else if (at >= 0) out[at] = strategicPatch(schema.items, out[at], item)
    else out.push(strategicPatch(schema.items, undefined, item))
  }
  return order(schema, out, current, wanted ?? patch)
}

/** Elements in the wanted order first among themselves; the server's own elements keep their place before what follows them. */
function order(schema: Schema | undefined, merged: any[], current: any[], wanted: any[] | undefined): any[] {
  if (!wanted) return merged
  const key = schema?.mergeKey
  if (!key) return merged
  const id = (v: any) => (key === 'set' ? v : v?.[key])
  const rank = new Map(wanted.map((w, i) => [id(w), i]))
  const listed = merged.filter((v) => rank.has(id(v))).sort((a, b) => rank.get(id(a))! - rank.get(id(b))!)
  const others = merged.filter((v) => !rank.has(id(v)))
  const place = (v: any) => current.findIndex((c) => id(c) === id(v))
  const out: any[] = []
  let o = 0
  for (const v of listed) {
    const at = place(v)
    while (o < others.length && at >= 0 && place(others[o]) >= 0 && place(others[o]) < at) out.push(others[o++])
    out.push(v)
  }
  return [...out, ...others.slice(o)]
}
