// A whole cluster as lines of JSON, and back: every row of its database and the key of its Secrets, so that versions, history and node keys go along.
// Lines: a head, batches of rows by table, an end that counts them. Made while writes go on, it shows the state at the head's version.
import { fromBase64, toBase64 } from '../../shared/meta/base64.ts'
import type { Database, Row, Statement, Value } from '../ports/database.ts'

const FORMAT = 1
const PAGE_ROWS = 200
/** Statements of one batch of an import. */
const BATCH = 100

interface Head {
  kedge: 'cluster'
  format: number
  /** The version that the archive shows. */
  head: number
  /** base64; whoever has the archive has the Secrets. */
  key: string
}

const tables: Record<string, string[]> = {
  log: ['rv', 'resource', 'ns', 'name', 'uid', 'verb', 'prev', 'labels', 'fields', 'at', 'by', 'body'],
  allocations: ['kind', 'value', 'owner'],
  meta: ['key', 'value'],
  tokens: ['hash', 'kind', 'user', 'uid', 'groups', 'uses', 'expires', 'bound', 'created'],
  wakeups: ['controller', 'key', 'due'],
}
const columns = (table: string) => tables[table]!.map((c) => `"${c}"`).join(', ')

/** The lines of a cluster's archive. */
export async function* archive(database: Database, key: Uint8Array): AsyncGenerator<string> {
  const [newest] = await database.read([
    { sql: "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'log'), 0)", args: [], one: true },
  ])
  const head = newest![0]![0] as number
  yield JSON.stringify({ kedge: 'cluster', format: FORMAT, head, key: toBase64(key) } satisfies Head)
  let rows = 0
  for (let after = 0; ; ) {
    const [page] = await database.read([
      {
        sql: `SELECT ${columns('log')} FROM log WHERE rv > ? AND rv <= ? ORDER BY rv LIMIT ?`,
        args: [after, head, PAGE_ROWS],
      },
    ])
    if (!page!.length) break
    rows += page!.length
    yield JSON.stringify({ log: page })
    after = page!.at(-1)![0] as number
  }
  const small = Object.keys(tables).filter((t) => t !== 'log')
  const found = await database.read(small.map((t) => ({ sql: `SELECT ${columns(t)} FROM "${t}"`, args: [] })))
  for (const [i, table] of small.entries())
    for (let at = 0; at < found[i]!.length; at += PAGE_ROWS) {
      const page = found[i]!.slice(at, at + PAGE_ROWS)
      rows += page.length
      yield JSON.stringify({ [table]: page })
    }
  yield JSON.stringify({ end: rows })
}

/** The text is no archive, or not a whole one. */
export class BadArchive extends Error {}

const parsed = (line: string): any => {
  try {
    return JSON.parse(line)
  } catch {
    throw new BadArchive('this is no cluster archive: a line is not JSON')
  }
}

/** The key at the head of an archive. Throws BadArchive. */
export function keyOfArchive(first: string): Uint8Array {
  const head = parsed(first) as Partial<Head>
  if (head.kedge !== 'cluster' || typeof head.key !== 'string') throw new BadArchive('this is no cluster archive')
  if (head.format !== FORMAT) throw new BadArchive(`the archive has format ${head.format}: this version reads ${FORMAT}`)
  return fromBase64(head.key)
}

/** Fills a migrated, empty database. Throws BadArchive; what was written by then is to be thrown away with the database. */
export async function restore(database: Database, lines: AsyncIterable<string>): Promise<void> {
  let head: Head | undefined
  let rows = 0
  let ended = false
  let batch: Statement[] = []
  const write = async (statements: Statement[]) => {
    if (!statements.length) return
    const outcome = await database.write(statements)
    if (!outcome.ok) throw new BadArchive('the archive does not fit: the database is not empty, or rows come twice')
  }
  for await (const line of lines) {
    if (!line) continue
    if (!head) {
      keyOfArchive(line)
      head = parsed(line)
      continue
    }
    const entry = parsed(line)
    if (ended) throw new BadArchive('the archive goes on after its end')
    if (entry.end !== undefined) {
      if (entry.end !== rows) throw new BadArchive(`the archive is not whole: ${rows} of ${entry.end} rows`)
      ended = true
      continue
    }
    const [table] = Object.keys(entry)
    const names = table === undefined ? undefined : tables[table]
    if (!names || !Array.isArray(entry[table!])) throw new BadArchive(`the archive has rows of an unknown kind: ${table}`)
    const sql = `INSERT INTO "${table}"(${columns(table!)}) VALUES (${names.map(() => '?').join(', ')})`
    for (const row of entry[table!] as Row[]) {
      if (row.length !== names.length) throw new BadArchive(`a row of ${table} has ${row.length} columns`)
      rows++
      // The new place is not on the move.
      if (table === 'meta' && row[0] === MOVING) continue
      batch.push({ sql, args: row as Value[] })
    }
    if (batch.length >= BATCH) {
      await write(batch)
      batch = []
    }
  }
  if (!head || !ended) throw new BadArchive('the archive is not whole: its end is missing')
  await write([
    ...batch,
    {
      sql: "INSERT INTO objects(resource, ns, name, rv) SELECT resource, ns, name, rv FROM log WHERE rv IN (SELECT max(rv) FROM log GROUP BY resource, ns, name) AND verb <> 'delete'",
      args: [],
    },
    // What was allocated after the head has no object here.
    { sql: 'DELETE FROM allocations WHERE owner NOT IN (SELECT l.uid FROM objects o JOIN log l ON l.rv = o.rv)', args: [] },
    {
      sql: "INSERT INTO sqlite_sequence(name, seq) SELECT 'log', 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'log')",
      args: [],
    },
    { sql: "UPDATE sqlite_sequence SET seq = ? WHERE name = 'log'", args: [head.head] },
  ])
}

/** The row of the meta table that says where a cluster has gone; while it is there, nothing is written. */
export const MOVING = 'moving'

/** Lines of a stream of bytes. */
export async function* linesOf(stream: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of stream) {
    rest += decoder.decode(chunk, { stream: true })
    let at = 0
    for (let end = rest.indexOf('\n', at); end >= 0; end = rest.indexOf('\n', at)) {
      yield rest.slice(at, end)
      at = end + 1
    }
    rest = rest.slice(at)
  }
  if (rest) yield rest
}
