// The log-and-objects store: compare-and-swap writes, lists at a version, history for watches, compaction.
// Bodies are JSON text `{"metadata":{…},…}` without kind, apiVersion and resourceVersion; nothing here parses one.
import type { KObject } from '../../shared/meta/object.ts'
import type { Selector } from '../../shared/meta/selector.ts'
import { StatusError } from '../../shared/status/index.ts'
import type { Clock } from '../ports/clock.ts'
import { type Database, guard, type Rider, type Row, type Statement, type Value } from '../ports/database.ts'
import { MOVING } from './archive.ts'
import { isSealed, type Seal } from './seal.ts'
import { selectorSql } from './selector-sql.ts'

export interface Key {
  resource: string
  /** Empty for cluster-scoped objects. */
  ns: string
  name: string
}

export interface Stored extends Key {
  rv: number
  body: string
}

export type Verb = 'create' | 'update' | 'delete'

/** One row of the log, with what the replaced version matched by, so that watchers see objects leave their selection. */
export interface LogEvent extends Key {
  rv: number
  uid: string
  verb: Verb
  body: string
  labels: Record<string, string>
  fields: Record<string, string>
  oldLabels?: Record<string, string>
  oldFields?: Record<string, string>
  /** The replaced version: watchers whose selection the object leaves get it as what was deleted. */
  oldBody?: string
  at: number
  /** Who wrote it, where that is known here. */
  by?: string
  /** What `body` says, when the write happened in this process. */
  object?: KObject
}

export interface Version extends Key {
  uid: string
  body: string
  labels: Record<string, string>
  fields: Record<string, string>
  /** Who wrote it, from where, in which request. */
  by: string
  /** What `body` was written from, for those in the same process who would parse it again. Nobody may change it any more. */
  object?: KObject
}

export interface Replaced {
  rv: number
  body: string
  labels: Record<string, string>
  fields: Record<string, string>
}

/** A new version of another object, which is written with the first or not at all. */
export interface Beside {
  version: Version
  old: Replaced
}

/** `beside`: one of the other objects had changed meanwhile. */
export type Written =
  | { ok: true; rv: number }
  | { ok: false; why: 'exists' | 'conflict' | 'beside' }
  | { ok: false; why: 'extra'; index: number }

export interface ListQuery {
  resource: string
  ns?: string
  /** This one alone. */
  name?: string
  labels?: Selector
  fields?: Selector
  limit?: number
  /** Continue after this key. */
  after?: { ns: string; name: string }
  /** The state at this version; the newest where absent. */
  at?: number
  /** Nobody asks how many remain. */
  uncounted?: boolean
}

export interface Page {
  rv: number
  items: Stored[]
  /** Where the next page begins, when there is one. */
  next?: { ns: string; name: string }
  /** How many follow this page; known only for unselected lists. */
  remaining?: number
}

/** The state asked for is older than what compaction left. */
export class Compacted extends Error {
  readonly floor: number
  constructor(floor: number) {
    super(`compacted at ${floor}`)
    this.floor = floor
  }
}

const NEWEST: Statement = {
  sql: "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'log'), 0), coalesce((SELECT value FROM meta WHERE key = 'floor'), '0')",
  args: [],
  one: true,
}
const INSERT = 'INSERT INTO log(resource, ns, name, uid, verb, prev, labels, fields, at, by, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)'
const POINT = 'INSERT INTO objects(resource, ns, name, rv) VALUES (?, ?, ?, last_insert_rowid())'
const MOVE = 'UPDATE objects SET rv = last_insert_rowid() WHERE resource = ? AND ns = ? AND name = ? AND rv = ?'
const DROP = 'DELETE FROM objects WHERE resource = ? AND ns = ? AND name = ? AND rv = ?'
/** A cluster that is being moved takes no writes: not one may follow the archive that was made of it. */
const STAYS: Statement = guard(`NOT EXISTS (SELECT 1 FROM meta WHERE key = '${MOVING}')`, [])
/** From one to the next by the index: as many steps as there are resources, however many objects. */
const RESOURCES = `SELECT resource FROM (WITH RECURSIVE r(resource) AS (
  SELECT min(resource) FROM objects UNION ALL SELECT (SELECT min(o.resource) FROM objects o WHERE o.resource > r.resource) FROM r WHERE r.resource IS NOT NULL
) SELECT resource FROM r) WHERE resource IS NOT NULL`
const EVENT_COLUMNS = 'l.rv, l.resource, l.ns, l.name, l.uid, l.verb, l.body, l.labels, l.fields, p.labels, p.fields, l.at, p.body'

export interface StoreOptions {
  database: Database
  clock: Clock
  /** Resources whose bodies are encrypted at rest. */
  sealed?: ReadonlySet<string>
  seal?: Seal
  /** Told of every commit made here, after it is durable. */
  onCommit?: (event: LogEvent) => void
}

export class Store {
  readonly database: Database
  readonly #clock: Clock
  readonly #sealed: ReadonlySet<string>
  readonly #seal?: Seal
  #onCommit?: (event: LogEvent) => void

  constructor(options: StoreOptions) {
    this.database = options.database
    this.#clock = options.clock
    this.#sealed = options.seal ? (options.sealed ?? new Set()) : new Set()
    this.#seal = options.seal
    this.#onCommit = options.onCommit
  }

  #context = (k: Key) => `${k.resource}/${k.ns}/${k.name}`
  #close(v: Version): string | Promise<string> {
    return this.#sealed.has(v.resource) ? this.#seal!.close(this.#context(v), v.body) : v.body
  }
  async #open<T extends Stored>(items: T[]): Promise<T[]> {
    if (!items.length || !this.#seal) return items
    await Promise.all(
      items.map(async (i) => {
        if (!this.#sealed.has(i.resource)) return
        i.body = await this.#seal!.open(this.#context(i), i.body)
        const old = (i as { oldBody?: string }).oldBody
        if (old) (i as { oldBody?: string }).oldBody = await this.#seal!.open(this.#context(i), old)
      }),
    )
    return items
  }

  async #read(rider: Rider | undefined, statements: Statement[]): Promise<Row[][]> {
    if (!rider) return this.database.read(statements)
    const rows = await this.database.read([...statements, ...rider.statements])
    await rider.take(rows.slice(statements.length))
    return rows
  }

  /** The newest version of one object, in one round trip. */
  async get(key: Key, rider?: Rider): Promise<Stored | undefined> {
    const [rows] = await this.#read(rider, [
      {
        sql: 'SELECT l.rv, l.body FROM objects o JOIN log l ON l.rv = o.rv WHERE o.resource = ? AND o.ns = ? AND o.name = ?',
        args: [key.resource, key.ns, key.name],
        one: true,
      },
    ])
    const row = rows![0]
    if (!row) return undefined
    const stored: Stored = { resource: key.resource, ns: key.ns, name: key.name, rv: row[0] as number, body: row[1] as string }
    if (this.#sealed.has(key.resource)) await this.#open([stored])
    return stored
  }

  /** Makes a first version. `extra` statements join the batch: allocations, guards. So do new versions of other objects. */
  async create(v: Version, extra: Statement[] = [], besides: Beside[] = []): Promise<Written> {
    const body = this.#sealed.has(v.resource) ? await this.#close(v) : v.body
    const at = this.#clock.now()
    const others = besides.flatMap((b) => this.#moveTo(b, at))
    const outcome = await this.database.write([
      {
        sql: INSERT,
        args: [v.resource, v.ns, v.name, v.uid, 'create', null, JSON.stringify(v.labels), JSON.stringify(v.fields), at, v.by, body],
      },
      { sql: POINT, args: [v.resource, v.ns, v.name] },
      ...extra,
      ...others,
      STAYS,
    ])
    if (!outcome.ok) return this.#refused(outcome.index, extra.length, others.length, 'exists')
    const written = this.#committed(v, outcome.rowids[0]!, 'create', at)
    this.#committedBesides(besides, outcome.rowids, extra.length, at)
    return written
  }

  /** The statements that make a new version of another object; nothing of it is sealed. */
  #moveTo({ version: v, old }: Beside, at: number): Statement[] {
    return [
      {
        sql: INSERT,
        args: [v.resource, v.ns, v.name, v.uid, 'update', old.rv, JSON.stringify(v.labels), JSON.stringify(v.fields), at, v.by, v.body],
      },
      { sql: MOVE, args: [v.resource, v.ns, v.name, old.rv], expect: 1 },
    ]
  }

  #refused(index: number, extra: number, others: number, own: 'exists' | 'conflict'): Written {
    if (index < 2) return { ok: false, why: own }
    if (index < 2 + extra) return { ok: false, why: 'extra', index: index - 2 }
    if (index < 2 + extra + others) return { ok: false, why: 'beside' }
    throw moving()
  }

  #committedBesides(besides: Beside[], rowids: number[], extra: number, at: number): void {
    besides.forEach((b, i) => {
      this.#committed(b.version, rowids[2 + extra + 2 * i]!, 'update', at, b.old)
    })
  }

  /** Replaces version `old.rv` and no other. */
  async update(v: Version, old: Replaced, extra: Statement[] = [], besides: Beside[] = []): Promise<Written> {
    return this.#replace(v, old, 'update', { sql: MOVE, args: [v.resource, v.ns, v.name, old.rv], expect: 1 }, extra, besides)
  }

  /** Ends the object; `v.body` is its last state, which watchers get. */
  async delete(v: Version, old: Replaced, extra: Statement[] = []): Promise<Written> {
    const free: Statement = { sql: 'DELETE FROM allocations WHERE owner = ?', args: [v.uid] }
    return this.#replace(v, old, 'delete', { sql: DROP, args: [v.resource, v.ns, v.name, old.rv], expect: 1 }, [free, ...extra])
  }

  async #replace(v: Version, old: Replaced, verb: Verb, swap: Statement, extra: Statement[], besides: Beside[] = []): Promise<Written> {
    const body = this.#sealed.has(v.resource) ? await this.#close(v) : v.body
    const at = this.#clock.now()
    const others = besides.flatMap((b) => this.#moveTo(b, at))
    const outcome = await this.database.write([
      {
        sql: INSERT,
        args: [v.resource, v.ns, v.name, v.uid, verb, old.rv, JSON.stringify(v.labels), JSON.stringify(v.fields), at, v.by, body],
      },
      swap,
      ...extra,
      ...others,
      STAYS,
    ])
    if (!outcome.ok) return this.#refused(outcome.index, extra.length, others.length, 'conflict')
    const written = this.#committed(v, outcome.rowids[0]!, verb, at, old)
    this.#committedBesides(besides, outcome.rowids, extra.length, at)
    return written
  }

  #committed(v: Version, rv: number, verb: Verb, at: number, old?: Replaced): Written {
    this.#onCommit?.({ ...v, rv, verb, at, ...(old ? { oldLabels: old.labels, oldFields: old.fields, oldBody: old.body } : {}) })
    return { ok: true, rv }
  }

  /** The resources of which there is any object. */
  async resources(): Promise<string[]> {
    const [rows] = await this.#read(undefined, [{ sql: RESOURCES, args: [] }])
    return rows!.map((r) => r[0] as string)
  }

  /** The last version that a change of a resource made, or of the pods of a node; 0 where there was none since the floor. */
  async newest(resource: string, node?: string): Promise<number> {
    const ofNode = `SELECT max(rv) FROM log INDEXED BY log_pods_by_node WHERE resource = 'pods' AND (fields ->> '$."spec.nodeName"') = ?`
    const statement =
      node === undefined
        ? { sql: 'SELECT max(rv) FROM log WHERE resource = ?', args: [resource], one: true as const }
        : { sql: ofNode, args: [node], one: true as const }
    const [rows] = await this.#read(undefined, [statement])
    return (rows![0]?.[0] as number | null) ?? 0
  }

  /** A page of objects ordered by namespace and name, and the version it shows. Throws Compacted. */
  async list(q: ListQuery, rider?: Rider): Promise<Page> {
    const { sql, args } = q.at === undefined ? this.#liveList(q) : this.#pastList(q)
    const statements: Statement[] = [NEWEST, { sql, args }]
    const counted = q.limit !== undefined && !q.uncounted && !q.labels?.length && !q.fields?.length
    if (counted) {
      const after = q.after ? ' AND (ns, name) > (?, ?)' : ''
      statements.push({
        sql: `SELECT count(*) FROM objects WHERE resource = ?${q.ns === undefined ? '' : ' AND ns = ?'}${after}`,
        args: [q.resource, ...(q.ns === undefined ? [] : [q.ns]), ...(q.after ? [q.after.ns, q.after.name] : [])],
      })
    }
    const [newest, rows, count] = await this.#read(rider, statements)
    const head = newest![0]![0] as number
    const floor = Number(newest![0]![1])
    if (q.at !== undefined && q.at < floor) throw new Compacted(floor)
    let items = rows!.map(
      (r): Stored => ({ resource: q.resource, ns: r[0] as string, name: r[1] as string, rv: r[2] as number, body: r[3] as string }),
    )
    const page: Page = { rv: Math.min(q.at ?? head, head), items }
    if (q.limit !== undefined && items.length > q.limit) {
      items = items.slice(0, q.limit)
      page.items = items
      const last = items.at(-1)!
      page.next = { ns: last.ns, name: last.name }
      if (counted) page.remaining = Math.max(1, (count![0]![0] as number) - items.length)
    }
    if (this.#sealed.has(q.resource)) await this.#open(items)
    return page
  }

  /** All live objects of a resource, in pages of `size`, each as it is when it is read. */
  async *pages(resource: string, size: number): AsyncGenerator<Stored[]> {
    let after: Page['next']
    do {
      const page = await this.list({ resource, limit: size, uncounted: true, ...(after ? { after } : {}) })
      yield page.items
      after = page.next
    } while (after)
  }

  #where(q: ListQuery, args: Value[]): string {
    let sql = 'o.resource = ?'
    args.push(q.resource)
    if (q.ns !== undefined) {
      sql += ' AND o.ns = ?'
      args.push(q.ns)
    }
    if (q.name !== undefined) {
      sql += ' AND o.name = ?'
      args.push(q.name)
    }
    if (q.after) {
      sql += q.ns === undefined ? ' AND (o.ns, o.name) > (?, ?)' : ' AND o.name > ?'
      args.push(...(q.ns === undefined ? [q.after.ns, q.after.name] : [q.after.name]))
    }
    return sql
  }

  #tail(q: ListQuery, args: Value[]): string {
    let sql = selectorSql('labels', q.labels, args) + selectorSql('fields', q.fields, args)
    sql += ' ORDER BY o.ns, o.name'
    if (q.limit !== undefined) {
      sql += ' LIMIT ?'
      args.push(q.limit + 1)
    }
    return sql
  }

  #liveList(q: ListQuery): Statement {
    const args: Value[] = []
    const node = q.resource === 'pods' ? q.fields?.find((r) => r.key === 'spec.nodeName' && r.operator === '=') : undefined
    if (node) {
      // In the words of the index, whose rows are few; the pointer says which of them are still the newest.
      const from = `log l INDEXED BY log_pods_by_node CROSS JOIN objects o ON o.resource = 'pods' AND o.ns = l.ns AND o.name = l.name AND o.rv = l.rv`
      const at = `l.resource = 'pods' AND (l.fields ->> '$."spec.nodeName"') = ?`
      args.push(node.values[0]!)
      const where = this.#where(q, args)
      return { sql: `SELECT o.ns, o.name, l.rv, l.body FROM ${from} WHERE ${at} AND ${where}${this.#tail(q, args)}`, args }
    }
    const where = this.#where(q, args)
    return { sql: `SELECT o.ns, o.name, l.rv, l.body FROM objects o JOIN log l ON l.rv = o.rv WHERE ${where}${this.#tail(q, args)}`, args }
  }

  #pastList(q: ListQuery): Statement {
    const args: Value[] = []
    const where = this.#where(q, args)
    args.push(q.at!)
    const inner = `SELECT o.ns AS ns, o.name AS name, max(o.rv) AS rv FROM log o WHERE ${where} AND o.rv <= ? GROUP BY o.ns, o.name`
    return {
      sql: `SELECT o.ns, o.name, l.rv, l.body FROM (${inner}) o JOIN log l ON l.rv = o.rv WHERE l.verb <> 'delete'${this.#tail(q, args)}`,
      args,
    }
  }

  /** Log rows after `rv`, oldest first, at most `limit`; with the newest version there is. Throws Compacted when rows are missing. */
  async since(rv: number, limit: number, resource?: string): Promise<{ head: number; events: LogEvent[] }> {
    const [newest, rows] = await this.database.read([
      NEWEST,
      {
        sql: `SELECT ${EVENT_COLUMNS} FROM log l LEFT JOIN log p ON p.rv = l.prev WHERE l.rv > ?${resource ? ' AND l.resource = ?' : ''} ORDER BY l.rv LIMIT ?`,
        args: [rv, ...(resource ? [resource] : []), limit],
      },
    ])
    const floor = Number(newest![0]![1])
    if (rv < floor) throw new Compacted(floor)
    const events = rows!.map(toEvent)
    await this.#open(events as unknown as Stored[])
    return { head: newest![0]![0] as number, events }
  }

  /** The newest version of anything, and the floor below which history is gone. */
  async head(): Promise<{ rv: number; floor: number }> {
    const [rows] = await this.database.read([NEWEST])
    return { rv: rows![0]![0] as number, floor: Number(rows![0]![1]) }
  }

  /** The floor, from memory: whoever compacts does it through the store that others in its process ask. */
  async floor(): Promise<number> {
    if (this.#floor === undefined) {
      const { floor } = await this.head()
      this.#floor = Math.max(floor, this.#floor ?? 0)
    }
    return this.#floor
  }
  #floor?: number

  /** The newest version that was there at a time (ms); 0 where there was none. */
  async versionAt(time: number): Promise<number> {
    // Versions and times rise together: from the newest down it is not far to what is asked for.
    const [rows] = await this.database.read([{ sql: 'SELECT rv FROM log WHERE at <= ? ORDER BY rv DESC LIMIT 1', args: [time] }])
    return (rows![0]?.[0] as number) ?? 0
  }

  /**
   * Forgets versions that were replaced before `before` (ms) and lifts the floor there. Live objects are never touched.
   * Bounded: at most `limit` rows a call; returns how many went.
   */
  async compact(before: number, limit = 5000): Promise<number> {
    const [found] = await this.database.read([{ sql: 'SELECT coalesce(max(rv), 0) FROM log WHERE at < ?', args: [before] }])
    const floor = found![0]![0] as number
    if (!floor) return 0
    // Early rather than late: nobody may resume from what is about to go.
    this.#floor = Math.max(floor, await this.floor())
    const outcome = await this.database.write([
      {
        sql: `DELETE FROM log WHERE rv IN (SELECT l.rv FROM log l WHERE l.rv <= ? AND (l.verb = 'delete' OR EXISTS (SELECT 1 FROM log n WHERE n.resource = l.resource AND n.ns = l.ns AND n.name = l.name AND n.prev = l.rv AND n.rv <= ?)) ORDER BY l.rv LIMIT ?) RETURNING rv`,
        args: [floor, floor, limit],
      },
      {
        sql: "INSERT INTO meta(key, value) VALUES ('floor', ?) ON CONFLICT(key) DO UPDATE SET value = excluded.value WHERE CAST(excluded.value AS INTEGER) > CAST(meta.value AS INTEGER)",
        args: [String(floor)],
      },
    ])
    return outcome.ok ? outcome.rows[0]!.length : 0
  }

  /** Seals what older keys sealed with the newest, so that they may go; returns how much that was. */
  async reseal(): Promise<number> {
    const seal = this.#seal
    if (!seal?.rotating) return 0
    let done = 0
    const again = async (context: string, text: string) => seal.close(context, await seal.open(context, text))
    const [meta] = await this.database.read([{ sql: 'SELECT key, value FROM meta', args: [] }])
    for (const [key, value] of meta as [string, string][]) {
      if (!isSealed(value) || value.startsWith(seal.newest)) continue
      const sealed = await again(`meta/${key}`, value)
      await this.database.write([{ sql: 'UPDATE meta SET value = ? WHERE key = ? AND value = ?', args: [sealed, key, value] }])
      done++
    }
    const sql = 'SELECT rv, ns, name, body FROM log WHERE resource = ? AND rv > ? AND body NOT LIKE ? ORDER BY rv LIMIT 100'
    for (const resource of this.#sealed)
      for (let after = 0; ; ) {
        const [rows] = await this.database.read([{ sql, args: [resource, after, `${seal.newest}%`] }])
        const found = rows as [rv: number, ns: string, name: string, body: string][]
        if (!found.length) break
        after = found.at(-1)![0]
        // The last version of what was deleted may have no body.
        const older = found.filter(([, , , body]) => isSealed(body))
        const updates = older.map(async ([rv, ns, name, body]): Promise<Statement> => {
          const sealed = await again(this.#context({ resource, ns, name }), body)
          return { sql: 'UPDATE log SET body = ? WHERE rv = ?', args: [sealed, rv] }
        })
        if (updates.length) await this.database.write(await Promise.all(updates))
        done += updates.length
      }
    return done
  }

  /** A value of the meta table, made by `make` when it is not there yet; the first writer wins. */
  async metaValue(key: string, make: () => string | Promise<string>): Promise<string> {
    const read = async () =>
      (await this.database.read([{ sql: 'SELECT value FROM meta WHERE key = ?', args: [key] }]))[0]![0]?.[0] as string | undefined
    const known = await read()
    if (known !== undefined) return known
    await this.database.write([
      { sql: 'INSERT INTO meta(key, value) VALUES (?, ?) ON CONFLICT(key) DO NOTHING', args: [key, await make()] },
    ])
    return (await read())!
  }
}

// Without Retry-After: clients would wait in silence for what somebody has to decide.
const moving = () => new StatusError(503, 'ServiceUnavailable', 'the cluster is being moved to another place and takes no writes here')

function toEvent(r: Row): LogEvent {
  return {
    rv: r[0] as number,
    resource: r[1] as string,
    ns: r[2] as string,
    name: r[3] as string,
    uid: r[4] as string,
    verb: r[5] as Verb,
    body: r[6] as string,
    labels: JSON.parse(r[7] as string),
    fields: JSON.parse(r[8] as string),
    ...(r[9] === null ? {} : { oldLabels: JSON.parse(r[9] as string), oldFields: JSON.parse(r[10] as string), oldBody: r[12] as string }),
    at: r[11] as number,
  }
}

/** Fails a batch unless the namespace is there and not going away. */
export const namespaceGuard = (ns: string): Statement =>
  guard(
    "SELECT json_extract(l.fields, '$.\"status.phase\"') = 'Active' FROM objects o JOIN log l ON l.rv = o.rv WHERE o.resource = 'namespaces' AND o.ns = '' AND o.name = ?",
    [ns],
  )
