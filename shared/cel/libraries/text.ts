// Strings and regular expressions beyond CEL's own: cel-go's strings extension and Kubernetes' regex library. Patterns are RE2's.
import type { Environment } from '@marcbachmann/cel-js'
import { UnsignedInt } from '@marcbachmann/cel-js/evaluator'
import { RE2JS } from 're2js'
import { spend } from '../budget.ts'
import { addFunctions, addNamespace } from './library.ts'

const patterns = new Map<string, RE2JS>()

function compiled(text: string): RE2JS {
  const known = patterns.get(text)
  if (known) return known
  let made: RE2JS
  try {
    made = RE2JS.compile(text)
  } catch (cause) {
    throw new Error(`error parsing regexp: ${(cause as Error).message}`)
  }
  if (patterns.size > 1000) patterns.clear()
  patterns.set(text, made)
  return made
}

const search = (text: string, pattern: string): number => Math.ceil(text.length / 10) * Math.ceil(pattern.length / 4)

function matches(text: string, pattern: string): boolean {
  spend(search(text, pattern))
  return compiled(pattern).matcher(text).find()
}

function findAll(text: string, pattern: string, limit = -1n): string[] {
  spend(search(text, pattern))
  const m = compiled(pattern).matcher(text)
  const out: string[] = []
  while ((limit < 0n || out.length < Number(limit)) && m.find()) {
    spend(1)
    out.push(m.group() ?? '')
  }
  return out
}

const outside = (index: bigint): Error => new Error(`index out of range: ${index}`)

function replace(text: string, old: string, by: string, times = -1n): string {
  const parts = text.split(old)
  const all = times < 0n || Number(times) >= parts.length - 1
  const out = all ? parts.join(by) : [...parts.slice(0, Number(times)), parts.slice(Number(times)).join(old)].join(by)
  spend(Math.ceil((text.length + out.length) / 10))
  return out
}

const quoted = (s: string): string => JSON.stringify(s)

/** A value as %s prints it. */
function shown(v: unknown, nested = false): string {
  if (typeof v === 'string') return nested ? quoted(v) : v
  if (v === null) return 'null'
  if (Array.isArray(v)) return `[${v.map((x) => shown(x, true)).join(', ')}]`
  if (v instanceof Date) return nested ? `timestamp(${quoted(v.toISOString())})` : v.toISOString().replace('.000Z', 'Z')
  if (v instanceof UnsignedInt) return String(v)
  if (typeof v === 'object' && (v.constructor === Object || v.constructor === undefined || v instanceof Map)) {
    const entries = v instanceof Map ? [...v] : Object.entries(v)
    const text = entries.map(([k, x]): [string, string] => [shown(k, true), shown(x, true)]).sort(([a], [b]) => (a < b ? -1 : 1))
    return `{${text.map(([k, x]) => `${k}: ${x}`).join(', ')}}`
  }
  return String(v)
}

const MAX_PRECISION = 100

/** cel-go's string.format: %s %d %f %e %x %X %o %b with a precision. */
function format(template: string, values: unknown[]): string {
  let next = 0
  const out = template.replace(/%%|%(?:\.(\d+))?([a-zA-Z])/g, (whole, precision: string | undefined, verb: string) => {
    if (whole === '%%') return '%'
    spend(1)
    if (next >= values.length) throw new Error(`index ${next} out of range`)
    const v = values[next++]
    const integer = typeof v === 'bigint' ? v : v instanceof UnsignedInt ? v.valueOf() : undefined
    const digits = Math.min(Number(precision ?? 6), MAX_PRECISION)
    const wrong = () => new Error(`error during formatting: %${verb} can not be used with ${typeof v}`)
    switch (verb) {
      case 's':
        return shown(v)
      case 'd':
        if (integer === undefined) throw wrong()
        return String(integer)
      case 'f':
        return Number(v).toFixed(digits)
      case 'e':
        return Number(v)
          .toExponential(digits)
          .replace(/e([+-])(\d)$/, 'e$10$2')
      case 'b':
        if (typeof v === 'boolean') return v ? '1' : '0'
        if (integer === undefined) throw wrong()
        return integer.toString(2)
      case 'o':
        if (integer === undefined) throw wrong()
        return integer.toString(8)
      case 'x':
      case 'X': {
        const bytes = typeof v === 'string' ? new TextEncoder().encode(v) : v instanceof Uint8Array ? v : undefined
        if (!bytes && integer === undefined) throw wrong()
        const hex = bytes ? Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('') : integer!.toString(16)
        return verb === 'X' ? hex.toUpperCase() : hex
      }
      default:
        throw new Error(`unrecognized formatting clause "${verb}"`)
    }
  })
  spend(Math.ceil(out.length / 10))
  return out
}

export function text(env: Environment): void {
  addFunctions(env, {
    'string.re2(string): bool': matches,
    're2(string, string): bool': matches,
    'string.find(string): string': (s: string, p: string) => findAll(s, p, 1n)[0] ?? '',
    'string.findAll(string): list<string>': (s: string, p: string) => findAll(s, p),
    'string.findAll(string, int): list<string>': findAll,
    'string.charAt(int): string': (s: string, i: bigint) => {
      const all = [...s]
      if (i < 0n || Number(i) > all.length) throw outside(i)
      return all[Number(i)] ?? ''
    },
    'string.replace(string, string): string': (s: string, a: string, b: string) => replace(s, a, b),
    'string.replace(string, string, int): string': replace,
    'string.reverse(): string': (s: string) => [...s].reverse().join(''),
    'string.format(list<dyn>): string': format,
  })
  addNamespace(env, 'strings', { 'quote(string): string': quoted })
  addNamespace(env, 'jsonpatch', { 'escapeKey(string): string': (s: string) => s.replaceAll('~', '~0').replaceAll('/', '~1') })
}
