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

export class Nodes {
  readonly #store: Store
  readonly #clock: Clock
  readonly #cache = new Map<string, { at: number; key: CryptoKey }>()

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
    const text = rows![0]?.[0]
    if (!text) return undefined
    const key = (await importJWK(JSON.parse(text as string), 'ES256')) as CryptoKey
    if (this.#cache.size >= 20_000) this.#cache.clear()
    this.#cache.set(name, { at: this.#clock.now(), key })
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
      await jwtVerify(token, key, {
        audience: NODE_AUDIENCE,
        currentDate: new Date(this.#clock.now()),
        maxTokenAge: '10 minutes',
        clockTolerance: 120,
      })
      return nodeIdentity(name)
    } catch {
      return undefined
    }
  }
}
