// The cluster's webhooks and policies, who serves which API and who waits for whom, as this process knows them: every request asks, so they are kept
// like the kinds are.
import { GROUP } from '../../shared/kinds/admission-registration.ts'
import { API_SERVICES } from '../../shared/kinds/api-service.ts'
import { FLOW_CONTROL } from '../../shared/kinds/flow-control.ts'
import type { KObject } from '../../shared/meta/object.ts'
import type { Clock } from '../ports/clock.ts'
import type { LogEvent, Store } from '../store/store.ts'
import { decodeBody } from './codec.ts'
import { OneReader } from './one-reader.ts'

const MAX_AGE = 5000

const plurals = [
  'validatingwebhookconfigurations',
  'mutatingwebhookconfigurations',
  'validatingadmissionpolicies',
  'validatingadmissionpolicybindings',
  'mutatingadmissionpolicies',
  'mutatingadmissionpolicybindings',
  'apiservices',
  'flowschemas',
  'prioritylevelconfigurations',
] as const
type Plural = (typeof plurals)[number]
const elsewhere: Record<string, string> = {
  apiservices: API_SERVICES,
  flowschemas: `flowschemas.${FLOW_CONTROL}`,
  prioritylevelconfigurations: `prioritylevelconfigurations.${FLOW_CONTROL}`,
}
const resourceOfPlural = (p: string): string => elsewhere[p] ?? `${p}.${GROUP}`
const resources = new Set(plurals.map(resourceOfPlural))

/** Whether objects of a resource are kept here. */
export const isRule = (resource: string): boolean => resources.has(resource)

export class AdmissionRules {
  readonly #store: Store
  readonly #clock: Clock
  readonly #objects = new Map<string, Map<string, KObject>>()
  #readAt = Number.NEGATIVE_INFINITY
  readonly #reader = new OneReader()
  /** Moves with every change: what was made of them before is stale then. */
  generation = 0
  /** Set where every event of the log is seen: nothing is read again then. */
  live = false

  constructor(store: Store, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  observe(e: LogEvent): void {
    if (!isRule(e.resource)) return
    this.generation++
    const all = this.#of(e.resource)
    // Events come by two ways, from the commit and from the log: the newer stays.
    if (Number(all.get(e.name)?.metadata.resourceVersion ?? 0) >= e.rv) return
    if (e.verb === 'delete') all.delete(e.name)
    else all.set(e.name, decodeBody(e.body, e.rv))
  }

  #of(resource: string): Map<string, KObject> {
    let found = this.#objects.get(resource)
    if (!found) {
      found = new Map()
      this.#objects.set(resource, found)
    }
    return found
  }

  /** All of one kind, by name: the order in which they are asked. Callers must not change them. */
  all(plural: Plural): KObject[] {
    const found = this.#of(resourceOfPlural(plural))
    return [...found.values()].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
  }

  async load(): Promise<void> {
    const at = this.#clock.now()
    // Most clusters have none: one question tells.
    const there = new Set(await this.#store.resources())
    await Promise.all(
      [...resources].map(async (resource) => {
        const items = there.has(resource) ? (await this.#store.list({ resource })).items : []
        this.#objects.set(resource, new Map(items.map((i) => [i.name, decodeBody(i.body, i.rv)])))
      }),
    )
    this.#readAt = at
    this.generation++
  }

  /** Makes sure that what is known is at most five seconds old. */
  async current(): Promise<void> {
    const fresh = () => this.live || this.#clock.now() - this.#readAt < MAX_AGE
    if (!fresh()) await this.#reader.until(fresh, () => this.load())
  }
}
