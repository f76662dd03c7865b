// Pod ranges: routes to other nodes' addresses, direct to neighbours and over VXLAN to those behind a router, or all by WireGuard; and of the own range a
// word that nobody is there, for addresses whose pod has gone. Only what this daemon added is ever removed: its routes carry a protocol number of their own.
import type { RouteTable } from '../../shared/session/routes.ts'
import { wireguardOf } from '../../shared/session/wireguard.ts'
import type { Log } from '../log.ts'
import { answers, exec, sysctl, together } from './commands.ts'
import type { Watched } from './host-watch.ts'
import { baseOf, OVERLAY, type Peer, removeOverlay, syncOverlay } from './overlay.ts'
import { configuration, removeWireGuard, syncWireGuard, tunnels, WIREGUARD_DEVICE, type WireGuardNode } from './wireguard.ts'

export const ROUTE_PROTOCOL = '107'
const RETRY = 2000
/** After every route to a pod that is there. */
const LAST_METRIC = '9999'

/** How packets reach pods on other nodes: `auto` takes VXLAN for those behind a router alone, the others the same for all; `cni` leaves it to the host's own. */
export const POD_NETWORKS = ['auto', 'vxlan', 'wireguard', 'cni'] as const
export type PodNetwork = (typeof POD_NETWORKS)[number]

/** How a machine is reached: by which device, and whether a router stands between. */
export interface Way {
  device: string
  routed: boolean
}

/** What `ip route get` says, one line per address, in their order or not. */
export const waysOf = (text: string): Map<string, Way> =>
  new Map(
    [...text.matchAll(/^(?:local )?(\d\S+) (via \S+ )?dev (\S+)/gm)].map((m) => [m[1]!, { device: m[3]!, routed: m[2] !== undefined }]),
  )

/** Routes by their ranges, in the words of `ip route show`, and what there is none to. */
interface Ways {
  wanted: ReadonlyMap<string, string>
  unreached: string[]
}

/** A route in the words of `ip route show`, as far as it is decided here. */
const routeText = (cidr: string, via: string, device: string): string => `${cidr} via ${via} dev ${device}`

/** A node's own WireGuard, where pods of others are reached by it. */
export interface OwnWireGuard {
  privateKey: string
  port: number
  /** Where others reach this machine; without, it dials out alone. */
  endpoint?: string
  /** The file that `wg` reads. */
  file: string
}

export class Routes implements Watched {
  readonly what = 'routes to pods'
  readonly #log: Log
  readonly #table: RouteTable
  readonly #self: string
  readonly #network: PodNetwork
  readonly #wireguard?: OwnWireGuard
  #timer?: ReturnType<typeof setTimeout>
  #last: Promise<void> = Promise.resolve()
  /** What was written, in the words of `ip route show`. */
  #written: readonly string[] = []

  constructor(self: string, table: RouteTable, network: PodNetwork, log: Log, wireguard?: OwnWireGuard) {
    if (wireguard) this.#wireguard = wireguard
    this.#self = self
    this.#table = table
    this.#network = network
    this.#log = log
  }

  changed(delay = 20): void {
    if (this.#network === 'cni') return
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#last = this.#last
        .then(() => this.#sync())
        .catch((cause) => {
          this.#log.error('routes could not be written; trying again', cause)
          this.changed(RETRY)
        })
    }, delay)
  }

  async #sync(): Promise<void> {
    const own = this.#table.get(this.#self)?.[0]
    const { wanted, unreached } = this.#wireguard ? await this.#throughTunnels(own, this.#wireguard) : await this.#overNetworks(own)
    const text = await exec('ip', '-4', 'route', 'show', 'proto', ROUTE_PROTOCOL)
    const current = new Map([...text.matchAll(/^(\S+) via \S+ dev \S+/gm)].map((m) => [m[1]!, m[0]]))
    await together('ip', [
      ...[...current.keys()].filter((cidr) => !wanted.has(cidr)).map((cidr) => `route del ${cidr} proto ${ROUTE_PROTOCOL}`),
      ...[...wanted]
        .filter(([cidr, route]) => current.get(cidr) !== route)
        .map(([, r]) => `route replace ${r} proto ${ROUTE_PROTOCOL} onlink`),
    ])
    await this.#refuse(own, text)
    this.#written = [...wanted.values()]
    if (unreached.length) throw new Error(`no route to ${unreached.slice(0, 5).join(', ')}`)
  }

  /** Neighbours directly, and those behind a router over VXLAN: routes by their ranges, and the addresses to which there is no way. */
  async #overNetworks(own: string | undefined): Promise<Ways> {
    const peers: Peer[] = [...this.#table.entries()]
      .filter(([node, [, address]]) => node !== this.#self && !address.startsWith('127.'))
      .map(([, [podCidr, address]]) => ({ podCidr, address }))
    const ways = waysOf(await answers(peers.map((p) => `route get ${p.address}`)))
    const wanted = new Map<string, string>()
    const far: Peer[] = []
    const unreached: string[] = []
    for (const peer of peers) {
      const way = ways.get(peer.address)
      if (!way) unreached.push(peer.address)
      else if (way.routed || this.#network === 'vxlan') {
        // The overlay begins with a range of one's own.
        if (!own) continue
        far.push(peer)
        wanted.set(peer.podCidr, routeText(peer.podCidr, baseOf(peer.podCidr), OVERLAY))
      } else wanted.set(peer.podCidr, routeText(peer.podCidr, peer.address, way.device))
    }
    // Routes follow the device, and go with it.
    if (own) await syncOverlay(own, far[0] && ways.get(far[0].address)!.device, far)
    return { wanted, unreached }
  }

  /** All of them by WireGuard; those that do not have it are not reached. */
  async #throughTunnels(own: string | undefined, { privateKey, port, endpoint, file }: OwnWireGuard): Promise<Ways> {
    const wanted = new Map<string, string>()
    if (!own) return { wanted, unreached: [] }
    const nodes: WireGuardNode[] = []
    const without: string[] = []
    for (const [name, [podCidr, , text]] of this.#table.entries()) {
      const peer = wireguardOf(text)
      if (peer) nodes.push({ name, podCidr, ...peer })
      else if (name !== this.#self) without.push(podCidr)
    }
    const { tunnels: list, unreached } = tunnels({ name: this.#self, ...(endpoint ? { endpoint } : {}) }, nodes)
    await syncWireGuard(file, own, configuration(privateKey, port, endpoint === undefined, list))
    for (const range of list.flatMap((t) => t.ranges)) wanted.set(range, routeText(range, baseOf(range), WIREGUARD_DEVICE))
    return { wanted, unreached: [...unreached, ...without] }
  }

  /** Who asks for a pod of this node that has gone is told at once, and need not wait for silence to end. */
  async #refuse(own: string | undefined, text: string): Promise<void> {
    const refused = [...text.matchAll(/^unreachable (\S+)/gm)].map((m) => m[1]!)
    const last = `proto ${ROUTE_PROTOCOL} metric ${LAST_METRIC}`
    await together('ip', [
      ...(own && !refused.includes(own) ? [`route replace unreachable ${own} ${last}`] : []),
      ...refused.filter((cidr) => cidr !== own).map((cidr) => `route del unreachable ${cidr} ${last}`),
    ])
  }

  async isLost(): Promise<boolean> {
    const text = await exec('ip', '-4', 'route', 'show', 'proto', ROUTE_PROTOCOL).catch(() => undefined)
    return text !== undefined && !this.#written.every((route) => text.includes(`${route} `))
  }
  /** All of it is looked at again, the overlay as well. */
  rewrite(): boolean {
    if (!this.#written.length) return false
    this.changed()
    return true
  }

  async remove(): Promise<void> {
    clearTimeout(this.#timer)
    await this.#last
    await exec('ip', 'route', 'flush', 'proto', ROUTE_PROTOCOL).catch(() => {})
    await Promise.all([removeOverlay(), removeWireGuard()])
  }
}

export const FORWARD_COMMENT = 'kedge pod traffic'
const rules = (podCidr: string, serviceCidr: string) =>
  [
    ['FORWARD', '-s', podCidr],
    ['FORWARD', '-d', podCidr],
    // What this daemon itself serves to pods, at addresses of the service range.
    ['INPUT', '-s', podCidr, '-d', serviceCidr],
  ].map((r) => [...r, '-m', 'comment', '--comment', FORWARD_COMMENT, '-j', 'ACCEPT'])

/** Lets pod traffic through: forwarding on, and past Docker's or a firewall's default drop where iptables has one. */
export async function allowForwarding(podCidr: string, serviceCidr: string, log: Log): Promise<void> {
  if (!sysctl('net/ipv4/ip_forward', '1')) log.warn('net.ipv4.ip_forward could not be set: pods will reach nothing beyond this host')
  // Bridged traffic is none of ours; loose reverse paths let answers come back over other links.
  sysctl('net/ipv4/conf/all/rp_filter', '0')
  for (const rule of rules(podCidr, serviceCidr)) {
    try {
      await exec('iptables', '-w', '-C', ...rule)
    } catch {
      await exec('iptables', '-w', '-I', ...rule).catch(() => {})
    }
  }
}

export async function forbidForwarding(podCidr: string, serviceCidr: string): Promise<void> {
  for (const rule of rules(podCidr, serviceCidr)) await exec('iptables', '-w', '-D', ...rule).catch(() => {})
}
