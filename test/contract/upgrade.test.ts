// Rounds of upgrades, as a property: whatever versions are asked for, however daemons and engine fail in between, never are two nodes sent on their way at
// once, a failure ends the round, and a round that nothing stops brings every node to its version.
import { expect } from 'vitest'
import { isReady } from '../../shared/meta/conditions.ts'
import { DESIRED, FAILED, MANAGED, ROUND } from '../../shared/meta/node-annotations.ts'
import type { KObject } from '../../shared/meta/object.ts'
import { kedgeVersionOf } from '../../shared/version.ts'
import type { Controlled } from '../rig/controlled.ts'
import { property, type Steps, take, walk } from './property.ts'

const NODES = ['n1', 'n2', 'n3', 'n4']
const VERSIONS = ['1.0.0', '1.1.0', '1.2.0']

const versionOf = (n: KObject) => kedgeVersionOf(n.status.nodeInfo.kubeletVersion)
const desired = (n: KObject) => n.metadata.annotations?.[DESIRED]
const failed = (n: KObject) => desired(n) !== undefined && n.metadata.annotations?.[FAILED]?.startsWith(`${desired(n)}: `)
/** Told to go somewhere, and neither there nor given up. */
const onItsWay = (n: KObject) => desired(n) !== undefined && desired(n) !== versionOf(n) && !failed(n)

class World {
  readonly c: Controlled
  version?: string
  constructor(c: Controlled) {
    this.c = c
  }

  async begin(): Promise<void> {
    for (const name of NODES) {
      await this.c.node(name)
      await this.c.patch('nodes', name, { metadata: { annotations: { [MANAGED]: 'true' } } })
      await this.#runs(name, '0.9.0')
    }
  }

  async #runs(name: string, version: string): Promise<void> {
    const nodeInfo = { kubeletVersion: `v1.36.0+kedge.${version}` }
    await this.c.patch('nodes', name, { status: { nodeInfo } }, 'status', 'merge')
  }
  async #ready(name: string, status: 'True' | 'False'): Promise<void> {
    const condition = { type: 'Ready', status, lastTransitionTime: new Date(this.c.now).toISOString() }
    await this.c.patch('nodes', name, { status: { conditions: [condition] } }, 'status')
  }
  async #one(n: number, which: (o: KObject) => boolean): Promise<KObject | undefined> {
    const found = (await this.c.list('nodes')).filter(which)
    return found[n % Math.max(1, found.length)]
  }

  readonly steps: Steps = {
    round: async (n) => {
      this.version = VERSIONS[n % 3]!
      const data = { version: this.version }
      const { namespace, name } = ROUND
      if (await this.c.get('configmaps', name, namespace)) await this.c.patch('configmaps', name, { data }, 'main', 'merge', namespace)
      else await this.c.create('configmaps', { metadata: { name }, data }, namespace)
    },
    /** A daemon that was told replaces itself: first it is away. */
    away: async (n) => {
      const node = await this.#one(n, (o) => onItsWay(o) && isReady(o))
      if (node) await this.#ready(node.metadata.name, 'False')
    },
    arrive: async (n) => {
      const node = await this.#one(n, onItsWay)
      if (!node) return
      await this.#runs(node.metadata.name, desired(node)!)
      await this.#ready(node.metadata.name, 'True')
    },
    fail: async (n) => {
      const node = await this.#one(n, onItsWay)
      if (!node) return
      const annotations = { [FAILED]: `${desired(node)}: the checksum is wrong` }
      await this.c.patch('nodes', node.metadata.name, { metadata: { annotations } }, 'main', 'merge')
      await this.#ready(node.metadata.name, 'True')
    },
  }

  async checkAlways(): Promise<void> {
    await this.c.settled()
    expect((await this.c.list('nodes')).filter(onItsWay).length).toBeLessThanOrEqual(1)
  }

  /** Whoever is on its way arrives. */
  async finish(): Promise<void> {
    for (let i = 0; i <= 2 * NODES.length; i++) {
      await this.c.pass(30_000)
      await this.steps.arrive!(0, 0)
    }
  }

  async checkEnd(): Promise<void> {
    const nodes = await this.c.list('nodes')
    expect(nodes.filter(onItsWay)).toEqual([])
    if (!this.version) return expect(nodes.filter((n) => desired(n))).toEqual([])
    const stopped = nodes.some((n) => n.metadata.annotations?.[FAILED]?.startsWith(`${this.version}: `) && desired(n) === this.version)
    if (!stopped) expect(nodes.map(versionOf)).toEqual(nodes.map(() => this.version))
  }
}

const names = ['round', 'away', 'away', 'arrive', 'arrive', 'arrive', 'fail', 'restart', 'trouble']

property('daemons are upgraded one at a time', walk(names), 0, async (c, steps) => {
  const world = new World(c)
  await world.begin()
  await take(c, world.steps, steps, () => world.checkAlways())
  await world.finish()
  await world.checkEnd()
})
