// DaemonSet on the real engine: which nodes get a pod, what comes of it when they change, and how templates roll.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { isReady } from '../../shared/meta/conditions.ts'
import { Controlled } from '../../test/rig/controlled.ts'

const SETS = 'daemonsets.apps'
let c: Controlled
beforeEach(async () => {
  c = await Controlled.start(3)
})
afterEach(() => c.close())

const set = (spec: object = {}, pod: object = {}) =>
  c.create(SETS, {
    metadata: { name: 'agent' },
    spec: {
      selector: { matchLabels: { app: 'agent' } },
      template: {
        metadata: { labels: { app: 'agent' } },
        spec: { automountServiceAccountToken: false, containers: [{ name: 'c', image: 'one' }], ...pod },
      },
      ...spec,
    },
  })
const change = (spec: object) => c.patch(SETS, 'agent', { spec })
const setImage = (image: string) => change({ template: { spec: { containers: [{ name: 'c', image }] } } })
const agent = async () => (await c.get(SETS, 'agent'))!
const byNode = async () => Object.fromEntries((await c.alive()).map((p) => [p.spec.nodeName, p.spec.containers[0].image]))
const taint = (node: string, taints: object[]) => c.patch('nodes', node, { spec: { taints } }, 'main', 'merge')

test('one on each node, counted', async () => {
  await set()
  await c.rest()
  expect(await byNode()).toEqual({ n1: 'one', n2: 'one', n3: 'one' })
  expect((await agent()).status).toEqual({
    currentNumberScheduled: 3,
    desiredNumberScheduled: 3,
    numberAvailable: 3,
    numberMisscheduled: 0,
    numberReady: 3,
    observedGeneration: 1,
    updatedNumberScheduled: 3,
  })
  const before = await c.version()
  await c.settled()
  await c.restart()
  expect((await c.since(before)).map((e) => `${e.verb} ${e.resource} ${e.name}`)).toEqual([])
})

test('nodes come and go, and change', async () => {
  await set({}, { nodeSelector: { disk: 'ssd' } })
  await c.rest()
  expect(await byNode()).toEqual({})
  await c.patch('nodes', 'n2', { metadata: { labels: { disk: 'ssd' } } })
  await c.node('n4', { disk: 'ssd' })
  await c.rest()
  expect(await byNode()).toEqual({ n2: 'one', n4: 'one' })
  await c.patch('nodes', 'n2', { metadata: { labels: { disk: null } } }, 'main', 'merge')
  await c.rest()
  expect(await byNode()).toEqual({ n4: 'one' })
  await c.delete('nodes', 'n4')
  await c.rest()
  expect((await agent()).status).toMatchObject({ desiredNumberScheduled: 0, currentNumberScheduled: 0 })
})

test.each([
  ['what is wrong with the node itself', { key: 'node.kubernetes.io/memory-pressure', effect: 'NoSchedule' }, ['n1', 'n2', 'n3']],
  ['cordons', { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }, ['n1', 'n2', 'n3']],
  ['what only would rather not', { key: 'a', effect: 'PreferNoSchedule' }, ['n1', 'n2', 'n3']],
  ['a taint of the users, though not', { key: 'a', effect: 'NoSchedule' }, ['n2', 'n3']],
])('borne: %s', async (_what, t, nodes) => {
  await taint('n1', [t])
  await set()
  await c.rest()
  expect(Object.keys(await byNode()).sort()).toEqual(nodes)
})

test('a taint that came later lets the pod stay, unless it is NoExecute', async () => {
  await set()
  await c.rest()
  await taint('n1', [{ key: 'a', effect: 'NoSchedule' }])
  await c.rest()
  expect(Object.keys(await byNode()).sort()).toEqual(['n1', 'n2', 'n3'])
  expect((await agent()).status).toMatchObject({ desiredNumberScheduled: 2, numberMisscheduled: 1 })
  await taint('n1', [{ key: 'a', effect: 'NoExecute' }])
  await c.rest()
  expect(Object.keys(await byNode()).sort()).toEqual(['n2', 'n3'])
})

test('a pod that failed is made again, though not at once', async () => {
  await set()
  await c.rest()
  const [first] = await c.alive()
  await c.ended(first!, 1)
  await c.settled()
  const left = async () => (await c.alive()).filter((p) => p.spec.nodeName === first!.spec.nodeName)
  expect((await left()).map((p) => p.metadata.uid)).toEqual([first!.metadata.uid])
  await c.pass(10_000)
  await c.rest()
  const [again] = await left()
  expect(again!.metadata.uid).not.toBe(first!.metadata.uid)
  expect(isReady(again!)).toBe(true)
})

describe('updates', () => {
  test('roll, with no more pods missing than may be', async () => {
    await set()
    await c.rest()
    await setImage('two')
    for (let i = 0; i < 30; i++) {
      await c.settled()
      expect((await c.alive()).filter(isReady).length).toBeGreaterThanOrEqual(2)
      await c.kubelet(1)
    }
    expect(new Set(Object.values(await byNode()))).toEqual(new Set(['two']))
    expect((await agent()).status.updatedNumberScheduled).toBe(3)
  })

  test('surge: the new one comes first', async () => {
    await set({ updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } })
    await c.rest()
    await setImage('two')
    for (let i = 0; i < 30; i++) {
      await c.settled()
      const alive = await c.alive()
      expect(alive.length).toBeLessThanOrEqual(4)
      expect(new Set(alive.filter(isReady).map((p) => p.spec.nodeName)).size).toBe(3)
      await c.kubelet(1)
    }
    expect(new Set(Object.values(await byNode()))).toEqual(new Set(['two']))
  })

  test('wait until somebody deletes the pods, where the strategy says so', async () => {
    await set({ updateStrategy: { type: 'OnDelete' } })
    await c.rest()
    await setImage('two')
    await c.rest()
    expect(new Set(Object.values(await byNode()))).toEqual(new Set(['one']))
    const [first] = await c.alive()
    await c.delete('pods', first!.metadata.name, { gracePeriodSeconds: 0 })
    await c.rest()
    expect(Object.values(await byNode()).sort()).toEqual(['one', 'one', 'two'])
  })

  test('leave revisions, which a rollback takes up again', async () => {
    await set()
    await c.rest()
    await setImage('two')
    await c.rest()
    await setImage('one')
    await c.rest()
    const revisions = await c.list('controllerrevisions.apps')
    expect(revisions.map((r) => [r.revision, r.data.spec.template.spec.containers[0].image]).sort()).toEqual([
      [2, 'two'],
      [3, 'one'],
    ])
    expect(new Set(Object.values(await byNode()))).toEqual(new Set(['one']))
  })
})
