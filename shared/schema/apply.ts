// Server-side apply and field ownership, after structured-merge-diff's merge.Updater: who set which field, what conflicts,
// what a manager dropped. Pure: time comes in, objects are not changed.

import type { Cause } from '../meta/field-error.ts'
import type { KObject, ManagedFieldsEntry } from '../meta/object.ts'
import { StatusError } from '../status/index.ts'
import {
  childSchema,
  compare,
  equal,
  type FieldTree,
  fieldsOf,
  intersect,
  isEmptySet,
  isGranular,
  itemElement,
  paths,
  remove,
  subtract,
  union,
} from './field-set.ts'
import type { Schema } from './types.ts'

export interface Writer {
  manager: string
  apiVersion: string
  subresource?: string
  time: string
}

/** Metadata that the server sets or that names the object is nobody's. */
const unowned = [
  'name',
  'namespace',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'managedFields',
  'selfLink',
  'generateName',
]

function ownable(object: KObject, writer: Writer): Record<string, any> {
  const { apiVersion: _, kind: __, metadata, ...rest } = object
  const meta: Record<string, any> = {}
  for (const key in metadata) if (!unowned.includes(key)) meta[key] = (metadata as any)[key]
  const out: Record<string, any> = Object.keys(meta).length ? { metadata: meta, ...rest } : rest
  // Status belongs to the status subresource alone.
  if (writer.subresource !== 'status') delete out.status
  return out
}

const same = (e: ManagedFieldsEntry, w: Writer, operation: string) =>
  e.manager === w.manager && e.operation === operation && e.apiVersion === w.apiVersion && (e.subresource ?? '') === (w.subresource ?? '')

const entry = (w: Writer, operation: 'Apply' | 'Update', fieldsV1: FieldTree): ManagedFieldsEntry => ({
  manager: w.manager,
  operation,
  apiVersion: w.apiVersion,
  time: w.time,
  fieldsType: 'FieldsV1',
  fieldsV1,
  ...(w.subresource ? { subresource: w.subresource } : {}),
})

/** managedFields after a create, update or patch that turned `before` into `after`. Equal objects keep theirs. */
export function managedByUpdate(schema: Schema, before: KObject | undefined, after: KObject, writer: Writer): ManagedFieldsEntry[] {
  const now = ownable(after, writer)
  if (!before) {
    const set = fieldsOf(schema, now, true)
    return isEmptySet(set) ? [] : [entry(writer, 'Update', set)]
  }
  const { changed, removed } = compare(schema, ownable(before, writer), now)
  const gone = union(changed, removed)
  if (isEmptySet(gone)) return before.metadata.managedFields ?? []
  const out: ManagedFieldsEntry[] = []
  let mine: FieldTree = {}
  for (const e of before.metadata.managedFields ?? []) {
    if (same(e, writer, 'Update')) mine = e.fieldsV1
    else {
      const left = subtract(e.fieldsV1, gone)
      if (!isEmptySet(left)) out.push(left === e.fieldsV1 ? e : { ...e, fieldsV1: left })
    }
  }
  const own = union(subtract(mine, removed), changed)
  if (!isEmptySet(own)) out.push(entry(writer, 'Update', own))
  return out
}

/** Merges an applied configuration into a live value by the schema's list keys. */
export function mergeApplied(schema: Schema | undefined, live: any, applied: any): any {
  if (!isGranular(schema, applied) || !isGranular(schema, live)) return applied
  if (Array.isArray(applied)) {
    if (schema!.listKeys === 'set') return [...live, ...applied.filter((v) => !live.some((l: unknown) => equal(l, v)))]
    const wanted = new Map(applied.map((i) => [itemElement(schema!, i), i]))
    const known = new Set(live.map((i: any) => itemElement(schema!, i)))
    return [
      ...live.map((item: any) => {
        const element = itemElement(schema!, item)
        return wanted.has(element) ? mergeApplied(schema!.items, item, wanted.get(element)) : item
      }),
      ...applied.filter((i) => !known.has(itemElement(schema!, i))),
    ]
  }
  const out = { ...live }
  for (const key of Object.keys(applied))
    out[key] = key in live ? mergeApplied(childSchema(schema!, key), live[key], applied[key]) : applied[key]
  return out
}

export interface Applied {
  object: KObject
  managedFields: ManagedFieldsEntry[]
}

/**
 * Applies `config` for a manager on `live` (absent: create). `finish` defaults the merged object before ownership is compared.
 * Throws 409 with one cause per field that another manager holds at another value, unless `force`.
 */
export function apply(
  schema: Schema,
  live: KObject | undefined,
  config: KObject,
  writer: Writer,
  force: boolean,
  finish: (merged: KObject) => KObject,
): Applied {
  const set = fieldsOf(schema, ownable(config, writer), false)
  const entries = live?.metadata.managedFields ?? []
  const mine = entries.find((e) => same(e, writer, 'Apply'))
  let merged: KObject = live ? mergeApplied(schema, live, config) : config
  if (mine) {
    const others = entries.filter((e) => e !== mine).reduce<FieldTree>((all, e) => union(all, e.fieldsV1), {})
    merged = remove(schema, merged, subtract(subtract(mine.fieldsV1, set), others))
  }
  merged = finish(merged)
  if (!live) return { object: merged, managedFields: [entry(writer, 'Apply', set)] }
  const { changed, removed } = compare(schema, ownable(live, writer), ownable(merged, writer))
  const out: ManagedFieldsEntry[] = []
  const causes: Cause[] = []
  for (const e of entries) {
    if (e === mine) continue
    const taken = intersect(e.fieldsV1, changed)
    if (!isEmptySet(taken) && !force) {
      const who =
        e.operation === 'Update'
          ? `${JSON.stringify(e.manager)}${e.subresource ? ` with subresource ${JSON.stringify(e.subresource)}` : ''} using ${e.apiVersion}${e.time ? ` at ${e.time}` : ''}`
          : JSON.stringify(e.manager)
      for (const field of paths(taken)) causes.push({ reason: 'FieldManagerConflict', message: `conflict with ${who}`, field })
    }
    const left = subtract(subtract(e.fieldsV1, taken), removed)
    if (!isEmptySet(left)) out.push(isEmptySet(taken) && isEmptySet(intersect(e.fieldsV1, removed)) ? e : { ...e, fieldsV1: left })
  }
  if (causes.length) throw applyConflict(causes)
  const own = mine && equal(mine.fieldsV1, set) && isEmptySet(changed) ? mine : entry(writer, 'Apply', set)
  const at = mine ? entries.indexOf(mine) : out.length
  out.splice(Math.min(at, out.length), 0, own)
  return { object: merged, managedFields: out }
}

function applyConflict(causes: Cause[]): StatusError {
  const n = causes.length
  const byManager = new Map<string, string[]>()
  for (const c of causes) byManager.set(c.message, [...(byManager.get(c.message) ?? []), c.field])
  const lines =
    byManager.size === 1 && n === 1
      ? `${causes[0]!.message}: ${causes[0]!.field}`
      : [...byManager].map(([who, fields]) => `${who}:\n${fields.map((f) => `- ${f}`).join('\n')}`).join('\n')
  return new StatusError(409, 'Conflict', `Apply failed with ${n} conflict${n > 1 ? 's' : ''}: ${lines}`, { causes })
}
