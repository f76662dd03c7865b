// Deployment and ReplicaSet driven by the real engine on a real store: rollouts keep their bounds, and a settled state stays settled.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { isReady } from '../../shared/meta/conditions.ts'
import { Controlled } from '../../test/rig/controlled.ts'

let c: Controlled
beforeEach(async () => {
  c = await Controlled.start()
})
afterEach(() => c.close())

const deployment = (replicas: number, strategy: object = { rollingUpdate: { maxSurge: 1, maxUnavailable: 1 } }) =>
  c.create('deployments.apps', {
    metadata: { name: 'web' },
    spec: {
      replicas,
      strategy,
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: { automountServiceAccountToken: false, containers: [{ name: 'c', image: 'one' }] },
      },
    },
  })
const change = (body: object) => c.patch('deployments.apps', 'web', body)
const setImage = (image: string) => change({ spec: { template: { spec: { containers: [{ name: 'c', image }] } } } })
const web = async () => (await c.list('deployments.apps'))[0]!

test('a rollout keeps within surge and unavailability, and completes', async () => {
  await deployment(5)
  await c.settled()
  await c.kubelet()
  await c.settled()
  expect((await web()).status).toMatchObject({ replicas: 5, readyReplicas: 5, availableReplicas: 5, updatedReplicas: 5 })
  await setImage('two')
  for (let i = 0; i < 40; i++) {
    await c.settled()
    const all = (await c.list('pods')).filter((p) => !p.metadata.deletionTimestamp)
    expect(all.length).toBeLessThanOrEqual(6)
    expect(all.filter(isReady).length).toBeGreaterThanOrEqual(4)
    await c.kubelet(1 + (i % 3))
  }
  await c.settled()
  const d = await web()
  expect(d.status).toMatchObject({ replicas: 5, updatedReplicas: 5, availableReplicas: 5 })
  expect(d.metadata.annotations!['deployment.kubernetes.io/revision']).toBe('2')
  expect(d.status.conditions.find((x: any) => x.type === 'Progressing').reason).toBe('NewReplicaSetAvailable')
})

test('what is settled stays settled: no write without a change', async () => {
  await deployment(3)
  await c.settled()
  await c.kubelet()
  await c.settled()
  const rv = await c.version()
  for (let i = 0; i < 5; i++) await c.settled()
  expect(await c.version()).toBe(rv)
})

test('going back to an old template takes its replica set up again, with a new revision', async () => {
  await deployment(2)
  await c.settled()
  await c.kubelet()
  await c.settled()
  await setImage('two')
  for (let i = 0; i < 8; i++) {
    await c.settled()
    await c.kubelet()
  }
  await setImage('one')
  for (let i = 0; i < 8; i++) {
    await c.settled()
    await c.kubelet()
  }
  const sets = await c.list('replicasets.apps')
  expect(sets).toHaveLength(2)
  const current = sets.find((s) => s.spec.replicas === 2)!
  expect(current.spec.template.spec.containers[0].image).toBe('one')
  expect(current.metadata.annotations).toMatchObject({
    'deployment.kubernetes.io/revision': '3',
    'deployment.kubernetes.io/revision-history': '1',
  })
})

test('recreate waits for the last old pod', async () => {
  await deployment(2, { type: 'Recreate' })
  await c.settled()
  await c.kubelet()
  await c.settled()
  // Pods of a node are only marked; they go when it says so.
  await setImage('two')
  await c.settled()
  const images = async () => new Set((await c.list('pods')).map((p) => p.spec.containers[0].image))
  expect([...(await images())]).not.toEqual(['one', 'two'])
  for (let i = 0; i < 4; i++) {
    await c.kubelet()
    await c.settled()
  }
  expect([...(await images())]).toEqual(['two'])
})

test('paused holds the template, resumed lets go', async () => {
  await deployment(2)
  await c.settled()
  await c.kubelet()
  await change({ spec: { paused: true } })
  await setImage('two')
  await c.settled()
  expect(await c.list('replicasets.apps')).toHaveLength(1)
  expect((await web()).status.conditions.find((x: any) => x.type === 'Progressing').reason).toBe('DeploymentPaused')
  await change({ spec: { paused: null } })
  await c.settled()
  expect(await c.list('replicasets.apps')).toHaveLength(2)
})

test('a rollout that does not progress says so at its deadline', async () => {
  await deployment(1)
  await change({ spec: { progressDeadlineSeconds: 30 } })
  await c.settled()
  await c.pass(31_000)
  expect((await web()).status.conditions.find((x: any) => x.type === 'Progressing')).toMatchObject({
    status: 'False',
    reason: 'ProgressDeadlineExceeded',
  })
})

test('owners are collected in the background, waited for in the foreground, and let go as orphans', async () => {
  await deployment(2)
  await c.settled()
  await c.kubelet()
  await c.delete('deployments.apps', 'web', { propagationPolicy: 'Orphan' })
  await c.settled()
  expect(await c.list('deployments.apps')).toHaveLength(0)
  const [set] = await c.list('replicasets.apps')
  expect(set!.metadata.ownerReferences).toBeUndefined()
  await c.delete('replicasets.apps', set!.metadata.name, { propagationPolicy: 'Foreground' })
  await c.settled()
  await c.kubelet()
  await c.settled()
  expect(await c.list('replicasets.apps')).toHaveLength(0)
  expect(await c.list('pods')).toHaveLength(0)
})

test('a name that somebody else has is no obstacle', async () => {
  await deployment(1)
  await c.rest()
  const { name } = (await c.list('replicasets.apps'))[0]!.metadata
  await c.delete('deployments.apps', 'web', { propagationPolicy: 'Background' })
  await c.rest()
  const other = { matchLabels: { app: 'other' } }
  await c.create('replicasets.apps', {
    metadata: { name },
    spec: {
      replicas: 0,
      selector: other,
      template: { metadata: { labels: { app: 'other' } }, spec: { containers: [{ name: 'c', image: 'one' }] } },
    },
  })
  await deployment(1)
  await c.rest()
  expect((await web()).status).toMatchObject({ collisionCount: 1, availableReplicas: 1 })
  expect((await c.list('replicasets.apps')).filter((s) => s.metadata.name !== name)).toHaveLength(1)
})
