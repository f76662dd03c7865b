// CronJobs, as a property: however time passes, whether jobs end or not, with writes that fail and an engine that dies in between, no minute has two jobs,
// the policy holds at every moment, and the last minute that was due has had its job.
import fc from 'fast-check'
import { expect } from 'vitest'
import type { KObject } from '../../shared/meta/object.ts'
import type { Controlled } from '../rig/controlled.ts'
import { property } from './property.ts'

const MINUTE = 60_000
const JOBS = 'jobs.batch'
const EVERY = 5 * MINUTE
const STAMP = 'batch.kubernetes.io/cronjob-scheduled-timestamp'
const pod = { automountServiceAccountToken: false, restartPolicy: 'Never', containers: [{ name: 'c', image: 'one' }] }

const policies = ['Allow', 'Forbid', 'Replace'] as const
type Policy = (typeof policies)[number]
const ended = (job: KObject) => job.status?.conditions?.some((x: any) => ['Complete', 'Failed'].includes(x.type) && x.status === 'True')
const failed = (job: KObject) => job.status?.conditions?.some((x: any) => x.type === 'Failed' && x.status === 'True')
const alive = (jobs: KObject[]) => jobs.filter((j) => !ended(j) && !j.metadata.deletionTimestamp)

class World {
  readonly c: Controlled
  readonly policy: Policy
  constructor(c: Controlled, policy: Policy) {
    this.c = c
    this.policy = policy
  }
  async begin(): Promise<void> {
    const jobTemplate = { spec: { backoffLimit: 0, template: { spec: pod } } }
    const spec = {
      schedule: '*/5 * * * *',
      concurrencyPolicy: this.policy,
      successfulJobsHistoryLimit: 2,
      failedJobsHistoryLimit: 1,
      jobTemplate,
    }
    await this.c.create('cronjobs.batch', { metadata: { name: 'j' }, spec })
  }

  readonly steps: Record<string, (n: number) => Promise<unknown>> = {
    pass: (n) => this.c.pass((1 + n) * MINUTE),
    next: () => this.c.pass(EVERY - (this.c.now % EVERY)),
    end: async (n) => {
      await this.c.kubelet()
      const running = (await this.c.list('pods')).filter((p) => p.status?.phase === 'Running' && !p.metadata.deletionTimestamp)
      for (const p of running.slice(0, 1 + n)) await this.c.ended(p, n % 3 ? 0 : 1)
      await this.c.settled()
    },
    suspend: (n) => this.c.patch('cronjobs.batch', 'j', { spec: { suspend: n % 2 === 0 } }),
    restart: () => this.c.restart(),
    trouble: (n) => this.c.troubled(1 + n, n % 2 ? 'before' : 'after', () => this.c.pass(MINUTE)),
  }

  /** What holds at every moment. */
  async hold(): Promise<void> {
    const jobs = await this.c.list(JOBS)
    const times = jobs.map((j) => j.metadata.annotations![STAMP]!)
    expect(times.filter((t) => Date.parse(t) % EVERY)).toEqual([])
    expect(new Set(times).size).toBe(times.length)
    if (this.policy !== 'Allow') expect(alive(jobs).length).toBeLessThanOrEqual(1)
  }

  async check(): Promise<void> {
    const { c } = this
    for (let i = 0; i < 20 && alive(await c.list(JOBS)).length; i++) await this.steps.end!(5)
    await c.patch('cronjobs.batch', 'j', { spec: { suspend: false } })
    await this.steps.next!(0)
    await c.settled()
    const due = new Date(Math.floor(c.now / EVERY) * EVERY)
    const cron = (await c.get('cronjobs.batch', 'j'))!
    expect(cron.status.lastScheduleTime).toBe(due.toISOString().replace(/\.\d+/, ''))
    const jobs = await c.list(JOBS)
    expect(cron.status.active?.map((a: any) => a.name) ?? []).toEqual(alive(jobs).map((j) => j.metadata.name))
    expect(alive(jobs).map((j) => Date.parse(j.metadata.annotations![STAMP]!))).toEqual([due.getTime()])
    expect(jobs.filter((j) => ended(j) && !failed(j)).length).toBeLessThanOrEqual(2)
    expect(jobs.filter(failed).length).toBeLessThanOrEqual(1)
  }
}

const step = fc.record({
  what: fc.constantFrom('pass', 'pass', 'next', 'next', 'end', 'suspend', 'restart', 'trouble'),
  n: fc.nat({ max: 6 }),
})

for (const policy of policies)
  property(policy, fc.array(step, { minLength: 5, maxLength: 20 }), 1, async (c, steps) => {
    const world = new World(c, policy)
    await world.begin()
    for (const { what, n } of steps) {
      await world.steps[what]!(n)
      await world.hold()
    }
    await world.check()
    await c.rest()
  })
