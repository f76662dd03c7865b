// Values of the language from and to JSON.
import { Optional } from '@marcbachmann/cel-js'
import { Duration, UnsignedInt } from '@marcbachmann/cel-js/evaluator'

const UNITS: Record<string, number> = { h: 3600e9, m: 60e9, s: 1e9, ms: 1e6, us: 1e3, µs: 1e3, ns: 1 }

/** Go's way of writing durations: `1h30m`, `-1.5s`. Text that is none gives zero: validation has spoken of it. */
export function parseDuration(text: string): Duration {
  let nanos = 0
  for (const [, n, unit] of text.matchAll(/([\d.]+)(ns|us|µs|ms|s|m|h)/g)) nanos += Number(n) * UNITS[unit!]!
  if (text.startsWith('-')) nanos = -nanos
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
