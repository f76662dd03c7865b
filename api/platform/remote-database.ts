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
      const c = client()
      try {
        const results = await c.batch(sent, 'write')
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
        c.close()
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
