// The Database port over the embedded libSQL engine: prepared statements, WAL, synchronous=FULL and group commit.
// The writes of one tick share a transaction and its fsync; each is a savepoint of its own, so one that fails takes no other with it.
import Libsql from 'libsql'
import type { Database, Row, Statement, WriteOutcome } from '../../ports/database.ts'

const MAX_GROUP = 256

interface Pending {
  statements: Statement[]
  resolve(outcome: WriteOutcome): void
  reject(cause: unknown): void
}

type Prepared = {
  run(...args: unknown[]): { changes: number; lastInsertRowid: number | bigint }
  all(...args: unknown[]): Row[]
  reader: boolean
  raw(on: boolean): Prepared
}

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
    'cache_size = -16384',
    'mmap_size = 268435456',
    'wal_autocheckpoint = 2000',
  ])
    db.exec(`PRAGMA ${pragma}`)
  const cache = new Map<string, Prepared>()
  const prepare = (sql: string): Prepared => {
    let p = cache.get(sql)
    if (!p) {
      // Selector lists make new texts: the cache is bounded, the oldest go.
      if (cache.size >= 500) cache.delete(cache.keys().next().value!)
      p = db.prepare(sql) as unknown as Prepared
      if (/^\s*SELECT|RETURNING/i.test(sql)) p.raw(true)
      cache.set(sql, p)
    }
    return p
  }
  const begin = prepare('BEGIN IMMEDIATE')
  const commit = prepare('COMMIT')
  const rollback = prepare('ROLLBACK')
  const savepoint = prepare('SAVEPOINT w')
  const release = prepare('RELEASE w')
  const undo = prepare('ROLLBACK TO w')

  const runOne = (statements: Statement[]): WriteOutcome => {
    const rowids: number[] = []
    const rows: Row[][] = []
    for (const [index, s] of statements.entries()) {
      try {
        if (/^\s*SELECT|RETURNING/i.test(s.sql)) {
          rows.push(prepare(s.sql).all(...s.args))
          rowids.push(0)
        } else {
          const r = prepare(s.sql).run(...s.args)
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
  const flush = () => {
    scheduled = false
    const group = queue.splice(0, MAX_GROUP)
    if (queue.length) schedule()
    const outcomes: [Pending, WriteOutcome | undefined, unknown][] = []
    try {
      begin.run()
      for (const p of group) {
        savepoint.run()
        try {
          outcomes.push([p, runOne(p.statements), undefined])
          release.run()
        } catch (cause) {
          undo.run()
          release.run()
          outcomes.push(cause instanceof Rejected ? [p, cause.outcome, undefined] : [p, undefined, cause])
        }
      }
      commit.run()
    } catch (cause) {
      try {
        rollback.run()
      } catch {
        // No transaction was open: the begin itself failed.
      }
      for (const p of group) p.reject(cause)
      return
    }
    for (const [p, outcome, cause] of outcomes) outcome ? p.resolve(outcome) : p.reject(cause)
  }
  const schedule = () => {
    if (scheduled) return
    scheduled = true
    setImmediate(flush)
  }

  return {
    // Reads are synchronous on one connection, so several statements see one snapshot.
    read: async (statements) => statements.map((s) => prepare(s.sql).all(...s.args)),
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
    },
  }
}
