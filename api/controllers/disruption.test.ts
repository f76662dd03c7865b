// PodDisruptionBudget on the real engine: what it counts, and when that changes.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Controlled } from '../../test/rig/controlled.ts'

const BUDGETS = 'poddisruptionbudgets.policy'
let c: Controlled
beforeEach(async () => {
  c = await Controlled.start()
})
afterEach(() => c.close())

const template = {
  metadata: { labels: { app: 'web' } },
  spec: { automountServiceAccountToken: false, containers: [{ name: 'c', image: 'one' }] },
}
const selector = { matchLabels: { app: 'web' } }
const deployment = (replicas: number) => c.create('deployments.apps', { metadata: { name: 'web' }, spec: { replicas, selector, template } })
const budget = (spec: object) => c.create(BUDGETS, { metadata: { name: 'b' }, spec: { selector, ...spec } })
const status = async () => (await c.get(BUDGETS, 'b'))!.status

describe.each([
  ['minAvailable: 2', { minAvailable: 2 }, 4, { desiredHealthy: 2, expectedPods: 4, disruptionsAllowed: 2 }],
  ['minAvailable: 50%', { minAvailable: '50%' }, 5, { desiredHealthy: 3, expectedPods: 5, disruptionsAllowed: 2 }],
  ['maxUnavailable: 1', { maxUnavailable: 1 }, 3, { desiredHealthy: 2, expectedPods: 3, disruptionsAllowed: 1 }],
  ['maxUnavailable: 30%', { maxUnavailable: '30%' }, 4, { desiredHealthy: 2, expectedPods: 4, disruptionsAllowed: 2 }],
  ['more than there are', { minAvailable: 9 }, 3, { desiredHealthy: 9, expectedPods: 3, disruptionsAllowed: 0 }],
  ['neither', {}, 3, { desiredHealthy: 2, expectedPods: 3, disruptionsAllowed: 1 }],
])('%s', (_what, spec, replicas, expected) => {
  test('counted over a deployment', async () => {
    await deployment(replicas)
    await budget(spec)
    await c.rest()
    expect(await status()).toMatchObject({ ...expected, currentHealthy: replicas, observedGeneration: 1 })
    const reason = expected.disruptionsAllowed ? 'SufficientPods' : 'InsufficientPods'
    expect((await status()).conditions).toMatchObject([{ type: 'DisruptionAllowed', reason }])
  })
})

test('pods that are not ready, and those on their way out, do not count', async () => {
  await deployment(4)
  await budget({ maxUnavailable: 2 })
  await c.rest()
  const [a, b] = await c.alive()
  await c.ready(a!.metadata.name, false)
  await c.settled()
  expect(await status()).toMatchObject({ currentHealthy: 3, disruptionsAllowed: 1 })
  await c.delete('pods', b!.metadata.name)
  await c.settled()
  expect(await status()).toMatchObject({ currentHealthy: 2, disruptionsAllowed: 0 })
})

test('what an eviction took stays taken until the pod goes, or two minutes have passed', async () => {
  await deployment(3)
  await budget({ maxUnavailable: 1 })
  await c.rest()
  const [a] = await c.alive()
  const taken = { disruptionsAllowed: 0, disruptedPods: { [a!.metadata.name]: new Date(c.now).toISOString().replace(/\.\d+/, '') } }
  await c.patch(BUDGETS, 'b', { status: taken }, 'status', 'merge')
  await c.settled()
  expect(await status()).toMatchObject({ disruptionsAllowed: 0, currentHealthy: 2, disruptedPods: taken.disruptedPods })
  await c.pass(2 * 60_000)
  expect((await status()).disruptedPods).toBeUndefined()
  expect(await status()).toMatchObject({ disruptionsAllowed: 1 })
})

test('pods of nobody can be counted, though not expected', async () => {
  await c.create('pods', { metadata: { name: 'alone', labels: { app: 'web' } }, spec: template.spec })
  await budget({ maxUnavailable: 1 })
  await c.rest()
  expect((await status()).conditions).toMatchObject([{ status: 'False', reason: 'SyncFailed' }])
  await c.patch(BUDGETS, 'b', { spec: { maxUnavailable: null, minAvailable: 1 } }, 'main', 'merge')
  await c.rest()
  expect(await status()).toMatchObject({ currentHealthy: 1, desiredHealthy: 1, disruptionsAllowed: 0 })
})
