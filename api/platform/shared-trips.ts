// What one process asks of a remote database at the same moment, in few round trips: while one is under way, the next collects.
// Not for a Worker's stateless handlers, where one request must not wait for what another one sends.
import type { Database, Row, Statement, WriteOutcome } from '../ports/database.ts'
import type { RemoteDatabase } from './remote-database.ts'

/** Of all the statements that travel together. */
const MAX_STATEMENTS = 512
const MAX_TEXT = 1024 * 1024
/** Only small reads travel together; as many trips as this do so at a time. */
const READ_TRIPS = 4

interface Call<T> {
  statements: Statement[]
  resolve(answer: T): void
  reject(cause: unknown): void
}

const textOf = (call: Call<unknown>): number =>
  call.statements.reduce((n, s) => n + s.args.reduce<number>((m, a) => m + (typeof a === 'string' ? a.length : 8), 0), 0)

/** Calls that wait, and as many trips under way as are allowed. */
class Trips<T> {
  readonly #waiting: Call<T>[] = []
  readonly #most: number
  readonly #send: (calls: Call<T>[]) => Promise<void>
  #underWay = 0
  #soon = false

  constructor(most: number, send: (calls: Call<T>[]) => Promise<void>) {
    this.#most = most
    this.#send = send
  }

  add(statements: Statement[]): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ statements, resolve, reject })
      this.#start()
    })
  }

  #start(): void {
    if (this.#soon || this.#underWay >= this.#most || !this.#waiting.length) return
    this.#soon = true
    // Who asks in the same turn comes along.
    queueMicrotask(() => {
      this.#soon = false
      this.#underWay++
      void this.#send(this.#next()).finally(() => {
        this.#underWay--
        this.#start()
      })
      this.#start()
    })
  }

  /** The first call, and those behind it that the same trip has room for. */
  #next(): Call<T>[] {
    let statements = 0
    let text = 0
    const full = this.#waiting.findIndex((call, i) => {
      statements += call.statements.length
      text += textOf(call)
      return i > 0 && (statements > MAX_STATEMENTS || text > MAX_TEXT)
    })
    return this.#waiting.splice(0, full < 0 ? this.#waiting.length : full)
  }
}

export function sharingTrips(database: RemoteDatabase): Database {
  const write = async (calls: Call<WriteOutcome>[]): Promise<void> => {
    const outcomes = await database.writeEach(calls.map((c) => c.statements)).catch((cause: Error) => calls.map(() => cause))
    for (const [i, c] of calls.entries()) {
      const outcome = outcomes[i]!
      if (outcome instanceof Error) c.reject(outcome)
      else c.resolve(outcome)
    }
  }
  const read = async (calls: Call<Row[][]>[]): Promise<void> => {
    try {
      const rows = await database.read(calls.flatMap((c) => c.statements))
      for (const c of calls) c.resolve(rows.splice(0, c.statements.length))
    } catch {
      // A statement of somebody else's may be to blame.
      for (const c of calls) await database.read(c.statements).then(c.resolve, c.reject)
    }
  }
  const writes = new Trips<WriteOutcome>(1, write)
  const reads = new Trips<Row[][]>(READ_TRIPS, read)
  return {
    read: (statements) => (statements.every((s) => s.one) ? reads.add(statements) : database.read(statements)),
    write: (statements) => writes.add(statements),
    migrate: (migrations) => database.migrate(migrations),
    close: () => database.close(),
  }
}
