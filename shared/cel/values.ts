// Values of the language from and to JSON.
import { Optional } from '@marcbachmann/cel-js'
import { Duration, UnsignedInt } from '@marcbachmann/cel-js/evaluator'
import { nanosOf } from '../meta/duration.ts'

/** Of a Go duration. */
export function parseDuration(text: string): Duration {
  const nanos = nanosOf(text)
  const seconds = Math.trunc(nanos / 1e9)
  return new Duration(BigInt(seconds), Math.round(nanos - seconds * 1e9))
}

/** The JSON of a value that an expression made. Throws where there is none. */
export function toJson(v: unknown): unknown {
  if (v === null || typeof v === 'string' || typeof v === 'boolean' || typeof v === 'number') return v
  if (typeof v === 'bigint' || v instanceof UnsignedInt) return Number(v.valueOf())
  if (Array.isArray(v)) return v.map(toJson)
  if (v instanceof Date) return v.toISOString().replace('.000Z', 'Z')
  if (v instanceof Duration) return v.toString()
  if (v instanceof Uint8Array) return btoa(String.fromCharCode(...v))
  if (v instanceof Optional) return (v as any).hasValue() ? toJson((v as any).value()) : undefined
  if (typeof v !== 'object') throw new Error(`unsupported value of type ${typeof v}`)
  const entries: [unknown, unknown][] = v instanceof Map ? [...v] : Object.entries(v)
  return Object.fromEntries(entries.map(([k, x]): [string, unknown] => [String(k), toJson(x)]).filter(([, x]) => x !== undefined))
}
