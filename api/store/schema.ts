// The tables of a cluster's database, as drizzle sees them; `npx drizzle-kit generate` writes migrations/ from this file.
// A version's body, labels and fields live in `log` alone; `objects` points each live object at its newest row.
import { sql } from 'drizzle-orm'
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'

export const log = sqliteTable(
  'log',
  {
    /** resourceVersion: one order for everything. */
    rv: integer('rv').primaryKey({ autoIncrement: true }),
    resource: text('resource').notNull(),
    ns: text('ns').notNull(),
    name: text('name').notNull(),
    uid: text('uid').notNull(),
    verb: text('verb').notNull(),
    /** The version that this one replaces; absent for the first of an object. */
    prev: integer('prev'),
    labels: text('labels').notNull(),
    fields: text('fields').notNull(),
    at: integer('at').notNull(),
    /** Who wrote it, from where, in which request: the audit trail. */
    by: text('by').notNull(),
    body: text('body').notNull(),
  },
  (t) => [
    // Two writers that replace the same version collide here; it also groups an object's history.
    uniqueIndex('log_version').on(t.resource, t.ns, t.name, t.prev),
    // What a node's daemon asks for whenever it comes back.
    index('log_pods_by_node').on(sql`("fields" ->> '$."spec.nodeName"')`, t.ns, t.name).where(sql`"resource" = 'pods'`),
  ],
)

export const objects = sqliteTable(
  'objects',
  { resource: text('resource').notNull(), ns: text('ns').notNull(), name: text('name').notNull(), rv: integer('rv').notNull() },
  (t) => [primaryKey({ columns: [t.resource, t.ns, t.name] })],
)

/** When a controller wants to look at a key again. */
export const wakeups = sqliteTable(
  'wakeups',
  { controller: text('controller').notNull(), key: text('key').notNull(), due: integer('due').notNull() },
  (t) => [primaryKey({ columns: [t.controller, t.key] }), index('wakeups_due').on(t.due)],
)

/** Cluster IPs, node ports and pod ranges: whoever holds the row holds the value. */
export const allocations = sqliteTable(
  'allocations',
  { kind: text('kind').notNull(), value: text('value').notNull(), owner: text('owner').notNull() },
  (t) => [primaryKey({ columns: [t.kind, t.value] }), index('allocations_owner').on(t.owner)],
)

/** Single values: the compaction floor, keys, the cluster's id. */
export const meta = sqliteTable('meta', { key: text('key').primaryKey(), value: text('value').notNull() })

/** Bearer tokens, hashed: join tokens and those of users. */
export const tokens = sqliteTable('tokens', {
  hash: text('hash').primaryKey(),
  kind: text('kind').notNull(),
  user: text('user').notNull(),
  uid: text('uid').notNull(),
  groups: text('groups').notNull(),
  uses: integer('uses'),
  expires: integer('expires'),
  /** JSON: what nodes that join with it are bound to. */
  bound: text('bound'),
  created: integer('created'),
})
