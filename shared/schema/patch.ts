// JSON patch, JSON merge patch and strategic merge patch. Inputs are never changed; server-side apply is in apply.ts.
import { applyPatch, Pointer } from 'rfc6902'
import { badRequest, StatusError } from '../status/index.ts'
import type { Schema } from './types.ts'

const MAX_OPERATIONS = 10_000
/** Bytes of JSON that a patch's copies may come to; each copy can double what is there. */
const MAX_COPIED = 3 * 1024 * 1024

const isObject = (v: unknown): v is Record<string, any> => typeof v === 'object' && v !== null && !Array.isArray(v)
const clone = <T>(v: T): T => structuredClone(v)

function sizeAt(document: unknown, path: string | undefined): number {
  try {
    return JSON.stringify(Pointer.fromJSON(path ?? '').get(document) ?? null).length
  } catch {
    // A path that leads nowhere is refused when it is used.
    return 0
  }
}

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
  let copied = 0
  for (const op of operations) {
    if (!isObject(op) || typeof op.op !== 'string' || typeof op.path !== 'string' || (op.from !== undefined && typeof op.from !== 'string'))
      throw badRequest('error decoding patch: malformed operation')
    if (op.op === 'copy') copied += sizeAt(out, op.from)
    if (copied > MAX_COPIED)
      throw new StatusError(
        413,
        'RequestEntityTooLarge',
        `Unable to complete the copy, the accumulated size increase of copy is ${copied}, exceeding the limit ${MAX_COPIED}`,
      )
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

const listOf = (v: unknown): unknown[] => {
  if (Array.isArray(v)) return v
  throw badRequest('error decoding patch: invalid patch format: a list is wanted by its directives')
}

const DIRECTIVES = ['merge', 'replace', 'delete']

/** Kubernetes' strategic merge patch by the list keys of `schema`. */
export function strategicPatch(schema: Schema | undefined, target: any, patch: any): any {
  if (!isObject(patch)) return clone(patch)
  if (patch['$patch'] !== undefined && !DIRECTIVES.includes(patch['$patch']))
    throw badRequest(`error decoding patch: unknown patch type found: ${JSON.stringify(patch['$patch']) ?? 'null'}`)
  if (patch['$patch'] === 'replace') {
    const { $patch: _, ...rest } = patch
    return clone(rest)
  }
  if (patch['$patch'] === 'delete') return {}
  const out: Record<string, any> = isObject(target) ? { ...target } : {}
  const child = (key: string): Schema | undefined => (schema?.type === 'map' ? schema.items : schema?.properties?.[key])
  const retain = patch['$retainKeys'] === undefined ? undefined : listOf(patch['$retainKeys'])
  if (retain) for (const key of Object.keys(out)) if (!retain.includes(key)) delete out[key]
  for (const [key, value] of Object.entries(patch)) {
    if (key === '$patch' || key === '$retainKeys' || key.startsWith(ORDER)) continue
    if (key.startsWith(DELETE_PRIMITIVES)) {
      const field = key.slice(DELETE_PRIMITIVES.length)
      const gone = listOf(value)
      if (Array.isArray(out[field])) out[field] = out[field].filter((v: unknown) => !gone.includes(v))
      continue
    }
    if (value === null) delete out[key]
    else if (Array.isArray(value)) out[key] = mergeList(child(key), out[key], value, orderIn(patch, key))
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
    if (!(field in patch) && Array.isArray(out[field])) out[field] = order(child(field), out[field], out[field], listOf(patch[key]))
  }
  return out
}

const orderIn = (patch: Record<string, any>, key: string): unknown[] | undefined =>
  patch[ORDER + key] === undefined ? undefined : listOf(patch[ORDER + key])

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
    const at = out.findIndex((o) => o?.[key] === item[key])
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
