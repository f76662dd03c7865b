// Schema nodes of the built-in types, linked from the generated structure and the hand-written list keys.
// Nodes are shared and must never be changed after they are built.
import types from './generated/types.json' with { type: 'json' }
import { atomic, listRules, quantities, retainKeys } from './list-keys.ts'
import { ownTypes } from './own-types.ts'

type ScalarType = 'string' | 'integer' | 'number' | 'boolean' | 'any' | 'int-or-string' | 'quantity' | 'time' | 'micro-time' | 'bytes'

export interface Schema {
  type: ScalarType | 'object' | 'map' | 'array'
  /** Generated name of an object type, as V1PodSpec. */
  name?: string
  /** Of integers. */
  format?: string
  /** Of objects. */
  properties?: Record<string, Schema>
  required?: Set<string>
  /** Of arrays and maps: the element's schema. */
  items?: Schema
  /** Of arrays, for apply: key names, `set`, or absent for atomic. */
  listKeys?: string[] | 'set'
  /** Of arrays, for strategic patch: the merge key, or `set` for merged primitives. */
  mergeKey?: string | 'set'
  retainKeys?: boolean
  /** Apply treats the whole value as one field. */
  atomic?: boolean
}

type Generated = Record<string, { p: Record<string, string>; r?: string[] }>
const generated: Generated = { ...(types as Generated), ...ownTypes }
const objects = new Map<string, Schema>()

/** The schema of a generated type; throws on a name that the structure does not have. */
export function schemaOf(name: string): Schema {
  const known = objects.get(name)
  if (known) return known
  const source = generated[name]
  if (!source) throw new Error(`no generated type ${name}`)
  const node: Schema = { type: 'object', name, required: new Set(source.r), properties: {} }
  if (atomic.has(name)) node.atomic = true
  objects.set(name, node)
  for (const [property, type] of Object.entries(source.p)) node.properties![property] = propertySchema(`${name}.${property}`, type)
  return node
}

function propertySchema(at: string, type: string): Schema {
  const plain = parseType(type, quantities.has(at))
  const rule = listRules[at]
  const own: Partial<Schema> = {}
  if (rule?.apply) own.listKeys = rule.apply
  if (rule?.patch) own.mergeKey = rule.patch
  if (retainKeys.has(at)) own.retainKeys = true
  if (atomic.has(at)) own.atomic = true
  return Object.keys(own).length ? { ...plain, ...own } : plain
}

const scalars = new Map<string, Schema>()
function scalar(node: Schema): Schema {
  const key = `${node.type} ${node.format ?? ''}`
  if (!scalars.has(key)) scalars.set(key, node)
  return scalars.get(key)!
}

function parseType(type: string, quantity: boolean): Schema {
  if (type.startsWith('[')) return { type: 'array', items: parseType(type.slice(1, -1), quantity) }
  if (type.startsWith('{')) return { type: 'map', items: parseType(type.slice(1, -1), quantity) }
  if (type === 'string') return scalar({ type: quantity ? 'quantity' : 'string' })
  if (type === 'int32' || type === 'int64') return scalar({ type: 'integer', format: type })
  if (type === 'double' || type === 'number') return scalar({ type: 'number', format: 'double' })
  if (['boolean', 'any', 'int-or-string', 'time', 'micro-time', 'bytes'].includes(type)) return scalar({ type: type as ScalarType })
  if (/^[A-Z]/.test(type)) return schemaOf(type)
  return scalar({ type: 'any' })
}
