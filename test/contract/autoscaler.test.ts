// Autoscaling, as a property: however load, people, failing writes and restarts push it about, it stays within its bounds, and comes to what the load calls
// for once that holds still.
import fc from 'fast-check'
import { expect } from 'vitest'
import { MEASURE, SCALE } from '../../shared/autoscaling.ts'
import type { Controlled } from '../rig/controlled.ts'
import { property } from './property.ts'

const SYNC = 15_000
const [MIN, MAX, EACH, TOLERANCE] = [1, 10, 10_000, 0.1]
const DEPLOYMENTS = 'deployments.apps'
const NAME = 'web'
const labels = { app: NAME }
const pod = { automountServiceAccountToken: false, containers: [{ name: 'c', image: 'one' }] }

class World {
  readonly c: Controlled
  load = EACH
  failing = false
  constructor(c: Controlled) {
    this.c = c
  }
  replicas = async (): Promise<number> => (await this.c.get(DEPLOYMENTS, NAME))!.spec.replicas

  async begin(): Promise<void> {
    const { c } = this
    c.tasks[MEASURE] = async () => {
      const { spec, status } = (await c.get(DEPLOYMENTS, NAME))!
      const object = { spec: { replicas: spec.replicas }, status: { replicas: status.replicas ?? 0, selector: `app=${NAME}` } }
      return { scale: { path: '', object }, metrics: [this.failing ? { error: 'away' } : { value: this.load }] }
    }
    c.tasks[SCALE] = (o) => c.patch(DEPLOYMENTS, NAME, { spec: { replicas: (o as any).scale.object.spec.replicas } })
    const template = { metadata: { labels }, spec: pod }
    await c.create(DEPLOYMENTS, { metadata: { name: NAME }, spec: { replicas: 2, selector: { matchLabels: labels }, template } })
    const target = { type: 'AverageValue', averageValue: String(EACH / 1000) }
    const metrics = [{ type: 'External', external: { metric: { name: 'queue' }, target } }]
    const spec = { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: NAME }, minReplicas: MIN, maxReplicas: MAX, metrics }
    await c.create('horizontalpodautoscalers.autoscaling', { metadata: { name: NAME }, spec })
    await c.rest()
  }

  readonly steps: Record<string, (n: number, m: number) => Promise<unknown>> = {
    load: async (n, m) => {
      this.load = (10 * n + m) * 1500
    },
    fail: async (n) => {
      this.failing = n % 2 === 0
    },
    pass: (n) => this.c.pass((1 + n) * SYNC),
    byHand: (n) => this.c.patch(DEPLOYMENTS, NAME, { spec: { replicas: 1 + 2 * n } }),
    kubelet: (n) => this.c.kubelet(n),
    restart: () => this.c.restart(),
    trouble: (n, m) => this.c.troubled(1 + n, m % 2 ? 'before' : 'after', () => this.c.pass(SYNC)),
  }

  async check(): Promise<void> {
    const { c } = this
    this.failing = false
    // Longer than shrinking is held back, and than growing in steps takes.
    for (let i = 0; i < 26; i++) {
      await c.rest()
      await c.pass(SYNC)
    }
    await c.rest()
    const n = await this.replicas()
    const wanted = Math.min(MAX, Math.max(MIN, Math.ceil(this.load / EACH)))
    const near = Math.abs(this.load / (EACH * n) - 1) <= TOLERANCE
    expect(near && n >= MIN && n <= MAX ? wanted : n).toBe(wanted)
    const { status } = (await c.get('horizontalpodautoscalers.autoscaling', NAME))!
    expect([status.currentReplicas, status.desiredReplicas]).toEqual([n, n])
  }
}

const names = ['load', 'load', 'pass', 'pass', 'fail', 'byHand', 'kubelet', 'restart', 'trouble'] as const
const step = fc.record({ what: fc.constantFrom(...names), n: fc.nat({ max: 6 }), m: fc.nat({ max: 9 }) })

property('comes to what the load calls for', fc.array(step, { minLength: 4, maxLength: 20 }), 1, async (c, steps) => {
  const world = new World(c)
  await world.begin()
  let hands = 0
  for (const { what, n, m } of steps) {
    await world.steps[what]!(n, m)
    if (what === 'byHand') hands = 1 + 2 * n
    // Nobody but people goes beyond the bounds.
    const now = await world.replicas()
    expect(now === hands || (now >= MIN && now <= MAX)).toBe(true)
  }
  await world.check()
})
