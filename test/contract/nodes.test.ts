// Nodes that come and go, as a property: whatever becomes of them in whatever order, with writes that fail and an engine that dies in between, their taints
// come to say how they are, pods leave those that they do not tolerate, and nobody leaves a node that nothing was wrong with.
import { expect } from 'vitest'
import { condition } from '../../shared/meta/conditions.ts'
import type { KObject } from '../../shared/meta/object.ts'
import type { Controlled } from '../rig/controlled.ts'
import { property, type Steps, take, walk } from './property.ts'

const MINUTE = 60_000
const OURS = { key: 'example.com/away', effect: 'NoExecute' }
const STATE = { True: undefined, False: 'node.kubernetes.io/not-ready', Unknown: 'node.kubernetes.io/unreachable' } as const
const NAMES = ['n1', 'n2', 'n3', 'n4']
/** What pods tolerate: what all do, everything for ever, our taint for a minute. */
const tolerations = [[], [{ operator: 'Exists' }], [{ key: OURS.key, operator: 'Exists', tolerationSeconds: 60 }]]

class World {
  readonly c: Controlled
  /** Where something was wrong at any time. */
  readonly suspect = new Set<string>()
  readonly tainted = new Set<string>()
  readonly pods: { name: string; node: string; kind: number }[] = []
  constructor(c: Controlled) {
    this.c = c
  }

  async begin(): Promise<void> {
    for (const [i, name] of NAMES.entries()) await this.c.node(name, { 'topology.kubernetes.io/zone': `z${i % 2}` })
  }

  readonly steps: Steps = {
    state: async (n, m) => {
      const name = NAMES[n % 4]!
      const status = (['True', 'False', 'Unknown'] as const)[m % 3]!
      if (status !== 'True') this.suspect.add(name)
      const ready = { type: 'Ready', status, lastTransitionTime: new Date(this.c.now).toISOString() }
      await this.c.patch('nodes', name, { status: { conditions: [ready] } }, 'status', 'merge')
    },
    taint: async (n) => {
      const name = NAMES[n % 4]!
      const node = (await this.c.get('nodes', name))!
      const others = (node.spec?.taints ?? []).filter((t: any) => t.key !== OURS.key)
      const on = !this.tainted.has(name)
      this.suspect.add(name)
      const taints = on ? [...others, { ...OURS, timeAdded: new Date(this.c.now).toISOString().replace(/\.\d+/, '') }] : others
      const { resourceVersion } = node.metadata
      await this.c.patch('nodes', name, { metadata: { resourceVersion }, spec: { taints } }, 'main', 'merge')
      if (on) this.tainted.add(name)
      else this.tainted.delete(name)
    },
    pod: async (n, m) => {
      const p = { name: `p${this.pods.length}`, node: NAMES[n % 4]!, kind: m % 3 }
      const spec = { nodeName: p.node, containers: [{ name: 'c', image: 'one' }], tolerations: tolerations[p.kind] }
      await this.c.create('pods', { metadata: { name: p.name }, spec: { ...spec, automountServiceAccountToken: false } })
      this.pods.push(p)
    },
    pass: (n) => this.c.pass((1 + n) * MINUTE),
  }

  /** Pods that were told to go do so; nobody becomes ready, for that would be undone on nodes that are away. */
  async rest(): Promise<void> {
    for (let i = 0, before = -1; i < 50; i++) {
      await this.c.settled()
      const now = await this.c.version()
      if (now === before) return
      before = now
      for (const p of await this.c.list('pods'))
        if (p.metadata.deletionTimestamp) await this.c.delete('pods', p.metadata.name, { gracePeriodSeconds: 0 })
    }
    throw new Error('it does not come to rest')
  }

  async check(): Promise<void> {
    const nodes = new Map((await this.c.list('nodes')).map((n) => [n.metadata.name, n]))
    const readyOf = (n: KObject) => condition(n, 'Ready')!.status as keyof typeof STATE
    const allAway = [...nodes.values()].every((n) => STATE[readyOf(n)])
    const taintsOf = (n: KObject): string[] => (n.spec?.taints ?? []).map((t: any) => `${t.key} ${t.effect}`).sort()
    for (const [name, n] of nodes) {
      const key = STATE[readyOf(n)]
      const want = [
        ...(key ? [`${key} NoSchedule`, ...(allAway ? [] : [`${key} NoExecute`])] : []),
        ...(this.tainted.has(name) ? [`${OURS.key} NoExecute`] : []),
      ]
      expect([name, taintsOf(n)]).toEqual([name, want.sort()])
    }
    const alive = new Set((await this.c.list('pods')).map((p) => p.metadata.name))
    for (const p of this.pods) {
      const drives = taintsOf(nodes.get(p.node)!).some((t) => t.endsWith('NoExecute'))
      if (p.kind === 1 || !this.suspect.has(p.node)) expect([p, alive.has(p.name)]).toEqual([p, true])
      else if (drives) expect([p, alive.has(p.name)]).toEqual([p, false])
    }
  }
}

const names = ['state', 'state', 'taint', 'pod', 'pod', 'pass', 'restart', 'trouble']

property('pods stay where they may and leave where they must', walk(names, 6, 24), 0, async (c, steps) => {
  const world = new World(c)
  await world.begin()
  await take(c, world.steps, steps)
  // Longer than anybody tolerates anything for a time, and than nodes of a zone are marked apart.
  for (let i = 0; i < 8; i++) {
    await world.rest()
    await c.pass(MINUTE)
  }
  await world.rest()
  await world.check()
})
