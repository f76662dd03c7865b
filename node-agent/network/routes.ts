// Pod ranges: routes to other nodes' addresses, direct to neighbours and over VXLAN to those behind a router, or all by WireGuard; and of the own range a
// word that nobody is there, for addresses whose pod has gone. Only what this daemon added is ever removed: its routes carry a protocol number of their own.
import { familyOf, ofFamily, rangesIn } from '../../shared/meta/address.ts'
import type { RouteTable } from '../../shared/session/routes.ts'
import { wireguardOf } from '../../shared/session/wireguard.ts'
import type { Log } from '../log.ts'
import { answers, exec, together } from './commands.ts'
import type { Watched } from './host-watch.ts'
import { baseOf, OVERLAY, type Peer, removeOverlay, syncOverlay } from './overlay.ts'
import { waysOf } from './ways.ts'
import { configuration, removeWireGuard, syncWireGuard, tunnels, WIREGUARD_DEVICE, type WireGuardNode } from './wireguard.ts'

export const ROUTE_PROTOCOL = '107'
const RETRY = 2000
/** After every route to a pod that is there. */
const LAST_METRIC = '9999'

/** How packets reach pods on other nodes: `auto` takes VXLAN for those behind a router alone, the others the same for all; `cni` leaves it to the host's own. */
export const POD_NETWORKS = ['auto', 'vxlan', 'wireguard', 'cni'] as const
export type PodNetwork = (typeof POD_NETWORKS)[number]

/** Routes by their ranges, in the words of `ip route show`, and what there is none to. */
interface Ways {
  wanted: ReadonlyMap<string, string>
  unreached: string[]
}

/** A route in the words of `ip route show`, as far as it is decided here. */
const routeText = (cidr: string, via: string, device: string): string => `${cidr} via ${via} dev ${device}`

/** All of this daemon's, of both families. */
const allRoutes = async (): Promise<string> =>
  (await Promise.all(['-4', '-6'].map((family) => exec('ip', family, 'route', 'show', 'proto', ROUTE_PROTOCOL)))).join('')

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
    const own = rangesIn(this.#table.get(this.#self)?.[0] ?? '')
    const { wanted, unreached } = this.#wireguard ? await this.#throughTunnels(own, this.#wireguard) : await this.#overNetworks(own)
    const text = await allRoutes()
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

  /**
   * Neighbours directly, each range by the machine's address of that family, and over VXLAN those behind a router and what has no such address: routes by
   * their ranges, and the machines to which there is no way.
   */
  async #overNetworks(own: string[]): Promise<Ways> {
    const peers = [...this.#table.entries()]
      .filter(([node, [, addresses]]) => node !== this.#self && !addresses.startsWith('127.'))
      .map(([, [podCidrs, addresses]]) => ({ podCidrs: rangesIn(podCidrs), addresses: rangesIn(addresses) }))
    const ways = waysOf(await answers(peers.flatMap((p) => p.addresses.map((a) => `route get ${a}`))))
    const wanted = new Map<string, string>()
    const far: Peer[] = []
    const unreached: string[] = []
    for (const { podCidrs, addresses } of peers) {
      const address = addresses[0]!
      const over: string[] = []
      for (const range of podCidrs) {
        const near = ofFamily(addresses, familyOf(range))
        const way = near && ways.get(near)
        if (way && !way.routed && this.#network !== 'vxlan') wanted.set(range, routeText(range, near, way.device))
        else over.push(range)
      }
      if (!over.length) continue
      if (!ways.get(address)) unreached.push(address)
      // The overlay begins with a range of one's own.
      else if (own.length) {
        far.push({ podCidrs, address })
        for (const range of over) wanted.set(range, routeText(range, baseOf(range), OVERLAY))
      }
    }
    // Routes follow the device, and go with it.
    if (own.length) await syncOverlay(own, far[0] && ways.get(far[0].address), far)
    return { wanted, unreached }
  }

  /** All of them by WireGuard; those that do not have it are not reached. */
  async #throughTunnels(own: string[], { privateKey, port, endpoint, file }: OwnWireGuard): Promise<Ways> {
    const wanted = new Map<string, string>()
    if (!own.length) return { wanted, unreached: [] }
    const nodes: WireGuardNode[] = []
    const without: string[] = []
    for (const [name, [podCidrs, , text]] of this.#table.entries()) {
      const peer = wireguardOf(text)
      if (peer) nodes.push({ name, podCidrs: rangesIn(podCidrs), ...peer })
      else if (name !== this.#self) without.push(podCidrs)
    }
    const { tunnels: list, unreached } = tunnels({ name: this.#self, ...(endpoint ? { endpoint } : {}) }, nodes)
    await syncWireGuard(file, own, configuration(privateKey, port, endpoint === undefined, list))
    for (const range of list.flatMap((t) => t.ranges)) wanted.set(range, routeText(range, baseOf(range), WIREGUARD_DEVICE))
    return { wanted, unreached: [...unreached, ...without] }
  }

  /** Who asks for a pod of this node that has gone is told at once, and need not wait for silence to end. */
  async #refuse(own: readonly string[], text: string): Promise<void> {
    const refused = [...text.matchAll(/^unreachable (\S+)/gm)].map((m) => m[1]!)
    const last = `proto ${ROUTE_PROTOCOL} metric ${LAST_METRIC}`
    await together('ip', [
      ...own.filter((cidr) => !refused.includes(cidr)).map((cidr) => `route replace unreachable ${cidr} ${last}`),
      ...refused.filter((cidr) => !own.includes(cidr)).map((cidr) => `route del unreachable ${cidr} ${last}`),
    ])
  }

  async isLost(): Promise<boolean> {
    const text = await allRoutes().catch(() => undefined)
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
    for (const family of ['-4', '-6']) await exec('ip', family, 'route', 'flush', 'proto', ROUTE_PROTOCOL).catch(() => {})
    await Promise.all([removeOverlay(), removeWireGuard()])
  }
}
