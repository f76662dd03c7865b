// How many objects a cluster holds, for the bound that a host sets. Counted anew now and then, kept by what this process sees between.
import type { Clock } from '../ports/clock.ts'
import type { Database } from '../ports/database.ts'
import type { LogEvent } from '../store/store.ts'

const COUNT_AGE = 10_000

export class ObjectCount {
  readonly #database: Database
  readonly #clock: Clock
  readonly #max: number
  #count = 0
  #at = Number.NEGATIVE_INFINITY

  constructor(database: Database, clock: Clock, max: number) {
    this.#database = database
    this.#clock = clock
    this.#max = max
  }

  observe(e: LogEvent): void {
    if (e.verb === 'create') this.#count++
    else if (e.verb === 'delete') this.#count--
  }

  async full(): Promise<boolean> {
    if (this.#clock.now() - this.#at >= COUNT_AGE) {
      this.#at = this.#clock.now()
      const [rows] = await this.#database.read([{ sql: 'SELECT count(*) FROM objects', args: [], one: true }])
      this.#count = rows![0]![0] as number
    }
    return this.#count >= this.#max
  }
}
