// Where each node's pods are. Hub and daemon keep the same table, and compare it by a hash that does not depend on the order of changes: a daemon that
// comes back to find nothing changed is told nothing.

import { hash32 } from '../meta/hash.ts'

/** The range of a node's pods, and the address that leads there. */
export type Route = readonly [podCidr: string, address: string]

const BASES = [0x811c9dc5, 0x050c5d1f] as const

export class RouteTable {
  readonly #routes = new Map<string, Route>()
  readonly #sums: [number, number] = [0, 0]

  get hash(): string {
    return this.#sums.map((n) => (n >>> 0).toString(16).padStart(8, '0')).join('')
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

  /** In or out: the sum of both is nothing. */
  #count(node: string, [podCidr, address]: Route): void {
    const text = `${node} ${podCidr} ${address}`
    for (const i of [0, 1] as const) this.#sums[i] ^= hash32(text, BASES[i])
  }
}
