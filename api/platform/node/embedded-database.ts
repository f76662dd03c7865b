// The Database port over the embedded libSQL engine: prepared statements, WAL, synchronous=FULL and group commit.
// The writes of one tick share a transaction and its fsync; when one of them fails, the group runs again with a savepoint around each.
import Libsql from 'libsql'
import type { Database, Row, Statement, WriteOutcome } from '../../ports/database.ts'

const MAX_GROUP = 256

interface Pending {
  statements: Statement[]
  resolve(outcome: WriteOutcome): void
  reject(cause: unknown): void
}

type Prepared = {
  run(args?: unknown[]): { changes: number; lastInsertRowid: number | bigint }
  get(args: unknown[]): Row | undefined
  all(args: unknown[]): Row[]
  raw(on: boolean): Prepared
}

const reads = (sql: string) => sql.startsWith('SELECT') || sql.includes(' RETURNING ')

class Rejected extends Error {
  readonly outcome: WriteOutcome
  constructor(index: number, reason: 'unique' | 'expect' | 'guard') {
    super(reason)
    this.outcome = { ok: false, index, reason }
  }
}

/** Opens (and makes) the file; `:memory:` works for tests. */
export function openEmbedded(file: string): Database {
  const db = new Libsql(file)
  for (const pragma of [
    'journal_mode = WAL',
    'synchronous = FULL',
    'busy_timeout = 5000',
    'cache_size = -4096',
    'wal_autocheckpoint = 2000',
  ])
    db.exec(`PRAGMA ${pragma}`)
  const cache = new Map<string, Prepared>()
  // libsql 0.5 answers `get` with the row of an earlier `all` when both run on one prepared statement: each has its own.
  const single = (sql: string) => `1 ${sql}`
  const prepare = (sql: string, one = false): Prepared => {
    const key = one ? single(sql) : sql
    let p = cache.get(key)
    if (!p) {
      // Selector lists make new texts: the cache is bounded, the oldest go.
      if (cache.size >= 200) cache.delete(cache.keys().next().value!)
      p = db.prepare(sql) as unknown as Prepared
      if (reads(sql)) p.raw(true)
      cache.set(key, p)
    }
    return p
  }
  const begin = prepare('BEGIN IMMEDIATE')
  const commit = prepare('COMMIT')
  const rollback = prepare('ROLLBACK')
  const savepoint = prepare('SAVEPOINT w')
  const release = prepare('RELEASE w')
  const undo = prepare('ROLLBACK TO w')

  const rowsOf = (s: Statement): Row[] => {
    if (!s.one) return prepare(s.sql).all(s.args)
    try {
      const row = prepare(s.sql, true).get(s.args)
      return row ? [row] : []
    } catch (cause) {
      // A prepared statement whose `get` has failed fails ever after.
      cache.delete(single(s.sql))
      throw cause
    }
  }
  const runOne = (statements: Statement[]): WriteOutcome => {
    const rowids: number[] = []
    const rows: Row[][] = []
    for (const [index, s] of statements.entries()) {
      try {
        if (reads(s.sql)) {
          rows.push(rowsOf(s))
          rowids.push(0)
        } else {
          const r = prepare(s.sql).run(s.args)
          rows.push([])
          rowids.push(Number(r.lastInsertRowid))
          if (s.expect !== undefined && r.changes !== s.expect) throw new Rejected(index, 'expect')
        }
      } catch (cause) {
        if (cause instanceof Rejected) throw cause
        const text = String((cause as Error).message)
        if (/UNIQUE constraint|PRIMARY KEY/i.test(text)) throw new Rejected(index, 'unique')
        if (/malformed JSON/i.test(text)) throw new Rejected(index, 'guard')
        throw cause
      }
    }
    return { ok: true, rowids, rows }
  }

  const queue: Pending[] = []
  let scheduled = false
  type Done = [Pending, WriteOutcome | undefined, unknown]

  /** Nobody is refused in nearly every group: then no savepoints are needed. Undefined when somebody was, and nothing is written. */
  const runTogether = (group: Pending[]): Done[] | undefined => {
    begin.run()
    try {
      const done = group.map((p): Done => [p, runOne(p.statements), undefined])
      commit.run()
      return done
    } catch {
      rollback.run()
      return undefined
    }
  }
  /** Each write in a savepoint of its own: one that fails takes no other with it. */
  const runApart = (group: Pending[]): Done[] => {
    begin.run()
    const done = group.map((p): Done => {
      savepoint.run()
      try {
        const outcome = runOne(p.statements)
        release.run()
        return [p, outcome, undefined]
      } catch (cause) {
        undo.run()
        release.run()
        return cause instanceof Rejected ? [p, cause.outcome, undefined] : [p, undefined, cause]
      }
    })
    commit.run()
    return done
  }
  const flush = () => {
    scheduled = false
    const group = queue.splice(0, MAX_GROUP)
    if (queue.length) schedule()
    let done: Done[]
    try {
      done = runTogether(group) ?? runApart(group)
    } catch (cause) {
      try {
        rollback.run()
      } catch {
        // No transaction was open: the begin itself failed.
      }
      for (const p of group) p.reject(cause)
      return
    }
    for (const [p, outcome, cause] of done) outcome ? p.resolve(outcome) : p.reject(cause)
  }
  const schedule = () => {
    if (scheduled) return
    scheduled = true
    // While more writes keep coming, they are waited for, twice at most: a larger group costs the same flush.
    let seen = queue.length
    let turns = 2
    const turn = () => {
      if (turns-- === 0 || queue.length === seen) return flush()
      seen = queue.length
      setImmediate(turn)
    }
    setImmediate(turn)
  }

  return {
    // Reads are synchronous on one connection, so several statements see one snapshot.
    read: async (statements) => statements.map(rowsOf),
    write: (statements) =>
      new Promise((resolve, reject) => {
        queue.push({ statements, resolve, reject })
        schedule()
      }),
    migrate: async (migrations) => {
      db.exec('CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, at INTEGER NOT NULL)')
      for (const m of migrations) {
        if (db.prepare('SELECT 1 FROM migrations WHERE name = ?').get(m.name)) continue
        db.exec('BEGIN IMMEDIATE')
        db.exec(m.sql.replaceAll('--> statement-breakpoint', ''))
        db.prepare("INSERT INTO migrations(name, at) VALUES (?, strftime('%s'))").run(m.name)
        db.exec('COMMIT')
      }
    },
    close: async () => {
      if (queue.length) flush()
      db.close()
      // Files stay open while there are statements.
      cache.clear()
    },
  }
}
