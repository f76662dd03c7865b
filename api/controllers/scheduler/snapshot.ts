// The nodes of one look: what they carry, and what was counted over them. Placing a pod changes the snapshot, never what it was made of.
import type { KObject } from '../../../shared/meta/object.ts'
import {
  addPod,
  copyOf,
  defaultArgs,
  emptyWorld,
  isPicky,
  type NodeInfo,
  nodeInfo,
  type PluginArgs,
  type SchedulingContext,
  type Tally,
  type World,
} from './types.ts'

interface Counted {
  tally: Tally
  picky: boolean
}

function countOver(nodes: readonly NodeInfo[], { tally, picky }: Counted): void {
  for (const info of nodes) {
    tally.node?.(info)
    for (const p of picky ? info.picky : info.pods) tally.pod(info, p)
  }
}

function onceOnly() {
  const made = new Map<string, unknown>()
  return <T>(key: string, make: () => T): T => {
    if (!made.has(key)) made.set(key, make())
    return made.get(key) as T
  }
}

export class Snapshot {
  readonly world: World
  readonly #nodes: NodeInfo[]
  readonly #at = new Map<string, number>()
  /** Copies that may be changed. */
  readonly #own = new Set<NodeInfo>()
  readonly #tallies = new Map<string, Counted>()
  #picky: boolean

  constructor(infos: readonly NodeInfo[], world: World = emptyWorld) {
    this.world = world
    this.#nodes = [...infos]
    this.#picky = infos.some((i) => i.picky.length > 0)
    for (const [i, { node }] of infos.entries()) this.#at.set(node.metadata.name, i)
  }

  get nodes(): readonly NodeInfo[] {
    return this.#nodes
  }
  find(name: string | undefined): NodeInfo | undefined {
    const at = name === undefined ? undefined : this.#at.get(name)
    return at === undefined ? undefined : this.#nodes[at]
  }

  /** Counts a pod in on a node. */
  assume(name: string, pod: KObject): void {
    const at = this.#at.get(name)!
    let info = this.#nodes[at]!
    if (!this.#own.has(info)) {
      info = copyOf(info)
      this.#nodes[at] = info
      this.#own.add(info)
    }
    addPod(info, pod)
    const picky = isPicky(pod)
    this.#picky ||= picky
    for (const t of this.#tallies.values()) if (!t.picky || picky) t.tally.pod(info, pod)
  }

  /** Takes pods off a node. */
  remove(name: string, pods: readonly KObject[]): void {
    const at = this.#at.get(name)!
    const info = this.#nodes[at]!
    this.#nodes[at] = nodeInfo(
      info.node,
      info.pods.filter((p) => !pods.includes(p)),
    )
    this.#own.add(this.#nodes[at]!)
    this.#tallies.clear()
  }

  /** For one pod. */
  context(args: PluginArgs = defaultArgs): SchedulingContext {
    return {
      nodes: this.#nodes,
      world: this.world,
      args,
      picky: this.#picky,
      once: onceOnly(),
      tally: <T extends Tally>(key: string, make: () => T, of?: 'picky'): T => {
        let found = this.#tallies.get(key)
        if (!found) {
          found = { tally: make(), picky: of === 'picky' }
          countOver(this.#nodes, found)
          this.#tallies.set(key, found)
        }
        return found.tally as T
      },
    }
  }

  /** As if a node carried something else. Nothing is counted before it is asked for. */
  trial(info: NodeInfo, instead: NodeInfo, args: PluginArgs): SchedulingContext {
    const once = onceOnly()
    const nodes = () => once('nodes', () => this.#nodes.map((i) => (i === info ? instead : i)))
    return {
      get nodes() {
        return nodes()
      },
      world: this.world,
      args,
      picky: this.#picky,
      once,
      tally: (key, make, of) =>
        once(`tally ${key}`, () => {
          const tally = make()
          countOver(nodes(), { tally, picky: of === 'picky' })
          return tally
        }),
    }
  }
}
