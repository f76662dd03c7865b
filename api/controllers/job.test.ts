// Job on the real engine: how many run, what counts, and how it ends.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Controlled } from '../../test/rig/controlled.ts'
import { formatIndexes, parseIndexes } from './job-indexes.ts'

const JOBS = 'jobs.batch'
const TRACKING = 'batch.kubernetes.io/job-tracking'
let c: Controlled
beforeEach(async () => {
  c = await Controlled.start()
})
afterEach(() => c.close())

const make = (spec: object = {}, pod: object = {}) =>
  c.create(JOBS, {
    metadata: { name: 'j' },
    spec: {
      template: {
        spec: { automountServiceAccountToken: false, restartPolicy: 'Never', containers: [{ name: 'c', image: 'one' }], ...pod },
      },
      ...spec,
    },
  })
const j = async () => (await c.get(JOBS, 'j'))!
const running = async () => (await c.alive()).filter((p) => !['Succeeded', 'Failed'].includes(p.status?.phase))
const indexOf = (p: any) => Number(p.metadata.annotations['batch.kubernetes.io/job-completion-index'])
/** The first `n` of those that run end so. */
const end = async (n: number, exitCode = 0, more: object = {}) => {
  for (const p of (await running()).slice(0, n)) await c.ended(p, exitCode, more)
  await c.settled()
}
/** Past every back-off. */
const later = () => c.pass(11 * 60_000)
const conditions = async () =>
  ((await j()).status.conditions ?? []).filter((x: any) => x.status === 'True').map((x: any) => `${x.type}: ${x.reason}`)
/** What nobody counts any more has no finalizer left. */
const counted = async () =>
  (await c.list('pods')).filter((p) => p.metadata.finalizers?.includes(TRACKING) && ['Succeeded', 'Failed'].includes(p.status?.phase))

test('so many at a time, until so many have succeeded', async () => {
  await make({ completions: 5, parallelism: 2 })
  await c.settled()
  expect(await running()).toHaveLength(2)
  expect((await j()).status).toMatchObject({ active: 2, ready: 0, terminating: 0, startTime: expect.any(String) })
  for (const [done, left] of [
    [1, 2],
    [2, 2],
    [3, 2],
    [4, 1],
    [5, 0],
  ] as const) {
    await end(1)
    expect((await j()).status.succeeded).toBe(done)
    expect(await running()).toHaveLength(left)
  }
  expect(await conditions()).toEqual(['SuccessCriteriaMet: CompletionsReached', 'Complete: CompletionsReached'])
  expect((await j()).status).toMatchObject({ completionTime: expect.any(String), uncountedTerminatedPods: {} })
  expect(await counted()).toEqual([])
  const before = await c.version()
  await c.restart()
  expect((await c.since(before)).map((e) => `${e.verb} ${e.resource} ${e.name}`)).toEqual([])
})

test('a queue of work: nobody new once one has succeeded, complete when all have ended', async () => {
  await make({ parallelism: 3 })
  await c.settled()
  await end(1)
  expect(await running()).toHaveLength(2)
  expect(await conditions()).toEqual([])
  await end(2)
  expect(await conditions()).toContain('Complete: CompletionsReached')
  expect((await j()).status.succeeded).toBe(3)
})

test('each failure makes the next pod wait longer, and too many end the job', async () => {
  await make({ backoffLimit: 2 })
  await c.settled()
  await end(1, 1)
  expect(await running()).toHaveLength(0)
  await c.pass(6000)
  expect(await running()).toHaveLength(0)
  await c.pass(4000)
  expect(await running()).toHaveLength(1)
  await end(1, 1)
  await c.pass(15_000)
  expect(await running()).toHaveLength(0)
  await c.pass(5000)
  await end(1, 1)
  expect(await conditions()).toEqual(['FailureTarget: BackoffLimitExceeded', 'Failed: BackoffLimitExceeded'])
  expect((await j()).status).toMatchObject({ failed: 3 })
  expect(await counted()).toEqual([])
})

test('restarts in place count as failures', async () => {
  await make({ backoffLimit: 1 }, { restartPolicy: 'OnFailure' })
  await c.settled()
  const [p] = await running()
  const containerStatuses = [{ name: 'c', image: 'one', imageID: '', ready: true, restartCount: 1, state: { running: {} } }]
  await c.patch('pods', p!.metadata.name, { status: { phase: 'Running', containerStatuses } }, 'status', 'merge')
  await c.rest()
  expect(await conditions()).toContain('Failed: BackoffLimitExceeded')
})

test('a deadline ends it, and what still runs', async () => {
  await make({ activeDeadlineSeconds: 30, parallelism: 2, completions: 2 })
  await c.settled()
  await c.kubelet()
  await c.pass(30_000)
  expect(await running()).toHaveLength(0)
  expect(await conditions()).toEqual(['FailureTarget: DeadlineExceeded'])
  await c.rest()
  expect(await conditions()).toEqual(['FailureTarget: DeadlineExceeded', 'Failed: DeadlineExceeded'])
  expect((await j()).status.failed).toBe(2)
})

test('suspended, nothing runs; resumed, the clock begins anew', async () => {
  await make({ suspend: true, parallelism: 2, completions: 2 })
  await c.settled()
  expect(await conditions()).toEqual(['Suspended: JobSuspended'])
  expect((await j()).status.startTime).toBeUndefined()
  await c.patch(JOBS, 'j', { spec: { suspend: false } })
  await c.settled()
  expect(await running()).toHaveLength(2)
  expect((await j()).status.startTime).toBeDefined()
  await c.kubelet()
  await c.patch(JOBS, 'j', { spec: { suspend: true } })
  await c.rest()
  expect(await running()).toHaveLength(0)
  expect((await j()).status.failed).toBeUndefined()
})

test('fewer at a time: those that are too many go, and count for nothing', async () => {
  await make({ completions: 4, parallelism: 4 })
  await c.settled()
  await c.kubelet()
  await c.patch(JOBS, 'j', { spec: { parallelism: 1 } })
  await c.rest()
  expect(await running()).toHaveLength(1)
  expect((await j()).status).toMatchObject({ active: 1 })
  expect((await j()).status.failed).toBeUndefined()
})

test('a pod that somebody deletes is replaced, and counted as failed', async () => {
  await make()
  await c.rest()
  const [p] = await running()
  await c.delete('pods', p!.metadata.name)
  await c.settled()
  expect(await running()).toHaveLength(1)
  await c.rest()
  expect((await j()).status).toMatchObject({ active: 1, failed: 1 })
})

test('replaced only when it has failed, where the policy says so', async () => {
  await make({ podReplacementPolicy: 'Failed' })
  await c.rest()
  const [p] = await running()
  await c.delete('pods', p!.metadata.name)
  await c.settled()
  expect(await running()).toHaveLength(0)
  expect((await j()).status).toMatchObject({ terminating: 1 })
  await c.ended((await c.get('pods', p!.metadata.name))!, 137)
  await later()
  expect(await running()).toHaveLength(1)
  expect((await j()).status.failed).toBe(1)
})

test('it is forgotten some time after its end, with its pods', async () => {
  await make({ ttlSecondsAfterFinished: 60 })
  await c.settled()
  await end(1)
  await c.pass(50_000)
  expect(await j()).toBeDefined()
  await c.pass(15_000)
  await c.rest()
  expect(await c.list(JOBS)).toEqual([])
  expect(await c.list('pods')).toEqual([])
})

test('deleted while it runs, it takes its pods with it', async () => {
  await make({ parallelism: 2 })
  await c.rest()
  await c.delete(JOBS, 'j', { propagationPolicy: 'Background' })
  await c.rest()
  expect(await c.list('pods')).toEqual([])
})

test('nobody is counted twice or lost, however often everything stops in between', async () => {
  await make({ completions: 12, parallelism: 4, backoffLimit: 20 })
  let failed = 0
  for (let i = 0; (await conditions()).length === 0; i++) {
    const some = (await running()).slice(0, 1 + (i % 3))
    for (const [n, p] of some.entries()) {
      const bad = (i + n) % 4 === 3
      if (bad) failed++
      await c.ended(p, bad ? 1 : 0)
    }
    if (i % 2) await c.restart()
    else await later()
    expect(i).toBeLessThan(60)
  }
  await c.rest()
  expect((await j()).status).toMatchObject({ succeeded: 12, failed })
  const pods = await c.list('pods')
  expect(pods.filter((p) => p.status.phase === 'Succeeded')).toHaveLength(12)
  expect(pods.filter((p) => p.status.phase === 'Failed')).toHaveLength(failed)
})

describe('indexed', () => {
  const indexed = (spec: object = {}) => make({ completionMode: 'Indexed', completions: 4, parallelism: 4, ...spec })
  const endIndex = async (index: number, exitCode = 0, more: object = {}) => {
    await c.ended((await running()).find((p) => indexOf(p) === index)!, exitCode, more)
    await c.settled()
  }

  test('each index has its pod, which knows it', async () => {
    await indexed({ parallelism: 2 })
    await c.settled()
    const pods = await running()
    expect(pods.map(indexOf).sort()).toEqual([0, 1])
    const first = pods.find((p) => indexOf(p) === 0)!
    expect(first.spec.hostname).toBe('j-0')
    expect(first.metadata.name).toMatch(/^j-0-/)
    expect(first.spec.containers[0].env[0].name).toBe('JOB_COMPLETION_INDEX')
    await endIndex(1)
    expect((await running()).map(indexOf).sort()).toEqual([0, 2])
    await endIndex(2)
    expect((await j()).status).toMatchObject({ completedIndexes: '1,2', succeeded: 2 })
    await endIndex(0)
    await endIndex(3)
    expect((await j()).status.completedIndexes).toBe('0-3')
    expect(await conditions()).toContain('Complete: CompletionsReached')
  })

  test('a failed index is tried again until its own limit; the others go on', async () => {
    await indexed({ backoffLimitPerIndex: 1 })
    await c.settled()
    await endIndex(2, 1)
    await later()
    await endIndex(2, 1)
    await later()
    expect((await j()).status).toMatchObject({ failedIndexes: '2', failed: 2 })
    expect((await running()).map(indexOf).sort()).toEqual([0, 1, 3])
    for (const i of [0, 1, 3]) await endIndex(i)
    expect(await conditions()).toEqual(['FailureTarget: FailedIndexes', 'Failed: FailedIndexes'])
  })

  test('too many failed indexes end it', async () => {
    await indexed({ backoffLimitPerIndex: 0, maxFailedIndexes: 1 })
    await c.settled()
    await endIndex(0, 1)
    expect(await conditions()).toEqual([])
    await endIndex(1, 1)
    await c.rest()
    expect(await conditions()).toContain('Failed: MaxFailedIndexesExceeded')
  })

  test('some of them may be enough', async () => {
    await indexed({ successPolicy: { rules: [{ succeededIndexes: '0,2-3', succeededCount: 2 }] } })
    await c.settled()
    await endIndex(1)
    await endIndex(0)
    expect(await conditions()).toEqual([])
    await endIndex(3)
    await c.rest()
    expect(await conditions()).toEqual(['SuccessCriteriaMet: SuccessPolicy', 'Complete: SuccessPolicy'])
    expect((await j()).status.completedIndexes).toBe('0,1,3')
  })
})

describe('what a failure means', () => {
  const disrupted = { conditions: [{ type: 'DisruptionTarget', status: 'True' }] }
  const policy = (...rules: object[]) => make({ backoffLimit: 0, podFailurePolicy: { rules } })

  test('the end of the job', async () => {
    await policy({ action: 'FailJob', onExitCodes: { containerName: 'c', operator: 'In', values: [42] } })
    await c.settled()
    const [p] = await running()
    await end(1, 42)
    expect((await j()).status.conditions[0]).toMatchObject({
      type: 'FailureTarget',
      reason: 'PodFailurePolicy',
      message: `Container c for pod default/${p!.metadata.name} failed with exit code 42 matching FailJob rule at index 0`,
    })
    expect(await conditions()).toContain('Failed: PodFailurePolicy')
  })

  test('nothing', async () => {
    await policy({ action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget' }] })
    await c.settled()
    await end(1, 137, disrupted)
    expect(await running()).toHaveLength(1)
    expect((await j()).status.failed).toBeUndefined()
    await end(1, 1)
    expect(await conditions()).toContain('Failed: BackoffLimitExceeded')
  })

  test('the end of its index', async () => {
    await make({
      completionMode: 'Indexed',
      completions: 2,
      parallelism: 2,
      backoffLimitPerIndex: 5,
      podFailurePolicy: { rules: [{ action: 'FailIndex', onExitCodes: { operator: 'NotIn', values: [1] } }] },
    })
    await c.settled()
    await end(1, 7)
    expect((await j()).status.failedIndexes).toMatch(/^[01]$/)
  })
})

test.each([
  ['', []],
  ['3', [3]],
  ['1,2', [1, 2]],
  ['0-2,5,7-9', [0, 1, 2, 5, 7, 8, 9]],
])('indexes: %s', (text, list) => {
  expect([...parseIndexes(text)]).toEqual(list)
  expect(formatIndexes(new Set(list.toReversed()))).toBe(text)
})
