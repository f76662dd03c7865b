// The directory's data: accounts, members, tokens, clusters, usage. Every method asks for the account first: nothing of another is ever found.
import { hashToken, newToken } from '../auth/token-text.ts'
import type { Clock, Random } from '../ports/clock.ts'
import { type Database, guard, type Row, type Statement } from '../ports/database.ts'
import { defaultLimits, type Limits } from './limits.ts'
import type { Role, Scope } from './roles.ts'

export interface Account {
  name: string
  title: string
  created: number
  limits: Limits
}

export interface Member {
  user: string
  role: Role
  created: number
}

export interface Token extends Scope {
  id: string
  account: string
  name: string
  role: Role
  created: number
  expires?: number
  used?: number
}

export type ClusterState = 'active' | 'suspended' | 'deleting'

export interface ClusterRecord {
  id: string
  name: string
  account: string
  state: ClusterState
  created: number
  /** The platform's own text for where the data is. */
  database: string
  key: string
}

const CACHE_AGE = 5000
const MAX_CACHED = 5000
const USED_EVERY = 60_000

const TOKEN_COLUMNS = 'id, account, name, role, cluster, namespace, created, expires, used'
const toToken = (r: Row): Token => ({
  id: r[0] as string,
  account: r[1] as string,
  name: r[2] as string,
  role: r[3] as Role,
  ...(r[4] === null ? {} : { cluster: r[4] as string }),
  ...(r[5] === null ? {} : { namespace: r[5] as string }),
  created: r[6] as number,
  ...(r[7] === null ? {} : { expires: r[7] as number }),
  ...(r[8] === null ? {} : { used: r[8] as number }),
})
const CLUSTER_COLUMNS = 'id, name, account, state, created, database, key'
const toCluster = (r: Row): ClusterRecord => ({
  id: r[0] as string,
  name: r[1] as string,
  account: r[2] as string,
  state: r[3] as ClusterState,
  created: r[4] as number,
  database: r[5] as string,
  key: r[6] as string,
})

/** Fails the batch when the account has `limit` rows in the table already. */
const below = (table: 'clusters' | 'tokens' | 'members', account: string, limit: number): Statement =>
  guard(`SELECT count(*) < ? FROM ${table} WHERE account = ?`, [limit, account])

/** A value that is kept a few seconds, absence too: a stranger's guesses cost no read each. */
class Remembered<T> {
  readonly #clock: Clock
  readonly #entries = new Map<string, { at: number; value: T | undefined }>()
  constructor(clock: Clock) {
    this.#clock = clock
  }
  async get(key: string, read: () => Promise<T | undefined>): Promise<T | undefined> {
    const known = this.#entries.get(key)
    if (known && this.#clock.now() - known.at < CACHE_AGE) return known.value
    const value = await read()
    if (this.#entries.size >= MAX_CACHED) this.#entries.delete(this.#entries.keys().next().value!)
    this.#entries.set(key, { at: this.#clock.now(), value })
    return value
  }
  forget(test?: (value: T | undefined) => boolean): void {
    if (!test) this.#entries.clear()
    else for (const [key, e] of this.#entries) if (test(e.value)) this.#entries.delete(key)
  }
}

export class Directory {
  readonly #database: Database
  readonly #clock: Clock
  readonly #random: Random
  readonly #tokens: Remembered<Token>
  readonly #clusters: Remembered<ClusterRecord>
  readonly #accounts: Remembered<Account>
  readonly #memberships: Remembered<{ account: string; role: Role }[]>
  readonly #used = new Map<string, number>()
  readonly #requests = new Map<string, { account: string; cluster: string; n: number }>()

  constructor(database: Database, clock: Clock, random: Random) {
    this.#database = database
    this.#clock = clock
    this.#random = random
    this.#tokens = new Remembered(clock)
    this.#clusters = new Remembered(clock)
    this.#accounts = new Remembered(clock)
    this.#memberships = new Remembered(clock)
  }

  async #rows(sql: string, ...args: (string | number | null)[]): Promise<Row[]> {
    return (await this.#database.read([{ sql, args }]))[0]!
  }

  // Accounts

  /** Makes an account that belongs to `owner`, or else to the bearer of its first token; undefined when the name is taken. */
  async createAccount(
    name: string,
    title: string,
    owner?: string,
  ): Promise<{ account: Account; made?: { secret: string; token: Token } } | undefined> {
    const account: Account = { name, title, created: this.#clock.now(), limits: defaultLimits }
    const made = owner === undefined ? await this.#newToken(name, { name: 'owner', role: 'owner' }) : undefined
    const first: Statement = made?.statement ?? {
      sql: "INSERT INTO members(account, user, role, created) VALUES (?, ?, 'owner', ?)",
      args: [name, owner!, account.created],
    }
    const outcome = await this.#database.write([
      { sql: 'INSERT INTO accounts(name, title, created, limits) VALUES (?, ?, ?, ?)', args: [name, title, account.created, '{}'] },
      first,
    ])
    this.#accounts.forget((a) => a === undefined)
    this.#memberships.forget()
    return outcome.ok ? { account, ...(made ? { made } : {}) } : undefined
  }

  account(name: string): Promise<Account | undefined> {
    return this.#accounts.get(name, async () => {
      const [r] = await this.#rows('SELECT name, title, created, limits FROM accounts WHERE name = ?', name)
      if (!r) return undefined
      return {
        name: r[0] as string,
        title: r[1] as string,
        created: r[2] as number,
        limits: { ...defaultLimits, ...JSON.parse(r[3] as string) },
      }
    })
  }

  /** For the host's operator: what an account may use. */
  async setLimits(name: string, limits: Partial<Limits>): Promise<boolean> {
    const outcome = await this.#database.write([
      { sql: 'UPDATE accounts SET limits = ? WHERE name = ?', args: [JSON.stringify(limits), name], expect: 1 },
    ])
    this.#accounts.forget()
    return outcome.ok
  }

  /** Ends an account without clusters, with its members and tokens; false while it has some. */
  async deleteAccount(name: string): Promise<boolean> {
    const outcome = await this.#database.write([
      guard('SELECT count(*) = 0 FROM clusters WHERE account = ?', [name]),
      { sql: 'DELETE FROM tokens WHERE account = ?', args: [name] },
      { sql: 'DELETE FROM members WHERE account = ?', args: [name] },
      { sql: 'DELETE FROM usage WHERE account = ?', args: [name] },
      { sql: 'DELETE FROM accounts WHERE name = ?', args: [name] },
    ])
    this.#accounts.forget()
    this.#memberships.forget()
    this.#tokens.forget((t) => t?.account === name)
    return outcome.ok
  }

  // Members

  async members(account: string): Promise<Member[]> {
    const rows = await this.#rows('SELECT user, role, created FROM members WHERE account = ? ORDER BY user', account)
    return rows.map((r) => ({ user: r[0] as string, role: r[1] as Role, created: r[2] as number }))
  }

  /** Adds a member or changes the role; false when the account is full. */
  async putMember(account: Account, user: string, role: Role): Promise<boolean> {
    const outcome = await this.#database.write([
      guard(
        'SELECT (SELECT count(*) FROM members WHERE account = ?1) < ?2 OR EXISTS (SELECT 1 FROM members WHERE account = ?1 AND user = ?3)',
        [account.name, account.limits.members, user],
      ),
      {
        sql: 'INSERT INTO members(account, user, role, created) VALUES (?, ?, ?, ?) ON CONFLICT(account, user) DO UPDATE SET role = excluded.role',
        args: [account.name, user, role, this.#clock.now()],
      },
    ])
    this.#memberships.forget()
    return outcome.ok
  }

  async removeMember(account: string, user: string): Promise<boolean> {
    const outcome = await this.#database.write([
      { sql: 'DELETE FROM members WHERE account = ? AND user = ?', args: [account, user], expect: 1 },
    ])
    this.#memberships.forget()
    return outcome.ok
  }

  /** The accounts that a person belongs to. */
  async memberships(user: string): Promise<{ account: string; role: Role }[]> {
    return (await this.#memberships.get(user, async () => {
      const rows = await this.#rows('SELECT account, role FROM members WHERE user = ? ORDER BY account', user)
      return rows.map((r) => ({ account: r[0] as string, role: r[1] as Role }))
    }))!
  }

  // Tokens

  async #newToken(account: string, t: { name: string; role: Role; expires?: number } & Scope) {
    const secret = newToken(this.#random, 'api')
    const token: Token = { id: this.#random.uuid(), account, created: this.#clock.now(), ...t }
    const statement: Statement = {
      sql: 'INSERT INTO tokens(id, hash, account, name, role, cluster, namespace, created, expires) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
      args: [
        token.id,
        await hashToken(secret),
        account,
        t.name,
        t.role,
        t.cluster ?? null,
        t.namespace ?? null,
        token.created,
        t.expires ?? null,
      ],
    }
    return { statement, secret, token }
  }

  /** Makes a token; its text is in the answer and nowhere else. Undefined when the account is full. */
  async createToken(
    account: Account,
    t: { name: string; role: Role; expires?: number } & Scope,
  ): Promise<{ secret: string; token: Token } | undefined> {
    const { statement, secret, token } = await this.#newToken(account.name, t)
    const outcome = await this.#database.write([below('tokens', account.name, account.limits.tokens), statement])
    return outcome.ok ? { secret, token } : undefined
  }

  async tokens(account: string): Promise<Token[]> {
    return (await this.#rows(`SELECT ${TOKEN_COLUMNS} FROM tokens WHERE account = ? ORDER BY created, id`, account)).map(toToken)
  }

  /** Revoked at once here; other processes follow within five seconds. */
  async deleteToken(account: string, id: string): Promise<boolean> {
    const outcome = await this.#database.write([{ sql: 'DELETE FROM tokens WHERE account = ? AND id = ?', args: [account, id], expect: 1 }])
    this.#tokens.forget((t) => t?.id === id)
    return outcome.ok
  }

  /** The token behind a text; undefined when unknown, expired or revoked. */
  async find(secret: string): Promise<Token | undefined> {
    const hash = await hashToken(secret)
    const token = await this.#tokens.get(hash, async () => {
      const [r] = await this.#rows(`SELECT ${TOKEN_COLUMNS} FROM tokens WHERE hash = ?`, hash)
      return r && toToken(r)
    })
    const now = this.#clock.now()
    if (!token || (token.expires !== undefined && token.expires <= now)) return undefined
    if (now - (token.used ?? 0) > USED_EVERY) {
      token.used = now
      this.#used.set(token.id, now)
    }
    return token
  }

  // Clusters

  async clusters(account: string): Promise<ClusterRecord[]> {
    return (await this.#rows(`SELECT ${CLUSTER_COLUMNS} FROM clusters WHERE account = ? ORDER BY name`, account)).map(toCluster)
  }

  /** Every cluster that runs, for a platform that keeps them awake itself. */
  async activeClusters(): Promise<ClusterRecord[]> {
    return (await this.#rows(`SELECT ${CLUSTER_COLUMNS} FROM clusters WHERE state = 'active' ORDER BY id`)).map(toCluster)
  }

  cluster(name: string): Promise<ClusterRecord | undefined> {
    return this.#clusters.get(`name ${name}`, async () => {
      const [r] = await this.#rows(`SELECT ${CLUSTER_COLUMNS} FROM clusters WHERE name = ?`, name)
      return r && toCluster(r)
    })
  }

  clusterById(id: string): Promise<ClusterRecord | undefined> {
    return this.#clusters.get(`id ${id}`, async () => {
      const [r] = await this.#rows(`SELECT ${CLUSTER_COLUMNS} FROM clusters WHERE id = ?`, id)
      return r && toCluster(r)
    })
  }

  async addCluster(account: Account, record: ClusterRecord): Promise<'ok' | 'taken' | 'full'> {
    const r = record
    const outcome = await this.#database.write([
      below('clusters', account.name, account.limits.clusters),
      {
        sql: `INSERT INTO clusters(${CLUSTER_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)`,
        args: [r.id, r.name, r.account, r.state, r.created, r.database, r.key],
      },
    ])
    this.#clusters.forget()
    return outcome.ok ? 'ok' : outcome.index === 0 ? 'full' : 'taken'
  }

  async setState(id: string, state: ClusterState): Promise<void> {
    await this.#database.write([{ sql: 'UPDATE clusters SET state = ? WHERE id = ?', args: [state, id] }])
    this.#clusters.forget()
  }

  /** Forgets a cluster and the tokens that were for it alone. */
  async removeCluster(record: ClusterRecord): Promise<void> {
    await this.#database.write([
      { sql: 'DELETE FROM clusters WHERE id = ?', args: [record.id] },
      { sql: 'DELETE FROM tokens WHERE account = ? AND cluster = ?', args: [record.account, record.name] },
    ])
    this.#clusters.forget()
    this.#tokens.forget((t) => t?.account === record.account && t.cluster === record.name)
  }

  // Usage

  /** Counts a request; `flush` writes what has come together. */
  count(account: string, cluster: string): void {
    const key = `${account} ${cluster}`
    const c = this.#requests.get(key)
    if (c) c.n++
    else this.#requests.set(key, { account, cluster, n: 1 })
  }

  /** Whether `flush` has something to write. */
  get pending(): boolean {
    return this.#requests.size > 0 || this.#used.size > 0
  }

  /** Writes counted requests and when tokens were last used. What cannot be written now is dropped: it is no reason to fail anybody. */
  async flush(): Promise<void> {
    const counted = [...this.#requests.values()]
    const used = [...this.#used]
    this.#requests.clear()
    this.#used.clear()
    if (!counted.length && !used.length) return
    const day = new Date(this.#clock.now()).toISOString().slice(0, 10)
    await this.#database.write([
      ...counted.map((c) => ({
        sql: 'INSERT INTO usage(account, day, cluster, requests) VALUES (?, ?, ?, ?) ON CONFLICT(account, day, cluster) DO UPDATE SET requests = requests + excluded.requests',
        args: [c.account, day, c.cluster, c.n],
      })),
      ...used.map(([id, at]) => ({ sql: 'UPDATE tokens SET used = ? WHERE id = ?', args: [at, id] })),
    ])
  }

  async usage(account: string): Promise<{ day: string; cluster: string; requests: number }[]> {
    const rows = await this.#rows(
      'SELECT day, cluster, requests FROM usage WHERE account = ? ORDER BY day DESC, cluster LIMIT 1000',
      account,
    )
    return rows.map((r) => ({ day: r[0] as string, cluster: r[1] as string, requests: r[2] as number }))
  }
}
