// Keeps the nftables table at what the services and slices say: atomic, incremental, many changes at once, and whole again after a fault.
import { familiesOf, isHealthChecked } from '../../shared/kinds/service.ts'
import { type Family, familyOf } from '../../shared/meta/address.ts'
import type { Log } from '../log.ts'
import { exec, nft } from './commands.ts'
import { HealthServers, healthPorts } from './health-ports.ts'
import { isTableLost, type Watched } from './host-watch.ts'
import {
  baseTable,
  type Demand,
  type Here,
  type LocalPod,
  MAX_ENDPOINTS,
  podElements,
  type Ranges,
  readyOn,
  serviceElements,
  slicesOf,
  TABLE,
  tableOf,
} from './service-rules.ts'
import { type Flow, FlowCleaner, staleFlows } from './stale-flows.ts'
import { TableState } from './table-state.ts'

const SETTLE = 5
const RETRY = 1000
/** The owner of what pods call for, beside the services by their keys. */
const PODS = ''

/** What the table follows. Services go by `namespace/name`. */
export interface ProxySource {
  services(): Iterable<string>
  /** Undefined when there is none, or it is served otherwise. */
  service(key: string): any
  slicesOf(key: string): any[]
  localPods(): Iterable<LocalPod>
  here(): Here
}

/** The table of one family. */
export class ServiceProxy implements Watched {
  readonly what: string
  readonly #family: Family
  readonly #ranges: Ranges
  readonly #log: Log
  readonly #source: ProxySource
  readonly #cleaner: FlowCleaner
  readonly #health: HealthServers
  readonly #state: TableState
  /** Services whose health is asked for. */
  readonly #checked = new Map<string, any>()
  /** Owners to look at again. */
  #dirty = new Set<string>()
  #isAllDirty = true
  /** The kernel's table is as the state was when it was written last. */
  #isWritten = false
  /** Endpoints per service that the table has chains for. */
  #room = 16
  /** How long affinity lasts by the chains that the table has. */
  readonly #affinities = new Set<number>()
  #timer?: ReturnType<typeof setTimeout>
  #running = false
  #closed = false
  readonly #waiters: (() => void)[] = []

  constructor(ranges: Ranges, source: ProxySource, log: Log) {
    this.#family = familyOf(ranges.podCidr)
    this.what = `the service table of ${this.#family}`
    this.#state = new TableState(tableOf(this.#family, TABLE))
    this.#ranges = ranges
    this.#source = source
    this.#log = log
    this.#cleaner = new FlowCleaner(this.#family, log)
    this.#health = new HealthServers(log)
  }

  /** A service or its slices changed: the table follows within milliseconds. */
  changed(service: string): void {
    this.#dirty.add(service)
    this.#soon()
  }
  podsChanged(): void {
    this.changed(PODS)
  }
  allChanged(): void {
    this.#isAllDirty = true
    this.#soon()
  }

  readonly isLost = () => isTableLost(tableOf(this.#family, TABLE), 'postrouting')

  /** The kernel's table is not what was written; false where none was. */
  rewrite(): boolean {
    if (!this.#isWritten) return false
    this.#isWritten = false
    this.#soon()
    return true
  }

  /** Resolves when the kernel has what is wanted. */
  idle(): Promise<void> {
    if (this.#isWritten && !this.#running && !this.#timer) return Promise.resolve()
    return new Promise((resolve) => this.#waiters.push(resolve))
  }

  #soon(delay = SETTLE): void {
    if (this.#running || this.#closed) return
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      void this.#sync()
    }, delay)
  }

  /** Looks again at an owner; the flows that go where nobody is any more. */
  #look(owner: string): Flow[] {
    const { service, localPods, here } = this.#source
    const s = owner === PODS ? undefined : service(owner)
    // Of two tables, one asks.
    if (s && isHealthChecked(s.spec) && familiesOf(s)[0] === this.#family) this.#checked.set(owner, s)
    else this.#checked.delete(owner)
    const { elements, demand } = s
      ? serviceElements(s, this.#slices(owner), here(), this.#family)
      : { elements: new Map(), demand: undefined }
    if (demand) this.#demand(demand)
    const now = owner === PODS ? podElements(localPods(), this.#family) : elements
    return staleFlows(this.#state.replace(owner, now), now)
  }

  /** A table that does not have the chains is made anew. */
  #demand({ most, affinities }: Demand): void {
    if (most > this.#room || [...affinities].some((s) => !this.#affinities.has(s))) this.#isWritten = false
    while (this.#room < most) this.#room *= 2
    for (const s of affinities) this.#affinities.add(s)
  }

  async #sync(): Promise<void> {
    this.#running = true
    let delay = SETTLE
    try {
      const owners = this.#isAllDirty ? new Set([...this.#state.owners, ...this.#source.services(), PODS]) : this.#dirty
      this.#isAllDirty = false
      this.#dirty = new Set()
      const isFirst = !this.#isWritten
      const flows = [...owners].flatMap((o) => this.#look(o))
      const base = this.#isWritten ? undefined : baseTable(this.#ranges, Math.min(this.#room, MAX_ENDPOINTS), this.#affinities)
      const script = this.#state.script(base)
      // Whatever is there when this fails, the next attempt writes it whole.
      this.#isWritten = false
      if (script) await nft(script)
      this.#state.written()
      this.#isWritten = true
      if (!isFirst) this.#cleaner.forget(flows)
      this.#health.set(
        healthPorts(this.#checked.values(), ({ metadata }) =>
          readyOn(this.#slices(`${metadata.namespace}/${metadata.name}`), this.#source.here()),
        ),
      )
    } catch (cause) {
      this.#log.error('the service table could not be written; trying again', cause)
      // Of those that were to be looked at, not all may have been.
      this.#isAllDirty = true
      delay = RETRY
    } finally {
      this.#running = false
      if (this.#dirty.size || this.#isAllDirty || !this.#isWritten) this.#soon(delay)
      else for (const tell of this.#waiters.splice(0)) tell()
    }
  }

  #slices = (service: string): any[] => slicesOf(this.#source.slicesOf(service), this.#family)

  /** Answers nobody any more; the table stays. */
  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    this.#health.close()
  }

  /** Takes the table away. */
  async remove(): Promise<void> {
    clearTimeout(this.#timer)
    await exec('nft', 'delete', 'table', ...tableOf(this.#family, TABLE).split(' ')).catch(() => {})
  }
}
