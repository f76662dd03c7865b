// Ingress on this host: a proxy that runs while there is an ingress for us, at what ingresses, services, slices and certificates say.
// Endpoints come and go by its socket; all else by new files, which it takes up without losing a request.
import { createHash } from 'node:crypto'
import { Resolver } from 'node:dns/promises'
import { copyFileSync, existsSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs'
import { cpus } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isOurClass } from '../../../shared/ingress/class.ts'
import type { Log } from '../../log.ts'
import { ObjectList, type References } from '../../session/objects.ts'
import type { Session } from '../../session/session.ts'
import { hasIPv6 } from '../forwarding.ts'
import type { SlicesByService } from '../slices.ts'
import { ExternalNames, type Resolve } from './external-names.ts'
import { fallbackCertificate } from './fallback-certificate.ts'
import { HaProxy, haproxyBinary } from './haproxy.ts'
import { type Places, placeCommands, placesFor, proxyFiles } from './haproxy-config.ts'
import { type Routing, routing, secretsOf, served } from './routing.ts'

const SETTLE = 10
const RETRY = 1000
const MAX_RETRY = 60_000
/** Between two sets of files: each costs a process that stays for as long as its connections. */
const FILES_APART = 300
/** A proxy that lived no longer is not started again at once, ms. */
const SHORT_LIFE = 10_000
const MAX_LOG = 16 * 1024 * 1024
const LOOK_AT_LOG = 60_000
/** Who refers to the secrets. */
export const REFERRER = 'ingress'
/** How long it is waited for a secret that is new here, ms. */
const SECRET_PATIENCE = 3000
/** How long a nameserver has for its answer, ms. */
const RESOLVE_WITHIN = 2000

export interface IngressOptions {
  session: Session
  references: References
  data: string
  log: Log
  services: ObjectList
  slices: ObjectList
  byService: SlicesByService
  /** The nameservers by which names outside are found. */
  nameservers: () => string[]
  /** What `state` says has changed. */
  changed: () => void
  ports?: { http: number; https: number }
}

/** Workers do not need the rights of their master. */
const workersUser = (): string | undefined =>
  existsSync('/etc/passwd') ? ['haproxy', 'nobody'].find((u) => readFileSync('/etc/passwd', 'utf8').includes(`\n${u}:`)) : undefined

const resolveBy = async (nameservers: string[], name: string): ReturnType<Resolve> => {
  const resolver = new Resolver({ timeout: RESOLVE_WITHIN, tries: 2 })
  if (nameservers.length) resolver.setServers(nameservers)
  return resolver.resolve4(name.replace(/\.$/, ''), { ttl: true })
}

export class Ingress {
  readonly #o: IngressOptions
  readonly #folder: string
  readonly #proxy: HaProxy
  readonly #ingresses: ObjectList
  readonly #classes: ObjectList
  /** What the proxy has: its files but for the endpoints, and who has which place. Undefined when that is not known. */
  #applied?: { files: string; places: Places }
  #isServing = false
  #filesAt = Number.NEGATIVE_INFINITY
  #faults = ''
  readonly #external: ExternalNames
  /** Those that backends are of, be they there or not. */
  #services = new Set<string>()
  #secrets: ReadonlySet<string> = new Set()
  #retry = RETRY
  #timer?: ReturnType<typeof setTimeout>
  #logTimer?: ReturnType<typeof setInterval>
  #work: Promise<void> = Promise.resolve()
  #closed = false

  constructor(o: IngressOptions) {
    this.#o = o
    this.#folder = path.join(o.data, 'ingress')
    this.#proxy = new HaProxy(this.#folder, () => this.#lost())
    this.#external = new ExternalNames(
      (name) => resolveBy(o.nameservers(), name),
      () => this.#changed(),
    )
    this.#ingresses = new ObjectList(o.session, 'ingresses.networking.k8s.io', {}, () => this.#changed())
    this.#classes = new ObjectList(o.session, 'ingressclasses.networking.k8s.io', {}, (_key, old, now) => {
      if (isOurClass(old) || isOurClass(now)) this.#changed()
    })
    const all = [this.#ingresses, this.#classes, o.services, o.slices]
    void Promise.all(all.map((l) => l.ready())).then(() => this.#changed())
  }

  /** `available` where there is a proxy that could serve; undefined where there is none. */
  get state(): 'available' | 'serving' | undefined {
    return this.#isServing ? 'serving' : haproxyBinary() ? 'available' : undefined
  }

  /** A service or its slices are others. */
  changed(service: string): void {
    if (this.#services.has(service)) this.#changed()
  }
  secretChanged(): void {
    this.#changed()
  }

  #served = () => served({ ingresses: this.#ingresses.objects.values(), classOf: (name) => this.#classes.objects.get(name) })

  #changed(delay = SETTLE): void {
    if (this.#closed) return
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#work = this.#work.then(() => this.#sync())
    }, delay)
  }

  #lost(): void {
    this.#o.log.warn('the ingress proxy has ended; starting it again')
    this.#applied = undefined
    // At once, unless it does nothing but end.
    this.#changed(performance.now() - this.#filesAt < SHORT_LIFE ? RETRY : SETTLE)
  }

  async #sync(): Promise<void> {
    const { services, slices, references, log } = this.#o
    // What the last daemon told the proxy stays until all is known.
    if (this.#closed || ![this.#ingresses, this.#classes, services, slices].every((l) => l.synced)) return
    try {
      const ours = this.#served()
      references.hold(REFERRER, secretsOf(ours))
      if (!ours.length) await this.#end()
      else if (haproxyBinary()) await this.#apply(await this.#routing(ours))
      this.#retry = RETRY
    } catch (cause) {
      this.#applied = undefined
      if (!(await this.#proxy.isRunning())) this.#set(false)
      log.error('the ingress proxy could not be told; trying again', cause, { in_ms: this.#retry })
      this.#changed(this.#retry)
      this.#retry = Math.min(this.#retry * 2, MAX_RETRY)
    }
  }

  async #end(): Promise<void> {
    this.#external.keep(new Set())
    await this.#proxy.stop()
    this.#set(false)
  }

  async #routing(ours: any[]): Promise<Routing> {
    const { services, byService, references, log } = this.#o
    await this.#newSecrets(secretsOf(ours))
    this.#services = new Set()
    const outside = new Set<string>()
    const r = routing({
      ingresses: ours,
      classOf: (name) => this.#classes.objects.get(name),
      service: (namespace, name) => {
        const key = `${namespace}/${name}`
        this.#services.add(key)
        return services.objects.get(key)
      },
      slices: (namespace, service) => byService.of(`${namespace}/${service}`),
      secret: (namespace, name) => references.peek('secrets', namespace, name),
      external: (name) => {
        outside.add(name)
        return this.#external.addressesOf(name)
      },
    })
    this.#external.keep(outside)
    const faults = r.faults.join('\n')
    if (faults && faults !== this.#faults) log.warn('not all that ingresses ask for can be done', { faults: r.faults.slice(0, 20) })
    this.#faults = faults
    return r
  }

  /** Those that were not asked for before: waited for, that nobody sees a wrong certificate; but not for long, for they may be kept from this node. */
  async #newSecrets(wanted: ReadonlySet<string>): Promise<void> {
    const fresh = [...wanted].filter((id) => !this.#secrets.has(id))
    this.#secrets = wanted
    const told = fresh.map((id) => {
      const [, namespace, name] = id.split('/') as [string, string, string]
      return this.#o.references.get('secrets', namespace, name)
    })
    if (told.length) await Promise.race([Promise.all(told), sleep(SECRET_PATIENCE, undefined, { ref: false })])
  }

  async #apply(r: Routing): Promise<void> {
    const { http, https } = this.#o.ports ?? { http: 80, https: 443 }
    const places = placesFor(r.backends, this.#applied?.places ?? new Map())
    const user = workersUser()
    const ipv6 = hasIPv6()
    const settings = { folder: this.#folder, http, https, threads: Math.min(4, cpus().length), ipv6, ...(user ? { user } : {}) }
    const fallback = await fallbackCertificate(this.#folder)
    const nobody: Places = new Map([...places].map(([name, list]) => [name, list.map(() => undefined)]))
    const files = createHash('sha256')
      .update(JSON.stringify([...proxyFiles(r, nobody, settings, fallback, '')]))
      .digest('hex')
      .slice(0, 16)
    if (this.#applied?.files === files) {
      for (const line of placeCommands(this.#applied.places, places)) await this.#proxy.command(line)
    } else {
      const wait = this.#filesAt + FILES_APART - performance.now()
      if (this.#applied && wait > 0) return this.#changed(wait)
      const version = `${files}-${Date.now().toString(36)}`
      await this.#proxy.apply(proxyFiles(r, places, settings, fallback, version), version)
      this.#filesAt = performance.now()
    }
    this.#applied = { files, places }
    this.#set(true)
  }

  #set(isServing: boolean): void {
    if (!isServing) this.#applied = undefined
    clearInterval(this.#logTimer)
    if (isServing) this.#logTimer = setInterval(() => this.#trimLog(), LOOK_AT_LOG).unref()
    if (this.#isServing === isServing) return
    this.#isServing = isServing
    this.#o.changed()
  }

  /** Two files of each kind, of at most so much. The proxy appends to the one that it has open. */
  #trimLog(): void {
    for (const file of [this.#proxy.accessLog, this.#proxy.ownLog]) {
      if (!existsSync(file) || statSync(file).size < MAX_LOG) continue
      copyFileSync(file, `${file}.1`)
      truncateSync(file)
    }
  }

  /** The proxy goes on without this daemon. */
  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    clearInterval(this.#logTimer)
    await this.#work
    this.#external.keep(new Set())
    this.#proxy.release()
  }

  /** Takes the proxy away, after `close`. */
  async remove(): Promise<void> {
    await this.#proxy.stop(true)
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
