// Single objects that requests keep asking for (service accounts, nodes): parsed once, kept a few seconds, dropped when they change here.
// Absence is never remembered.
import type { KObject } from '../../shared/meta/object.ts'
import type { Clock } from '../ports/clock.ts'
import type { Key, Store } from '../store/store.ts'
import { decodeBody } from './codec.ts'

const MAX_ENTRIES = 5000
const MAX_AGE = 5000
const MAX_LISTED = 500

export class Lookup {
  readonly #store: Store
  readonly #clock: Clock
  readonly #cache = new Map<string, { at: number; object: KObject }>()
  readonly #lists = new Map<string, { at: number; objects: KObject[] }>()
  /** Who is reading which list; forgotten with it. */
  readonly #reading = new Map<string, Set<symbol>>()
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

  /** All of a resource in a namespace, as old as single objects may be. Few are expected: what does not fit a page is left out. */
  async list(resource: string, ns: string): Promise<KObject[]> {
    const id = `${resource}/${ns}`
    const known = this.#lists.get(id)
    if (known && this.#clock.now() - known.at < MAX_AGE) return known.objects
    const others = this.#reading.get(id) ?? new Set()
    const mine = Symbol()
    this.#reading.set(id, others.add(mine))
    try {
      const { items } = await this.#store.list({ resource, ns, limit: MAX_LISTED })
      const objects = items.map((i) => decodeBody(i.body, i.rv))
      if (this.#lists.size >= MAX_ENTRIES) this.#lists.delete(this.#lists.keys().next().value!)
      // What changed while it was read is read again by the next who asks.
      if (this.#reading.get(id)?.has(mine)) this.#lists.set(id, { at: this.#clock.now(), objects })
      return objects
    } finally {
      others.delete(mine)
      if (!others.size && this.#reading.get(id) === others) this.#reading.delete(id)
    }
  }

  forget(key: Key): void {
    this.#cache.delete(`${key.resource}/${key.ns}/${key.name}`)
    this.#lists.delete(`${key.resource}/${key.ns}`)
    this.#reading.delete(`${key.resource}/${key.ns}`)
  }
}
