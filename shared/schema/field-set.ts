// Sets of fields in the form that managedFields carries them (fieldsV1): trees whose keys are `f:name`, `k:{"name":"x"}`, `v:1`.
// A node is a member when it is empty or has the key `.`. Follows structured-merge-diff's fieldpath.Set.
import type { Schema } from './types.ts'

export type FieldTree = { [element: string]: FieldTree }

const isObject = (v: unknown): v is Record<string, any> => typeof v === 'object' && v !== null && !Array.isArray(v)
const empty = (t: object) => {
  for (const _ in t) return false
  return true
}
const isMember = (t: FieldTree) => '.' in t || empty(t)

/** Merged element by element: objects and maps that are not atomic, lists with keys or sets. */
export const isGranular = (schema: Schema | undefined, value: unknown): boolean =>
  !!schema &&
  !schema.atomic &&
  (Array.isArray(value)
    ? schema.type === 'array' && schema.listKeys !== undefined
    : isObject(value) && (schema.type === 'object' || schema.type === 'map'))

export const childSchema = (schema: Schema, key: string): Schema | undefined =>
  schema.type === 'map' ? schema.items : schema.properties?.[key]

/** The path element of a list's item, `k:{…}` or `v:…`. Port keys default their protocol as the API does. */
export function itemElement(schema: Schema, item: any): string {
  if (schema.listKeys === 'set') return `v:${JSON.stringify(item)}`
  const keys: Record<string, unknown> = {}
  for (const k of [...(schema.listKeys as string[])].sort()) {
    const v = item?.[k] ?? (k === 'protocol' ? 'TCP' : undefined)
    if (v !== undefined) keys[k] = v
  }
  return `k:${JSON.stringify(keys)}`
}

/** Every field of a value. `dots` marks maps themselves too, as updates (not applies) do. */
export function fieldsOf(schema: Schema, value: any, dots: boolean, out: FieldTree = {}): FieldTree {
  if (Array.isArray(value)) {
    for (const item of value) {
      const element = itemElement(schema, item)
      if (schema.listKeys === 'set') out[element] = {}
      else out[element] = fieldsOf(schema.items!, item, dots, { '.': {} })
    }
    return out
  }
  for (const key of Object.keys(value)) {
    const v = value[key]
    if (v === undefined) continue
    const child = childSchema(schema, key)
    if (!isGranular(child, v)) out[`f:${key}`] = {}
    else out[`f:${key}`] = fieldsOf(child!, v, dots, dots && child!.type !== 'object' && !empty(v) ? { '.': {} } : {})
  }
  return out
}

/** What differs between two values: `changed` holds added and modified fields, `removed` those that are gone. */
export function compare(schema: Schema, before: any, after: any): { changed: FieldTree; removed: FieldTree } {
  const changed: FieldTree = {}
  const removed: FieldTree = {}
  const visit = (element: string, child: Schema | undefined, a: any, b: any) => {
    if (a === undefined && b === undefined) return
    if (a === undefined) changed[element] = isGranular(child, b) ? withDot(child!, fieldsOf(child!, b, true)) : {}
    else if (b === undefined) removed[element] = isGranular(child, a) ? withDot(child!, fieldsOf(child!, a, true)) : {}
    else if (isGranular(child, a) && isGranular(child, b)) {
      const inner = compare(child!, a, b)
      if (!empty(inner.changed)) changed[element] = inner.changed
      if (!empty(inner.removed)) removed[element] = inner.removed
    } else if (!equal(a, b)) changed[element] = {}
  }
  if (Array.isArray(before)) {
    const old = new Map(before.map((i) => [itemElement(schema, i), i]))
    const now = new Map((after as any[]).map((i) => [itemElement(schema, i), i]))
    for (const element of new Set([...old.keys(), ...now.keys()]))
      visit(element, schema.listKeys === 'set' ? undefined : schema.items, old.get(element), now.get(element))
  } else {
    for (const key of Object.keys(before)) visit(`f:${key}`, childSchema(schema, key), before[key], after[key])
    for (const key of Object.keys(after)) if (!(key in before)) visit(`f:${key}`, childSchema(schema, key), undefined, after[key])
  }
  return { changed, removed }
}

const withDot = (schema: Schema, tree: FieldTree): FieldTree => (empty(tree) || schema.type === 'object' ? tree : { '.': {}, ...tree })

/** Equal as JSON: a property that is undefined counts as absent. */
export function equal(a: any, b: any): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((v, i) => equal(v, b[i]))
  if (Array.isArray(b)) return false
  let present = 0
  for (const k in a) {
    if (a[k] === undefined) continue
    present++
    if (!equal(a[k], b[k])) return false
  }
  for (const k in b) if (b[k] !== undefined) present--
  return present === 0
}

const mark = (tree: FieldTree, member: boolean): FieldTree | undefined => {
  const { '.': _, ...rest } = tree
  if (empty(rest)) return member ? {} : undefined
  return member ? { '.': {}, ...rest } : rest
}

/** A combination of two sets, member by member. */
function combine(a: FieldTree | undefined, b: FieldTree | undefined, keep: (inA: boolean, inB: boolean) => boolean): FieldTree | undefined {
  const out: FieldTree = {}
  for (const key of new Set([...Object.keys(a ?? {}), ...Object.keys(b ?? {})])) {
    if (key === '.') continue
    const inner = combine(a?.[key], b?.[key], keep)
    if (inner) out[key] = inner
  }
  return mark(out, keep(!!a && isMember(a), !!b && isMember(b)))
}

const root = (t: FieldTree | undefined): FieldTree => {
  if (!t) return {}
  const { '.': _, ...rest } = t
  return rest
}
// The root itself is never a member: a dot keeps it from counting as an empty leaf.
export const union = (a: FieldTree, b: FieldTree): FieldTree => root(combine({ '.': {}, ...a }, { '.': {}, ...b }, (x, y) => x || y))
export const subtract = (a: FieldTree, b: FieldTree): FieldTree => root(combine({ '.': {}, ...a }, { '.': {}, ...b }, (x, y) => x && !y))
export const intersect = (a: FieldTree, b: FieldTree): FieldTree => root(combine({ '.': {}, ...a }, { '.': {}, ...b }, (x, y) => x && y))
export const isEmptySet = (t: FieldTree): boolean => empty(t)

/** Paths of the members, as error messages print them: `.spec.containers[name="app"].image`. */
export function paths(tree: FieldTree, prefix = ''): string[] {
  const out: string[] = []
  for (const [element, inner] of Object.entries(tree)) {
    if (element === '.') continue
    const here = prefix + printElement(element)
    if (isMember(inner)) out.push(here)
    out.push(...paths(inner, here))
  }
  return out
}

function printElement(element: string): string {
  const body = element.slice(2)
  if (element.startsWith('f:')) return `.${body}`
  if (element.startsWith('v:')) return `[=${body}]`
  return `[${Object.entries(JSON.parse(body))
    .map(([k, v]) => `${k}=${JSON.stringify(v)}`)
    .join(',')}]`
}

/** The value without the members of `tree`; containers left empty by it stay. */
export function remove(schema: Schema, value: any, tree: FieldTree): any {
  if (Array.isArray(value)) {
    return value.flatMap((item) => {
      const inner = tree[itemElement(schema, item)]
      if (!inner) return [item]
      if (isMember(inner)) return []
      return [remove(schema.items!, item, inner)]
    })
  }
  const out: Record<string, any> = {}
  for (const key of Object.keys(value)) {
    const inner = tree[`f:${key}`]
    if (!inner) out[key] = value[key]
    else if (isMember(inner)) continue
    else {
      const child = childSchema(schema, key)
      out[key] = isGranular(child, value[key]) ? remove(child!, value[key], inner) : value[key]
    }
  }
  return out
}
