// Types and values of the language, from structural schemas: fields that the schema does not know cannot be asked for.

import type { Environment } from '@marcbachmann/cel-js'
import type { Structural } from '../crd/structural.ts'
import { fromBase64 } from '../meta/base64.ts'
import { celEqual } from './equality.ts'
import { parseDuration } from './values.ts'

export interface Declared {
  /** Its name in the environment. */
  type: string
  /** A value of the API as a value of the language. */
  convert: (value: any) => unknown
}

const RESERVED = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(' '),
)

/** How a property is written in an expression; undefined where it cannot be. */
function escaped(name: string): string | undefined {
  if (!name || /^\d/.test(name) || /[^a-zA-Z0-9._/-]/.test(name)) return undefined
  if (RESERVED.has(name)) return `__${name}__`
  return name.replaceAll('__', '__underscores__').replaceAll('.', '__dot__').replaceAll('-', '__dash__').replaceAll('/', '__slash__')
}

const whole: Structural = {
  type: 'object',
  properties: { name: { type: 'string' }, generateName: { type: 'string' } },
}

/** Every resource can be asked for its type and its name. */
const withMeta = (s: Structural): Structural => ({
  ...s,
  properties: { ...s.properties, apiVersion: { type: 'string' }, kind: { type: 'string' }, metadata: whole },
})

const same = (v: unknown): unknown => v
const orNull =
  (convert: Declared['convert']): Declared['convert'] =>
  (v) =>
    v === null ? null : convert(v)

/** JSON as the language sees it where nothing says what it is: whole numbers are integers. */
export function dynamic(value: any): unknown {
  if (typeof value === 'number') return Number.isInteger(value) ? BigInt(value) : value
  if (Array.isArray(value)) return value.map(dynamic)
  if (typeof value !== 'object' || value === null) return value
  const out: Record<string, unknown> = Object.create(null)
  for (const k of Object.keys(value)) out[k] = dynamic(value[k])
  return out
}

function scalar(s: Structural): Declared | undefined {
  switch (s.type) {
    case 'boolean':
      return { type: 'bool', convert: same }
    case 'integer':
      return { type: 'int', convert: (v) => (Number.isInteger(v) ? BigInt(v) : v) }
    case 'number':
      return { type: 'double', convert: same }
    case 'string':
      switch (s.format) {
        case 'byte':
          return { type: 'bytes', convert: fromBase64 }
        case 'date':
        case 'date-time':
          return { type: 'google.protobuf.Timestamp', convert: (v) => new Date(v) }
        case 'duration':
          return { type: 'google.protobuf.Duration', convert: parseDuration }
        default:
          return { type: 'string', convert: same }
      }
    default:
      return undefined
  }
}

/** Makes schemas known to an environment. */
export class Types {
  readonly env: Environment
  #made = 0
  constructor(env: Environment) {
    this.env = env
  }

  /** Undefined where the schema says too little for rules to speak of it. */
  declare(s: Structural, root = false): Declared | undefined {
    const found = this.#declare(root || s['x-kubernetes-embedded-resource'] ? withMeta(s) : s)
    // What may be null is whatever it is when a rule looks.
    return found && s.nullable ? { type: 'dyn', convert: orNull(found.convert) } : found
  }

  #declare(s: Structural): Declared | undefined {
    if (s['x-kubernetes-int-or-string']) return { type: 'dyn', convert: dynamic }
    if (s.type === 'array') {
      const items = s.items && this.declare(s.items)
      return items && { type: `list<${items.type}>`, convert: (v) => v.map(items.convert) }
    }
    if (s.type !== 'object') return scalar(s)
    if (typeof s.additionalProperties === 'object') {
      const values = this.declare(s.additionalProperties)
      return values && { type: `map<string, ${values.type}>`, convert: (v) => this.#mapOf(v, values) }
    }
    return this.#object(s)
  }

  #mapOf(value: Record<string, unknown>, values: Declared): unknown {
    const out: Record<string, unknown> = Object.create(null)
    for (const k of Object.keys(value)) out[k] = values.convert(value[k])
    return out
  }

  #object(s: Structural): Declared {
    const fields: [name: string, as: string, declared: Declared][] = []
    for (const [name, child] of Object.entries(s.properties ?? {})) {
      const as = escaped(name)
      const declared = as === undefined ? undefined : this.declare(child)
      if (as !== undefined && declared) fields.push([name, as, declared])
    }
    class Instance {
      equals(other: unknown): boolean {
        return other instanceof Instance && celEqual({ ...this }, { ...other })
      }
    }
    const type = `Obj${++this.#made}`
    this.env.registerType(type, { ctor: Instance as any, fields: Object.fromEntries(fields.map(([, as, d]) => [as, d.type])) })
    this.env.registerOperator(`${type} == ${type}`, celEqual)
    return {
      type,
      convert: (v) => {
        const out: any = new Instance()
        for (const [name, as, declared] of fields) if (Object.hasOwn(v, name) && v[name] !== undefined) out[as] = declared.convert(v[name])
        return out
      },
    }
  }
}
