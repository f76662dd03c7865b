// The cluster's zone, by the DNS specification of Kubernetes: names of services, of endpoints behind them and of pods, and the way back from addresses.
// Kept by what services and slices come and go; every question is a few look-ups.
import type { Answer } from 'dns-packet'
import { inRange, isIPv6, reverseName } from '../../../shared/meta/address.ts'

/** Seconds that resolvers may keep an answer: short, for endpoints change. */
export const TTL = 5
const VERSION = '1.1.0'

export interface ZoneAnswer {
  /** Whether there is such a name, be it without records of this type. */
  exists: boolean
  answers: Answer[]
  additionals: Answer[]
  /** The name stands for another one, which has to be asked for. */
  alias?: string
}

interface Endpoint {
  /** The label that it has within its service. */
  name: string
  named: boolean
  address: string
  ports: { name: string; protocol: string; port: number }[]
}

type Slices = Map<string, any>

const nothing: ZoneAnswer = { exists: false, answers: [], additionals: [] }
const empty: ZoneAnswer = { exists: true, answers: [], additionals: [] }

/** The label of an address, as in the names of pods. */
const dashed = (address: string): string => address.replaceAll(/[.:]/g, '-')
const undashed = (label: string): string | undefined => {
  if (/^\d+-\d+-\d+-\d+$/.test(label)) return label.replaceAll('-', '.')
  return /^[0-9a-f]*(-[0-9a-f]*){2,7}$/.test(label) ? label.replaceAll('-', ':') : undefined
}

const keyOf = ({ metadata }: any): string => `${metadata.namespace}/${metadata.name}`
const serviceKeyOf = ({ metadata }: any): string => `${metadata.namespace}/${metadata.labels?.['kubernetes.io/service-name']}`
const isHeadless = (service: any): boolean => service.spec.clusterIP === 'None'
const addressesOf = (service: any): string[] =>
  (service.spec.clusterIPs ?? [service.spec.clusterIP]).filter((ip: string | undefined) => ip && ip !== 'None')

function endpointsOf(slices: Slices | undefined): Endpoint[] {
  const all = new Map<string, Endpoint>()
  for (const s of slices?.values() ?? []) {
    const ports = (s.ports ?? []).map((p: any) => ({ name: p.name ?? '', protocol: p.protocol ?? 'TCP', port: p.port }))
    for (const e of s.endpoints ?? []) {
      if (e.conditions?.ready === false) continue
      const address: string = e.addresses[0]
      all.set(address, { name: (e.hostname ?? dashed(address)).toLowerCase(), named: !!e.hostname, address, ports })
    }
  }
  return [...all.values()]
}

export class ClusterZone {
  readonly domain: string
  readonly #ranges: readonly string[]
  readonly #services = new Map<string, any>()
  /** How many services a namespace has. */
  readonly #namespaces = new Map<string, number>()
  readonly #slices = new Map<string, Slices>()
  readonly #byAddress = new Map<string, string>()
  /** Of endpoints with names of their own: their services, by address. */
  readonly #named = new Map<string, Set<string>>()

  /** `ranges`: whose addresses' names are the cluster's to know. */
  constructor(domain: string, ranges: readonly string[]) {
    this.domain = domain.toLowerCase()
    this.#ranges = ranges
  }

  service(old: any, now: any): void {
    const count = (o: any, by: number) => {
      const { namespace } = o.metadata
      const n = (this.#namespaces.get(namespace) ?? 0) + by
      if (n) this.#namespaces.set(namespace, n)
      else this.#namespaces.delete(namespace)
    }
    if (old) {
      count(old, -1)
      this.#services.delete(keyOf(old))
      for (const ip of addressesOf(old)) if (this.#byAddress.get(ip) === keyOf(old)) this.#byAddress.delete(ip)
    }
    if (!now) return
    count(now, 1)
    this.#services.set(keyOf(now), now)
    for (const ip of addressesOf(now)) this.#byAddress.set(ip, keyOf(now))
  }

  slice(old: any, now: any): void {
    const named = (o: any): string[] => (o.endpoints ?? []).filter((e: any) => e.hostname).map((e: any) => e.addresses[0])
    if (old) {
      const key = serviceKeyOf(old)
      const all = this.#slices.get(key)
      all?.delete(old.metadata.name)
      if (all && !all.size) this.#slices.delete(key)
      for (const ip of named(old)) {
        const of = this.#named.get(ip)
        of?.delete(key)
        if (of && !of.size) this.#named.delete(ip)
      }
    }
    if (!now) return
    const key = serviceKeyOf(now)
    const all = this.#slices.get(key) ?? new Map()
    this.#slices.set(key, all.set(now.metadata.name, now))
    for (const ip of named(now)) this.#named.set(ip, (this.#named.get(ip) ?? new Set()).add(key))
  }

  /** What there is to say of a name (in lower case, without its last dot); undefined when it is not the cluster's. */
  resolve(name: string, type: string): ZoneAnswer | undefined {
    if (name === this.domain || name.endsWith(`.${this.domain}`)) {
      const rest = name.slice(0, -this.domain.length - 1)
      return this.#inside(name, rest ? rest.split('.').reverse() : [], type)
    }
    const address = /\.(in-addr|ip6)\.arpa$/.test(name) ? reverseName(name) : undefined
    return address && this.#ranges.some((r) => inRange(address, r)) ? this.#reverse(name, address, type) : undefined
  }

  /** Who is asked, and for how long it may be remembered that there is nothing. */
  authority(): Answer {
    const data = {
      mname: `ns.dns.${this.domain}`,
      rname: `hostmaster.${this.domain}`,
      serial: Math.floor(Date.now() / 1000),
      refresh: 7200,
      retry: 1800,
      expire: 86_400,
      minimum: TTL,
    }
    return { type: 'SOA', name: this.domain, ttl: TTL, data }
  }

  #inside(name: string, [kind, ...labels]: string[], type: string): ZoneAnswer {
    switch (kind) {
      case undefined:
        return type === 'SOA' ? { exists: true, answers: [this.authority()], additionals: [] } : empty
      case 'svc':
        return this.#service(name, labels, type)
      case 'pod':
        return this.#pod(name, labels, type)
      case 'dns-version':
        if (labels.length) return nothing
        return type === 'TXT' ? { exists: true, answers: [{ type, name, ttl: TTL, data: VERSION }], additionals: [] } : empty
      default:
        return nothing
    }
  }

  #pod(name: string, labels: string[], type: string): ZoneAnswer {
    const [ns, label, ...more] = labels
    if (more.length) return nothing
    if (!ns) return empty
    if (!label) return this.#namespaces.has(ns) ? empty : nothing
    const address = undashed(label)
    return address ? addresses(name, [address], type) : nothing
  }

  #service(name: string, labels: string[], type: string): ZoneAnswer {
    const [ns, service, ...more] = labels
    if (!ns) return empty
    if (!service) return this.#namespaces.has(ns) ? empty : nothing
    const s = this.#services.get(`${ns}/${service}`)
    if (!s) return nothing
    const base = `${service}.${ns}.svc.${this.domain}`
    if (s.spec.type === 'ExternalName') return more.length ? nothing : { ...empty, alias: s.spec.externalName.toLowerCase() }
    const [first, second] = more
    if (more.length > 2) return nothing
    if (first?.startsWith('_')) return this.#ports(name, base, s, first.slice(1), second, type)
    if (second) return nothing
    const endpoints = () => endpointsOf(this.#slices.get(`${ns}/${service}`))
    if (first) {
      const found = endpoints().filter((e) => e.name === first)
      if (!found.length) return nothing
      if (type === 'SRV') return targets(name, base, found)
      return addresses(
        name,
        found.map((e) => e.address),
        type,
      )
    }
    if (isHeadless(s)) {
      const all = endpoints()
      if (!all.length) return nothing
      if (type === 'SRV') return targets(name, base, all)
      return addresses(
        name,
        all.map((e) => e.address),
        type,
      )
    }
    return type === 'SRV' ? ownPorts(name, base, s, s.spec.ports ?? []) : addresses(name, addressesOf(s), type)
  }

  /** `_port._proto` of a service; with the protocol alone there is a name, and nothing at it. */
  #ports(name: string, base: string, s: any, protocol: string, port: string | undefined, type: string): ZoneAnswer {
    const matches = (p: any) =>
      (p.protocol ?? 'TCP').toLowerCase() === protocol && (port === undefined || (p.name ?? '').toLowerCase() === port.slice(1))
    if (port !== undefined && !port.startsWith('_')) return nothing
    if (!isHeadless(s)) {
      const ports = (s.spec.ports ?? []).filter(matches)
      if (!ports.length) return nothing
      return port === undefined || type !== 'SRV' ? empty : ownPorts(name, base, s, ports)
    }
    const found = endpointsOf(this.#slices.get(keyOf(s)))
      .map((e) => ({ ...e, ports: e.ports.filter(matches) }))
      .filter((e) => e.ports.length)
    if (!found.length) return nothing
    return port === undefined || type !== 'SRV' ? empty : targets(name, base, found)
  }

  #reverse(name: string, address: string, type: string): ZoneAnswer {
    const names: string[] = []
    const service = this.#byAddress.get(address)
    const nameOf = (key: string) => `${key.split('/').reverse().join('.')}.svc.${this.domain}`
    if (service) names.push(nameOf(service))
    else
      for (const key of this.#named.get(address) ?? [])
        for (const e of endpointsOf(this.#slices.get(key))) if (e.named && e.address === address) names.push(`${e.name}.${nameOf(key)}`)
    if (!names.length) return nothing
    return type === 'PTR' ? { exists: true, answers: names.map((data) => ({ type, name, ttl: TTL, data })), additionals: [] } : empty
  }
}

const typeFor = (address: string): 'A' | 'AAAA' => (isIPv6(address) ? 'AAAA' : 'A')

function addresses(name: string, all: string[], type: string): ZoneAnswer {
  const found = all.filter((a) => type === 'ANY' || typeFor(a) === type)
  return { exists: true, answers: found.map((data) => ({ type: typeFor(data), name, ttl: TTL, data })), additionals: [] }
}

const srv = (name: string, target: string, port: number, of: number): Answer => ({
  type: 'SRV',
  name,
  ttl: TTL,
  data: { priority: 0, weight: Math.max(1, Math.floor(100 / of)), port, target },
})

/** The ports of a service that has an address. */
function ownPorts(name: string, base: string, s: any, ports: any[]): ZoneAnswer {
  const answers = ports.map((p) => srv(name, base, p.port, ports.length))
  return { exists: true, answers, additionals: answers.length ? addresses(base, addressesOf(s), 'ANY').answers : [] }
}

/** The ports of endpoints, each under its own name. */
function targets(name: string, base: string, found: Endpoint[]): ZoneAnswer {
  // A pod that has a name and two addresses is one target.
  const all = new Map(found.flatMap((e) => e.ports.map((p) => [`${e.name} ${p.port}`, { target: `${e.name}.${base}`, port: p.port }])))
  const answers = [...all.values()].map((t) => srv(name, t.target, t.port, all.size))
  const additionals = found.flatMap((e) => addresses(`${e.name}.${base}`, [e.address], 'ANY').answers)
  return { exists: true, answers, additionals }
}
