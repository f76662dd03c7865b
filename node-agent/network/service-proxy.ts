// Keeps the nftables table at what the services and slices say: atomic, incremental, many changes at once, and whole again after a fault.
import type { Log } from '../log.ts'
import { exec, nft } from './commands.ts'
import { HealthServers, healthPorts } from './health-ports.ts'
import {
  baseTable,
  difference,
  type Elements,
  type Here,
  type LocalPod,
  MAX_ENDPOINTS,
  type Ranges,
  readyOn,
  serviceElements,
  TABLE,
} from './service-rules.ts'
import { FlowCleaner, staleFlows } from './stale-flows.ts'

const SETTLE = 5
const RETRY = 1000

interface Source {
  services: Iterable<any>
  slices: Iterable<any>
  localPods: Iterable<LocalPod>
  here: Here
}

export class ServiceProxy {
  readonly #ranges: Ranges
  readonly #log: Log
  readonly #source: () => Source
  readonly #cleaner: FlowCleaner
  readonly #health: HealthServers
  #applied: Elements | undefined
  /** Endpoints per service that the table has chains for. */
  #room = 16
  /** How long affinity lasts by the chains that the table has. */
  #affinities = new Set<number>()
  #timer?: ReturnType<typeof setTimeout>
  #running = false
  #again = false

  constructor(ranges: Ranges, source: () => Source, log: Log) {
    this.#ranges = ranges
    this.#source = source
    this.#log = log
    this.#cleaner = new FlowCleaner(log)
    this.#health = new HealthServers(log)
  }

  /** Something changed: the table follows within milliseconds. */
  changed(delay = SETTLE): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      void this.#sync()
    }, delay)
  }

  async #sync(): Promise<void> {
    if (this.#running) {
      this.#again = true
      return
    }
    this.#running = true
    try {
      const { services, slices, localPods, here } = this.#source()
      const byService = new Map<string, any[]>()
      for (const s of slices) {
        const key = `${s.metadata.namespace}/${s.metadata.labels?.['kubernetes.io/service-name']}`
        byService.set(key, [...(byService.get(key) ?? []), s])
      }
      const all = [...services]
      const slicesOf = (s: any) => byService.get(`${s.metadata.namespace}/${s.metadata.name}`) ?? []
      const { elements, demand } = serviceElements(all, slicesOf, localPods, here)
      if (demand.most > this.#room || [...demand.affinities].some((s) => !this.#affinities.has(s))) {
        while (this.#room < demand.most) this.#room *= 2
        this.#affinities = demand.affinities
        this.#applied = undefined
      }
      const room = Math.min(this.#room, MAX_ENDPOINTS)
      const base = this.#applied === undefined ? baseTable(this.#ranges, room, this.#affinities) : ''
      const script = base + difference(this.#applied ?? new Map(), elements)
      if (script) await nft(script)
      const flows = this.#applied ? staleFlows(this.#applied, elements) : []
      this.#applied = elements
      this.#cleaner.forget(flows)
      this.#health.set(healthPorts(all, (s) => readyOn(slicesOf(s), here)))
    } catch (cause) {
      // Whatever is there now, the next attempt writes it whole.
      this.#applied = undefined
      this.#log.error('the service table could not be written; trying again', cause)
      this.changed(RETRY)
    } finally {
      this.#running = false
      if (this.#again) {
        this.#again = false
        this.changed()
      }
    }
  }

  /** Answers nobody any more; the table stays. */
  close(): void {
    clearTimeout(this.#timer)
    this.#health.close()
  }

  /** Takes the table away. */
  async remove(): Promise<void> {
    clearTimeout(this.#timer)
    await exec('nft', 'delete', 'table', 'ip', TABLE).catch(() => {})
  }
}
