// The tables of the directory's database: who may use which cluster of this host. A cluster's own data is never here.
// `npx drizzle-kit generate --config tools/drizzle/directory.ts` writes migrations/directory/ from this file.
import { index, integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core'

export const accounts = sqliteTable('accounts', {
  name: text('name').primaryKey(),
  title: text('title').notNull(),
  created: integer('created').notNull(),
  /** JSON: what the account may use at most; see api/directory/limits.ts. */
  limits: text('limits').notNull(),
})

/** People of an account, by the name that they sign in with. */
export const members = sqliteTable(
  'members',
  { account: text('account').notNull(), user: text('user').notNull(), role: text('role').notNull(), created: integer('created').notNull() },
  (t) => [primaryKey({ columns: [t.account, t.user] }), index('members_user').on(t.user)],
)

/** API tokens: hashed, shown once. */
export const tokens = sqliteTable(
  'tokens',
  {
    id: text('id').primaryKey(),
    hash: text('hash').notNull().unique(),
    account: text('account').notNull(),
    name: text('name').notNull(),
    role: text('role').notNull(),
    /** Where the token holds: every cluster of the account, one cluster, or one namespace of it. */
    cluster: text('cluster'),
    namespace: text('namespace'),
    created: integer('created').notNull(),
    expires: integer('expires'),
    used: integer('used'),
  },
  (t) => [index('tokens_account').on(t.account)],
)

export const clusters = sqliteTable(
  'clusters',
  {
    id: text('id').primaryKey(),
    /** Unique on the host: it is a part of the cluster's URL. */
    name: text('name').notNull().unique(),
    account: text('account').notNull(),
    state: text('state').notNull(),
    created: integer('created').notNull(),
    /** Where the platform keeps its data; the platform made this text and alone reads it. */
    database: text('database').notNull(),
    /** 32 bytes for the cluster's Secrets, sealed with the host's key. */
    key: text('key').notNull(),
  },
  (t) => [index('clusters_account').on(t.account)],
)

/** What an account did in a day (UTC, `2026-01-31`). */
export const usage = sqliteTable(
  'usage',
  {
    account: text('account').notNull(),
    day: text('day').notNull(),
    cluster: text('cluster').notNull(),
    requests: integer('requests').notNull(),
  },
  (t) => [primaryKey({ columns: [t.account, t.day, t.cluster] })],
)
