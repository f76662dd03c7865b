// Turns a client's JSON into a stored object of a known structure: types are checked, unknown fields pruned and reported,
// nulls and empty optional collections dropped, quantities made canonical. One pass, no copies of what is thrown away.
import { canonicalQuantity } from '../meta/quantity.ts'
import type { Schema } from './types.ts'

const MAX_DEPTH = 64

/** The value has the wrong type somewhere; `path` is the JSON path, as `spec.replicas`. */
export class DecodeError extends Error {
  readonly path: string
  constructor(path: string, message: string) {
    super(message)
    this.path = path
  }
}

const jsonType = (v: unknown) => (v === null ? 'null' : Array.isArray(v) ? 'array' : typeof v === 'boolean' ? 'bool' : typeof v)
const goType: Record<string, string> = {
  integer: 'int32',
  boolean: 'bool',
  bytes: '[]uint8',
  number: 'float64',
  array: '[]',
  map: 'map[string]string',
}

function mismatch(schema: Schema, value: unknown, path: string): never {
  const want =
    schema.type === 'object' ? `v1.${schema.name?.replace(/^[A-Za-z]*?V\d+/, '')}` : (schema.format ?? goType[schema.type] ?? schema.type)
  throw new DecodeError(path, `json: cannot unmarshal ${jsonType(value)} into Go struct field ${path} of type ${want}`)
}

const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
const rfc3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/

function time(value: unknown, micro: boolean, path: string, schema: Schema): string {
  if (typeof value !== 'string') mismatch(schema, value, path)
  if (!rfc3339.test(value) || Number.isNaN(Date.parse(value)))
    throw new DecodeError(path, `parsing time ${JSON.stringify(value)} as "2006-01-02T15:04:05Z07:00": cannot parse`)
  if (value.endsWith('Z')) {
    const dot = value.indexOf('.')
    if (!micro) return dot < 0 ? value : `${value.slice(0, dot)}Z`
    const fraction = dot < 0 ? '' : value.slice(dot + 1, -1)
    return `${dot < 0 ? value.slice(0, -1) : value.slice(0, dot)}.${fraction.slice(0, 6).padEnd(6, '0')}Z`
  }
  const iso = new Date(Date.parse(value)).toISOString()
  return micro ? `${iso.slice(0, 23)}000Z` : `${iso.slice(0, 19)}Z`
}

/**
 * Decodes `value` by `schema`. Unknown fields are appended to `unknown` as JSON paths (at most 64).
 * Throws DecodeError on a type mismatch, on nesting past 64 levels and on malformed quantities, times and base64.
 */
export function decode(schema: Schema, value: unknown, unknown: string[], path = '', depth = 0): any {
  switch (schema.type) {
    case 'string':
      if (typeof value !== 'string') mismatch(schema, value, path)
      return value
    case 'integer':
      if (typeof value !== 'number') mismatch(schema, value, path)
      if (!Number.isInteger(value) || (schema.format === 'int32' && (value > 2147483647 || value < -2147483648)))
        throw new DecodeError(path, `json: cannot unmarshal number ${value} into Go struct field ${path} of type ${schema.format}`)
      return value
    case 'number':
      if (typeof value !== 'number') mismatch(schema, value, path)
      return value
    case 'boolean':
      if (typeof value !== 'boolean') mismatch(schema, value, path)
      return value
    case 'int-or-string':
      if (typeof value !== 'string' && !(typeof value === 'number' && Number.isInteger(value))) mismatch(schema, value, path)
      return value
    case 'quantity': {
      const text = typeof value === 'string' || typeof value === 'number' ? canonicalQuantity(value) : undefined
      if (text === undefined)
        throw new DecodeError(path, "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")
      return text
    }
    case 'time':
      return time(value, false, path, schema)
    case 'micro-time':
      return time(value, true, path, schema)
    case 'bytes': {
      if (typeof value !== 'string') mismatch(schema, value, path)
      const text = /\s/.test(value) ? value.replace(/[\r\n]/g, '') : value
      if (!base64.test(text)) throw new DecodeError(path, 'illegal base64 data at input byte 0')
      return text
    }
    case 'any':
      checkDepth(value, path, depth)
      return value
    case 'array': {
      if (!Array.isArray(value)) mismatch(schema, value, path)
      if (depth > MAX_DEPTH) throw new DecodeError(path, 'exceeded max depth')
      const out = new Array(value.length)
      for (let i = 0; i < value.length; i++) {
        const item = value[i]
        out[i] = item === null ? zero(schema.items!) : decode(schema.items!, item, unknown, `${path}[${i}]`, depth + 1)
      }
      return out
    }
    case 'map': {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) mismatch(schema, value, path)
      if (depth > MAX_DEPTH) throw new DecodeError(path, 'exceeded max depth')
      const out: Record<string, unknown> = {}
      for (const key of Object.keys(value)) {
        const item = (value as Record<string, unknown>)[key]
        put(out, key, item === null ? zero(schema.items!) : decode(schema.items!, item, unknown, path ? `${path}.${key}` : key, depth + 1))
      }
      return out
    }
    default: {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) mismatch(schema, value, path)
      if (depth > MAX_DEPTH) throw new DecodeError(path, 'exceeded max depth')
      const properties = schema.properties!
      const out: Record<string, unknown> = {}
      for (const key of Object.keys(value)) {
        const item = (value as Record<string, unknown>)[key]
        const child = Object.hasOwn(properties, key) ? properties[key] : undefined
        if (child === undefined) {
          if (unknown.length < 64) unknown.push(path ? `${path}.${key}` : key)
          continue
        }
        if (item === null || item === undefined) continue
        const decoded = decode(child, item, unknown, path ? `${path}.${key}` : key, depth + 1)
        // Go's omitempty: empty collections of optional fields are never written back.
        if (isEmptyCollection(child, decoded) && !schema.required!.has(key)) continue
        out[key] = decoded
      }
      return out
    }
  }
}

function put(out: Record<string, unknown>, key: string, value: unknown) {
  if (key === '__proto__') Object.defineProperty(out, key, { value, enumerable: true, configurable: true, writable: true })
  else out[key] = value
}

function isEmptyCollection(schema: Schema, value: any): boolean {
  if (schema.type === 'array') return value.length === 0
  if (schema.type !== 'map') return false
  for (const _ in value) return false
  return true
}

function zero(schema: Schema): unknown {
  if (schema.type === 'integer' || schema.type === 'number') return 0
  if (schema.type === 'boolean') return false
  if (schema.type === 'object' || schema.type === 'map') return {}
  if (schema.type === 'array') return []
  return schema.type === 'quantity' ? '0' : schema.type === 'any' ? null : ''
}

function checkDepth(value: unknown, path: string, depth: number) {
  if (depth > MAX_DEPTH) throw new DecodeError(path, 'exceeded max depth')
  if (typeof value === 'object' && value !== null) for (const v of Object.values(value)) checkDepth(v, path, depth + 1)
}
