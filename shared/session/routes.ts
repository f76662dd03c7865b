// Where each node's pods are. Hub and daemon keep the same table, and compare it by a hash that does not depend on the order of changes: a daemon that
// comes back to find nothing changed is told nothing.
import { Tally } from '../meta/tally.ts'

/** The range of a node's pods, and the address that leads there. */
export type Route = readonly [podCidr: string, address: string]

export class RouteTable {
  readonly #routes = new Map<string, Route>()
  readonly #tally = new Tally()

  get hash(): string {
    return this.#tally.hash
  }
  entries(): IterableIterator<[string, Route]> {
    return this.#routes.entries()
  }

  /** Sets a node's route, or takes it away; whether that changed anything. */
  set(node: string, route: Route | undefined): boolean {
    const before = this.#routes.get(node)
    if (before?.[0] === route?.[0] && before?.[1] === route?.[1]) return false
    if (before) this.#count(node, before)
    if (route) {
      this.#count(node, route)
      this.#routes.set(node, route)
    } else this.#routes.delete(node)
    return true
  }

  /** What the hub tells: all routes there are, or those that are others now; without a range there is none any more. */
  take(whole: boolean, routes: readonly (readonly [node: string, podCidr: string | null, address: string])[]): void {
    if (whole) {
      const named = new Set(routes.map(([node]) => node))
      for (const node of [...this.#routes.keys()]) if (!named.has(node)) this.set(node, undefined)
    }
    for (const [node, podCidr, address] of routes) this.set(node, podCidr === null ? undefined : [podCidr, address])
  }

  #count(node: string, [podCidr, address]: Route): void {
    this.#tally.count(`${node} ${podCidr} ${address}`)
  }
}
