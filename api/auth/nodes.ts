// Node identities: a daemon registers the public half of its key when it joins, and signs short-lived assertions with the other.
import { decodeJwt, importJWK, type JWK, jwtVerify } from 'jose'
import type { Clock } from '../ports/clock.ts'
import type { Identity } from '../registry/context.ts'
import type { Store } from '../store/store.ts'

const NODE_AUDIENCE = 'kedge'
export const nodeIdentity = (name: string): Identity => ({
  username: `system:node:${name}`,
  groups: ['system:nodes', 'system:authenticated'],
})

const MAX_AGE = 5000
const MOST_KNOWN = 20_000

export class Nodes {
  readonly #store: Store
  readonly #clock: Clock
  readonly #cache = new Map<string, { at: number; text: string; key: CryptoKey }>()
  /** Assertions that held: what signed them, and until when (ms) they do. A daemon shows the same one for minutes. */
  readonly #held = new Map<string, { key: CryptoKey; until: number }>()

  constructor(store: Store, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  /** Makes (or, for a rebuilt machine, replaces) a node's key. */
  async register(name: string, key: JWK): Promise<void> {
    await this.#store.database.write([
      {
        sql: 'INSERT INTO meta(key, value) VALUES (?, ?) ON CONFLICT(key) DO UPDATE SET value = excluded.value',
        args: [`node-key/${name}`, JSON.stringify(key)],
      },
    ])
    this.#cache.delete(name)
  }

  /** The node's key opens nothing any more, here at once and elsewhere within five seconds; false when it had none. */
  async revoke(name: string): Promise<boolean> {
    const outcome = await this.#store.database.write([{ sql: 'DELETE FROM meta WHERE key = ?', args: [`node-key/${name}`], expect: 1 }])
    this.#cache.delete(name)
    return outcome.ok
  }

  /** Whether this very key is the node's already: a daemon whose answer was lost asks again. */
  async registered(name: string, key: JWK): Promise<boolean> {
    const [rows] = await this.#store.database.read([{ sql: 'SELECT value FROM meta WHERE key = ?', args: [`node-key/${name}`] }])
    const text = rows![0]?.[0]
    if (!text) return false
    const known = JSON.parse(text as string) as JWK
    return known.x === key.x && known.y === key.y
  }

  async #key(name: string): Promise<CryptoKey | undefined> {
    const known = this.#cache.get(name)
    if (known && this.#clock.now() - known.at < MAX_AGE) return known.key
    const [rows] = await this.#store.database.read([{ sql: 'SELECT value FROM meta WHERE key = ?', args: [`node-key/${name}`] }])
    const text = rows![0]?.[0] as string | undefined
    if (!text) return undefined
    const key = known?.text === text ? known.key : ((await importJWK(JSON.parse(text), 'ES256')) as CryptoKey)
    if (this.#cache.size >= MOST_KNOWN) this.#cache.clear()
    this.#cache.set(name, { at: this.#clock.now(), text, key })
    return key
  }

  /** The node that signed an assertion; undefined when it does not hold. */
  async verify(token: string): Promise<Identity | undefined> {
    try {
      const subject = decodeJwt(token).sub ?? ''
      if (!subject.startsWith('system:node:')) return undefined
      const name = subject.slice('system:node:'.length)
      const key = await this.#key(name)
      if (!key) return undefined
      const held = this.#held.get(token)
      if (held?.key === key && held.until > this.#clock.now()) return nodeIdentity(name)
      const { payload } = await jwtVerify(token, key, {
        audience: NODE_AUDIENCE,
        currentDate: new Date(this.#clock.now()),
        maxTokenAge: '10 minutes',
        clockTolerance: 120,
      })
      if (this.#held.size >= MOST_KNOWN) this.#held.clear()
      this.#held.set(token, { key, until: (payload.exp ?? 0) * 1000 })
      return nodeIdentity(name)
    } catch {
      return undefined
    }
  }
}
