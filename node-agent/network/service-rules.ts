// Services as nftables map elements: one flat table whose chains never change, so that a change of one endpoint is a change of one element.
// Pure: from services and slices to the wanted elements, and from two sets of elements to the script between them.

export const TABLE = 'kedge'
export const MAX_ENDPOINTS = 128

export interface Ranges {
  podCidr: string
  serviceCidr: string
}

/** Elements by set or map name: key → value (empty for sets). */
export type Elements = Map<string, Map<string, string>>

/** A pod of this host that has an address of its own. */
export interface LocalPod {
  ip: string
  containers: any[]
}

const KEY = 'ip daddr . meta l4proto . th dport'
const NODE_KEY = 'meta l4proto . th dport'
const MASQUERADE = '0x4000'

/**
 * The table without elements, with chains for up to `most` endpoints. They are all made at once:
 * nft 1.0.6 cannot add a rule that refers to these maps once they are in the kernel.
 */
export function baseTable({ podCidr, serviceCidr }: Ranges, most: number): string {
  const chains = Array.from({ length: most }, (_, i) => endpointChains(i + 1, podCidr)).join('\n')
  return `add table ip ${TABLE}
delete table ip ${TABLE}
table ip ${TABLE} {
 set cluster-ips { type ipv4_addr; }
 set hairpin { type ipv4_addr . ipv4_addr; }
 map no-endpoints { type ipv4_addr . inet_proto . inet_service : verdict; }
 map no-endpoints-node { type inet_proto . inet_service : verdict; }
 map services { type ipv4_addr . inet_proto . inet_service : verdict; }
 map node-ports { type inet_proto . inet_service : verdict; }
 map endpoints { typeof ${KEY} . numgen random mod 65536 : ip daddr . th dport; }
 map node-endpoints { typeof ${NODE_KEY} . numgen random mod 65536 : ip daddr . th dport; }
 map host-ports { typeof ${NODE_KEY} : ip daddr . th dport; }
 map host-address-ports { typeof ${KEY} : ip daddr . th dport; }
 map sticky { typeof ip saddr . ${KEY} : meta mark; flags dynamic,timeout; timeout 3h; size 262144; }
 map sticky-endpoints { typeof ${KEY} . meta mark : ip daddr . th dport; }
 chain refuse { reject; }
 chain mark-masquerade { ct mark set ct mark or ${MASQUERADE}; }
 set guarded { type ipv4_addr . inet_proto . inet_service; }
 set sources { type ipv4_addr . inet_proto . inet_service . ipv4_addr; flags interval; }
 chain dispatch { ${KEY} @guarded ${KEY} . ip saddr != @sources drop; ${KEY} vmap @services; fib daddr type local ip daddr != 127.0.0.0/8 ${NODE_KEY} vmap @node-ports; dnat ip to ${KEY} map @host-address-ports; fib daddr type local ip daddr != 127.0.0.0/8 dnat ip to ${NODE_KEY} map @host-ports; }
 chain check { ${KEY} vmap @no-endpoints; fib daddr type local ip daddr != 127.0.0.0/8 ${NODE_KEY} vmap @no-endpoints-node; }
 chain unknown { fib daddr type local return; ip daddr @cluster-ips reject; ip daddr ${serviceCidr} reject; }
 chain input { type filter hook input priority -110; policy accept; ct state new jump check; }
 chain forward { type filter hook forward priority -110; policy accept; ct state new jump check; ct state new jump unknown; }
 chain output { type filter hook output priority -110; policy accept; ct state new jump check; }
 chain output-late { type filter hook output priority -90; policy accept; ct state new jump unknown; }
 chain prerouting { type nat hook prerouting priority dstnat; policy accept; jump dispatch; }
 chain nat-output { type nat hook output priority -100; policy accept; jump dispatch; }
 chain postrouting { type nat hook postrouting priority srcnat; policy accept; ct mark and ${MASQUERADE} != 0 masquerade fully-random; ct status dnat ip saddr . ip daddr @hairpin masquerade; ip saddr ${podCidr} ip daddr != ${podCidr} fib daddr type != local ip daddr != 224.0.0.0/4 masquerade fully-random; }
${chains}
}
`
}

/** Chains for services of n endpoints: from the cluster, from outside by node port, and with client affinity. */
function endpointChains(n: number, podCidr: string): string {
  return ` chain pick-${n} { ip saddr != ${podCidr} jump mark-masquerade; dnat ip to ${KEY} . numgen random mod ${n} map @endpoints; }
 chain node-pick-${n} { jump mark-masquerade; dnat ip to ${NODE_KEY} . numgen random mod ${n} map @node-endpoints; }
 chain sticky-pick-${n} { ip saddr != ${podCidr} jump mark-masquerade; meta mark set 0; meta mark set ip saddr . ${KEY} map @sticky; meta mark 0 meta mark set numgen random mod ${n} offset 1; update @sticky { ip saddr . ${KEY} : meta mark }; dnat ip to ${KEY} . meta mark map @sticky-endpoints; }`
}

interface Target {
  ip: string
  port: number
}

/** Ready endpoints of one service port; serving ones that are going away only when there are no others. */
function targets(slices: any[], portName: string, protocol: string): Target[] {
  const ready: Target[] = []
  const leaving: Target[] = []
  for (const s of slices) {
    const port = s.ports?.find((p: any) => (p.name ?? '') === portName && p.protocol === protocol)?.port
    if (!port) continue
    for (const e of s.endpoints ?? []) {
      const t = { ip: e.addresses[0], port }
      if (e.conditions?.ready !== false) ready.push(t)
      else if (e.conditions?.serving && e.conditions?.terminating) leaving.push(t)
    }
  }
  return (ready.length ? ready : leaving).slice(0, MAX_ENDPOINTS)
}

/** The addresses of a load balancer that lead to this table; those of a proxy before it do not. */
const balancedAt = (service: any): string[] =>
  (service.status?.loadBalancer?.ingress ?? []).flatMap((i: any) => (i.ip && (i.ipMode ?? 'VIP') === 'VIP' ? [i.ip] : []))

/** Every element that these services, slices and pods call for, and the most endpoints that one has. `slicesOf` gives a service's slices. */
export function serviceElements(
  services: Iterable<any>,
  slicesOf: (service: any) => any[],
  localPods: Iterable<LocalPod>,
): { elements: Elements; most: number } {
  const elements: Elements = new Map()
  let most = 0
  const add = (set: string, key: string, value = '') => {
    const m = elements.get(set) ?? new Map()
    elements.set(set, m.set(key, value))
  }
  for (const s of services) {
    const ip = s.spec?.clusterIP
    if (!ip || ip === 'None' || s.spec.type === 'ExternalName') continue
    add('cluster-ips', ip)
    const slices = slicesOf(s)
    const sticky = s.spec.sessionAffinity === 'ClientIP'
    const balanced = balancedAt(s)
    const fronts = new Set<string>([ip, ...(s.spec.externalIPs ?? []), ...balanced])
    for (const p of s.spec.ports ?? []) {
      const protocol = p.protocol.toLowerCase()
      const keys = [...fronts].map((address) => `${address} . ${protocol} . ${p.port}`)
      const nodeKey = p.nodePort ? `${protocol} . ${p.nodePort}` : undefined
      const to = targets(slices, p.name ?? '', p.protocol)
      if (s.spec.loadBalancerSourceRanges?.length)
        for (const address of balanced) {
          add('guarded', `${address} . ${protocol} . ${p.port}`)
          for (const range of s.spec.loadBalancerSourceRanges) add('sources', `${address} . ${protocol} . ${p.port} . ${range.trim()}`)
        }
      if (!to.length) {
        for (const key of keys) add('no-endpoints', key, 'goto refuse')
        if (nodeKey) add('no-endpoints-node', nodeKey, 'goto refuse')
        continue
      }
      most = Math.max(most, to.length)
      for (const key of keys) add('services', key, `goto ${sticky ? 'sticky-' : ''}pick-${to.length}`)
      if (nodeKey) add('node-ports', nodeKey, `goto node-pick-${to.length}`)
      for (const [i, t] of to.entries()) {
        for (const key of keys)
          if (sticky) add('sticky-endpoints', `${key} . ${i + 1}`, `${t.ip} . ${t.port}`)
          else add('endpoints', `${key} . ${i}`, `${t.ip} . ${t.port}`)
        if (nodeKey) add('node-endpoints', `${nodeKey} . ${i}`, `${t.ip} . ${t.port}`)
      }
    }
  }
  // A pod that reaches itself through its service needs its answers to come back the same way.
  for (const { ip, containers } of localPods) {
    add('hairpin', `${ip} . ${ip}`)
    for (const p of containers.flatMap((c) => c.ports ?? []).filter((x) => x.hostPort)) {
      const front = `${(p.protocol ?? 'TCP').toLowerCase()} . ${p.hostPort}`
      const isAny = !p.hostIP || p.hostIP === '0.0.0.0' || p.hostIP === '::'
      add(isAny ? 'host-ports' : 'host-address-ports', isAny ? front : `${p.hostIP} . ${front}`, `${ip} . ${p.containerPort}`)
    }
  }
  return { elements, most }
}

/** The script that turns one state into the other; empty when they are the same. */
export function difference(from: Elements, to: Elements): string {
  let removals = ''
  let additions = ''
  for (const set of new Set([...from.keys(), ...to.keys()])) {
    const before = from.get(set) ?? new Map<string, string>()
    const after = to.get(set) ?? new Map<string, string>()
    const gone = [...before].filter(([k, v]) => after.get(k) !== v).map(([k]) => k)
    const fresh = [...after].filter(([k, v]) => before.get(k) !== v).map(([k, v]) => (v ? `${k} : ${v}` : k))
    if (gone.length) removals += `delete element ip ${TABLE} ${set} { ${gone.join(', ')} }\n`
    if (fresh.length) additions += `add element ip ${TABLE} ${set} { ${fresh.join(', ')} }\n`
  }
  return removals + additions
}
