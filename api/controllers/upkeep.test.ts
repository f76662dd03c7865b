// What keeps a cluster in order besides its workloads: tokens in Secrets, attachments, hints for nodes, pods that have ended, addresses.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Controlled } from '../../test/rig/controlled.ts'
import { repairAllocations } from '../engine/repair.ts'
import { tokenTasks } from '../http/token-secrets.ts'
import { ttlFor } from './node-ttl.ts'
import { endedPods } from './pod-garbage-collector.ts'

const DAY = 24 * 3600_000
let c: Controlled
beforeEach(async () => {
  c = await Controlled.start(0)
})
afterEach(() => c.close())
const settled = async (ms = 0) => (ms ? c.pass(ms) : c.settled())

test.each([
  [1, undefined, 0],
  [100, undefined, 0],
  [101, undefined, 15],
  [101, 0, 15],
  [95, 15, 15],
  [89, 15, 0],
  [600, undefined, 30],
  [1500, undefined, 60],
  [5000, undefined, 300],
  [50_000, 300, 300],
])('%d nodes, where one has %s, may wait %d s', (nodes, before, want) => {
  expect(ttlFor(nodes, before)).toBe(want)
})

test('nodes are told how long they may wait', async () => {
  await c.node('n1')
  await settled()
  expect((await c.get('nodes', 'n1'))!.metadata.annotations).toMatchObject({ 'node.alpha.kubernetes.io/ttl': '0' })
})

const tokenSecret = (name: string, account: string, more: object = {}) =>
  c.create('secrets', {
    metadata: { name, annotations: { 'kubernetes.io/service-account.name': account }, ...more },
    type: 'kubernetes.io/service-account-token',
  })

test("an account's token secret is filled, and goes with the account", async () => {
  Object.assign(c.tasks, tokenTasks(c.cluster.cluster))
  await c.create('serviceaccounts', { metadata: { name: 'builder' } })
  await tokenSecret('builder-token', 'builder')
  await tokenSecret('nobody', 'nobody')
  await settled()
  const { data, metadata } = (await c.get('secrets', 'builder-token'))!
  expect(Object.keys(data).sort()).toEqual(['ca.crt', 'namespace', 'token'])
  expect(atob(data.namespace)).toBe('default')
  expect(metadata.annotations!['kubernetes.io/service-account.uid']).toBe((await c.get('serviceaccounts', 'builder'))!.metadata.uid)
  expect(await c.get('secrets', 'nobody')).toBeUndefined()
  const identity = await c.cluster.cluster.authenticators.accounts.verify(atob(data.token))
  expect(identity?.username).toBe('system:serviceaccount:default:builder')
  await c.delete('serviceaccounts', 'builder')
  await settled()
  expect(await c.get('secrets', 'builder-token')).toBeUndefined()
  expect(await c.cluster.cluster.authenticators.accounts.verify(atob(data.token))).toBeUndefined()
})

test('a token that came with its account and is unused for a year loses its power, and goes after another', async () => {
  Object.assign(c.tasks, tokenTasks(c.cluster.cluster))
  await c.create('serviceaccounts', { metadata: { name: 'old' }, secrets: [{ name: 'old-token' }, { name: 'mounted' }] })
  for (const name of ['old-token', 'mounted', 'by-hand']) await tokenSecret(name, 'old')
  await c.create('pods', {
    metadata: { name: 'p' },
    spec: { containers: [{ name: 'c', image: 'one' }], volumes: [{ name: 'v', secret: { secretName: 'mounted' } }] },
  })
  await settled()
  await settled(364 * DAY)
  const invalid = async (name: string) => (await c.get('secrets', name))?.metadata.labels?.['kubernetes.io/legacy-token-invalid-since']
  expect(await invalid('old-token')).toBeUndefined()
  const token = atob((await c.get('secrets', 'old-token'))!.data.token)
  await settled(2 * DAY)
  expect(await invalid('old-token')).toBe('2027-01-02')
  expect(await invalid('mounted')).toBeUndefined()
  expect(await invalid('by-hand')).toBeUndefined()
  expect(await c.cluster.cluster.authenticators.accounts.verify(token)).toBeUndefined()
  await settled(366 * DAY)
  expect((await c.list('secrets')).map((s) => s.metadata.name)).toEqual(['by-hand', 'mounted'])
})

test('bootstrap tokens go when they expire', async () => {
  const make = (name: string, ms?: number) =>
    c.create(
      'secrets',
      {
        metadata: { name },
        type: 'bootstrap.kubernetes.io/token',
        data: ms === undefined ? {} : { expiration: btoa(new Date(c.now + ms).toISOString()) },
      },
      'kube-system',
    )
  await make('bootstrap-token-aaaaaa', 3600_000)
  await make('bootstrap-token-bbbbbb')
  await settled()
  const left = async () => (await c.list('secrets', 'kube-system')).map((s) => s.metadata.name)
  expect(await left()).toEqual(['bootstrap-token-aaaaaa', 'bootstrap-token-bbbbbb'])
  await settled(3600_000)
  expect(await left()).toEqual(['bootstrap-token-bbbbbb'])
})

const DRIVER = 'disks.example.com'
test("volumes of drivers are attached where their pods run, and the node's status says when they are", async () => {
  await c.node('n1')
  await c.create('csidrivers.storage.k8s.io', { metadata: { name: DRIVER }, spec: { attachRequired: true } })
  await c.create('persistentvolumes', {
    metadata: { name: 'v' },
    spec: {
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteOnce'],
      storageClassName: 'x',
      csi: { driver: DRIVER, volumeHandle: 'disk-1' },
    },
  })
  await c.create('persistentvolumeclaims', {
    metadata: { name: 'data' },
    spec: { accessModes: ['ReadWriteOnce'], storageClassName: 'x', resources: { requests: { storage: '1Gi' } } },
  })
  await c.create('pods', {
    metadata: { name: 'p' },
    spec: { containers: [{ name: 'c', image: 'one' }], volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }] },
  })
  await c.rest()
  const all = await c.list('volumeattachments.storage.k8s.io')
  expect(all.map((a) => a.spec)).toEqual([{ attacher: DRIVER, nodeName: 'n1', source: { persistentVolumeName: 'v' } }])
  expect(all[0]!.metadata.name).toMatch(/^csi-[0-9a-f]{64}$/)
  await c.patch(
    'volumeattachments.storage.k8s.io',
    all[0]!.metadata.name,
    { status: { attached: true, attachmentMetadata: { devicePath: '/dev/vdb' } } },
    'status',
  )
  await settled()
  const attached = async () => (await c.get('nodes', 'n1'))!.status.volumesAttached ?? []
  expect(await attached()).toEqual([{ name: `kubernetes.io/csi/${DRIVER}^disk-1`, devicePath: '/dev/vdb' }])
  await c.delete('pods', 'p', { gracePeriodSeconds: 0 })
  await c.rest()
  expect(await c.list('volumeattachments.storage.k8s.io')).toEqual([])
  expect(await attached()).toEqual([])
})

test('of pods that have ended the oldest go when there are too many', async () => {
  for (let i = 0; i < 5; i++) {
    await c.create('pods', { metadata: { name: `p${i}` }, spec: { containers: [{ name: 'c', image: 'one' }] } })
    c.now += 1000
  }
  for (const i of [0, 1, 2, 3]) await c.patch('pods', `p${i}`, { status: { phase: 'Succeeded' } }, 'status')
  const { reconcile } = endedPods(3)
  const { writes } = reconcile('ended', await c.list('pods'), c.now)
  expect(writes.map((w) => [w.verb, (w as any).object.metadata.name])).toEqual([['delete', 'p0']])
})

test('rows of addresses and their services agree again after somebody has changed them', async () => {
  const service = (name: string) =>
    c.create('services', { metadata: { name }, spec: { type: 'NodePort', ports: [{ port: 80 }], selector: { app: name } } })
  const [a, b] = [await service('a'), await service('b')]
  const { store } = c.cluster.cluster
  const rows = async () => {
    const [found] = await store.database.read([
      { sql: "SELECT kind, value, owner FROM allocations WHERE kind IN ('ip', 'port')", args: [] },
    ])
    return found!.map((r) => r.join(' ')).sort()
  }
  const before = await rows()
  await store.database.write([
    { sql: 'DELETE FROM allocations WHERE owner = ?', args: [a.metadata.uid] },
    { sql: "INSERT INTO allocations(kind, value, owner) VALUES ('port', '30999', 'nobody')", args: [] },
  ])
  expect(await repairAllocations(store, await c.list('services'))).toEqual([])
  expect(await rows()).toEqual(before)
  const twin = { ...b, metadata: { ...b.metadata, name: 'twin', uid: 'twin' }, spec: { ...b.spec, ports: [] } }
  const told = await repairAllocations(store, [...(await c.list('services')), twin])
  expect(told).toMatchObject([{ verb: 'event', reason: 'ClusterIPAlreadyAllocated', message: expect.stringContaining(b.spec.clusterIP) }])
  expect(await rows()).toEqual(before)
})
