// Network policies as nftables rules. Who is meant by a selector is a set of addresses that changes by its elements; what a pod may do is a chain that all
// pods share of whom the same holds; a table of each family. Pure: from policies, pods and members to the wanted table, and from one table to the script that leads to the next.
import { createHash } from 'node:crypto'
import { type Family, familyOf } from '../../../shared/meta/address.ts'
import { fromLabelSelector, type LabelSelector, matches } from '../../../shared/meta/selector.ts'
import type { Peer, PeerGroup } from '../../../shared/session/peers.ts'
import { difference, type Elements, tableOf, wordsOf } from '../service-rules.ts'

export const POLICY_TABLE = 'kedge-policy'

/** A pod of this host at one of its own addresses. */
export interface PolicedPod {
  ip: string
  namespace: string
  labels: Record<string, string>
  /** All that may have ports: sidecars as well. */
  containers: any[]
}

/** Who is in a group; undefined while that is not known, and then nobody is let through. */
export type Members = (key: string) => Iterable<Peer> | undefined

export interface PolicyTable {
  family: Family
  /** Sets of members: what they are made of. */
  sets: Map<string, string>
  /** The rules of each chain. */
  chains: Map<string, string[]>
  /** Elements of those sets and of the base's maps. */
  elements: Elements
}

const groupKey = (g: PeerGroup): string => JSON.stringify([g.namespace, g.namespaceSelector, g.podSelector])

const named = (prefix: string, text: string) => `${prefix}${createHash('sha256').update(text).digest('hex').slice(0, 24)}`

const selects = (selector: LabelSelector | undefined, labels: Record<string, string>) => matches(fromLabelSelector(selector ?? {}), labels)

type Direction = 'Ingress' | 'Egress'

/** As the API defaults them: egress is limited where a policy says so, or has rules for it. */
const typesOf = ({ spec }: any): Direction[] => spec.policyTypes ?? ['Ingress', ...(spec.egress?.length ? ['Egress'] : [])]

/** The policies that limit a pod in one direction. */
const limiting = (policies: readonly any[], pod: PolicedPod, direction: Direction) =>
  policies.filter(
    (p) => p.metadata.namespace === pod.namespace && typesOf(p).includes(direction) && selects(p.spec.podSelector, pod.labels),
  )

/** The group that a peer means; undefined for a range of addresses. */
function groupOf(peer: any, namespace: string): PeerGroup | undefined {
  if (peer.ipBlock) return undefined
  const pods = peer.podSelector ? { podSelector: peer.podSelector } : {}
  return peer.namespaceSelector ? { namespaceSelector: peer.namespaceSelector, ...pods } : { namespace, ...pods }
}

const EVERYBODY: PeerGroup = { namespaceSelector: {} }
const isNamed = (port: any) => typeof port.port === 'string'
const protocolOf = (port: any): string => port.protocol ?? 'TCP'

/** What a port's name means at a pod. */
const numbersOf = (pod: PolicedPod, protocol: string, name: string): number[] =>
  pod.containers.flatMap((c) =>
    (c.ports ?? []).filter((p: any) => p.name === name && protocolOf(p) === protocol).map((p: any) => p.containerPort),
  )

/** Whether anything limits a pod. */
export const isLimited = (policies: readonly any[], pod: PolicedPod): boolean =>
  (['Ingress', 'Egress'] as const).some((d) => limiting(policies, pod, d).length > 0)

/** The groups that matter to these pods, by their keys. */
export function groupsOf(policies: readonly any[], pods: Iterable<PolicedPod>): Map<string, PeerGroup> {
  const all = new Map<string, PeerGroup>()
  const add = (g: PeerGroup | undefined) => g && all.set(groupKey(g), g)
  const concerned = new Set<any>()
  for (const pod of pods)
    for (const direction of ['Ingress', 'Egress'] as const) for (const p of limiting(policies, pod, direction)) concerned.add(p)
  for (const { metadata, spec } of concerned) {
    for (const r of spec.ingress ?? []) for (const peer of r.from ?? []) add(groupOf(peer, metadata.namespace))
    for (const r of spec.egress ?? []) {
      for (const peer of r.to ?? []) add(groupOf(peer, metadata.namespace))
      // A port's name means another number at each pod.
      if (!r.to?.length && r.ports?.some(isNamed)) add(EVERYBODY)
    }
  }
  return all
}

type Range = [first: number, last: number]

/** Without overlaps: the kernel takes no set that says a number twice. */
function merged(ranges: readonly Range[]): Range[] {
  const out: Range[] = []
  for (const [first, last] of ranges.toSorted((a, b) => a[0] - b[0])) {
    const before = out.at(-1)
    if (before && first <= before[1] + 1) before[1] = Math.max(before[1], last)
    else out.push([first, last])
  }
  return out
}

/** Numbers of one protocol, or all of it. */
function portMatch(protocol: string, ranges: Range[] | undefined): string {
  const l4 = `meta l4proto ${protocol.toLowerCase()}`
  if (!ranges) return l4
  const numbers = merged(ranges).map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`))
  return `${l4} th dport { ${numbers.join(', ')} }`
}

class Builder {
  readonly family: Family
  readonly sets = new Map<string, string>()
  readonly chains = new Map<string, string[]>()
  readonly elements: Elements = new Map()
  readonly #members: Members
  readonly #words: ReturnType<typeof wordsOf>

  constructor(family: Family, members: Members) {
    this.family = family
    this.#words = wordsOf(family)
    this.#members = members
  }

  /** A group's members, at their addresses of this family. */
  #of(key: string): Peer[] {
    return [...(this.#members(key) ?? [])].filter(([ip]) => familyOf(ip) === this.family)
  }

  element(set: string, key: string, value = ''): void {
    const all = this.elements.get(set) ?? new Map<string, string>()
    this.elements.set(set, all.set(key, value))
  }

  #set(name: string, type: string, elements: Iterable<string>): string {
    if (!this.sets.has(name)) {
      this.sets.set(name, type)
      for (const e of elements) this.element(name, e)
    }
    return name
  }

  /** The set of a group's addresses. */
  #addresses(group: PeerGroup): string {
    const key = groupKey(group)
    return this.#set(
      named('group-', key),
      this.#words.address,
      this.#of(key).map(([ip]) => ip),
    )
  }

  /** The set of a group's addresses with the number that a port's name has there. */
  #ports(group: PeerGroup, port: string): string {
    const key = groupKey(group)
    const elements = this.#of(key).flatMap(([ip, ports]) => (ports?.[port] ? [`${ip} . ${ports[port]}`] : []))
    return this.#set(named('ports-', `${key} ${port}`), `${this.#words.address} . inet_service`, elements)
  }

  #peer(peer: any, namespace: string, address: string): string {
    const group = groupOf(peer, namespace)
    if (group) return `${address} @${this.#addresses(group)}`
    const { cidr, except } = peer.ipBlock
    return [`${address} ${cidr}`, ...(except ?? []).map((e: string) => `${address} != ${e}`)].join(' ')
  }

  /** What a rule lets through, each as a match; an empty one is everything. */
  #rule(rule: any, namespace: string, direction: Direction, pod: PolicedPod): string[] {
    const { ip } = this.#words
    const [address, peers] = direction === 'Ingress' ? [`${ip} saddr`, rule.from] : [`${ip} daddr`, rule.to]
    const isElsewhere = (peer: any) => peer.ipBlock && familyOf(peer.ipBlock.cidr) !== this.family
    const whom: string[] = peers?.length
      ? peers.filter((p: any) => !isElsewhere(p)).map((p: any) => this.#peer(p, namespace, address))
      : ['']
    if (!rule.ports?.length) return whom
    const matches: string[] = []
    const numbers = new Map<string, Range[] | undefined>()
    const add = (protocol: string, first: number, last = first) => {
      const all = numbers.has(protocol) ? numbers.get(protocol) : []
      if (all) numbers.set(protocol, [...all, [first, last]])
    }
    for (const port of rule.ports) {
      const protocol = protocolOf(port)
      if (port.port === undefined) numbers.set(protocol, undefined)
      else if (!isNamed(port)) add(protocol, port.port, port.endPort)
      else if (direction === 'Ingress') for (const n of numbersOf(pod, protocol, port.port)) add(protocol, n)
      else {
        const groups = peers?.length ? peers.flatMap((p: any) => groupOf(p, namespace) ?? []) : [EVERYBODY]
        for (const g of groups)
          matches.push(`meta l4proto ${protocol.toLowerCase()} ${ip} daddr . th dport @${this.#ports(g, `${protocol}/${port.port}`)}`)
      }
    }
    for (const [protocol, list] of numbers) for (const w of whom) matches.push(`${w} ${portMatch(protocol, list)}`.trim())
    return matches
  }

  /** The chain for a pod in one direction; undefined where nothing limits it. */
  chain(policies: readonly any[], pod: PolicedPod, direction: Direction): string | undefined {
    const all = limiting(policies, pod, direction)
    if (!all.length) return undefined
    const allowed = all.flatMap((p) =>
      (p.spec[direction.toLowerCase()] ?? []).flatMap((r: any) => this.#rule(r, pod.namespace, direction, pod)),
    )
    const rules = [...[...new Set(allowed)].sort().map((m) => `${m} return`.trim()), 'drop']
    const name = named('rules-', `${direction} ${rules.join('\n')}`)
    this.chains.set(name, rules)
    return name
  }
}

/** The cluster's DNS as policies mean it: pods elsewhere, here the host. */
const DNS_POD = { namespace: { 'kubernetes.io/metadata.name': 'kube-system' }, labels: { 'k8s-app': 'kube-dns' } }
const DNS_PORTS = { 'UDP/dns': 53, 'TCP/dns-tcp': 53 }

function meansDns(key: string): boolean {
  const [namespace, namespaces, pods] = JSON.parse(key) as [string | null, LabelSelector | null, LabelSelector | null]
  const there = namespaces ? selects(namespaces, DNS_POD.namespace) : namespace === 'kube-system'
  return there && selects(pods ?? undefined, DNS_POD.labels)
}

/** What the kernel is to hold of one family. `dns` is the address at which this host itself answers for the cluster's DNS. */
export function policyTable(
  family: Family,
  policies: readonly any[],
  pods: Iterable<PolicedPod>,
  members: Members,
  dns?: string,
): PolicyTable {
  const withDns: Members = (key) => (dns && meansDns(key) ? [...(members(key) ?? []), [dns, DNS_PORTS] as const] : members(key))
  const b = new Builder(family, withDns)
  for (const pod of pods) {
    if (familyOf(pod.ip) !== family) continue
    const [ingress, egress] = [b.chain(policies, pod, 'Ingress'), b.chain(policies, pod, 'Egress')]
    if (ingress) b.element('ingress', pod.ip, `jump ${ingress}`)
    if (egress) b.element('egress', pod.ip, `jump ${egress}`)
    // Nothing keeps a pod from itself.
    if (ingress || egress) b.element('selves', `${pod.ip} . ${pod.ip}`)
  }
  if (dns && familyOf(dns) === family) b.element('dns', dns)
  return b
}

function baseOf(family: Family): string {
  const { ip, address } = wordsOf(family)
  const table = tableOf(family, POLICY_TABLE)
  return `add table ${table}
delete table ${table}
table ${table} {
 set selves { type ${address} . ${address}; }
 set dns { type ${address}; }
 map ingress { type ${address} : verdict; }
 map egress { type ${address} : verdict; }
 chain forward { type filter hook forward priority filter; policy accept; ct state established,related accept; ${ip} saddr . ${ip} daddr @selves accept; ${ip} saddr vmap @egress; ${ip} daddr vmap @ingress; }
 chain input { type filter hook input priority filter; policy accept; ct state established,related accept; ${ip} daddr @dns ${ip} saddr vmap @egress; }
}
`
}

/** One transaction from what is there to what is wanted; the whole table where it is not known what is there. Empty when nothing is to be done. */
export function policyScript(from: PolicyTable | undefined, to: PolicyTable): string {
  const table = tableOf(to.family, POLICY_TABLE)
  const before = from ?? { sets: new Map<string, string>(), chains: new Map<string, string[]>(), elements: new Map() }
  const lines: string[] = []
  for (const [name, type] of to.sets) if (!before.sets.has(name)) lines.push(`add set ${table} ${name} { type ${type}; }`)
  for (const [name, rules] of to.chains) {
    if (before.chains.has(name)) continue
    lines.push(`add chain ${table} ${name}`, ...rules.map((r) => `add rule ${table} ${name} ${r}`))
  }
  const kept: Elements = new Map([...before.elements].filter(([set]) => !before.sets.has(set) || to.sets.has(set)))
  lines.push(difference(kept, to.elements, table).trimEnd())
  const gone = [...before.chains.keys()].filter((name) => !to.chains.has(name))
  lines.push(...gone.map((name) => `flush chain ${table} ${name}`), ...gone.map((name) => `delete chain ${table} ${name}`))
  for (const name of before.sets.keys()) if (!to.sets.has(name)) lines.push(`delete set ${table} ${name}`)
  const script = lines.filter(Boolean).join('\n')
  return (from ? '' : baseOf(to.family)) + (script ? `${script}\n` : '')
}
