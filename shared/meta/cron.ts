// Cron schedules of five fields, names and macros, in the dialect of Kubernetes' CronJobs.
import { dictionary } from './dictionary.ts'
import { timeString } from './object.ts'

interface Bounds {
  min: number
  max: number
  names?: string[]
}

const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const days = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']
const bounds: Bounds[] = [
  { min: 0, max: 59 },
  { min: 0, max: 23 },
  { min: 1, max: 31 },
  { min: 1, max: 12, names: months },
  { min: 0, max: 6, names: days },
]

const macros: Record<string, string> = dictionary({
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
})

/** When a schedule is due: minutes, hours, days of the month, months, days of the week; or every so many seconds. */
export type Schedule =
  | { every: number }
  | {
      fields: Set<number>[]
      /** A star leaves the day to the other of the two day fields. */
      anyDay: boolean
      anyWeekday: boolean
    }

const units: Record<string, number> = { h: 3600, m: 60, s: 1 }

function number(text: string, b: Bounds): number {
  const named = b.names?.indexOf(text.toLowerCase()) ?? -1
  if (named >= 0) return named + b.min
  if (!/^\d+$/.test(text))
    throw new Error(`failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`)
  return Number(text)
}

function field(text: string, b: Bounds): { values: Set<number>; star: boolean } {
  const values = new Set<number>()
  let star = false
  for (const part of text.split(',')) {
    const [range, step, ...more] = part.split('/') as [string, string | undefined, ...string[]]
    if (more.length) throw new Error(`too many slashes: ${part}`)
    const ends = range.split('-')
    if (ends.length > 2) throw new Error(`too many hyphens: ${part}`)
    const any = ends[0] === '*' || ends[0] === '?'
    const from = any ? b.min : number(ends[0]!, b)
    let to = any ? b.max : ends[1] === undefined ? from : number(ends[1], b)
    const by = step === undefined ? 1 : number(step, { min: 0, max: 0 })
    // `N/step` reaches to the end.
    if (step !== undefined && !any && ends[1] === undefined) to = b.max
    if (any && by === 1) star = true
    if (from < b.min) throw new Error(`beginning of range (${from}) below minimum (${b.min}): ${part}`)
    if (to > b.max) throw new Error(`end of range (${to}) above maximum (${b.max}): ${part}`)
    if (from > to) throw new Error(`beginning of range (${from}) beyond end of range (${to}): ${part}`)
    if (by === 0) throw new Error(`step of range should be a positive number: ${part}`)
    for (let v = from; v <= to; v += by) values.add(v)
  }
  return { values, star }
}

/** Throws with what is wrong. */
export function parseSchedule(text: string): Schedule {
  if (!text.trim()) throw new Error('empty spec string')
  if (text.startsWith('@every ')) {
    const parts = [...text.slice(7).matchAll(/(\d+(?:\.\d+)?)([hms])/g)]
    if (!parts.length || parts.map((p) => p[0]).join('') !== text.slice(7)) throw new Error(`failed to parse duration ${text}`)
    return { every: Math.max(1, Math.floor(parts.reduce((n, p) => n + Number(p[1]) * units[p[2]!]!, 0))) }
  }
  const spec = text.startsWith('@') ? macros[text] : text
  if (!spec) throw new Error(`unrecognized descriptor: ${text}`)
  const words = spec.trim().split(/\s+/)
  if (words.length !== 5) throw new Error(`expected exactly 5 fields, found ${words.length}: [${words.join(' ')}]`)
  const parsed = words.map((w, i) => field(w, bounds[i]!))
  return { fields: parsed.map((p) => p.values), anyDay: parsed[2]!.star, anyWeekday: parsed[4]!.star }
}

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
/** What comes no sooner never comes: the 30th of February. */
const HORIZON = 5 * 366 * DAY

const formats = new Map<string, Intl.DateTimeFormat>()

/** How far a zone's clocks are ahead of UTC at a moment, ms. */
function offsetAt(ms: number, zone: string): number {
  if (zone === 'UTC') return 0
  let format = formats.get(zone)
  if (!format) {
    const fields = { year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric' } as const
    format = new Intl.DateTimeFormat('en-US', { timeZone: zone, hourCycle: 'h23', ...fields })
    formats.set(zone, format)
  }
  const parts = Object.fromEntries(format.formatToParts(ms).map((p) => [p.type, Number(p.value)])) as Record<string, number>
  const { year, month, day, hour, minute, second } = parts
  return Date.UTC(year!, month! - 1, day, hour, minute, second) - Math.floor(ms / 1000) * 1000
}

/** A moment as RFC 3339 in a zone: `2026-03-29T03:00:00+02:00`. */
export function zonedString(ms: number, zone = 'UTC'): string {
  const offset = offsetAt(ms, zone) / MINUTE
  if (!offset) return timeString(ms)
  const two = (n: number) => String(n).padStart(2, '0')
  const minutes = Math.abs(offset)
  return `${timeString(ms + offset * MINUTE).slice(0, -1)}${offset < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`
}

/**
 * The first time after `after` (ms) at which a schedule is due in a zone; undefined when none comes. Times that the clocks leap over are not, times that
 * they show twice are due twice: as robfig/cron has it.
 */
export function nextTime(s: Schedule, after: number, zone = 'UTC'): number | undefined {
  if ('every' in s) return Math.floor(after / 1000) * 1000 + s.every * 1000
  const [minutes, hours, dates, months, weekdays] = s.fields as [Set<number>, Set<number>, Set<number>, Set<number>, Set<number>]
  const dayFits = (d: Date) => {
    const [date, weekday] = [dates.has(d.getUTCDate()), weekdays.has(d.getUTCDay())]
    return s.anyDay || s.anyWeekday ? date && weekday : date || weekday
  }
  let t = (Math.floor(after / MINUTE) + 1) * MINUTE
  while (t <= after + HORIZON) {
    const local = new Date(t + offsetAt(t, zone))
    if (!months.has(local.getUTCMonth() + 1) || !dayFits(local)) {
      t += DAY - ((t + offsetAt(t, zone)) % DAY)
      // A day may be shorter than a day: back to its begin.
      const over = (t + offsetAt(t, zone)) % DAY
      if (over && over < DAY / 2) t -= over
    } else if (!hours.has(local.getUTCHours())) t += HOUR - local.getUTCMinutes() * MINUTE
    else if (!minutes.has(local.getUTCMinutes())) t += MINUTE
    else return t
  }
  return undefined
}

/** The last time at or before `until` at which a schedule was due after `after`, and whether there were more than `many`. */
export function lastTime(s: Schedule, after: number, until: number, zone: string, many: number): { at: number; more: boolean } | undefined {
  const first = nextTime(s, after, zone)
  if (first === undefined || first > until) return undefined
  if ('every' in s) {
    const n = Math.floor((until - first) / (s.every * 1000))
    return { at: first + n * s.every * 1000, more: n + 1 > many }
  }
  // From an hour, a day, a month before: sooner or later one has something in it.
  let from = first - 1
  for (const span of [HOUR, DAY, 31 * DAY, 366 * DAY]) {
    const begin = Math.max(first - 1, until - span)
    if ((nextTime(s, begin, zone) ?? Number.POSITIVE_INFINITY) <= until) {
      from = begin
      break
    }
  }
  let at = first
  let n = 0
  for (let t = nextTime(s, from, zone); t !== undefined && t <= until; t = nextTime(s, t, zone)) {
    at = t
    n++
  }
  const second = nextTime(s, first, zone) ?? Number.POSITIVE_INFINITY
  return { at, more: n > many || (until - first) / (second - first) + 1 > many }
}
