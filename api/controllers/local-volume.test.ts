// Volumes of our own class on the real engine: where they are made, how they grow, and what becomes of them.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { condition } from '../../shared/meta/conditions.ts'
import { Controlled } from '../../test/rig/controlled.ts'

const CLAIMS = 'persistentvolumeclaims'
const VOLUMES = 'persistentvolumes'
const CLASSES = 'storageclasses.storage.k8s.io'
let c: Controlled
beforeEach(async () => {
  c = await Controlled.start(2)
  for (const [node, size] of [
    ['n1', '5Gi'],
    ['n2', '20Gi'],
  ] as const) {
    const annotations = { 'kedge.dev/local-volumes': `/data/${node}`, 'kedge.dev/local-volumes-size': size }
    await c.patch('nodes', node, { metadata: { annotations } })
  }
  await c.settled()
})
afterEach(() => c.close())

const claim = (name: string, storage: string, spec: object = {}) =>
  c.create(CLAIMS, { metadata: { name }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage } }, ...spec } })
const pod = (name: string, claimName: string, spec: object = {}) =>
  c.create('pods', {
    metadata: { name },
    spec: {
      automountServiceAccountToken: false,
      containers: [{ name: 'c', image: 'one' }],
      volumes: [{ name: 'data', persistentVolumeClaim: { claimName } }],
      ...spec,
    },
  })
const volumeFor = async (name: string) => {
  const { spec } = (await c.get(CLAIMS, name))!
  return spec.volumeName ? await c.get(VOLUMES, spec.volumeName) : undefined
}
const said = async (name: string) => (await c.list('events')).filter((e) => e.involvedObject.name === name).map((e) => e.message)

test('a claim without a class gets ours, and a volume where its pod runs', async () => {
  await claim('data', '1Gi')
  await c.rest()
  expect((await c.get(CLAIMS, 'data'))!.spec.storageClassName).toBe('local')
  expect(await volumeFor('data')).toBeUndefined()
  await pod('p', 'data', { nodeSelector: { 'kubernetes.io/hostname': 'n1' } })
  await c.rest()
  const volume = (await volumeFor('data'))!
  expect(volume).toMatchObject({
    metadata: { labels: { 'kedge.dev/node': 'n1' }, annotations: { 'pv.kubernetes.io/provisioned-by': 'kedge.dev/local' } },
    spec: {
      capacity: { storage: '1Gi' },
      persistentVolumeReclaimPolicy: 'Delete',
      local: { path: `/data/n1/${volume.metadata.name}` },
      claimRef: { namespace: 'default', name: 'data' },
    },
    status: { phase: 'Bound' },
  })
  expect((await c.get('pods', 'p'))!.spec.nodeName).toBe('n1')
})

test('nodes take no more than they have room for', async () => {
  for (const n of ['a', 'b', 'c']) {
    await claim(n, '8Gi')
    await pod(n, n)
  }
  await c.rest()
  expect((await volumeFor('a'))!.metadata.labels).toEqual({ 'kedge.dev/node': 'n2' })
  expect((await volumeFor('b'))!.metadata.labels).toEqual({ 'kedge.dev/node': 'n2' })
  expect(await volumeFor('c')).toBeUndefined()
  expect(condition((await c.get('pods', 'c'))!, 'PodScheduled')?.message).toContain('2 node(s) did not have enough free storage')
})

test('claims that come at the same moment are counted with each other', async () => {
  await c.create(CLASSES, {
    metadata: { name: 'now' },
    provisioner: 'kedge.dev/local',
    volumeBindingMode: 'Immediate',
    allowVolumeExpansion: true,
  })
  await Promise.all(Array.from({ length: 8 }, (_, i) => claim(`c${i}`, '4Gi', { storageClassName: 'now' })))
  await c.rest()
  const on = (await c.list(VOLUMES)).map((v) => v.metadata.labels!['kedge.dev/node'])
  expect(on.toSorted()).toEqual(['n1', 'n2', 'n2', 'n2', 'n2', 'n2'])
  const grown = (await c.list(VOLUMES)).filter((v) => v.metadata.labels!['kedge.dev/node'] === 'n2').slice(0, 2)
  await c.patch('nodes', 'n2', { metadata: { annotations: { 'kedge.dev/local-volumes-size': '22Gi' } } })
  const more = { spec: { resources: { requests: { storage: '6Gi' } } } }
  await Promise.all(grown.map((v) => c.patch(CLAIMS, v.spec.claimRef.name, more)))
  await c.rest()
  expect((await c.list(VOLUMES)).filter((v) => v.spec.capacity.storage === '6Gi')).toHaveLength(1)
})

test('what was deleted goes when its node has taken the folder away, or is gone itself', async () => {
  for (const n of ['a', 'b']) {
    await claim(n, '1Gi')
    await pod(n, n, { nodeSelector: { 'kubernetes.io/hostname': n === 'a' ? 'n1' : 'n2' } })
  }
  await c.rest()
  for (const n of ['a', 'b']) {
    await c.delete('pods', n, { gracePeriodSeconds: 0 })
    await c.delete(CLAIMS, n)
  }
  await c.rest()
  const leaving = await c.list(VOLUMES)
  expect(leaving.map((v) => [v.metadata.labels!['kedge.dev/node'], v.metadata.finalizers]).sort()).toEqual([
    ['n1', ['kedge.dev/local-volume']],
    ['n2', ['kedge.dev/local-volume']],
  ])
  expect(leaving.every((v) => v.metadata.deletionTimestamp)).toBe(true)
  await c.delete('nodes', 'n2')
  await c.rest()
  expect((await c.list(VOLUMES)).map((v) => v.metadata.labels!['kedge.dev/node'])).toEqual(['n1'])
})

test('a volume that is to be kept stays, released', async () => {
  await c.create(CLASSES, {
    metadata: { name: 'kept' },
    provisioner: 'kedge.dev/local',
    reclaimPolicy: 'Retain',
    volumeBindingMode: 'Immediate',
  })
  await claim('data', '1Gi', { storageClassName: 'kept' })
  await c.rest()
  const volume = (await volumeFor('data'))!
  // The one with the most room.
  expect(volume.metadata.labels).toEqual({ 'kedge.dev/node': 'n2' })
  await c.delete(CLAIMS, 'data')
  await c.rest()
  expect((await c.list(VOLUMES)).map((v) => v.status.phase)).toEqual(['Released'])
})

test('claims grow where their class lets them, as far as there is room', async () => {
  await claim('data', '1Gi')
  await pod('p', 'data', { nodeSelector: { 'kubernetes.io/hostname': 'n1' } })
  await c.rest()
  const ask = (storage: string) => c.patch(CLAIMS, 'data', { spec: { resources: { requests: { storage } } } })
  await ask('3Gi')
  await c.rest()
  expect((await c.get(CLAIMS, 'data'))!.status.capacity).toEqual({ storage: '3Gi' })
  await ask('30Gi')
  await c.rest()
  expect((await c.get(CLAIMS, 'data'))!.status.capacity).toEqual({ storage: '3Gi' })
  expect(await said('data')).toContainEqual(expect.stringContaining('node n1 has no room for it'))
  await c.patch(CLASSES, 'local', { allowVolumeExpansion: false })
  await expect(ask('31Gi')).rejects.toMatchObject({ code: 403 })
})

test.each<[string, object, string]>([
  ['many nodes', { accessModes: ['ReadWriteMany'] }, 'access mode ReadWriteMany is not supported'],
  ['blocks', { volumeMode: 'Block' }, 'volume mode Block is not supported'],
])('no volumes for %s', async (_what, spec, why) => {
  await claim('data', '1Gi', spec)
  await pod('p', 'data')
  await c.rest()
  expect(await c.list(VOLUMES)).toEqual([])
  expect(await said('data')).toContainEqual(expect.stringContaining(why))
})

test('a claim that came before any class gets the default when there is one', async () => {
  await c.patch(CLASSES, 'local', { metadata: { annotations: { 'storageclass.kubernetes.io/is-default-class': 'false' } } })
  await c.settled()
  await claim('early', '1Gi')
  await c.rest()
  expect((await c.get(CLAIMS, 'early'))!.spec.storageClassName).toBeUndefined()
  await c.create(CLASSES, {
    metadata: { name: 'late', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
    provisioner: 'kedge.dev/local',
    volumeBindingMode: 'Immediate',
  })
  await c.rest()
  expect((await c.get(CLAIMS, 'early'))!.spec.storageClassName).toBe('late')
  expect(await volumeFor('early')).toBeDefined()
})

test('a volume that was made by hand and is to be deleted can only be told of', async () => {
  await c.create(VOLUMES, {
    metadata: { name: 'by-hand' },
    spec: {
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteOnce'],
      storageClassName: 'manual',
      persistentVolumeReclaimPolicy: 'Delete',
      hostPath: { path: '/srv/x' },
    },
  })
  await claim('data', '1Gi', { storageClassName: 'manual' })
  await c.rest()
  await c.delete(CLAIMS, 'data')
  await c.rest()
  expect((await c.get(VOLUMES, 'by-hand'))!.status).toMatchObject({
    phase: 'Failed',
    message: expect.stringContaining('no deletable volume plugin matched'),
  })
})
