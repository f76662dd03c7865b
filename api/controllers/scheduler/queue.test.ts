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

test('many that fit nowhere do not keep others from their places', async () => {
  for (let i = 0; i < 230; i++) await pod(`big-${i}`, '3', { priorityClassName: 'high' })
  await c.settled()
  await pod('small', '1')
  await c.settled()
  expect(await nodeOf('small')).toBe('n1')
})

test('whoever fits nowhere is tried again when something happened that may help, and not before', async () => {
  await pod('big', '3')
  await pod('picky', '100m', { nodeSelector: { disk: 'ssd' } })
  await c.settled()
  const versions = async () => [(await get('big')).metadata.resourceVersion, (await get('picky')).metadata.resourceVersion]
  const before = await versions()
  await pod('other', '1')
  await c.rest()
  await c.delete('pods', 'other')
  await c.rest()
  expect(await versions()).toEqual(before)
  await c.patch('nodes', 'n1', { metadata: { labels: { disk: 'ssd' } } })
  await c.settled()
  expect(await nodeOf('picky')).toBe('n1')
  await c.node('n2', {}, { cpu: '4' })
  await c.settled()
  expect(await nodeOf('big')).toBe('n2')
})

test('a refusal whose write was lost is said in the next look', async () => {
  c.trouble = () => 'before'
  const lost = pod('big', '3')
  await expect(lost).rejects.toThrow()
  c.trouble = () => undefined
  await pod('big', '3')
  let writes = 0
  c.trouble = () => (writes++ < 3 ? 'before' : undefined)
  await c.settled()
  for (let i = 0; i < 5; i++) await c.pass(1000)
  expect(condition(await get('big'), 'PodScheduled')).toMatchObject({ status: 'False', reason: 'Unschedulable' })
})

const configure = (text: string) =>
  c.create('configmaps', { metadata: { name: 'kube-scheduler' }, data: { 'config.yaml': text } }, 'kube-system')
const HEAD = 'apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n'

test('profiles of the configuration have pods of their own', async () => {
  await c.node('n2', {}, { cpu: '2' })
  await configure(`${HEAD}profiles:
- schedulerName: default-scheduler
- schedulerName: packing
  plugins: { score: { disabled: [{ name: '*' }], enabled: [{ name: NodeResourcesFit, weight: 5 }] } }
  pluginConfig:
  - name: NodeResourcesFit
    args: { scoringStrategy: { type: MostAllocated, resources: [{ name: cpu, weight: 1 }] } }
`)
  await pod('first', '100m', { schedulerName: 'packing' })
  await c.rest()
  for (const n of ['a', 'b', 'c']) await pod(n, '100m', { schedulerName: 'packing' })
  await pod('spread', '100m')
  await pod('foreign', '100m', { schedulerName: 'somebody-else' })
  await c.rest()
  const packed = await nodeOf('first')
  expect(packed).toBeDefined()
  expect([await nodeOf('a'), await nodeOf('b'), await nodeOf('c')]).toEqual([packed, packed, packed])
  expect(await nodeOf('spread')).not.toBe(packed)
  expect(await nodeOf('foreign')).toBeUndefined()
})

test('a configuration that cannot be followed is told, and pods are placed all the same', async () => {
  await configure(`${HEAD}profiles: [{ plugins: { filter: { enabled: [{ name: NodeMagic }] } } }]`)
  await pod('p', '1')
  await c.settled()
  expect(await nodeOf('p')).toBe('n1')
  const said = (await c.list('events', 'kube-system')).filter((e) => e.reason === 'InvalidConfiguration')
  expect(said.map((e) => e.message)).toEqual([
    'The scheduler does not follow config.yaml: profiles.0.plugins.filter.enabled.0.name: there is no plugin "NodeMagic"',
  ])
})

test('a kube-controller-manager that holds its lease has the controllers that it names, until it lets go', async () => {
  const renewTime = new Date(c.now).toISOString().replace('Z', '000Z')
  const metadata = { name: 'kube-controller-manager', annotations: { 'kedge.dev/controllers': 'deployment-controller' } }
  const spec = { holderIdentity: 'theirs', leaseDurationSeconds: 3600, renewTime }
  await c.create('leases.coordination.k8s.io', { metadata, spec }, 'kube-system')
  const template = { metadata: { labels: { app: 'a' } }, spec: { containers: [{ name: 'c', image: 'one' }] } }
  const workload = { metadata: { name: 'a' }, spec: { replicas: 1, selector: { matchLabels: { app: 'a' } }, template } }
  await c.create('deployments.apps', workload)
  await c.create('replicasets.apps', workload)
  await c.rest()
  expect((await c.list('replicasets.apps')).map((r) => r.metadata.name)).toEqual(['a'])
  expect(await c.list('pods')).toHaveLength(1)
  await c.delete('leases.coordination.k8s.io', 'kube-controller-manager', {}, 'kube-system')
  await c.rest()
  expect(await c.list('replicasets.apps')).toHaveLength(2)
})

const member = (name: string, cpu: string, min: number, more: object = {}) =>
  c.create('pods', {
    metadata: {
      name,
      annotations: { 'pod-group.scheduling.sigs.k8s.io/name': 'g', 'pod-group.scheduling.sigs.k8s.io/min-available': String(min) },
    },
    spec: { automountServiceAccountToken: false, containers: [{ name: 'c', image: 'one', resources: { requests: { cpu } } }], ...more },
  })
const placedOf = async (...names: string[]) => Promise.all(names.map(async (n) => (await nodeOf(n)) !== undefined))

test('a group is placed together or not at all, and takes no room while it waits', async () => {
  await member('g1', '1', 3)
  await member('g2', '1', 3)
  await c.settled()
  expect(condition(await get('g1'), 'PodScheduled')!.message).toContain(
    '0/1 nodes are available: pod group g needs 3 more of its pods to have a place at the same time, and there are 2.',
  )
  await member('g3', '1', 3)
  await c.settled()
  expect(await placedOf('g1', 'g2', 'g3')).toEqual([false, false, false])
  const messages = await Promise.all(['g1', 'g2', 'g3'].map(async (n) => condition(await get(n), 'PodScheduled')!.message))
  expect(messages.filter((m) => m.includes('and 2 of 3 would'))).toHaveLength(2)
  expect(messages.filter((m) => m.includes('1 Insufficient cpu'))).toHaveLength(1)
  await pod('other', '2')
  await c.rest()
  expect(await nodeOf('other')).toBe('n1')
  // Room for two, then for all.
  await c.node('n2', {}, { cpu: '2' })
  await c.pass(11_000)
  expect(await placedOf('g1', 'g2', 'g3')).toEqual([false, false, false])
  await c.node('n3', {}, { cpu: '1' })
  await c.pass(11_000)
  expect(await placedOf('g1', 'g2', 'g3')).toEqual([true, true, true])
})

test('of a group that is large enough, each pod is placed as it comes; gated ones and those that have ended do not count', async () => {
  await member('g1', '500m', 2, { restartPolicy: 'Never' })
  await member('gated', '500m', 2, { schedulingGates: [{ name: 'example.com/wait' }] })
  await c.settled()
  expect(await nodeOf('g1')).toBeUndefined()
  await member('g2', '500m', 2)
  await c.rest()
  expect(await placedOf('g1', 'g2')).toEqual([true, true])
  await member('g3', '500m', 2)
  await c.rest()
  expect(await nodeOf('g3')).toBe('n1')
  await c.ended(await get('g1'), 0)
  await c.delete('pods', 'g2')
  await c.delete('pods', 'g3')
  await c.rest()
  await member('g4', '500m', 2)
  await c.settled()
  expect(await nodeOf('g4')).toBeUndefined()
})
