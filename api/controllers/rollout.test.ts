// Deployment and ReplicaSet driven by the real engine on a real store: rollouts keep their bounds, and a settled state stays settled.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { migrations } from '../../migrations/bundle.ts'
import { kindByName } from '../../shared/kinds/index.ts'
import { type TestCluster, testCluster } from '../../test/rig/cluster.ts'
import { type Engine, startEngine } from '../engine/engine.ts'
import { openEmbedded } from '../platform/node/embedded-database.ts'
import { decodeBody } from '../registry/codec.ts'
import { systemContext } from '../registry/context.ts'
import { create } from '../registry/create.ts'
import { keyFor, remove } from '../registry/delete.ts'
import { patch } from '../registry/patch.ts'

let c: TestCluster
let engine: Engine
let now = Date.parse('2026-01-01T00:00:00Z')
const ctx = systemContext('test')
const options = { fieldManager: 'test', fieldValidation: 'Strict' as const }
const deployments = kindByName('apps', 'Deployment')!
const pods = kindByName('', 'Pod')!

beforeEach(async () => {
  const database = openEmbedded(':memory:')
  await database.migrate(migrations)
  c = await testCluster(database, () => now)
  engine = await startEngine({ cluster: c.cluster, hub: c.hub, alarm: { set: () => {} } })
  await settled()
})
afterEach(() => engine.close())

/** Until nothing is left to do now: conflicts wait for a due time, so time moves a little. */
async function settled() {
  for (let i = 0; i < 20; i++) {
    await engine.idle()
    now += 50
    engine.wake()
    await engine.idle()
  }
}
const list = async (resource: string) =>
  (await c.cluster.store.list({ resource, ns: 'default' })).items.map((i) => decodeBody(i.body, i.rv))
const ready = (p: any) => p.status?.conditions?.some((x: any) => x.type === 'Ready' && x.status === 'True')

async function setStatus(name: string, isReady: boolean) {
  const condition = { type: 'Ready', status: isReady ? 'True' : 'False', lastTransitionTime: new Date(now).toISOString() }
  await patch(
    c.cluster.env,
    pods,
    keyFor(pods, 'default', name),
    'status',
    'merge',
    { status: { phase: 'Running', conditions: [condition] } },
    options,
    ctx,
  )
}
/** A kubelet in one line: pods that should run become ready, pods that should go are gone. */
async function kubelet(limit = Number.POSITIVE_INFINITY) {
  const todo = (await list('pods')).filter((p) => p.metadata.deletionTimestamp || !ready(p))
  for (const p of todo.slice(0, limit)) {
    const { name } = p.metadata
    if (p.metadata.deletionTimestamp) await remove(c.cluster.env, pods, keyFor(pods, 'default', name), { gracePeriodSeconds: 0 }, ctx)
    else await setStatus(name, true)
  }
}
const deployment = (replicas: number, strategy: object = { rollingUpdate: { maxSurge: 1, maxUnavailable: 1 } }) =>
  create(
    c.cluster.env,
    deployments,
    'default',
    {
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
    },
    options,
    ctx,
  )
const change = (body: object) =>
  patch(c.cluster.env, deployments, keyFor(deployments, 'default', 'web'), 'main', 'strategic', body, options, ctx)
const setImage = (image: string) => change({ spec: { template: { spec: { containers: [{ name: 'c', image }] } } } })
const web = async () => (await list('deployments.apps'))[0]!

test('a rollout keeps within surge and unavailability, and completes', async () => {
  await deployment(5)
  await settled()
  await kubelet()
  await settled()
  expect((await web()).status).toMatchObject({ replicas: 5, readyReplicas: 5, availableReplicas: 5, updatedReplicas: 5 })
  await setImage('two')
  for (let i = 0; i < 40; i++) {
    await settled()
    const all = (await list('pods')).filter((p) => !p.metadata.deletionTimestamp)
    expect(all.length).toBeLessThanOrEqual(6)
    expect(all.filter(ready).length).toBeGreaterThanOrEqual(4)
    await kubelet(1 + (i % 3))
  }
  await settled()
  const d = await web()
  expect(d.status).toMatchObject({ replicas: 5, updatedReplicas: 5, availableReplicas: 5 })
  expect(d.metadata.annotations!['deployment.kubernetes.io/revision']).toBe('2')
  expect(d.status.conditions.find((x: any) => x.type === 'Progressing').reason).toBe('NewReplicaSetAvailable')
})

test('what is settled stays settled: no write without a change', async () => {
  await deployment(3)
  await settled()
  await kubelet()
  await settled()
  const { rv } = await c.cluster.store.head()
  for (let i = 0; i < 5; i++) await settled()
  expect((await c.cluster.store.head()).rv).toBe(rv)
})

test('going back to an old template takes its replica set up again, with a new revision', async () => {
  await deployment(2)
  await settled()
  await kubelet()
  await settled()
  await setImage('two')
  for (let i = 0; i < 8; i++) {
    await settled()
    await kubelet()
  }
  await setImage('one')
  for (let i = 0; i < 8; i++) {
    await settled()
    await kubelet()
  }
  const sets = await list('replicasets.apps')
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
  await settled()
  await kubelet()
  await settled()
  // Pods of a node are only marked; they go when it says so.
  await setImage('two')
  await settled()
  const images = async () => new Set((await list('pods')).map((p) => p.spec.containers[0].image))
  expect([...(await images())]).not.toEqual(['one', 'two'])
  for (let i = 0; i < 4; i++) {
    await kubelet()
    await settled()
  }
  expect([...(await images())]).toEqual(['two'])
})

test('paused holds the template, resumed lets go', async () => {
  await deployment(2)
  await settled()
  await kubelet()
  await change({ spec: { paused: true } })
  await setImage('two')
  await settled()
  expect(await list('replicasets.apps')).toHaveLength(1)
  expect((await web()).status.conditions.find((x: any) => x.type === 'Progressing').reason).toBe('DeploymentPaused')
  await change({ spec: { paused: null } })
  await settled()
  expect(await list('replicasets.apps')).toHaveLength(2)
})

test('a rollout that does not progress says so at its deadline', async () => {
  await deployment(1)
  await change({ spec: { progressDeadlineSeconds: 30 } })
  await settled()
  now += 31_000
  engine.wake()
  await settled()
  expect((await web()).status.conditions.find((x: any) => x.type === 'Progressing')).toMatchObject({
    status: 'False',
    reason: 'ProgressDeadlineExceeded',
  })
})

test('owners are collected in the background, waited for in the foreground, and let go as orphans', async () => {
  await deployment(2)
  await settled()
  await kubelet()
  await remove(c.cluster.env, deployments, keyFor(deployments, 'default', 'web'), { propagationPolicy: 'Orphan' }, ctx)
  await settled()
  expect(await list('deployments.apps')).toHaveLength(0)
  const [set] = await list('replicasets.apps')
  expect(set!.metadata.ownerReferences).toBeUndefined()
  const sets = kindByName('apps', 'ReplicaSet')!
  await remove(c.cluster.env, sets, keyFor(sets, 'default', set!.metadata.name), { propagationPolicy: 'Foreground' }, ctx)
  await settled()
  await kubelet()
  await settled()
  expect(await list('replicasets.apps')).toHaveLength(0)
  expect(await list('pods')).toHaveLength(0)
})
