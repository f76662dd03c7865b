// Autoscaling, as a property: however load, people, failing writes and restarts push it about, it stays within its bounds, and comes to what the load calls
// for once that holds still.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MEASURE, SCALE } from '../../shared/autoscaling.ts'
import { Controlled } from '../rig/controlled.ts'
import { engineDatabases } from './databases.ts'

const RUNS = Number(process.env.KEDGE_RUNS ?? 40)
const seed = Number(process.env.KEDGE_SEED ?? 1)
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
    trouble: async (n, m) => {
      let left = 1 + n
      this.c.trouble = () => (left-- > 0 ? (m % 2 ? 'before' : 'after') : undefined)
      await this.c.pass(SYNC)
      this.c.trouble = () => undefined
    },
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

describe.each(engineDatabases)('$name', ({ name, open }) => {
  test('comes to what the load calls for', { timeout: 240_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 20 }), async (steps) => {
        const { database, close } = await open()
        const c = await Controlled.start(1, database)
        try {
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
          const before = await c.version()
          await c.restart()
          await c.pass(SYNC)
          expect((await c.since(before)).map((e) => `${e.verb} ${e.resource} ${e.name}`)).toEqual([])
        } finally {
          await c.close()
          await close()
        }
      }),
      { numRuns: name === 'embedded' ? RUNS : Math.ceil(RUNS / 10), seed, endOnFailure: false },
    )
  })
})
