// What one account may use, so that no tenant exhausts another: counts in the database, rates in this process.
import type { Clock } from '../ports/clock.ts'

export interface Limits {
  clusters: number
  tokens: number
  members: number
  /** Objects in one cluster. */
  objects: number
  /** Watches open at once in one cluster. */
  watches: number
  requestsPerSecond: number
}

export const defaultLimits: Limits = {
  clusters: 10,
  tokens: 200,
  members: 200,
  objects: 100_000,
  watches: 2000,
  requestsPerSecond: 400,
}

const MAX_BUCKETS = 10_000
/** How many seconds' worth may be spent at once. */
const BURST_SECONDS = 2

/** Token buckets by key. Bounded: the one longest unused goes first, and starts full when it comes back. */
export class Rates {
  readonly #clock: Clock
  readonly #buckets = new Map<string, { left: number; at: number }>()
  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Takes one from the key's bucket; false when it is empty. */
  take(key: string, perSecond: number): boolean {
    const now = this.#clock.now()
    const full = Math.max(1, perSecond * BURST_SECONDS)
    const b = this.#buckets.get(key) ?? { left: full, at: now }
    this.#buckets.delete(key)
    if (this.#buckets.size >= MAX_BUCKETS) this.#buckets.delete(this.#buckets.keys().next().value!)
    this.#buckets.set(key, b)
    b.left = Math.min(full, b.left + ((now - b.at) / 1000) * perSecond)
    b.at = now
    if (b.left < 1) return false
    b.left -= 1
    return true
  }
}
