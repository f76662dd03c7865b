// The scheduler on the real engine: who waits for what, and who makes way.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { condition } from '../../../shared/meta/conditions.ts'
import { Controlled } from '../../../test/rig/controlled.ts'

let c: Controlled
beforeEach(async () => {
  c = await Controlled.start(0)
  await c.node('n1', {}, { cpu: '2' })
  for (const [name, value] of Object.entries({ high: 1000, low: 1 }))
    await c.create('priorityclasses.scheduling.k8s.io', { metadata: { name }, value })
  await c.settled()
})
afterEach(() => c.close())

const pod = (name: string, cpu: string, spec: object = {}) =>
  c.create('pods', {
    metadata: { name },
    spec: { automountServiceAccountToken: false, containers: [{ name: 'c', image: 'one', resources: { requests: { cpu } } }], ...spec },
  })
const get = async (name: string) => (await c.get('pods', name))!
const nodeOf = async (name: string) => (await get(name)).spec.nodeName

test('a pod that fits nowhere waits until there is room', async () => {
  await pod('a', '2')
  await c.rest()
  await pod('b', '1')
  await c.settled()
  expect(condition(await get('b'), 'PodScheduled')).toMatchObject({
    status: 'False',
    reason: 'Unschedulable',
    message:
      '0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.',
  })
  await c.delete('pods', 'a')
  await c.rest()
  expect(await nodeOf('b')).toBe('n1')
})

test('a pod that matters more takes the place, which nobody else gets meanwhile', async () => {
  await pod('low', '2', { priorityClassName: 'low' })
  await c.rest()
  await pod('high', '2', { priorityClassName: 'high' })
  await pod('late', '1')
  await c.settled()
  const low = await get('low')
  expect(low.metadata.deletionTimestamp).toBeDefined()
  expect(condition(low, 'DisruptionTarget')).toMatchObject({ status: 'True', reason: 'PreemptionByScheduler' })
  expect((await get('high')).status.nominatedNodeName).toBe('n1')
  expect(await nodeOf('late')).toBeUndefined()
  await c.rest()
  expect(await nodeOf('high')).toBe('n1')
  expect(await nodeOf('late')).toBeUndefined()
  const said = (await c.list('events')).filter((e) => e.reason === 'Preempted')
  expect(said.map((e) => e.involvedObject.name)).toEqual(['low'])
})

test('a pod behind gates is not looked at until they are gone', async () => {
  await pod('gated', '1', { schedulingGates: [{ name: 'example.com/wait' }] })
  await c.settled()
  expect(await nodeOf('gated')).toBeUndefined()
  await c.patch('pods', 'gated', { spec: { schedulingGates: null } }, 'main', 'merge')
  await c.settled()
  expect(await nodeOf('gated')).toBe('n1')
})

test('a kube-scheduler that holds its lease has the pods; when it stops renewing, they are ours again', async () => {
  const renewTime = new Date(c.now).toISOString().replace('Z', '000Z')
  const lease = { metadata: { name: 'kube-scheduler' }, spec: { holderIdentity: 'theirs', leaseDurationSeconds: 15, renewTime } }
  await c.create('leases.coordination.k8s.io', lease, 'kube-system')
  await pod('p', '1')
  await c.settled()
  expect(await nodeOf('p')).toBeUndefined()
  await c.pass(15_000)
  expect(await nodeOf('p')).toBe('n1')
})
