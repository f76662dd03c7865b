// Structural schemas of custom resources (apiextensions v1): what they prune, fill in and refuse, and how server-side apply sees them.

import { RE2JS } from 're2js'
import { dictionary } from '../meta/dictionary.ts'
import type { FieldErrors } from '../meta/field-error.ts'
import { equal } from '../schema/field-set.ts'
import type { Schema } from '../schema/types.ts'
import { schemaOf } from '../schema/types.ts'

/** A node of an OpenAPI v3 schema as the definition has it. */
export interface Structural {
  type?: string
  format?: string
  nullable?: boolean
  default?: unknown
  enum?: unknown[]
  properties?: Record<string, Structural>
  additionalProperties?: Structural | boolean
  items?: Structural
  required?: string[]
  minimum?: number
  maximum?: number
  exclusiveMinimum?: boolean
  exclusiveMaximum?: boolean
  multipleOf?: number
  minLength?: number
  maxLength?: number
  pattern?: string
  minItems?: number
  maxItems?: number
  uniqueItems?: boolean
  minProperties?: number
  maxProperties?: number
  allOf?: Structural[]
  anyOf?: Structural[]
  oneOf?: Structural[]
  not?: Structural
  'x-kubernetes-preserve-unknown-fields'?: boolean
  'x-kubernetes-embedded-resource'?: boolean
  'x-kubernetes-int-or-string'?: boolean
  'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map'
  'x-kubernetes-list-map-keys'?: string[]
  'x-kubernetes-map-type'?: 'atomic' | 'granular'
}

const MAX_DEPTH = 64
const MAX_UNKNOWN = 64

export class TooDeep extends Error {}

const isObject = (v: unknown): v is Record<string, any> => typeof v === 'object' && v !== null && !Array.isArray(v)
const own = (o: object | undefined, key: string): boolean => !!o && Object.hasOwn(o, key)
const whole = new Set(['apiVersion', 'kind', 'metadata'])

function put(out: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__') Object.defineProperty(out, key, { value, enumerable: true, configurable: true, writable: true })
  else out[key] = value
}

/** A copy without the fields that the schema does not know; their paths are added to `unknown`. Nulls that may not be are left out. */
export function prune(s: Structural, value: unknown, unknown: string[], path = '', depth = 0): unknown {
  if (depth > MAX_DEPTH) throw new TooDeep('exceeded max depth')
  if (Array.isArray(value)) return value.map((v, i) => (s.items ? prune(s.items, v, unknown, `${path}[${i}]`, depth + 1) : v))
  if (!isObject(value)) return value
  const out: Record<string, unknown> = {}
  const embedded = s['x-kubernetes-embedded-resource']
  for (const key of Object.keys(value)) {
    const here = path ? `${path}.${key}` : key
    const v = value[key]
    const child = own(s.properties, key)
      ? s.properties![key]
      : isObject(s.additionalProperties)
        ? (s.additionalProperties as Structural)
        : undefined
    if (child) {
      if (v === null && !child.nullable && child.default === undefined && own(s.properties, key)) continue
      put(out, key, prune(child, v, unknown, here, depth + 1))
    } else if (s.additionalProperties === true || s['x-kubernetes-preserve-unknown-fields'] || (embedded && whole.has(key)))
      put(out, key, v)
    else if (unknown.length < MAX_UNKNOWN) unknown.push(here)
  }
  return out
}

/** Fills in defaults, in place. */
export function fillDefaults(s: Structural, value: unknown): void {
  if (Array.isArray(value)) {
    if (s.items) for (const v of value) fillDefaults(s.items, v)
    return
  }
  if (!isObject(value)) return
  for (const [key, child] of Object.entries(s.properties ?? {})) {
    const v = own(value, key) ? value[key] : undefined
    if (child.default !== undefined && (v === undefined || (v === null && !child.nullable))) put(value, key, structuredClone(child.default))
    if (own(value, key)) fillDefaults(child, value[key])
  }
  if (isObject(s.additionalProperties))
    for (const key of Object.keys(value)) if (!own(s.properties, key)) fillDefaults(s.additionalProperties as Structural, value[key])
}

const typeOf = (v: unknown): string =>
  v === null ? 'null' : Array.isArray(v) ? 'array' : typeof v === 'number' ? (Number.isInteger(v) ? 'integer' : 'number') : typeof v

const dateTime = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/
const formats: Record<string, (v: string) => boolean> = dictionary({
  'date-time': (v) => dateTime.test(v) && !Number.isNaN(Date.parse(v)),
  date: (v) => /^\d{4}-\d\d-\d\d$/.test(v) && !Number.isNaN(Date.parse(v)),
  byte: (v) => /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(v),
  email: (v) => /^[^\s@]+@[^\s@]+$/.test(v),
  ipv4: (v) => /^(\d{1,3}\.){3}\d{1,3}$/.test(v) && v.split('.').every((p) => Number(p) < 256),
  ipv6: (v) => v.includes(':') && /^[0-9a-fA-F:.]+$/.test(v),
  uri: (v) => URL.canParse(v),
  uuid: (v) => /^[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}$/.test(v),
  hostname: (v) => v.length < 256 && /^[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*$/.test(v),
  duration: (v) => /^[+-]?(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/.test(v) || v === '0',
})

// RE2 itself: linear in the text, whatever the pattern's author has in mind.
const patterns = new Map<string, RE2JS | undefined>()
function patternOf(text: string): RE2JS | undefined {
  if (patterns.has(text)) return patterns.get(text)
  let made: RE2JS | undefined
  try {
    made = RE2JS.compile(text)
  } catch {
    made = undefined
  }
  if (patterns.size > 1000) patterns.clear()
  patterns.set(text, made)
  return made
}

/** Whether the pattern can be read. */
export const isPattern = (text: string): boolean => patternOf(text) !== undefined

const shown = (v: unknown): string => JSON.stringify(v) ?? 'null'

/** Adds to `e` what the schema has against the value, in kube-apiserver's words. */
export function validate(s: Structural, value: unknown, path: string, e: FieldErrors, depth = 0): void {
  if (depth > MAX_DEPTH) return
  const name = path || '<root>'
  if (value === null && s.nullable) return
  const type = typeOf(value)
  const wrong = (want: string) => e.invalidType(path, `${shown(type)}: ${name} in body must be of type ${want}: ${shown(type)}`)
  if (s['x-kubernetes-int-or-string']) {
    if (type !== 'integer' && type !== 'string') return void wrong('integer,string')
  } else if (s.type && s.type !== type && !(s.type === 'number' && type === 'integer')) return void wrong(s.type)
  if (s.enum && !s.enum.some((x) => equal(x, value)))
    e.notSupported(
      path,
      value,
      s.enum.map((x) => (typeof x === 'string' ? x : shown(x))),
    )
  combined(s, value, path, e, depth)
  if (typeof value === 'string') text(s, value, path, name, e)
  else if (typeof value === 'number') number(s, value, path, name, e)
  else if (Array.isArray(value)) list(s, value, path, name, e, depth)
  else if (isObject(value)) object(s, value, path, name, e, depth)
}

function text(s: Structural, v: string, path: string, name: string, e: FieldErrors): void {
  const length = [...v].length
  if (s.maxLength !== undefined && length > s.maxLength) e.tooLong(path, s.maxLength)
  if (s.minLength !== undefined && length < s.minLength) e.invalid(path, v, `${name} in body should be at least ${s.minLength} chars long`)
  if (s.pattern !== undefined && patternOf(s.pattern)?.matcher(v).find() === false)
    e.invalid(path, v, `${name} in body should match '${s.pattern}'`)
  if (s.format && formats[s.format]?.(v) === false) e.invalid(path, v, `${name} in body must be of type ${s.format}: ${shown(v)}`)
}

function number(s: Structural, v: number, path: string, name: string, e: FieldErrors): void {
  const below = s.exclusiveMinimum ? v <= s.minimum! : v < s.minimum!
  const above = s.exclusiveMaximum ? v >= s.maximum! : v > s.maximum!
  if (s.minimum !== undefined && below)
    e.invalid(path, v, `${name} in body should be greater than ${s.exclusiveMinimum ? '' : 'or equal to '}${s.minimum}`)
  if (s.maximum !== undefined && above)
    e.invalid(path, v, `${name} in body should be less than ${s.exclusiveMaximum ? '' : 'or equal to '}${s.maximum}`)
  if (s.multipleOf && Math.abs(v / s.multipleOf - Math.round(v / s.multipleOf)) > 1e-9)
    e.invalid(path, v, `${name} in body should be a multiple of ${s.multipleOf}`)
  if (s.format === 'int32' && (v > 2_147_483_647 || v < -2_147_483_648))
    e.invalid(path, v, `${name} in body must be of type int32: ${shown(v)}`)
}

function list(s: Structural, v: unknown[], path: string, name: string, e: FieldErrors, depth: number): void {
  if (s.maxItems !== undefined && v.length > s.maxItems) e.tooMany(path, v.length, s.maxItems)
  if (s.minItems !== undefined && v.length < s.minItems)
    e.invalid(path, v.length, `${name} in body should have at least ${s.minItems} items`)
  const kind = s['x-kubernetes-list-type']
  if (kind === 'set' || s.uniqueItems)
    v.forEach((x, i) => {
      if (v.findIndex((y) => equal(x, y)) < i) e.duplicate(`${path}[${i}]`, x)
    })
  else if (kind === 'map') {
    const keyOf = (x: any) =>
      Object.fromEntries((s['x-kubernetes-list-map-keys'] ?? []).map((k) => [k, x?.[k] ?? s.items?.properties?.[k]?.default]))
    v.forEach((x, i) => {
      if (v.findIndex((y) => equal(keyOf(x), keyOf(y))) < i) e.duplicate(`${path}[${i}]`, keyOf(x))
    })
  }
  if (s.items) for (const [i, x] of v.entries()) validate(s.items, x, `${path}[${i}]`, e, depth + 1)
}

function object(s: Structural, v: Record<string, unknown>, path: string, name: string, e: FieldErrors, depth: number): void {
  const at = (key: string) => (path ? `${path}.${key}` : key)
  const keys = Object.keys(v)
  for (const r of s.required ?? []) if (!own(v, r)) e.required(at(r))
  if (s.maxProperties !== undefined && keys.length > s.maxProperties) e.tooMany(path, keys.length, s.maxProperties)
  if (s.minProperties !== undefined && keys.length < s.minProperties)
    e.invalid(path, keys.length, `${name} in body should have at least ${s.minProperties} properties`)
  if (s['x-kubernetes-embedded-resource'])
    for (const f of ['apiVersion', 'kind']) if (typeof v[f] !== 'string' || !v[f]) e.required(at(f), 'must not be empty')
  for (const key of keys) {
    if (own(s.properties, key)) validate(s.properties![key]!, v[key], at(key), e, depth + 1)
    else if (isObject(s.additionalProperties))
      validate(s.additionalProperties as Structural, v[key], path ? `${path}.${key}` : key, e, depth + 1)
  }
}

function combined(s: Structural, value: unknown, path: string, e: FieldErrors, depth: number): void {
  const meets = (x: Structural) => {
    const inner = e.fresh()
    validate(x, value, path, inner, depth + 1)
    return !inner.any
  }
  const refuse = (what: string) => e.invalid(path, '', `${shown(path || '<root>')} ${what}`)
  for (const x of s.allOf ?? []) validate(x, value, path, e, depth + 1)
  if (s.anyOf && !s.anyOf.some(meets)) refuse('must validate at least one schema (anyOf)')
  if (s.oneOf) {
    const met = s.oneOf.filter(meets).length
    if (met === 0) refuse('must validate one and only one schema (oneOf). Found none valid')
    else if (met > 1) refuse(`must validate one and only one schema (oneOf). Found ${met} valid alternatives`)
  }
  if (s.not && meets(s.not)) refuse('must not validate the schema (not)')
}

const nothingRequired: Set<string> = new Set()

/** The node as server-side apply merges by it. */
function applySchema(s: Structural): Schema {
  const atomic = s['x-kubernetes-map-type'] === 'atomic' ? { atomic: true } : {}
  if (s['x-kubernetes-int-or-string']) return { type: 'int-or-string' }
  switch (s.type) {
    case 'object': {
      if (s.properties)
        return {
          type: 'object',
          properties: Object.fromEntries(Object.entries(s.properties).map(([k, v]) => [k, applySchema(v)])),
          required: nothingRequired,
          ...atomic,
        }
      const items: Schema = isObject(s.additionalProperties) ? applySchema(s.additionalProperties as Structural) : { type: 'any' }
      return { type: 'map', items, ...atomic }
    }
    case 'array': {
      const kind = s['x-kubernetes-list-type']
      const listKeys = kind === 'set' ? ('set' as const) : kind === 'map' ? s['x-kubernetes-list-map-keys'] : undefined
      return { type: 'array', items: s.items ? applySchema(s.items) : { type: 'any' }, ...(listKeys ? { listKeys } : {}) }
    }
    case 'integer':
      return { type: 'integer' }
    case 'number':
      return { type: 'number' }
    case 'boolean':
      return { type: 'boolean' }
    case 'string':
      return { type: 'string' }
    default:
      return { type: 'any' }
  }
}

/** The whole object's: metadata is every object's. */
export function rootSchema(s: Structural): Schema {
  const { metadata: _, apiVersion: __, kind: ___, ...properties } = s.properties ?? {}
  return {
    type: 'object',
    required: nothingRequired,
    properties: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: schemaOf('V1ObjectMeta'),
      ...Object.fromEntries(Object.entries(properties).map(([k, v]) => [k, applySchema(v)])),
    },
  }
}
