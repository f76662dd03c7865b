// Alarms that come late, twice, or never: what is due is done all the same, once something happens or the engine starts again. On each database.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Controlled } from '../rig/controlled.ts'
import { engineDatabases } from './databases.ts'

const RUNS = Number(process.env.KEDGE_RUNS ?? 12)
const seed = Number(process.env.KEDGE_SEED ?? 1)
const SECOND = 1000
const spec = { automountServiceAccountToken: false, restartPolicy: 'Never', containers: [{ name: 'c', image: 'one' }] }
const job = (name: string, more: object) => ({ metadata: { name }, spec: { template: { spec }, ...more } })

/** Everything that only time brings about. */
async function begin(c: Controlled): Promise<void> {
  await c.create('jobs.batch', job('short-lived', { ttlSecondsAfterFinished: 60 }))
  await c.create('jobs.batch', job('limited', { activeDeadlineSeconds: 120 }))
  const selector = { matchLabels: { app: 'a' } }
  const template = { metadata: { labels: { app: 'a' } }, spec: { ...spec, restartPolicy: 'Always' } }
  await c.create('deployments.apps', { metadata: { name: 'a' }, spec: { replicas: 2, minReadySeconds: 30, selector, template } })
  await c.create('cronjobs.batch', {
    metadata: { name: 'often' },
    spec: { schedule: '*/5 * * * *', successfulJobsHistoryLimit: 1, jobTemplate: { spec: { template: { spec } } } },
  })
  await c.settled()
  await c.kubelet()
  const short = (await c.list('pods')).find((p) => p.metadata.labels?.['batch.kubernetes.io/job-name'] === 'short-lived')
  await c.ended(short!, 0)
}

async function check(c: Controlled): Promise<void> {
  const jobs = await c.list('jobs.batch')
  const limited = jobs.find((j) => j.metadata.name === 'limited')
  expect(jobs.map((j) => j.metadata.name)).not.toContain('short-lived')
  expect(limited!.status.conditions.at(-1)).toMatchObject({ reason: 'DeadlineExceeded' })
  expect((await c.get('deployments.apps', 'a'))!.status.availableReplicas).toBe(2)
  const due = Math.floor(c.now / (300 * SECOND)) * 300 * SECOND
  expect(Date.parse((await c.get('cronjobs.batch', 'often'))!.status.lastScheduleTime)).toBe(due)
}

const passing = fc.record({ seconds: fc.integer({ min: 1, max: 200 }), rings: fc.constantFrom(0, 0, 1, 2) })

describe.each(engineDatabases)('$name', ({ open }) => {
  test.each(['something happens', 'the engine starts again'])('what was due is done when %s', { timeout: 240_000 }, async (what) => {
    await fc.assert(
      fc.asyncProperty(fc.array(passing, { minLength: 2, maxLength: 6 }), async (steps) => {
        const { database, close } = await open()
        const c = await Controlled.start(1, database)
        try {
          await begin(c)
          for (const s of steps) {
            c.rings = s.rings
            await c.pass(s.seconds * SECOND)
          }
          c.rings = 0
          await c.pass(1800 * SECOND)
          if (what === 'something happens') await c.create('configmaps', { metadata: { name: 'something' } })
          else await c.restart()
          await c.settled()
          await check(c)
        } finally {
          await c.close()
          await close()
        }
      }),
      { numRuns: RUNS, seed },
    )
  })
})
