// Searching what the pods of a namespace have said, those that are gone too: the question as a query string, and a line of what is found.
import { badRequest } from './status/index.ts'

export const OBSERVE_GROUP = 'observe.kedge.dev'
/** The kind that makes metrics of lines (shared/kinds/log-counter.ts), as a resource. */
export const LOG_COUNTERS = `logcounters.${OBSERVE_GROUP}`

export interface LogLine {
  /** RFC 3339, with nanoseconds. */
  time: string
  namespace: string
  pod: string
  uid: string
  container: string
  /** `stdout` or `stderr`. */
  stream: string
  text: string
}

export interface LogQuery {
  /** One pod alone. */
  pod?: string
  labelSelector?: string
  container?: string
  /** What a line has in it, as it is. */
  text?: string
  /** From when and until when, ms since 1970. */
  since?: number
  until?: number
  /** So many lines, the newest. */
  limit: number
}

/** By their times, the last ones. */
export const newestLines = (lines: readonly LogLine[], limit: number): LogLine[] =>
  lines.toSorted((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0)).slice(-limit)

const DEFAULT_LIMIT = 1000
const MOST_LINES = 10_000

/** Throws 400 on what cannot be read. Times are RFC 3339. */
export function logQueryOf(q: URLSearchParams): LogQuery {
  const time = (name: string) => {
    const text = q.get(name)
    if (!text) return {}
    const at = Date.parse(text)
    if (Number.isNaN(at)) throw badRequest(`${name}: ${JSON.stringify(text)} is no time`)
    return { [name]: at }
  }
  const limit = Number(q.get('limit') ?? DEFAULT_LIMIT)
  if (!Number.isInteger(limit) || limit < 1 || limit > MOST_LINES) throw badRequest(`limit: a number from 1 to ${MOST_LINES}`)
  const words = ['pod', 'labelSelector', 'container', 'text'].flatMap((name) => (q.get(name) ? [[name, q.get(name)!]] : []))
  return { ...Object.fromEntries(words), ...time('since'), ...time('until'), limit }
}
