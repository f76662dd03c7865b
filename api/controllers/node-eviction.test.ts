// How fast nodes that are away lose their pods: by kube-controller-manager's rates, zone by zone.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Controlled } from '../../test/rig/controlled.ts'

let c: Controlled
beforeEach(async () => {
  c = await Controlled.start(0)
})
afterEach(() => c.close())

const TIME = '2026-01-01T00:00:00Z'
const nodes = async (zone: string, count: number) => {
  for (let i = 1; i <= count; i++) await c.node(`${zone}${i}`, { 'topology.kubernetes.io/zone': zone })
  await c.settled()
}
const set = (name: string, status: string) =>
  c.patch('nodes', name, { status: { conditions: [{ type: 'Ready', status, lastTransitionTime: TIME }] } }, 'status', 'merge')
/** The nodes that pods have to leave. */
const marked = async () =>
  (await c.list('nodes')).filter((n) => n.spec?.taints?.some((t: any) => t.effect === 'NoExecute')).map((n) => n.metadata.name)
const lost = async (...names: string[]) => {
  for (const n of names) await set(n, 'Unknown')
  await c.settled()
}

test('one at once, and the others ten seconds apart', async () => {
  await nodes('a', 6)
  await lost('a1', 'a2', 'a3')
  expect(await marked()).toHaveLength(1)
  await c.pass(5000)
  expect(await marked()).toHaveLength(1)
  await c.pass(4000)
  expect(await marked()).toHaveLength(2)
  await c.pass(10_000)
  expect((await marked()).sort()).toEqual(['a1', 'a2', 'a3'])
})

test('none of a small zone while most of it is away, and again when it is better', async () => {
  await nodes('a', 5)
  await nodes('b', 2)
  await lost('a1', 'a2')
  await c.pass(10_000)
  expect(await marked()).toEqual(['a1', 'a2'])
  await lost('a3', 'a4')
  await c.pass(60_000)
  expect(await marked()).toEqual(['a1', 'a2'])
  await set('a1', 'True')
  await set('a4', 'True')
  await c.pass(10_000)
  expect(await marked()).toEqual(['a2', 'a3'])
})

test('a zone that is away as a whole, while others are there', async () => {
  await nodes('a', 4)
  await nodes('b', 4)
  await lost('a1', 'a2', 'a3', 'a4')
  for (let i = 0; i < 3; i++) await c.pass(10_000)
  expect(await marked()).toHaveLength(4)
})

test('none where everybody is away, and the marks are taken back', async () => {
  await nodes('a', 3)
  await lost('a1')
  expect(await marked()).toEqual(['a1'])
  await lost('a2', 'a3')
  await c.pass(60_000)
  expect(await marked()).toEqual([])
  expect((await c.get('nodes', 'a1'))!.spec.taints).toMatchObject([{ key: 'node.kubernetes.io/unreachable', effect: 'NoSchedule' }])
})

test('from unreachable to not ready pods keep the time that they have waited', async () => {
  await nodes('a', 2)
  await lost('a1')
  const time = async () => (await c.get('nodes', 'a1'))!.spec.taints.find((t: any) => t.effect === 'NoExecute')
  const before = await time()
  expect(before.key).toBe('node.kubernetes.io/unreachable')
  await c.pass(30_000)
  await set('a1', 'False')
  await c.settled()
  expect(await time()).toEqual({ ...before, key: 'node.kubernetes.io/not-ready' })
  await set('a1', 'True')
  await c.settled()
  expect(await marked()).toEqual([])
})

test.each([
  ['MemoryPressure', 'memory-pressure'],
  ['DiskPressure', 'disk-pressure'],
  ['PIDPressure', 'pid-pressure'],
  ['NetworkUnavailable', 'network-unavailable'],
])('a node that says %s keeps new pods away while it does', async (type, key) => {
  await nodes('a', 1)
  const taints = async () => ((await c.get('nodes', 'a1'))!.spec.taints ?? []).map((t: any) => `${t.key}:${t.effect}`)
  const say = async (status: string) => {
    const conditions = [
      { type: 'Ready', status: 'True', lastTransitionTime: TIME },
      { type, status, lastTransitionTime: TIME },
    ]
    await c.patch('nodes', 'a1', { status: { conditions } }, 'status', 'merge')
    await c.settled()
  }
  await say('True')
  expect(await taints()).toEqual([`node.kubernetes.io/${key}:NoSchedule`])
  await say('Unknown')
  expect(await taints()).toEqual([])
})
