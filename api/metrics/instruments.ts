// Counters and histograms that are kept while a process runs, and shown as Prometheus reads them. What is counted costs a look-up; how many series there may
// be is bounded, for labels come from requests.
import type { Family, Sample } from '../../shared/exposition.ts'

const MOST_SERIES = 5000

type Labels = Record<string, string>

/** Series by their labels. Beyond the bound new ones are not counted: what was there goes on. */
class Series<T> {
  readonly #all = new Map<string, { labels: Labels; value: T }>()
  readonly #make: () => T

  constructor(make: () => T) {
    this.#make = make
  }

  /** Labels have to come in the same order each time. */
  of(labels: Labels): T | undefined {
    let key = ''
    for (const name in labels) key += `${labels[name]}\n`
    const known = this.#all.get(key)
    if (known) return known.value
    if (this.#all.size >= MOST_SERIES) return undefined
    const made = { labels, value: this.#make() }
    this.#all.set(key, made)
    return made.value
  }
  [Symbol.iterator](): IterableIterator<{ labels: Labels; value: T }> {
    return this.#all.values()
  }
  get any(): boolean {
    return this.#all.size > 0
  }
  /** All series; there are none from now on. */
  take(): { labels: Labels; value: T }[] {
    const all = [...this.#all.values()]
    this.#all.clear()
    return all
  }
}

/** What an instrument has counted somewhere else. */
export type Counted<T> = { labels: Labels; value: T }[]

export class Counter {
  readonly #name: string
  readonly #help: string
  readonly #series = new Series(() => ({ n: 0 }))

  constructor(name: string, help: string) {
    this.#name = name
    this.#help = help
  }

  add(labels: Labels, n = 1): void {
    const s = this.#series.of(labels)
    if (s) s.n += n
  }
  get any(): boolean {
    return this.#series.any
  }
  /** What was counted so far, to be added somewhere else. */
  take(): Counted<{ n: number }> {
    return this.#series.take()
  }
  merge(counted: Counted<{ n: number }>): void {
    for (const { labels, value } of counted) this.add(labels, value.n)
  }
  families(): Family[] {
    const samples = [...this.#series].map(({ labels, value }): Sample => ({ labels, value: value.n }))
    return [{ name: this.#name, help: this.#help, type: 'counter', samples }]
  }
}

interface Observed {
  /** By bound, of those that are no larger, and larger than the one before. */
  counts: number[]
  sum: number
  count: number
}

export class Histogram {
  readonly #name: string
  readonly #help: string
  readonly #bounds: readonly number[]
  readonly #series: Series<Observed>

  /** `bounds` rise. */
  constructor(name: string, help: string, bounds: readonly number[]) {
    this.#name = name
    this.#help = help
    this.#bounds = bounds
    this.#series = new Series(() => ({ counts: bounds.map(() => 0), sum: 0, count: 0 }))
  }

  observe(labels: Labels, value: number): void {
    const s = this.#series.of(labels)
    if (!s) return
    s.sum += value
    s.count++
    const at = this.#bounds.findIndex((b) => value <= b)
    if (at >= 0) s.counts[at]!++
  }
  take(): Counted<Observed> {
    return this.#series.take()
  }
  merge(counted: Counted<Observed>): void {
    for (const { labels, value } of counted) {
      const s = this.#series.of(labels)
      if (!s) continue
      s.sum += value.sum
      s.count += value.count
      for (const [i, n] of value.counts.entries()) if (i < s.counts.length) s.counts[i]! += n
    }
  }
  families(): Family[] {
    const samples = [...this.#series].flatMap(({ labels, value: { counts, sum, count } }): Sample[] => {
      let below = 0
      const buckets = this.#bounds.map((b, i): Sample => {
        below += counts[i]!
        return { labels: { ...labels, le: String(b) }, value: below, part: 'bucket' }
      })
      return [
        ...buckets,
        { labels: { ...labels, le: '+Inf' }, value: count, part: 'bucket' },
        { labels, value: sum, part: 'sum' },
        { labels, value: count, part: 'count' },
      ]
    })
    return [{ name: this.#name, help: this.#help, type: 'histogram', samples }]
  }
}
