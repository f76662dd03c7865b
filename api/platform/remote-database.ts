// The Database port over a remote libSQL server (sqld, Turso): one POST a call, a client a call, since a shared one crosses requests.
// Used by Workers, and by Node when a database URL is given. Writes speak the server's protocol themselves, for its conditions: each of several
// in one transaction stands or falls alone.
import { createClient, type InValue, type ResultSet } from '@libsql/client/web'
import * as hrana from '@libsql/hrana-client'
import type { Database, Row, Statement, WriteOutcome } from '../ports/database.ts'

export interface RemoteOptions {
  url: string
  authToken?: string
  fetch?: typeof fetch
  /** One of several databases of an sqld with namespaces. */
  namespace?: string
}

/** Reads under way at a time; a server has 128 connections for all. */
const MAX_READS = 32
/** Writes under way at a time: with more than a dozen at once sqld does a fifth of them a second, and stalls for its five seconds of patience. */
const MAX_WRITES = 4
/** A call that was cut off by its platform gives its place back by then, ms. */
const PLACE_LASTS = 10_000
const TURN_LASTS = 1000
/** How often somebody else's transaction may be in the way of one write. */
const ATTEMPTS = 6
const SHORTLY = 10

const pause = (ms: number) => new Promise<void>((r) => setTimeout(r, ms))

/**
 * Places for calls, in the order of their asking. Who waits looks again by a timer of its own: on Workers a request must not wait for what
 * another one does, since that may be cut off at any moment; for the same reason places and turns run out.
 */
class Places {
  readonly #most: number
  /** Each with the time that it is good until, ms. */
  readonly #taken = new Set<{ until: number }>()
  readonly #waiting = new Set<{ until: number }>()

  constructor(most: number) {
    this.#most = most
  }

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
    let ahead = this.#taken.size - this.#most
    for (const w of this.#waiting) {
      ahead++
      if (w === turn) break
      if (w.until <= now) this.#waiting.delete(w)
    }
    return ahead
  }
}

const CHECK = "SELECT iif(changes() = ?, 1, json('EXPECT'))"
/** What the server keeps of a text that comes more than once in a POST is shorter than this. */
const MAX_STORED = 5000

export interface RemoteDatabase extends Database {
  /** Several writes in one transaction and one POST. Throws when the outcome of all is unknown; an Error is of one whose statements cannot be run. */
  writeEach(writes: Statement[][]): Promise<(WriteOutcome | Error)[]>
}

const toRows = (rows: ResultSet['rows'] | hrana.Row[], columns: number): Row[] =>
  rows.map((r) => Array.from({ length: columns }, (_, i) => r[i] as Row[number]))

/** Error texts of the driver carry statement arguments: only its code and index leave this file. */
class RemoteDatabaseError extends Error {
  readonly code: string
  constructor(code: string) {
    super(`database failed: ${code}`)
    this.code = code
  }
}

const codeOf = (cause: unknown): string => String((cause as { code?: string }).code ?? (cause as Error).name)

type Step = hrana.BatchStep
const { ok, not, and } = hrana.BatchCond

/** The steps of one write: what they will have come to once the batch has run. */
function addWrite(batch: hrana.Batch, begun: Step, sqlOf: (sql: string) => hrana.InSql, statements: Statement[]) {
  let last = begun
  const step = <T>(sql: hrana.InSql, args: unknown[], add: (step: Step, stmt: hrana.Stmt) => Promise<T>) => {
    const next = batch.step().condition(ok(last))
    last = next
    const answer = add(next, new hrana.Stmt(sql).bindIndexes(args as hrana.InValue[]))
    // They are looked at in order, long after the first may have failed.
    answer.catch(() => undefined)
    return answer
  }
  const answers = statements.map(({ sql, args, expect }) => ({
    answer: step(sqlOf(sql), args, (s, stmt) => s.query(stmt)),
    check: expect === undefined ? undefined : step(sqlOf(CHECK), [expect], (s, stmt) => s.run(stmt)),
  }))
  const outcome = async (): Promise<WriteOutcome | Error> => {
    const results: (hrana.RowsResult | undefined)[] = []
    for (const [index, { answer, check }] of answers.entries()) {
      let reason: 'expect' | 'guard' = 'guard'
      try {
        results.push(await answer)
        reason = 'expect'
        await check
      } catch (cause) {
        const text = String((cause as Error).message)
        if (/UNIQUE constraint|PRIMARY KEY/i.test(text)) return { ok: false, index, reason: 'unique' }
        if (/malformed JSON/i.test(text)) return { ok: false, index, reason }
        return new RemoteDatabaseError(codeOf(cause))
      }
    }
    return {
      ok: true,
      rowids: results.map((r) => Number(r?.lastInsertRowid ?? 0)),
      rows: results.map((r) => (r ? toRows(r.rows, r.columnNames.length) : [])),
    }
  }
  return { last, outcome }
}

/** One transaction; each write in a savepoint where there are several. Closes the client. */
async function transaction(client: hrana.HttpClient, writes: Statement[][]): Promise<(WriteOutcome | Error)[]> {
  client.intMode = 'number'
  try {
    const stream = client.openStream()
    const known = new Map<string, hrana.Sql>()
    const times = Map.groupBy(writes.flat(), (s) => s.sql)
    const sqlOf = (sql: string): hrana.InSql => {
      if (sql.length >= MAX_STORED || (times.get(sql)?.length ?? 2) < 2) return sql
      const stored = known.get(sql) ?? stream.storeSql(sql)
      known.set(sql, stored)
      return stored
    }
    const batch = stream.batch(false)
    const begin = batch.step()
    const begun = begin.run('BEGIN IMMEDIATE')
    const control = (sql: string, ...conditions: hrana.BatchCond[]): [Step, Promise<unknown>] => {
      const step = batch.step().condition(and(batch, [ok(begin), ...conditions]))
      const answer = step.run(sql)
      answer.catch(() => undefined)
      return [step, answer]
    }
    const alone = writes.length === 1
    const all = writes.map((statements) => {
      const [start] = alone ? [begin] : control('SAVEPOINT w')
      const added = addWrite(batch, start, sqlOf, statements)
      if (!alone) {
        control('ROLLBACK TO w', ok(start), not(ok(added.last)))
        control('RELEASE w', ok(start))
      }
      return added
    })
    const [commit, committed] = control('COMMIT', ...(alone ? [ok(all[0]!.last)] : []))
    control('ROLLBACK', not(ok(commit)))
    const executed = batch.execute()
    stream.closeGracefully()
    await executed
    await begun
    await committed
    return await Promise.all(all.map((w) => w.outcome()))
  } finally {
    client.close()
  }
}

/** When a transaction found no way in, nothing of it happened: then it is tried again. */
async function persistently<T>(run: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await run()
    } catch (cause) {
      if (attempt === ATTEMPTS || codeOf(cause) !== 'SQLITE_BUSY') throw cause
    }
    await pause(SHORTLY * 2 ** attempt * (0.5 + Math.random()))
  }
}

export function openRemote(options: RemoteOptions): RemoteDatabase {
  // sqld takes the namespace from the first label of the host name, or from this header: names of hosts are not ours to make.
  const inNamespace = (base: typeof fetch, namespace: string) => (input: RequestInfo | URL, init?: RequestInit) => {
    const request = new Request(input, init)
    request.headers.set('x-namespace-bin', btoa(namespace))
    return base(request)
  }
  const through = options.namespace ? inNamespace(options.fetch ?? fetch, options.namespace) : options.fetch
  const client = () => createClient({ url: options.url, authToken: options.authToken, intMode: 'number', fetch: through })
  const { hranaHttpUrl: url, authToken = options.authToken } = hrana.parseLibsqlUrl(options.url)
  if (!url) throw new Error('the URL of a database begins with libsql:, https: or http:')
  const fail = (cause: unknown): never => {
    throw new RemoteDatabaseError(codeOf(cause))
  }
  const [readers, writers] = [new Places(MAX_READS), new Places(MAX_WRITES)]
  const database: RemoteDatabase = {
    read: async (statements) => {
      const done = await readers.take()
      const c = client()
      try {
        const args = statements.map((s) => ({ sql: s.sql, args: s.args as InValue[] }))
        return (args.length === 1 ? [await c.execute(args[0]!)] : await c.batch(args, 'read')).map((r) => toRows(r.rows, r.columns.length))
      } catch (cause) {
        return fail(cause)
      } finally {
        c.close()
        done()
      }
    },
    writeEach: async (writes) => {
      const done = await writers.take()
      try {
        return await persistently(() => transaction(hrana.openHttp(url, authToken, through), writes))
      } catch (cause) {
        return fail(cause)
      } finally {
        done()
      }
    },
    write: async (statements) => {
      const [outcome] = await database.writeEach([statements])
      if (outcome instanceof Error) throw outcome
      return outcome!
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
