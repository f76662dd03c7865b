// Claims and volumes on the real engine: who gets which, when a pod's node decides, and what is left when a claim goes.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { condition } from '../../shared/meta/conditions.ts'
import { Controlled } from '../../test/rig/controlled.ts'

const CLAIMS = 'persistentvolumeclaims'
const VOLUMES = 'persistentvolumes'
let c: Controlled
beforeEach(async () => {
  c = await Controlled.start(2)
})
afterEach(() => c.close())

const volume = (name: string, storage: string, spec: object = {}, labels: Record<string, string> = {}) =>
  c.create(VOLUMES, {
    metadata: { name, labels },
    spec: {
      capacity: { storage },
      accessModes: ['ReadWriteOnce'],
      storageClassName: 'manual',
      hostPath: { path: `/srv/${name}` },
      ...spec,
    },
  })
const claim = (name: string, storage: string, spec: object = {}) =>
  c.create(CLAIMS, {
    metadata: { name },
    spec: { accessModes: ['ReadWriteOnce'], storageClassName: 'manual', resources: { requests: { storage } }, ...spec },
  })
const pod = (name: string, claimName: string) =>
  c.create('pods', {
    metadata: { name },
    spec: {
      automountServiceAccountToken: false,
      containers: [{ name: 'c', image: 'one' }],
      volumes: [{ name: 'data', persistentVolumeClaim: { claimName } }],
    },
  })
const delayed = (provisioner: string) =>
  c.create('storageclasses.storage.k8s.io', { metadata: { name: 'local' }, provisioner, volumeBindingMode: 'WaitForFirstConsumer' })
const on = (node: string) => ({
  nodeAffinity: {
    required: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [node] }] }] },
  },
})
const volumeOf = async (name: string) => (await c.get(CLAIMS, name))!.spec.volumeName
const phases = async (resource: string) => Object.fromEntries((await c.list(resource)).map((o) => [o.metadata.name, o.status.phase]))
const message = async (name: string) => condition((await c.get('pods', name))!, 'PodScheduled')?.message

test('a claim gets the smallest volume that has room for it', async () => {
  await volume('large', '10Gi')
  await volume('right', '2Gi')
  await volume('small', '500Mi')
  await claim('a', '1Gi')
  await c.rest()
  expect(await volumeOf('a')).toBe('right')
  expect((await c.get(CLAIMS, 'a'))!.status).toMatchObject({ phase: 'Bound', capacity: { storage: '2Gi' }, accessModes: ['ReadWriteOnce'] })
  const { spec, metadata } = (await c.get(VOLUMES, 'right'))!
  expect(spec.claimRef).toMatchObject({ kind: 'PersistentVolumeClaim', namespace: 'default', name: 'a' })
  expect(metadata.annotations).toMatchObject({ 'pv.kubernetes.io/bound-by-controller': 'yes' })
  expect(await phases(VOLUMES)).toEqual({ large: 'Available', right: 'Bound', small: 'Available' })
  const before = await c.version()
  await c.restart()
  expect((await c.since(before)).map((e) => `${e.verb} ${e.resource} ${e.name}`)).toEqual([])
})

test('a volume that has grown is as large as before for its claim, until it is told otherwise', async () => {
  await volume('v', '1Gi')
  await claim('a', '1Gi')
  await c.rest()
  await c.patch(VOLUMES, 'v', { spec: { capacity: { storage: '2Gi' } } })
  await c.rest()
  expect((await c.get(CLAIMS, 'a'))!.status.capacity).toEqual({ storage: '1Gi' })
})

test.each<[string, object]>([
  ['the class', { storageClassName: 'other' }],
  ['how it is mounted', { accessModes: ['ReadWriteMany'] }],
  ['its mode', { volumeMode: 'Block' }],
  ['labels', { selector: { matchLabels: { tier: 'fast' } } }],
])('it has to have what is asked for: %s', async (_what, spec) => {
  await volume('v', '1Gi')
  await claim('a', '1Gi', spec)
  await c.rest()
  expect(await volumeOf('a')).toBeUndefined()
  expect(await phases(CLAIMS)).toEqual({ a: 'Pending' })
})

test('one that comes later is taken, by one claim of two', async () => {
  await claim('a', '1Gi')
  await claim('b', '1Gi')
  await c.rest()
  await volume('v', '1Gi')
  await c.rest()
  expect(Object.values(await phases(CLAIMS)).sort()).toEqual(['Bound', 'Pending'])
})

test('a volume that is reserved waits for its claim, and a claim for the volume that it names', async () => {
  await volume('kept', '1Gi', { claimRef: { namespace: 'default', name: 'owner' } })
  await claim('other', '1Gi')
  await claim('named', '1Gi', { volumeName: 'later' })
  await c.rest()
  expect(await phases(CLAIMS)).toEqual({ named: 'Pending', other: 'Pending' })
  await claim('owner', '1Gi')
  await volume('later', '1Gi')
  await c.rest()
  expect([await volumeOf('owner'), await volumeOf('named')]).toEqual(['kept', 'later'])
  expect(await phases(CLAIMS)).toEqual({ named: 'Bound', other: 'Pending', owner: 'Bound' })
})

test('when the claim goes, the volume is released and given to nobody', async () => {
  await volume('v', '1Gi')
  await claim('a', '1Gi')
  await c.rest()
  await c.delete(CLAIMS, 'a')
  await c.rest()
  expect(await phases(VOLUMES)).toEqual({ v: 'Released' })
  await claim('a', '1Gi')
  await c.rest()
  expect(await phases(CLAIMS)).toEqual({ a: 'Pending' })
})

test('pods wait for their claims, and go where the volume is', async () => {
  await pod('p', 'a')
  await c.settled()
  expect(await message('p')).toBe(
    '0/2 nodes are available: persistentvolumeclaim "a" not found. preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.',
  )
  await claim('a', '1Gi')
  await c.rest()
  expect(await message('p')).toContain('available: pod has unbound immediate PersistentVolumeClaims')
  await volume('v', '1Gi', on('n2'))
  await c.rest()
  expect((await c.get('pods', 'p'))!.spec.nodeName).toBe('n2')
})

test('a class may wait for the pod: the volume is one of its node', async () => {
  await delayed('kubernetes.io/no-provisioner')
  await volume('v2', '1Gi', { storageClassName: 'local', ...on('n2') })
  await claim('a', '1Gi', { storageClassName: 'local' })
  await c.rest()
  expect(await phases(CLAIMS)).toEqual({ a: 'Pending' })
  await pod('p', 'a')
  await c.rest()
  expect(await volumeOf('a')).toBe('v2')
  expect((await c.get('pods', 'p'))!.spec.nodeName).toBe('n2')
  await claim('b', '1Gi', { storageClassName: 'local' })
  await pod('q', 'b')
  await c.rest()
  expect(await message('q')).toContain("2 node(s) didn't find available persistent volumes to bind")
})

test('and whoever provisions is told the node', async () => {
  await delayed('example.com/disks')
  await claim('a', '1Gi', { storageClassName: 'local' })
  await pod('p', 'a')
  await c.rest()
  const { metadata } = (await c.get(CLAIMS, 'a'))!
  const node = metadata.annotations!['volume.kubernetes.io/selected-node']!
  expect(node).toMatch(/^n[12]$/)
  await volume('made', '1Gi', { storageClassName: 'local', claimRef: { namespace: 'default', name: 'a', uid: metadata.uid }, ...on(node) })
  await c.rest()
  expect(await volumeOf('a')).toBe('made')
  expect((await c.get('pods', 'p'))!.spec.nodeName).toBe(node)
})

test('a volume that names its zone by labels is used there', async () => {
  const ZONE = 'topology.kubernetes.io/zone'
  await c.patch('nodes', 'n1', { metadata: { labels: { [ZONE]: 'a' } } })
  await c.patch('nodes', 'n2', { metadata: { labels: { [ZONE]: 'b' } } })
  await volume('v', '1Gi', {}, { [ZONE]: 'b__c' })
  await claim('a', '1Gi')
  await pod('p', 'a')
  await c.rest()
  expect((await c.get('pods', 'p'))!.spec.nodeName).toBe('n2')
})

test('a node takes as many volumes of a driver as it says', async () => {
  for (const name of ['n1', 'n2'])
    await c.create('csinodes.storage.k8s.io', {
      metadata: { name },
      spec: { drivers: [{ name: 'disks.example.com', nodeID: name, allocatable: { count: 1 } }] },
    })
  for (const n of ['a', 'b', 'c']) {
    await volume(n, '1Gi', { hostPath: undefined, csi: { driver: 'disks.example.com', volumeHandle: n } })
    await claim(n, '1Gi')
    await pod(n, n)
  }
  await c.rest()
  const nodes = await Promise.all(['a', 'b', 'c'].map(async (n) => (await c.get('pods', n))!.spec.nodeName))
  expect(nodes.filter(Boolean).sort()).toEqual(['n1', 'n2'])
  const left = ['a', 'b', 'c'].find((_, i) => !nodes[i])!
  expect(await message(left)).toContain('2 node(s) exceed max volume count')
  await c.delete('pods', ['a', 'b', 'c'].find((n) => n !== left)!, { gracePeriodSeconds: 0 })
  await c.rest()
  expect((await c.get('pods', left))!.spec.nodeName).toBeDefined()
})

test('volumes are made only where their class allows', async () => {
  await c.create('storageclasses.storage.k8s.io', {
    metadata: { name: 'zoned' },
    provisioner: 'example.com/disks',
    volumeBindingMode: 'WaitForFirstConsumer',
    allowedTopologies: [{ matchLabelExpressions: [{ key: 'kubernetes.io/hostname', values: ['n2'] }] }],
  })
  await claim('data', '1Gi', { storageClassName: 'zoned' })
  await pod('p', 'data')
  await c.rest()
  expect((await c.get(CLAIMS, 'data'))!.metadata.annotations!['volume.kubernetes.io/selected-node']).toBe('n2')
})
