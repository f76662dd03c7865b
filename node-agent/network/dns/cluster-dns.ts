// DNS on this host: where it is to be served, and with what, by the Service `kube-dns` and the ConfigMap of the same name. A cluster that gives the Service
// a selector has a DNS of its own, which is then left to it.
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { asRange } from '../../../shared/meta/address.ts'
import type { Log } from '../../log.ts'
import { exec } from '../commands.ts'
import { Forwarder, type Upstreams } from './forwarder.ts'
import { hostResolver } from './resolver-file.ts'
import { type DnsCounters, DnsServer } from './server.ts'
import { ClusterZone } from './zone.ts'

export const DNS_SERVICE = { namespace: 'kube-system', name: 'kube-dns' }
const PORT = 53
const RETRY = 2000
const MAX_RETRY = 60_000
/** How long the host's resolv.conf is taken to be as it was, ms. */
const FRESH = 5000

const isOurs = ({ metadata }: any): boolean => metadata.namespace === DNS_SERVICE.namespace && metadata.name === DNS_SERVICE.name

export interface ClusterDnsOptions {
  domain: string
  /** Of services and pods. */
  ranges: readonly string[]
  /** Where the address is remembered. */
  data: string
  log: Log
  /** Whether all services and slices are known. */
  ready: () => boolean
  /** `serving` has changed. */
  changed: () => void
}

export class ClusterDns {
  /** The nameserver of pods, whoever serves there. */
  address?: string
  /** Where this host serves it. */
  serving?: string
  readonly #o: ClusterDnsOptions
  readonly #zone: ClusterZone
  readonly #forwarder: Forwarder
  readonly #file: string
  readonly #host: { at: number; servers: string[] } = { at: Number.NEGATIVE_INFINITY, servers: [] }
  #configured: { servers?: string[]; stubs: Map<string, string[]> } = { stubs: new Map() }
  #server?: DnsServer
  #wanted?: string
  #timer?: ReturnType<typeof setTimeout>
  #work: Promise<void> = Promise.resolve()

  constructor(o: ClusterDnsOptions) {
    this.#o = o
    this.#zone = new ClusterZone(o.domain, o.ranges)
    this.#forwarder = new Forwarder(() => this.#upstreams())
    this.#file = path.join(o.data, 'dns-address')
  }

  /** Serves where the last daemon did, before anything is known: pods that run ask there. */
  start(): void {
    if (!existsSync(this.#file)) return
    this.address = readFileSync(this.#file, 'utf8').trim()
    this.#want(this.address)
  }

  /** Undefined where this host does not serve it. */
  get counters(): DnsCounters | undefined {
    return this.#server?.counters
  }

  service(old: any, now: any): void {
    this.#zone.service(old, now)
    this.#server?.changed()
    if (isOurs(now ?? old)) this.#follow(now)
  }

  slice(old: any, now: any): void {
    this.#zone.slice(old, now)
    this.#server?.changed()
  }

  /** `stubDomains` and `upstreamNameservers`, as JSON. What cannot be read is left out, and said. */
  configMap(now: any): void {
    const read = (key: string, fallback: unknown): any => {
      const text = now?.data?.[key]
      if (text === undefined) return fallback
      try {
        return JSON.parse(text)
      } catch (cause) {
        this.#o.log.warn('the DNS configuration could not be read', { key, cause: (cause as Error).message })
        return fallback
      }
    }
    const stubs = Object.entries<unknown>(read('stubDomains', {})).flatMap(([domain, servers]): [string, string[]][] =>
      Array.isArray(servers) && servers.length ? [[domain.toLowerCase().replace(/^\.|\.$/g, ''), servers.map(String)]] : [],
    )
    const servers = read('upstreamNameservers', undefined)
    this.#configured = { stubs: new Map(stubs), ...(Array.isArray(servers) && servers.length ? { servers: servers.map(String) } : {}) }
    this.#forwarder.changed()
  }

  #follow(service: any): void {
    const address: string | undefined = service?.spec.clusterIP
    if (!address || address === 'None') {
      this.address = undefined
      rmSync(this.#file, { force: true })
      this.#want(undefined)
      return
    }
    if (address !== this.address) writeFileSync(this.#file, address)
    this.address = address
    this.#want(service.spec.selector && Object.keys(service.spec.selector).length ? undefined : address)
  }

  #upstreams(): Upstreams {
    const now = performance.now()
    if (now - this.#host.at > FRESH) {
      const { servers } = hostResolver()
      // A host that asks the cluster would make the cluster ask itself.
      this.#host.servers = servers.filter((s) => s !== this.serving)
      this.#host.at = now
    }
    return { servers: this.#configured.servers ?? this.#host.servers, stubs: this.#configured.stubs }
  }

  #want(address: string | undefined): void {
    if (address === this.#wanted) return
    this.#wanted = address
    clearTimeout(this.#timer)
    this.#work = this.#work.then(() => this.#arrange(RETRY))
  }

  /** Until it is served where it is wanted, and nowhere else. */
  async #arrange(delay: number): Promise<void> {
    const { log } = this.#o
    const wanted = this.#wanted
    if (this.serving === wanted) return
    if (this.serving) await this.#stop()
    if (!wanted) return
    const server = new DnsServer(this.#zone, this.#forwarder, log, this.#o.ready)
    try {
      await exec('ip', 'address', 'replace', asRange(wanted), 'dev', 'lo')
      await server.listen(wanted, PORT)
      this.#server = server
      this.serving = wanted
      this.#o.changed()
    } catch (cause) {
      await server.close()
      if (this.#wanted !== wanted) return
      log.warn('names cannot be served to pods yet; trying again', { cause: (cause as Error).message, in_ms: delay })
      this.#timer = setTimeout(() => {
        this.#work = this.#work.then(() => this.#arrange(Math.min(delay * 2, MAX_RETRY)))
      }, delay)
    }
  }

  async #stop(): Promise<void> {
    const address = this.serving
    this.serving = undefined
    await this.#server?.close()
    this.#server = undefined
    await exec('ip', 'address', 'del', asRange(address!), 'dev', 'lo').catch(() => {})
    this.#o.changed()
  }

  /** Stops serving; the address stays, for the daemon that comes next. */
  async close(): Promise<void> {
    clearTimeout(this.#timer)
    this.#wanted = this.serving
    await this.#work
    await this.#server?.close()
  }

  /** Takes the address away, after `close`. */
  async remove(): Promise<void> {
    const address = this.serving ?? (existsSync(this.#file) ? readFileSync(this.#file, 'utf8').trim() : undefined)
    if (address) await exec('ip', 'address', 'del', asRange(address), 'dev', 'lo').catch(() => {})
  }
}
