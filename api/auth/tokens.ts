// Bearer tokens kept hashed in the database: users' and join tokens. 256 random bits, shown once.
import type { Clock, Random } from '../ports/clock.ts'
import type { Database } from '../ports/database.ts'
import type { Identity } from '../registry/context.ts'
import { hashToken, newToken } from './token-text.ts'

const MAX_CACHED = 2000
const MAX_AGE = 5000

export type TokenKind = 'user' | 'join'

export interface TokenRecord extends Identity {
  kind: TokenKind
}

export class Tokens {
  readonly #database: Database
  readonly #clock: Clock
  readonly #cache = new Map<string, { at: number; record: TokenRecord }>()

  constructor(database: Database, clock: Clock) {
    this.#database = database
    this.#clock = clock
  }

  /** Makes a token; the text is never stored. `uses` and `expires` (ms) bound it. */
  async issue(random: Random, kind: TokenKind, user: Identity, bounds: { uses?: number; expires?: number } = {}): Promise<string> {
    const token = newToken(random, kind)
    await this.#database.write([
      {
        sql: 'INSERT INTO tokens(hash, kind, user, uid, groups, uses, expires) VALUES (?, ?, ?, ?, ?, ?, ?)',
        args: [
          await hashToken(token),
          kind,
          user.username,
          user.uid ?? '',
          JSON.stringify(user.groups),
          bounds.uses ?? null,
          bounds.expires ?? null,
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
        sql: 'SELECT kind, user, uid, groups FROM tokens WHERE hash = ? AND (uses IS NULL OR uses > 0) AND (expires IS NULL OR expires > ?)',
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
    }
    if (record.kind === 'user') {
      if (this.#cache.size >= MAX_CACHED) this.#cache.delete(this.#cache.keys().next().value!)
      this.#cache.set(hash, { at: now, record })
    }
    return record
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
