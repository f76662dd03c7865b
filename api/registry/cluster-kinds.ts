// A cluster's kinds as this process knows them: read from the store, kept by what it sees of the log, read again where it does not see all of it.
import { CRD_RESOURCE } from '../../shared/crd/definition.ts'
import type { Kind } from '../../shared/kinds/kind.ts'
import { KindTable } from '../../shared/kinds/table.ts'
import type { KObject } from '../../shared/meta/object.ts'
import type { Clock } from '../ports/clock.ts'
import type { LogEvent, Store } from '../store/store.ts'
import { decodeBody } from './codec.ts'
import { OneReader } from './one-reader.ts'

const MAX_AGE = 5000

export class ClusterKinds extends KindTable {
  readonly #store: Store
  readonly #clock: Clock
  #readAt = Number.NEGATIVE_INFINITY
  readonly #reader = new OneReader()
  /** Set where every event of the log is seen: nothing is read again then. */
  live = false

  constructor(store: Store, clock: Clock, more: readonly Kind[] = []) {
    super(more)
    this.#store = store
    this.#clock = clock
  }

  observe(e: LogEvent): void {
    if (e.resource !== CRD_RESOURCE) return
    if (e.verb === 'delete') this.delete(e.name, e.rv)
    else this.set(e.object ? versioned(e.object, e.rv) : decodeBody(e.body, e.rv))
  }

  /** Reads every definition. */
  async load(): Promise<void> {
    const { items } = await this.#store.list({ resource: CRD_RESOURCE })
    for (const i of items) this.set(decodeBody(i.body, i.rv))
    this.keep(new Set(items.map((i) => i.name)))
    this.#readAt = this.#clock.now()
  }

  /** Makes sure that what is known is at most `age` ms old. */
  async current(age = MAX_AGE): Promise<void> {
    if (this.live && this.#readAt > Number.NEGATIVE_INFINITY) return
    const fresh = () => this.#clock.now() - this.#readAt < age
    if (!fresh()) await this.#reader.until(fresh, () => this.load())
  }
}

const versioned = (o: KObject, rv: number): KObject => ({ ...o, metadata: { ...o.metadata, resourceVersion: String(rv) } })
