// Tells daemons where each node's pods are, and of nothing else about nodes: in a cluster of a thousand every change of a Node is a thousand messages.
// What changes within a moment travels together, encoded once for all.
import { isReady } from '../../shared/meta/conditions.ts'
import type { KObject } from '../../shared/meta/object.ts'
import type { HubFrame } from '../../shared/session/frames.ts'
import { type Route, type RouteChange, RouteTable } from '../../shared/session/routes.ts'
import { WIREGUARD, wireguardText } from '../../shared/session/wireguard.ts'
import { decodeBody } from '../registry/codec.ts'
import type { LogEvent, Store } from '../store/store.ts'
import { FirstRead } from './first-read.ts'

const TOGETHER_MS = 50

function routeOf(node: KObject): Route | undefined {
  const { metadata, spec, status } = node
  const addresses: string[] = (status?.addresses ?? []).flatMap((a: any) => (a.type === 'InternalIP' ? [a.address] : []))
  if (!spec?.podCIDR || !addresses.length) return undefined
  const ranges: string[] = spec.podCIDRs ?? [spec.podCIDR]
  const way = [ranges.join(), addresses.join()] as const
  const wireguard = wireguardText(metadata.annotations?.[WIREGUARD], isReady(node))
  return wireguard === undefined ? way : [...way, wireguard]
}

const frame = (whole: boolean, routes: RouteChange[]): string => JSON.stringify({ t: 'routes', whole, routes } satisfies HubFrame)

export class RouteFeed {
  readonly #store: Store
  readonly #broadcast: (text: string) => void
  readonly #table = new RouteTable()
  readonly #first = new FirstRead(
    () => this.#read(),
    (e) => this.#apply(e),
  )
  readonly #changed = new Set<string>()
  #timer?: ReturnType<typeof setTimeout>

  constructor(store: Store, broadcast: (text: string) => void) {
    this.#store = store
    this.#broadcast = broadcast
  }

  /** What a daemon has to be told whose table has this hash; undefined when it has them all. */
  async missing(have: string | undefined): Promise<string | undefined> {
    await this.#first.finished()
    if (have === this.#table.hash) return undefined
    return frame(
      true,
      [...this.#table.entries()].map(([node, route]) => [node, ...route]),
    )
  }

  observe(e: LogEvent): void {
    if (e.resource === 'nodes') this.#first.take(e)
  }

  #apply(e: LogEvent): void {
    const route = e.verb === 'delete' ? undefined : routeOf(e.object ?? decodeBody(e.body, e.rv))
    if (!this.#table.set(e.name, route)) return
    this.#changed.add(e.name)
    this.#timer ??= setTimeout(() => this.#flush(), TOGETHER_MS)
  }

  close(): void {
    clearTimeout(this.#timer)
  }

  #flush(): void {
    this.#timer = undefined
    const routes = new Map(this.#table.entries())
    const changes = [...this.#changed].map((node): RouteChange => [node, ...(routes.get(node) ?? ([null, ''] as const))])
    this.#changed.clear()
    this.#broadcast(frame(false, changes))
  }

  async #read(): Promise<void> {
    const { items } = await this.#store.list({ resource: 'nodes' })
    for (const i of items) this.#table.set(i.name, routeOf(decodeBody(i.body, i.rv)))
  }
}
