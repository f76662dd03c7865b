// Where each node's pods are. Hub and daemon keep the same table, and compare it by a hash that does not depend on the order of changes: a daemon that
// comes back to find nothing changed is told nothing.
import { Tally } from '../meta/tally.ts'

/**
 * The ranges of a node's pods, the addresses that lead there (each one, or one of either family with a comma between them), and what it says of its
 * WireGuard where it has it (./wireguard.ts).
 */
export type Route = readonly [podCidrs: string, addresses: string, wireguard?: string]
/** As it is told: without a range there is no route any more. */
export type RouteChange = readonly [node: string, podCidrs: string | null, addresses: string, wireguard?: string]
const same = (a: Route | undefined, b: Route | undefined): boolean => a?.[0] === b?.[0] && a?.[1] === b?.[1] && a?.[2] === b?.[2]

export class RouteTable {
  readonly #routes = new Map<string, Route>()
  readonly #tally = new Tally()

  get hash(): string {
    return this.#tally.hash
  }
  get(node: string): Route | undefined {
    return this.#routes.get(node)
  }
  entries(): IterableIterator<[string, Route]> {
    return this.#routes.entries()
  }

  /** Sets a node's route, or takes it away; whether that changed anything. */
  set(node: string, route: Route | undefined): boolean {
    const before = this.#routes.get(node)
    if (same(before, route)) return false
    if (before) this.#count(node, before)
    if (route) {
      this.#count(node, route)
      this.#routes.set(node, route)
    } else this.#routes.delete(node)
    return true
  }

  /** What the hub tells: all routes there are, or those that are others now. */
  take(whole: boolean, routes: readonly RouteChange[]): void {
    if (whole) {
      const named = new Set(routes.map(([node]) => node))
      for (const node of [...this.#routes.keys()]) if (!named.has(node)) this.set(node, undefined)
    }
    for (const [node, podCidrs, ...rest] of routes) this.set(node, podCidrs === null ? undefined : [podCidrs, ...rest])
  }

  #count(node: string, route: Route): void {
    this.#tally.count([node, ...route].join(' '))
  }
}
