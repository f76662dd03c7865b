// Services as nftables map elements: one flat table of each family, whose chains never change, so that a change of one endpoint is a change of one element.
// Pure: from services and slices to the wanted elements, and from two sets of elements to the script between them.
import { asHost, type Family, familyOf, ofFamily } from '../../shared/meta/address.ts'
import { hash32 } from '../../shared/meta/hash.ts'

export const TABLE = 'kedge'
export const MAX_ENDPOINTS = 128
/** Seconds. */
const DEFAULT_AFFINITY = 10_800

/** Of one family. */
export interface Ranges {
  podCidr: string
  serviceCidr: string
  /** Where node ports are answered, of the machine's addresses; all but loopback where it is empty. */
  nodePorts?: readonly string[]
}

/** Elements by set or map name: key → value (empty for sets). */
export type Elements = Map<string, Map<string, string>>

/** A pod of this host that has an address of its own. */
export interface LocalPod {
  ip: string
  containers: any[]
}

/** What nftables calls a family's things. */
interface Words {
  /** Tables and addresses of it. */
  ip: 'ip' | 'ip6'
  address: 'ipv4_addr' | 'ipv6_addr'
  loopback: string
  multicast: string
}
/** A family's table of that name, as commands have it. */
export const tableOf = (family: Family, table: string): string => `${wordsOf(family).ip} ${table}`

export const wordsOf = (family: Family): Words =>
  family === 'IPv4'
    ? { ip: 'ip', address: 'ipv4_addr', loopback: '127.0.0.0/8', multicast: '224.0.0.0/4' }
    : { ip: 'ip6', address: 'ipv6_addr', loopback: '::1', multicast: 'ff00::/8' }

const keyOf = ({ ip }: Words) => `${ip} daddr . meta l4proto . th dport`
const NODE_KEY = 'meta l4proto . th dport'
const MASQUERADE = '0x4000'

/** Who asks whom, as it is remembered: in a rule, and as a map is declared. */
interface StickyKey {
  rule: string
  type: string
}
const NUMBER = 'numgen random mod 65536'
const hashed = (what: string, seed: number) => `jhash ${what} mod 4294967295 seed 0x${seed}`
/** nft 1.0.6 updates no map whose key is longer than 16 bytes: of long addresses it has hashes, 64 bits of the client's. */
function stickyKeys(w: Words): { front: StickyKey; node: StickyKey } {
  const plain = (key: string): StickyKey => ({ rule: `ip saddr . ${key}`, type: `ip saddr . ${key}` })
  if (w.ip === 'ip') return { front: plain(keyOf(w)), node: plain(NODE_KEY) }
  const client = [1, 2].map((seed) => hashed('ip6 saddr', seed)).join(' . ')
  return {
    front: { rule: `${client} . ${hashed(keyOf(w), 3)}`, type: `${NUMBER} . ${NUMBER} . ${NUMBER}` },
    node: { rule: `${client} . ${NODE_KEY}`, type: `${NUMBER} . ${NUMBER} . ${NODE_KEY}` },
  }
}

const endpointMaps = (of: string, w: Words) =>
  ` map ${of}endpoints { typeof ${keyOf(w)} . numgen random mod 65536 : ${w.ip} daddr . th dport; }
 map ${of}node-endpoints { typeof ${NODE_KEY} . numgen random mod 65536 : ${w.ip} daddr . th dport; }
 map ${of}sticky-ids { typeof ${keyOf(w)} . numgen random mod 65536 : meta mark; }
 map ${of}node-sticky-ids { typeof ${NODE_KEY} . numgen random mod 65536 : meta mark; }
 map ${of}sticky-endpoints { typeof ${keyOf(w)} . meta mark : ${w.ip} daddr . th dport; }
 map ${of}node-sticky-endpoints { typeof ${NODE_KEY} . meta mark : ${w.ip} daddr . th dport; }`

/**
 * The table without elements, with chains for up to `most` endpoints, and for affinity that lasts so long (s). They are all made at once:
 * nft 1.0.6 cannot add a rule that refers to these maps once they are in the kernel.
 */
export function baseTable({ podCidr, serviceCidr, nodePorts = [] }: Ranges, most: number, affinities: Iterable<number> = []): string {
  const lasting = [...affinities]
  const w = wordsOf(familyOf(podCidr))
  const { ip, address } = w
  const key = keyOf(w)
  const sticky = stickyKeys(w)
  const toNode = `fib daddr type local ${ip} daddr != ${w.loopback}`
  const toPort = nodePorts.length ? `fib daddr type local ${ip} daddr { ${nodePorts.join(', ')} }` : toNode
  const fromOutside = `${ip} saddr != ${podCidr} fib saddr type != local`
  const chains = Array.from({ length: most }, (_, i) => endpointChains(i + 1, podCidr, lasting)).join('\n')
  return `add table ${ip} ${TABLE}
delete table ${ip} ${TABLE}
table ${ip} ${TABLE} {
 set cluster-ips { type ${address}; }
 set hairpin { type ${address} . ${address}; }
 map no-endpoints { type ${address} . inet_proto . inet_service : verdict; }
 map no-endpoints-node { type inet_proto . inet_service : verdict; }
 map services { type ${address} . inet_proto . inet_service : verdict; }
 map node-ports { type inet_proto . inet_service : verdict; }
${['', 'local-'].map((of) => endpointMaps(of, w)).join('\n')}
 map sticky { typeof ${sticky.front.type} : meta mark; flags dynamic,timeout; size 262144; }
 map node-sticky { typeof ${sticky.node.type} : meta mark; flags dynamic,timeout; size 262144; }
 map outside { type ${address} . inet_proto . inet_service : verdict; }
 map node-outside { type inet_proto . inet_service : verdict; }
 map host-ports { typeof ${NODE_KEY} : ${ip} daddr . th dport; }
 map host-address-ports { typeof ${key} : ${ip} daddr . th dport; }
 chain refuse { reject; }
 chain mark-masquerade { ct mark set ct mark or ${MASQUERADE}; }
 set guarded { type ${address} . inet_proto . inet_service; }
 set sources { type ${address} . inet_proto . inet_service . ${address}; flags interval; }
 chain dispatch { ${key} @guarded ${key} . ${ip} saddr != @sources drop; ${fromOutside} ${key} vmap @outside; ${key} vmap @services; ${fromOutside} ${toPort} ${NODE_KEY} vmap @node-outside; ${toPort} ${NODE_KEY} vmap @node-ports; dnat ${ip} to ${key} map @host-address-ports; ${toNode} dnat ${ip} to ${NODE_KEY} map @host-ports; }
 chain check { ${key} vmap @no-endpoints; ${toPort} ${NODE_KEY} vmap @no-endpoints-node; }
 chain unknown { fib daddr type local return; ${ip} daddr @cluster-ips reject; ${ip} daddr ${serviceCidr} reject; }
 chain input { type filter hook input priority -110; policy accept; ct state new jump check; }
 chain forward { type filter hook forward priority -110; policy accept; ct state new jump check; ct state new jump unknown; }
 chain output { type filter hook output priority -110; policy accept; ct state new jump check; }
 chain output-late { type filter hook output priority -90; policy accept; ct state new jump unknown; }
 chain prerouting { type nat hook prerouting priority dstnat; policy accept; jump dispatch; }
 chain nat-output { type nat hook output priority -100; policy accept; jump dispatch; }
 chain postrouting { type nat hook postrouting priority srcnat; policy accept; ct mark and ${MASQUERADE} != 0 masquerade fully-random; ct status dnat ${ip} saddr . ${ip} daddr @hairpin masquerade; ${ip} saddr ${podCidr} ${ip} daddr != ${podCidr} fib daddr type != local ${ip} daddr != ${w.multicast} masquerade fully-random; }
${chains}
}
`
}

/**
 * Chains for services of n endpoints: for clients of the cluster and for those of a node port, with and without client affinity; and again for clients from
 * outside who stay on this node and so keep their address.
 */
function endpointChains(n: number, podCidr: string, affinities: readonly number[]): string {
  const words = wordsOf(familyOf(podCidr))
  const { ip } = words
  const KEY = keyOf(words)
  const known = stickyKeys(words)
  const pick = (name: string, key: string, hide: string) =>
    ` chain ${name}pick-${n} { ${hide}dnat ${ip} to ${key} . numgen random mod ${n} map @${name}endpoints; }`
  // What a client had last it gets again; where that is gone, the rule does not apply, and the next one picks anew. An update alone would not
  // replace what is remembered.
  const stick = (name: string, key: string, where: 'sticky' | 'node-sticky', hide: string, seconds: number) => {
    const who = known[where === 'sticky' ? 'front' : 'node'].rule
    const remember = `update @${where} { ${who} timeout ${seconds}s : meta mark }`
    const go = `dnat ${ip} to ${key} . meta mark map @${name}sticky-endpoints`
    return ` chain ${name}sticky-${seconds}-pick-${n} { ${hide}meta mark set 0; meta mark set ${who} map @${where}; meta mark != 0 ${remember}; ${go}; delete @${where} { ${who} : meta mark }; meta mark set ${key} . numgen random mod ${n} map @${name}sticky-ids; ${remember}; ${go}; }`
  }
  const hideOutsiders = `${ip} saddr != ${podCidr} jump mark-masquerade; `
  const hideAll = 'jump mark-masquerade; '
  return [
    pick('', KEY, hideOutsiders),
    pick('node-', NODE_KEY, hideAll),
    pick('local-', KEY, ''),
    pick('local-node-', NODE_KEY, ''),
    ...affinities.flatMap((seconds) => [
      stick('', KEY, 'sticky', hideOutsiders, seconds),
      stick('node-', NODE_KEY, 'node-sticky', hideAll, seconds),
      stick('local-', KEY, 'sticky', '', seconds),
      stick('local-node-', NODE_KEY, 'node-sticky', '', seconds),
    ]),
  ].join('\n')
}

interface Endpoint {
  ip: string
  port: number
  node?: string
  /** Whether it takes new clients; those on their way out do while there are no others. */
  ready: boolean
  /** For whom it is meant, where that is said. */
  zones?: string[]
}

/** Where this node is. */
export interface Here {
  node: string
  zone?: string
}

/** Those that have addresses of a family. */
export const slicesOf = (slices: any[], family: Family): any[] => slices.filter((s) => s.addressType === family)

/** Those of one port that serve, and those that do so on their way out. */
export function endpointsOf(slices: any[], portName: string, protocol: string): Endpoint[] {
  const all: Endpoint[] = []
  for (const s of slices) {
    const port = s.ports?.find((p: any) => (p.name ?? '') === portName && p.protocol === protocol)?.port
    if (!port) continue
    for (const e of s.endpoints ?? []) {
      const ready = e.conditions?.ready !== false
      if (!ready && !(e.conditions?.serving && e.conditions?.terminating)) continue
      const zones = e.hints?.forZones?.map((z: any) => z.name)
      all.push({ ip: e.addresses[0], port, node: e.nodeName, ready, ...(zones?.length ? { zones } : {}) })
    }
  }
  return all
}

/** Those that take new clients: who is on its way out, only while there are no others. */
export const serving = (all: Endpoint[]): Endpoint[] => {
  const ready = all.filter((e) => e.ready)
  return ready.length ? ready : all
}
const usable = (all: Endpoint[]): Endpoint[] => serving(all).slice(0, MAX_ENDPOINTS)

const onNode = (all: Endpoint[], { node }: Here): Endpoint[] => usable(all.filter((e) => e.node === node))

/** How many endpoints of a service are ready on this node. */
export const readyOn = (slices: any[], { node }: Here): number =>
  new Set(
    slices
      .flatMap((s) => s.endpoints ?? [])
      .filter((e: any) => e.nodeName === node && e.conditions?.ready !== false)
      .map((e: any) => e.addresses[0]),
  ).size

/** Those near this node, where all say for whom they are meant and some are meant for it; else all. */
function inCluster(all: Endpoint[], { zone }: Here): Endpoint[] {
  const ready = all.filter((e) => e.ready)
  const near = zone !== undefined && ready.every((e) => e.zones) ? ready.filter((e) => e.zones!.includes(zone)) : []
  return near.length ? near.slice(0, MAX_ENDPOINTS) : usable(all)
}

/** The addresses of a load balancer that lead to this table; those of a proxy before it do not. */
const balancedAt = (service: any): string[] =>
  (service.status?.loadBalancer?.ingress ?? []).flatMap((i: any) => (i.ip && (i.ipMode ?? 'VIP') === 'VIP' ? [i.ip] : []))

/** What the chains of a table have to be there for. */
export interface Demand {
  /** Endpoints of one service. */
  most: number
  /** How long clients keep their endpoints, s. */
  affinities: Set<number>
}

const adder =
  (elements: Elements) =>
  (set: string, key: string, value = ''): void => {
    const m = elements.get(set) ?? new Map()
    elements.set(set, m.set(key, value))
  }

/** Every element that a service calls for in the table of a family, by its slices of it. */
export function serviceElements(s: any, slices: any[], here: Here, family: Family): { elements: Elements; demand: Demand } {
  const elements: Elements = new Map()
  const demand: Demand = { most: 0, affinities: new Set() }
  const add = adder(elements)
  /** Sends what comes to a key to endpoints, by the chains and maps of a prefix; nobody there, it is dropped. */
  const lead = (verdicts: string, prefix: string, sticky: number | undefined, key: string, to: Endpoint[]) => {
    demand.most = Math.max(demand.most, to.length)
    if (sticky !== undefined) demand.affinities.add(sticky)
    add(verdicts, key, to.length ? `goto ${prefix}${sticky === undefined ? '' : `sticky-${sticky}-`}pick-${to.length}` : 'drop')
    for (const [i, { ip, port }] of to.entries()) {
      if (sticky === undefined) {
        add(`${prefix}endpoints`, `${key} . ${i}`, `${ip} . ${port}`)
        continue
      }
      // Of the endpoint, whatever its place: nought is nobody's.
      const id = hash32(`${asHost(ip)}:${port}`) & 0x7fffffff || 1
      add(`${prefix}sticky-ids`, `${key} . ${i}`, String(id))
      add(`${prefix}sticky-endpoints`, `${key} . ${id}`, `${ip} . ${port}`)
    }
  }
  const isOwn = (address: string) => familyOf(address) === family
  const ip = ofFamily(s.spec?.clusterIPs ?? [s.spec?.clusterIP ?? ''], family)
  if (!ip || ip === 'None' || s.spec.type === 'ExternalName') return { elements, demand }
  add('cluster-ips', ip)
  const sticky: number | undefined =
    s.spec.sessionAffinity === 'ClientIP' ? (s.spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? DEFAULT_AFFINITY) : undefined
  const staysOutside = s.spec.externalTrafficPolicy === 'Local'
  const balanced = balancedAt(s).filter(isOwn)
  const outer = new Set<string>([...(s.spec.externalIPs ?? []).filter(isOwn), ...balanced])
  for (const p of s.spec.ports ?? []) {
    const protocol = p.protocol.toLowerCase()
    const front = (address: string) => `${address} . ${protocol} . ${p.port}`
    const nodeKey = p.nodePort ? `${protocol} . ${p.nodePort}` : undefined
    if (s.spec.loadBalancerSourceRanges?.length)
      for (const address of balanced) {
        add('guarded', front(address))
        for (const range of s.spec.loadBalancerSourceRanges.filter(isOwn)) add('sources', `${front(address)} . ${range.trim()}`)
      }
    const all = endpointsOf(slices, p.name ?? '', p.protocol)
    if (!all.length) {
      for (const address of [ip, ...outer]) add('no-endpoints', front(address), 'goto refuse')
      if (nodeKey) add('no-endpoints-node', nodeKey, 'goto refuse')
      continue
    }
    const anywhere = inCluster(all, here)
    const local = onNode(all, here)
    lead('services', '', sticky, front(ip), s.spec.internalTrafficPolicy === 'Local' ? local : anywhere)
    for (const address of outer) {
      lead('services', '', sticky, front(address), anywhere)
      if (staysOutside) lead('outside', 'local-', sticky, front(address), local)
    }
    if (!nodeKey) continue
    lead('node-ports', 'node-', sticky, nodeKey, anywhere)
    if (staysOutside) lead('node-outside', 'local-node-', sticky, nodeKey, local)
  }
  return { elements, demand }
}

/** Every element that the pods of this host, each with its address of a family, call for in the table of that. */
export function podElements(pods: Iterable<LocalPod>, family: Family): Elements {
  const elements: Elements = new Map()
  const add = adder(elements)
  // A pod that reaches itself through its service needs its answers to come back the same way.
  for (const { ip, containers } of pods) {
    if (familyOf(ip) !== family) continue
    add('hairpin', `${ip} . ${ip}`)
    for (const p of containers.flatMap((c) => c.ports ?? []).filter((x) => x.hostPort)) {
      const front = `${(p.protocol ?? 'TCP').toLowerCase()} . ${p.hostPort}`
      const isAny = !p.hostIP || p.hostIP === '0.0.0.0' || p.hostIP === '::'
      if (!isAny && familyOf(p.hostIP) !== family) continue
      add(isAny ? 'host-ports' : 'host-address-ports', isAny ? front : `${p.hostIP} . ${front}`, `${ip} . ${p.containerPort}`)
    }
  }
  return elements
}

/** The script that turns one state of a table (`ip NAME`) into the other; empty when they are the same. */
export function difference(from: Elements, to: Elements, table: string): string {
  let removals = ''
  let additions = ''
  for (const set of new Set([...from.keys(), ...to.keys()])) {
    const before = from.get(set) ?? new Map<string, string>()
    const after = to.get(set) ?? new Map<string, string>()
    const gone = [...before].filter(([k, v]) => after.get(k) !== v).map(([k]) => k)
    const fresh = [...after].filter(([k, v]) => before.get(k) !== v).map(([k, v]) => (v ? `${k} : ${v}` : k))
    if (gone.length) removals += `delete element ${table} ${set} { ${gone.join(', ')} }\n`
    if (fresh.length) additions += `add element ${table} ${set} { ${fresh.join(', ')} }\n`
  }
  return removals + additions
}
