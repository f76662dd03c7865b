// CronJob on the real engine: when jobs are made, what happens while one runs, and what an outage leaves.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Controlled } from '../../test/rig/controlled.ts'

const CRONS = 'cronjobs.batch'
const MINUTE = 60_000
let c: Controlled
beforeEach(async () => {
  c = await Controlled.start()
})
afterEach(() => c.close())

const make = (spec: object = {}) =>
  c.create(CRONS, {
    metadata: { name: 'tick' },
    spec: {
      schedule: '*/10 * * * *',
      jobTemplate: {
        metadata: { labels: { of: 'tick' } },
        spec: {
          template: { spec: { automountServiceAccountToken: false, restartPolicy: 'Never', containers: [{ name: 'c', image: 'one' }] } },
        },
      },
      ...spec,
    },
  })
const tick = async () => (await c.get(CRONS, 'tick'))!
const jobs = async () => (await c.list('jobs.batch')).filter((j) => !j.metadata.deletionTimestamp)
/** Minutes after midnight that the jobs were due at. */
const due = async () =>
  (await jobs()).map((j) => Number(j.metadata.name.slice(5)) - Date.parse('2026-01-01T00:00:00Z') / MINUTE).sort((a, b) => a - b)
const end = async (exitCode = 0) => {
  for (const p of await c.alive()) if (!['Succeeded', 'Failed'].includes(p.status?.phase)) await c.ended(p, exitCode)
  await c.settled()
}
const events = async (reason: string) => (await c.list('events')).filter((e) => e.reason === reason)

test('a job at every time, each named by it and made once', async () => {
  await make()
  await c.pass(9 * MINUTE)
  expect(await due()).toEqual([])
  await c.pass(MINUTE)
  expect(await due()).toEqual([10])
  const [job] = await jobs()
  expect(job!.metadata).toMatchObject({
    labels: { of: 'tick' },
    annotations: { 'batch.kubernetes.io/cronjob-scheduled-timestamp': '2026-01-01T00:10:00Z' },
  })
  expect((await tick()).status).toMatchObject({ lastScheduleTime: '2026-01-01T00:10:00Z', active: [{ name: job!.metadata.name }] })
  const before = await c.version()
  await c.restart()
  expect((await c.since(before)).map((e) => `${e.verb} ${e.resource} ${e.name}`)).toEqual([])
  await end()
  expect((await tick()).status.active).toBeUndefined()
  expect((await tick()).status.lastSuccessfulTime).toBeDefined()
  await c.pass(10 * MINUTE)
  expect(await due()).toEqual([10, 20])
})

test.each([
  ['Allow', [10, 20]],
  ['Forbid', [10]],
  ['Replace', [20]],
])('while one runs: %s', async (concurrencyPolicy, expected) => {
  await make({ concurrencyPolicy })
  await c.pass(10 * MINUTE)
  await c.pass(10 * MINUTE)
  expect(await due()).toEqual(expected)
  expect(await events('JobAlreadyActive')).toHaveLength(concurrencyPolicy === 'Forbid' ? 1 : 0)
})

test('what was due while one ran begins when it has ended', async () => {
  await make({ concurrencyPolicy: 'Forbid' })
  await c.pass(10 * MINUTE)
  await c.pass(12 * MINUTE)
  await end()
  expect(await due()).toEqual([10, 20])
})

test('after an outage the last missed time is made up for, and no other', async () => {
  await make()
  await c.engine.close()
  c.now += 200 * 10 * MINUTE
  await c.restart()
  expect(await due()).toEqual([2000])
  expect(await events('TooManyMissedTimes')).toHaveLength(1)
})

test('unless it is too late', async () => {
  await make({ startingDeadlineSeconds: 60 })
  await c.engine.close()
  c.now += 15 * MINUTE
  await c.restart()
  expect(await due()).toEqual([])
  expect(await events('MissSchedule')).toHaveLength(1)
  await c.pass(5 * MINUTE)
  expect(await due()).toEqual([20])
})

test('suspended, nothing is made; resumed, the last missed time is', async () => {
  await make({ suspend: true })
  await c.pass(30 * MINUTE)
  expect(await due()).toEqual([])
  await c.patch(CRONS, 'tick', { spec: { suspend: false } })
  await c.settled()
  expect(await due()).toEqual([30])
})

test('as many ended jobs stay as the limits say', async () => {
  await make({ successfulJobsHistoryLimit: 2, failedJobsHistoryLimit: 0 })
  for (let i = 0; i < 4; i++) {
    await c.pass(10 * MINUTE)
    await end()
  }
  await c.rest()
  expect(await due()).toHaveLength(2)
})

test('in its own zone', async () => {
  await make({ schedule: '0 9 * * *', timeZone: 'Asia/Kolkata' })
  await c.pass(30 * MINUTE)
  expect(await due()).toEqual([])
  await c.pass(3 * 60 * MINUTE)
  expect(await due()).toEqual([210])
  const [job] = await jobs()
  expect(job!.metadata.annotations).toEqual({ 'batch.kubernetes.io/cronjob-scheduled-timestamp': '2026-01-01T09:00:00+05:30' })
})
