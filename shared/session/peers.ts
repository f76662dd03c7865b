// Whom network policies mean: pods by selectors, as addresses. Hub and daemon keep the same members of each group that the daemon asks for.
import type { LabelSelector } from '../meta/selector.ts'
import { Tally } from '../meta/tally.ts'

/** Pods of one namespace, or of the namespaces selected; all of them, or those selected. */
export interface PeerGroup {
  namespace?: string
  namespaceSelector?: LabelSelector
  podSelector?: LabelSelector
}

/** A pod's address, and its ports that have names: `TCP/http` → 8080. */
export type Peer = readonly [ip: string, ports?: Record<string, number>]

export class PeerTable {
  readonly #members = new Map<string, Peer>()
  readonly #tally = new Tally()

  get hash(): string {
    return this.#tally.hash
  }
  get size(): number {
    return this.#members.size
  }
  values(): IterableIterator<Peer> {
    return this.#members.values()
  }
  get(ip: string): Peer | undefined {
    return this.#members.get(ip)
  }

  /** What the hub has told: members that have come or changed, and addresses that are gone; or all that there are. */
  take(whole: boolean, members: readonly Peer[], gone: readonly string[]): void {
    const named = new Set(members.map(([ip]) => ip))
    if (whole) for (const ip of [...this.#members.keys()]) if (!named.has(ip)) this.set(ip, undefined)
    for (const ip of gone) this.set(ip, undefined)
    for (const peer of members) this.set(peer[0], peer)
  }

  /** Sets an address's member, or takes it away; whether that changed anything. */
  set(ip: string, peer: Peer | undefined): boolean {
    const before = this.#members.get(ip)
    const [old, now] = [before && JSON.stringify(before), peer && JSON.stringify(peer)]
    if (old === now) return false
    if (old) this.#tally.count(old)
    if (peer) {
      this.#tally.count(now!)
      this.#members.set(ip, peer)
    } else this.#members.delete(ip)
    return true
  }
}
