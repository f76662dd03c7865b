// Single objects that requests keep asking for (service accounts, nodes): parsed once, kept a few seconds, dropped when they change here.
// Absence is never remembered.
import type { KObject } from '../../shared/meta/object.ts'
import type { Clock } from '../ports/clock.ts'
import type { Key, Store } from '../store/store.ts'
import { decodeBody } from './codec.ts'

const MAX_ENTRIES = 5000
const MAX_AGE = 5000

export class Lookup {
  readonly #store: Store
  readonly #clock: Clock
  readonly #cache = new Map<string, { at: number; object: KObject }>()
  constructor(store: Store, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  /** The object, at most five seconds old; callers must not change it. */
  async get(resource: string, ns: string, name: string): Promise<KObject | undefined> {
    const id = `${resource}/${ns}/${name}`
    const known = this.#cache.get(id)
    if (known && this.#clock.now() - known.at < MAX_AGE) return known.object
    const stored = await this.#store.get({ resource, ns, name })
    if (!stored) {
      this.#cache.delete(id)
      return undefined
    }
    const object = decodeBody(stored.body, stored.rv)
    if (this.#cache.size >= MAX_ENTRIES) this.#cache.delete(this.#cache.keys().next().value!)
    this.#cache.set(id, { at: this.#clock.now(), object })
    return object
  }

  forget(key: Key): void {
    this.#cache.delete(`${key.resource}/${key.ns}/${key.name}`)
  }
}
