// Objects that a kind's schema allows, at random but by a seed: the same seed gives the same objects.
import type { Schema } from '../../shared/schema/types.ts'

/** A small generator of numbers in [0, 1) (mulberry32). */
export function seeded(seed: number): () => number {
  let a = seed >>> 0
  return () => {
    a = (a + 0x6d2b79f5) | 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

const words = [
  'a',
  'web',
  'x-1',
  'Always',
  'Never',
  'TCP',
  'Exists',
  'cpu',
  'memory',
  '/data',
  '10.1.2.3',
  '10.0.0.0/8',
  '80',
  '25%',
  '*',
  '',
  'ä',
  'A_B',
  'kubernetes.io/os',
  '* * * * *',
]
const quantities = ['1', '100m', '1Gi', '0', '2.5', '-1']
const times = ['2026-01-01T00:00:00Z', '2020-02-29T23:59:59Z']
const MAX_DEPTH = 7

/** A value of the schema; deep down only what is required, and lists stay short. */
export function randomValue(schema: Schema, random: () => number, depth = 0): unknown {
  const pick = <T>(list: T[]): T => list[Math.floor(random() * list.length)]!
  const whole = () => pick([0, 1, 2, 3, 80, 443, 600, -1, 2_147_483_647])
  switch (schema.type) {
    case 'object': {
      const out: Record<string, unknown> = {}
      for (const [name, p] of Object.entries(schema.properties ?? {})) {
        const wanted = schema.required?.has(name) || (depth < MAX_DEPTH && random() < (depth < 2 ? 0.6 : 0.2))
        if (wanted && depth < MAX_DEPTH + 4) out[name] = randomValue(p, random, depth + 1)
      }
      return out
    }
    case 'array':
      return Array.from({ length: depth > MAX_DEPTH ? 0 : Math.floor(random() * 3) }, () => randomValue(schema.items!, random, depth + 1))
    case 'map':
      return Object.fromEntries(
        Array.from({ length: Math.floor(random() * 3) }, () => [pick(words) || 'k', randomValue(schema.items!, random, depth + 1)]),
      )
    case 'integer':
      return whole()
    case 'number':
      return pick([0, 1.5, -2])
    case 'boolean':
      return random() < 0.5
    case 'quantity':
      return pick(quantities)
    case 'time':
      return pick(times)
    case 'micro-time':
      return pick(times).replace('Z', '.000000Z')
    case 'bytes':
      return pick(['', 'aGVsbG8=', 'AA=='])
    case 'int-or-string':
      return random() < 0.5 ? whole() : pick(['25%', 'http', '80'])
    case 'any':
      return pick<unknown>([{ a: 1 }, 'text', [1, 2], null])
    default:
      return pick(words)
  }
}

/** The value with some of its fields changed, added or taken away: near to what is valid, where the odd cases live. */
export function sprinkled(schema: Schema, value: unknown, random: () => number, depth = 0): unknown {
  if (schema.type === 'array' && Array.isArray(value)) return value.map((v) => sprinkled(schema.items!, v, random, depth + 1))
  if (schema.type === 'map' && value && typeof value === 'object')
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, sprinkled(schema.items!, v, random, depth + 1)]))
  if (schema.type !== 'object' || !value || typeof value !== 'object')
    return random() < 0.04 ? randomValue(schema, random, MAX_DEPTH) : value
  const out: Record<string, unknown> = {}
  for (const [name, p] of Object.entries(schema.properties ?? {})) {
    const given = (value as Record<string, unknown>)[name]
    if (given !== undefined) {
      if (random() > 0.02) out[name] = sprinkled(p, given, random, depth + 1)
    } else if (depth > 0 && random() < 0.03) out[name] = randomValue(p, random, MAX_DEPTH - 2)
  }
  return out
}
