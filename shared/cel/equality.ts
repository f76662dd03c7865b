// Equality as CEL has it: numbers of different types compare by value, lists and maps by content, and whatever else differs is unequal.
import { Duration, UnsignedInt } from '@marcbachmann/cel-js/evaluator'
import { spend } from './budget.ts'

const isMap = (v: object): boolean => !Array.isArray(v) && !(v instanceof Date) && !(v instanceof Uint8Array)

const entriesOf = (v: any): [unknown, unknown][] => (v instanceof Map ? [...v] : Object.entries(v))

const numeric = (v: unknown): unknown => (v instanceof UnsignedInt ? v.valueOf() : v)

/** Values with an `equals` of their own say by themselves. */
interface Comparable {
  equals(other: unknown): boolean
}

export function celEqual(left: unknown, right: unknown): boolean {
  spend(1)
  const [a, b] = [numeric(left), numeric(right)]
  if (a === b) return true
  if (typeof a !== typeof b) {
    const numbers = (typeof a === 'bigint' || typeof a === 'number') && (typeof b === 'bigint' || typeof b === 'number')
    // biome-ignore lint/suspicious/noDoubleEquals: 1 and 1n are equal here
    return numbers && a == b
  }
  if (typeof a !== 'object' || a === null || b === null) return false
  const other = b as object
  if (typeof (a as Partial<Comparable>).equals === 'function') return (a as Comparable).equals(other)
  if (a instanceof Date) return other instanceof Date && a.getTime() === other.getTime()
  if (a instanceof Duration) return other instanceof Duration && a.seconds === other.seconds && a.nanos === other.nanos
  if (Array.isArray(a) || a instanceof Uint8Array) {
    if (!(Array.isArray(other) || other instanceof Uint8Array) || a.length !== other.length) return false
    for (let i = 0; i < a.length; i++) if (!celEqual(a[i], other[i])) return false
    return true
  }
  if (!isMap(other)) return false
  const [x, y] = [entriesOf(a), new Map(entriesOf(other))]
  return x.length === y.size && x.every(([k, v]) => y.has(k) && celEqual(v, y.get(k)))
}

/** Whether a list has the value, or a map the key. */
export function celIn(value: unknown, container: unknown): boolean {
  if (Array.isArray(container)) return container.some((x) => celEqual(value, x))
  if (container instanceof Map) return container.has(value)
  return typeof container === 'object' && container !== null && Object.hasOwn(container, String(value))
}
