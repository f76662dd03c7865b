// What to do to one JSON value to make it another, as a JSON patch (RFC 6902).
import { equal } from './field-set.ts'

export type Operation = { op: 'add' | 'replace'; path: string; value: unknown } | { op: 'remove'; path: string }

const isObject = (v: unknown): v is Record<string, unknown> => typeof v === 'object' && v !== null && !Array.isArray(v)
const pointer = (key: string): string => key.replaceAll('~', '~0').replaceAll('/', '~1')

/** Lists of one length are compared item by item; of others the whole is replaced. */
export function jsonDiff(from: unknown, to: unknown, path = ''): Operation[] {
  if (equal(from, to)) return []
  if (isObject(from) && isObject(to))
    return [...new Set([...Object.keys(from), ...Object.keys(to)])].flatMap((key): Operation[] => {
      const at = `${path}/${pointer(key)}`
      if (!(key in to)) return [{ op: 'remove', path: at }]
      return key in from ? jsonDiff(from[key], to[key], at) : [{ op: 'add', path: at, value: to[key] }]
    })
  if (Array.isArray(from) && Array.isArray(to) && from.length === to.length)
    return from.flatMap((v, i) => jsonDiff(v, to[i], `${path}/${i}`))
  return [{ op: 'replace', path, value: to }]
}
