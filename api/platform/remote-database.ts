// The Database port over a remote libSQL server (sqld, Turso): one POST a call, a client a call, since a shared one crosses requests.
// Used by Workers, and by Node when a database URL is given.
import { createClient, type InValue, LibsqlBatchError, type ResultSet } from '@libsql/client/web'
import type { Database, Row, WriteOutcome } from '../ports/database.ts'

export interface RemoteOptions {
  url: string
  authToken?: string
  fetch?: typeof fetch
  /** One of several databases of an sqld with namespaces. */
  namespace?: string
}

/** Writes under way at a time: with more than a dozen at once sqld does a fifth of them a second, and stalls for its five seconds of patience. */
const MAX_WRITES = 4
/** A write that was cut off by its platform gives its place back by then, ms. */
const PLACE_LASTS = 10_000
const TURN_LASTS = 1000
/** How often somebody else's transaction may be in the way of one write. */
const ATTEMPTS = 6
const SHORTLY = 10

const pause = (ms: number) => new Promise<void>((r) => setTimeout(r, ms))

/**
 * Places for writes, in the order of their asking. Who waits looks again by a timer of its own: on Workers a request must not wait for what
 * another one does, since that may be cut off at any moment; for the same reason places and turns run out.
 */
class Places {
  /** Each with the time that it is good until, ms. */
  readonly #taken = new Set<{ until: number }>()
  readonly #waiting = new Set<{ until: number }>()

  async take(): Promise<() => void> {
    const turn = { until: Number.POSITIVE_INFINITY }
    this.#waiting.add(turn)
    for (let ahead = this.#ahead(turn); ahead > 0; ahead = this.#ahead(turn)) {
      turn.until = Date.now() + TURN_LASTS
      await pause(Math.min(ahead, SHORTLY))
      // Whoever was slow to look is behind the others now.
      this.#waiting.add(turn)
    }
    this.#waiting.delete(turn)
    const place = { until: Date.now() + PLACE_LASTS }
    this.#taken.add(place)
    return () => this.#taken.delete(place)
  }

  /** How many have to end or go first; none where it is 0 or less. */
  #ahead(turn: { until: number }): number {
    const now = Date.now()
    for (const p of this.#taken) if (p.until <= now) this.#taken.delete(p)
    let ahead = this.#taken.size - MAX_WRITES
    for (const w of this.#waiting) {
      ahead++
      if (w === turn) break
      if (w.until <= now) this.#waiting.delete(w)
    }
    return ahead
  }
}

const CHECK = "SELECT iif(changes() = ?, 1, json('EXPECT'))"

function toRows(result: ResultSet): Row[] {
  return result.rows.map((r) => Array.from({ length: result.columns.length }, (_, i) => r[i] as Row[number]))
}

/** Error texts of the driver carry statement arguments: only its code and index leave this file. */
class RemoteDatabaseError extends Error {
  readonly code: string
  constructor(code: string) {
    super(`database failed: ${code}`)
    this.code = code
  }
}

export function openRemote(options: RemoteOptions): Database {
  // sqld takes the namespace from the first label of the host name, or from this header: names of hosts are not ours to make.
  const inNamespace = (base: typeof fetch, namespace: string) => (input: RequestInfo | URL, init?: RequestInit) => {
    const request = new Request(input, init)
    request.headers.set('x-namespace-bin', btoa(namespace))
    return base(request)
  }
  const through = options.namespace ? inNamespace(options.fetch ?? fetch, options.namespace) : options.fetch
  const client = () => createClient({ url: options.url, authToken: options.authToken, intMode: 'number', fetch: through })
  const fail = (cause: unknown): never => {
    throw new RemoteDatabaseError(String((cause as { code?: string }).code ?? (cause as Error).name))
  }
  const places = new Places()
  /** One transaction. When it found no way in, nothing of it happened: then it is tried again. */
  const send = async (statements: { sql: string; args: InValue[] }[]): Promise<ResultSet[]> => {
    for (let attempt = 1; ; attempt++) {
      const c = client()
      try {
        return await c.batch(statements, 'write')
      } catch (cause) {
        if (attempt === ATTEMPTS || (cause as { code?: string }).code !== 'SQLITE_BUSY') throw cause
      } finally {
        c.close()
      }
      await pause(SHORTLY * 2 ** attempt * (0.5 + Math.random()))
    }
  }
  const database: Database = {
    read: async (statements) => {
      const c = client()
      try {
        const args = statements.map((s) => ({ sql: s.sql, args: s.args as InValue[] }))
        return (args.length === 1 ? [await c.execute(args[0]!)] : await c.batch(args, 'read')).map(toRows)
      } catch (cause) {
        return fail(cause)
      } finally {
        c.close()
      }
    },
    write: async (statements): Promise<WriteOutcome> => {
      const sent: { sql: string; args: InValue[] }[] = []
      const origin: number[] = []
      const checks = new Set<number>()
      for (const [i, s] of statements.entries()) {
        sent.push({ sql: s.sql, args: s.args as InValue[] })
        origin.push(i)
        if (s.expect === undefined) continue
        checks.add(sent.length)
        sent.push({ sql: CHECK, args: [s.expect] })
        origin.push(i)
      }
      const done = await places.take()
      try {
        const results = await send(sent)
        const own = results.filter((_, i) => !checks.has(i))
        return { ok: true, rowids: own.map((r) => Number(r.lastInsertRowid ?? 0)), rows: own.map(toRows) }
      } catch (cause) {
        const index = (cause as LibsqlBatchError).statementIndex
        const text = String((cause as Error).message)
        if (cause instanceof LibsqlBatchError && index !== undefined) {
          if (/UNIQUE constraint|PRIMARY KEY/i.test(text)) return { ok: false, index: origin[index]!, reason: 'unique' }
          if (/malformed JSON/i.test(text)) return { ok: false, index: origin[index]!, reason: checks.has(index) ? 'expect' : 'guard' }
        }
        return fail(cause)
      } finally {
        done()
      }
    },
    migrate: async (migrations) => {
      await database.write([{ sql: 'CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, at INTEGER NOT NULL)', args: [] }])
      const [done] = await database.read([{ sql: 'SELECT name FROM migrations', args: [] }])
      const known = new Set(done!.map((r) => r[0]))
      for (const m of migrations) {
        if (known.has(m.name)) continue
        const parts = m.sql.split('--> statement-breakpoint').map((sql) => ({ sql, args: [] }))
        await database.write([...parts, { sql: "INSERT INTO migrations(name, at) VALUES (?, strftime('%s'))", args: [m.name] }])
      }
    },
    close: async () => {},
  }
  return database
}
