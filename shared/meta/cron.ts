// Cron schedules of five fields, names and macros, in the dialect of Kubernetes' CronJobs.
import { dictionary } from './dictionary.ts'

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
