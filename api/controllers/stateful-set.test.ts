// StatefulSet on the real engine: order, names, claims, revisions.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { isReady } from '../../shared/meta/conditions.ts'
import { Controlled } from '../../test/rig/controlled.ts'

const SETS = 'statefulsets.apps'
const CLAIMS = 'persistentvolumeclaims'
let c: Controlled
beforeEach(async () => {
  c = await Controlled.start()
})
afterEach(() => c.close())

const set = (replicas: number, spec: object = {}) =>
  c.create(SETS, {
    metadata: { name: 'db' },
    spec: {
      serviceName: 'db',
      replicas,
      selector: { matchLabels: { app: 'db' } },
      template: {
        metadata: { labels: { app: 'db' } },
        spec: { automountServiceAccountToken: false, containers: [{ name: 'c', image: 'one' }] },
      },
      ...spec,
    },
  })
const template = { metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } }
/** Volumes that such claims can have. */
const volumes = async (n: number) => {
  const spec = { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/srv' } }
  for (let i = 0; i < n; i++) await c.create('persistentvolumes', { metadata: { name: `v${i}` }, spec })
}
const change = (spec: object) => c.patch(SETS, 'db', { spec })
const setImage = (image: string) => change({ template: { spec: { containers: [{ name: 'c', image }] } } })
const db = async () => (await c.get(SETS, 'db'))!
const names = async () => (await c.alive()).map((p) => p.metadata.name)
const images = async () => Object.fromEntries((await c.alive()).map((p) => [p.metadata.name, p.spec.containers[0].image]))

test('pods come one after the other, each when the one before it is ready, and carry their name', async () => {
  await set(3)
  for (const n of [1, 2, 3]) {
    await c.settled()
    expect(await names()).toEqual(Array.from({ length: n }, (_, i) => `db-${i}`))
    await c.kubelet()
  }
  await c.rest()
  const pod = (await c.get('pods', 'db-1'))!
  expect(pod.spec).toMatchObject({ hostname: 'db-1', subdomain: 'db' })
  const { updateRevision } = (await db()).status
  expect(pod.metadata.labels).toMatchObject({
    'statefulset.kubernetes.io/pod-name': 'db-1',
    'apps.kubernetes.io/pod-index': '1',
    'controller-revision-hash': updateRevision,
  })
  expect(pod.metadata.generateName).toBeUndefined()
  expect((await db()).status).toMatchObject({
    replicas: 3,
    readyReplicas: 3,
    availableReplicas: 3,
    currentReplicas: 3,
    updatedReplicas: 3,
    currentRevision: updateRevision,
  })
})

test('what is settled stays settled', async () => {
  await volumes(2)
  await set(2, { volumeClaimTemplates: [template] })
  await c.rest()
  const before = await c.version()
  for (let i = 0; i < 3; i++) await c.settled()
  await c.restart()
  expect((await c.since(before)).map((e) => `${e.verb} ${e.resource} ${e.name}`)).toEqual([])
})

test('side by side where the order does not matter', async () => {
  await set(3, { podManagementPolicy: 'Parallel' })
  await c.settled()
  expect(await names()).toEqual(['db-0', 'db-1', 'db-2'])
  await change({ replicas: 1 })
  await c.settled()
  expect(await names()).toEqual(['db-0'])
})

test('the last goes first, and each only when the rest is well', async () => {
  await set(3)
  await c.rest()
  await c.ready('db-0', false)
  await change({ replicas: 1 })
  await c.settled()
  expect(await names()).toEqual(['db-0', 'db-1', 'db-2'])
  await c.ready('db-0')
  await c.settled()
  expect(await names()).toEqual(['db-0', 'db-1'])
  await c.settled()
  expect(await names()).toEqual(['db-0', 'db-1'])
  await c.rest()
  expect(await names()).toEqual(['db-0'])
})

test('numbering may begin elsewhere', async () => {
  await set(2, { ordinals: { start: 5 } })
  await c.rest()
  expect(await names()).toEqual(['db-5', 'db-6'])
  await change({ ordinals: { start: 6 } })
  await c.rest()
  expect(await names()).toEqual(['db-6', 'db-7'])
})

test('a pod that failed is made again under its name', async () => {
  await set(1)
  await c.rest()
  const { uid } = (await c.get('pods', 'db-0'))!.metadata
  await c.ended((await c.get('pods', 'db-0'))!, 1)
  await c.rest()
  const again = (await c.get('pods', 'db-0'))!
  expect(again.metadata.uid).not.toBe(uid)
  expect(isReady(again)).toBe(true)
})

describe('updates', () => {
  test('roll from the last to the first, one at a time', async () => {
    await set(3)
    await c.rest()
    await setImage('two')
    const seen: string[] = []
    for (let i = 0; i < 40; i++) {
      await c.settled()
      const pods = await c.alive()
      expect(pods.filter(isReady).length).toBeGreaterThanOrEqual(2)
      for (const p of pods) if (p.spec.containers[0].image === 'two' && !seen.includes(p.metadata.name)) seen.push(p.metadata.name)
      await c.kubelet(1)
    }
    expect(seen).toEqual(['db-2', 'db-1', 'db-0'])
    const { status } = await db()
    expect(status).toMatchObject({ updatedReplicas: 3, currentReplicas: 3 })
    expect(status.currentRevision).toBe(status.updateRevision)
  })

  test('stop at the partition; what dies below it comes back as it was', async () => {
    await set(3, { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 2 } } })
    await c.rest()
    await setImage('two')
    await c.rest()
    expect(await images()).toEqual({ 'db-0': 'one', 'db-1': 'one', 'db-2': 'two' })
    await c.delete('pods', 'db-1', { gracePeriodSeconds: 0 })
    await c.delete('pods', 'db-2', { gracePeriodSeconds: 0 })
    await c.rest()
    expect(await images()).toEqual({ 'db-0': 'one', 'db-1': 'one', 'db-2': 'two' })
    const { status } = await db()
    expect(status).toMatchObject({ currentReplicas: 2, updatedReplicas: 1 })
    expect(status.currentRevision).not.toBe(status.updateRevision)
    await change({ updateStrategy: { rollingUpdate: { partition: 0 } } })
    await c.rest()
    expect(new Set(Object.values(await images()))).toEqual(new Set(['two']))
  })

  test('as many at a time as may be missing', async () => {
    await set(4, { podManagementPolicy: 'Parallel', updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 2 } } })
    await c.rest()
    await setImage('two')
    await c.settled()
    expect(await names()).toEqual(['db-0', 'db-1'])
    await c.rest()
    expect(new Set(Object.values(await images()))).toEqual(new Set(['two']))
  })

  test('wait until somebody deletes the pods, where the strategy says so', async () => {
    await set(2, { updateStrategy: { type: 'OnDelete' } })
    await c.rest()
    await setImage('two')
    await c.rest()
    expect(await images()).toEqual({ 'db-0': 'one', 'db-1': 'one' })
    await c.delete('pods', 'db-0', { gracePeriodSeconds: 0 })
    await c.rest()
    expect(await images()).toEqual({ 'db-0': 'two', 'db-1': 'one' })
  })

  test('wait for pods to be ready long enough', async () => {
    await set(2, { minReadySeconds: 10 })
    await c.settled()
    await c.kubelet()
    await c.settled()
    expect(await names()).toEqual(['db-0'])
    await c.pass(10_000)
    expect(await names()).toEqual(['db-0', 'db-1'])
    expect((await db()).status).toMatchObject({ availableReplicas: 1 })
  })

  test('leave revisions, as many as the limit keeps; an old template takes its own up again', async () => {
    await set(1, { revisionHistoryLimit: 1 })
    for (const image of ['two', 'three', 'four']) {
      await c.rest()
      await setImage(image)
    }
    await c.rest()
    const revisions = await c.list('controllerrevisions.apps')
    expect(revisions.map((r) => [r.revision, r.data.spec.template.spec.containers[0].image]).sort()).toEqual([
      [3, 'three'],
      [4, 'four'],
    ])
    await setImage('three')
    await c.rest()
    const again = await c.list('controllerrevisions.apps')
    expect(again.map((r) => r.revision).sort()).toEqual([4, 5])
    expect((await db()).status.updateRevision).toBe(again.find((r) => r.revision === 5)!.metadata.name)
  })
})

describe('claims', () => {
  const owners = async () => Object.fromEntries((await c.list(CLAIMS)).map((o) => [o.metadata.name, o.metadata.ownerReferences?.[0]?.kind]))

  test('are made before their pod, mounted by it, and outlive it', async () => {
    await volumes(2)
    await set(2, { volumeClaimTemplates: [template] })
    await c.rest()
    expect((await c.list(CLAIMS)).map((o) => [o.metadata.name, o.metadata.labels])).toEqual([
      ['data-db-0', { app: 'db' }],
      ['data-db-1', { app: 'db' }],
    ])
    expect((await c.get('pods', 'db-1'))!.spec.volumes).toEqual([{ name: 'data', persistentVolumeClaim: { claimName: 'data-db-1' } }])
    await change({ replicas: 0 })
    await c.rest()
    expect(await owners()).toEqual({ 'data-db-0': undefined, 'data-db-1': undefined })
  })

  test('go with what the retention policy binds them to', async () => {
    await volumes(2)
    const policy = { whenDeleted: 'Delete', whenScaled: 'Delete' }
    await set(2, { volumeClaimTemplates: [template], persistentVolumeClaimRetentionPolicy: policy })
    await c.rest()
    expect(await owners()).toEqual({ 'data-db-0': 'StatefulSet', 'data-db-1': 'StatefulSet' })
    await change({ replicas: 1 })
    await c.rest()
    expect(await owners()).toEqual({ 'data-db-0': 'StatefulSet' })
    await c.delete(SETS, 'db', { propagationPolicy: 'Background' })
    await c.rest()
    expect(await owners()).toEqual({})
  })
})
