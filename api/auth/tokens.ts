// Bearer tokens kept hashed in the database: users' and join tokens. 256 random bits, shown once.
import type { Clock, Random } from '../ports/clock.ts'
import type { Database } from '../ports/database.ts'
import type { Identity } from '../registry/context.ts'
import { hashToken, newToken } from './token-text.ts'

const MAX_CACHED = 2000
const MAX_AGE = 5000

export type TokenKind = 'user' | 'join'

export interface Taint {
  key: string
  value?: string
  effect: 'NoSchedule' | 'PreferNoSchedule' | 'NoExecute'
}

/** What a join token binds its nodes to. */
export interface Bound {
  labels?: Record<string, string>
  taints?: Taint[]
  /** A name with `*` for any run of characters. */
  nodeName?: string
}

export interface TokenRecord extends Identity {
  kind: TokenKind
  bound?: Bound
}

/** A token as it is listed: never its text. */
export interface TokenInfo {
  id: string
  created?: number
  uses?: number
  expires?: number
  bound?: Bound
}

/** Enough of a hash to tell tokens apart. */
const ID_LENGTH = 12

export class Tokens {
  readonly #database: Database
  readonly #clock: Clock
  readonly #cache = new Map<string, { at: number; record: TokenRecord }>()

  constructor(database: Database, clock: Clock) {
    this.#database = database
    this.#clock = clock
  }

  /** Makes a token; the text is never stored. `uses` and `expires` (ms) bound it. */
  async issue(
    random: Random,
    kind: TokenKind,
    user: Identity,
    bounds: { uses?: number; expires?: number; bound?: Bound } = {},
  ): Promise<string> {
    const token = newToken(random, kind)
    await this.#database.write([
      {
        sql: 'INSERT INTO tokens(hash, kind, user, uid, groups, uses, expires, bound, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
        args: [
          await hashToken(token),
          kind,
          user.username,
          user.uid ?? '',
          JSON.stringify(user.groups),
          bounds.uses ?? null,
          bounds.expires ?? null,
          bounds.bound ? JSON.stringify(bounds.bound) : null,
          this.#clock.now(),
        ],
      },
    ])
    return token
  }

  /** Whose token it is; undefined when unknown, used up or expired. Revocation counts within five seconds. */
  async find(token: string): Promise<TokenRecord | undefined> {
    const hash = await hashToken(token)
    const known = this.#cache.get(hash)
    const now = this.#clock.now()
    if (known && now - known.at < MAX_AGE) return known.record
    this.#cache.delete(hash)
    const [rows] = await this.#database.read([
      {
        sql: 'SELECT kind, user, uid, groups, bound FROM tokens WHERE hash = ? AND (uses IS NULL OR uses > 0) AND (expires IS NULL OR expires > ?)',
        args: [hash, now],
      },
    ])
    const r = rows![0]
    if (!r) return undefined
    const record: TokenRecord = {
      kind: r[0] as TokenKind,
      username: r[1] as string,
      uid: r[2] as string,
      groups: JSON.parse(r[3] as string),
      ...(r[4] === null ? {} : { bound: JSON.parse(r[4] as string) as Bound }),
    }
    if (record.kind === 'user') {
      if (this.#cache.size >= MAX_CACHED) this.#cache.delete(this.#cache.keys().next().value!)
      this.#cache.set(hash, { at: now, record })
    }
    return record
  }

  /** Join tokens that still open something, the newest first. */
  async listJoin(): Promise<TokenInfo[]> {
    const [rows] = await this.#database.read([
      {
        sql: "SELECT hash, created, uses, expires, bound FROM tokens WHERE kind = 'join' AND (uses IS NULL OR uses > 0) AND (expires IS NULL OR expires > ?) ORDER BY created DESC LIMIT 500",
        args: [this.#clock.now()],
      },
    ])
    return rows!.map((r) => ({
      id: (r[0] as string).slice(0, ID_LENGTH),
      ...(r[1] === null ? {} : { created: r[1] as number }),
      ...(r[2] === null ? {} : { uses: r[2] as number }),
      ...(r[3] === null ? {} : { expires: r[3] as number }),
      ...(r[4] === null ? {} : { bound: JSON.parse(r[4] as string) as Bound }),
    }))
  }

  /** False when there is no such join token. */
  async revokeJoin(id: string): Promise<boolean> {
    const outcome = await this.#database.write([
      { sql: "DELETE FROM tokens WHERE kind = 'join' AND substr(hash, 1, ?) = ?", args: [ID_LENGTH, id], expect: 1 },
    ])
    return outcome.ok
  }

  /** Takes one use of a counted token; false when none was left. */
  async spend(token: string): Promise<boolean> {
    const outcome = await this.#database.write([
      {
        sql: 'UPDATE tokens SET uses = uses - 1 WHERE hash = ? AND (uses IS NULL OR uses > 0) AND (expires IS NULL OR expires > ?)',
        args: [await hashToken(token), this.#clock.now()],
        expect: 1,
      },
    ])
    return outcome.ok
  }
}
