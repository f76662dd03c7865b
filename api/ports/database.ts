// The database port: reads in one snapshot, writes in one atomic batch, each one round trip. Implementations: api/platform.

export type Value = string | number | null | Uint8Array

export interface Statement {
  sql: string
  args: Value[]
  /** The batch fails unless the statement changes this many rows. */
  expect?: number
  /** A select of one row at most. */
  one?: true
}

export type Row = Value[]

/** Statements that join somebody else's read, and what is done with their rows before that read is answered. `take` may throw: then the read is not answered. */
export interface Rider {
  statements: Statement[]
  take(rows: Row[][]): Promise<void>
}

export type WriteOutcome =
  | { ok: true; rowids: number[]; rows: Row[][] }
  /** Nothing was written: statement `index` broke a unique key, or did not change the rows it had to. */
  | { ok: false; index: number; reason: 'unique' | 'expect' | 'guard' }

export interface Database {
  /** Rows of each statement, as arrays of columns; all from one snapshot. */
  read(statements: Statement[]): Promise<Row[][]>
  /** All or nothing. Throws only when the database itself fails: then the outcome is unknown and must be read back. */
  write(statements: Statement[]): Promise<WriteOutcome>
  /** Schema changes, each run once and in order; see migrations/. */
  migrate(migrations: readonly { name: string; sql: string }[]): Promise<void>
  close(): Promise<void>
}

/** A select (never of `one` row: libsql's `get` goes on failing once it has failed) that makes its batch fail unless its one value is true: JSON of anything else is malformed on purpose. */
export const guard = (condition: string, args: Value[]): Statement => ({ sql: `SELECT iif((${condition}), 1, json('GUARD'))`, args })
