// What keeps a cluster tidy, on the real engine: aggregated roles, mirrored endpoints, old signing requests, claims of ephemeral volumes, dead nodes.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { signingRequest } from '../../test/api/manifests.ts'
import { Controlled } from '../../test/rig/controlled.ts'

let c: Controlled
beforeEach(async () => {
  c = await Controlled.start()
})
afterEach(() => c.close())

test('aggregated cluster roles have the rules of their parts written down', async () => {
  const ROLES = 'clusterroles.rbac.authorization.k8s.io'
  const view = (await c.get(ROLES, 'view'))!
  expect(view.rules.length).toBeGreaterThan(3)
  const rule = { apiGroups: ['example.com'], resources: ['things'], verbs: ['get'] }
  await c.create(ROLES, { metadata: { name: 'things', labels: { 'rbac.authorization.k8s.io/aggregate-to-view': 'true' } }, rules: [rule] })
  await c.settled()
  expect((await c.get(ROLES, 'view'))!.rules).toContainEqual(rule)
  expect((await c.get(ROLES, 'edit'))!.rules).toContainEqual(rule)
  await c.delete(ROLES, 'things')
  await c.settled()
  expect((await c.get(ROLES, 'admin'))!.rules).not.toContainEqual(rule)
  const before = await c.version()
  await c.restart()
  expect((await c.since(before)).map((e) => `${e.verb} ${e.resource} ${e.name}`)).toEqual([])
})

test('endpoints by hand become slices, for services without a selector alone', async () => {
  const SLICES = 'endpointslices.discovery.k8s.io'
  const slices = async () => (await c.list(SLICES)).filter((s) => s.metadata.labels!['kubernetes.io/service-name'] === 'outside')
  await c.create('endpoints', {
    metadata: { name: 'outside' },
    subsets: [
      {
        addresses: [{ ip: '192.0.2.1' }, { ip: '2001:db8::1' }],
        notReadyAddresses: [{ ip: '192.0.2.2' }],
        ports: [{ name: 'http', port: 80 }],
      },
    ],
  })
  await c.settled()
  expect(await slices()).toEqual([])
  await c.create('services', { metadata: { name: 'outside' }, spec: { ports: [{ name: 'http', port: 80 }] } })
  await c.settled()
  const [four, six] = (await slices()).sort((a, b) => (a.addressType < b.addressType ? -1 : 1))
  expect(four).toMatchObject({
    addressType: 'IPv4',
    endpoints: [
      { addresses: ['192.0.2.1'], conditions: { ready: true } },
      { addresses: ['192.0.2.2'], conditions: { ready: false } },
    ],
    ports: [{ name: 'http', port: 80, protocol: 'TCP' }],
  })
  expect(six).toMatchObject({ addressType: 'IPv6', endpoints: [{ addresses: ['2001:db8::1'] }] })
  await c.patch(
    'endpoints',
    'outside',
    { subsets: [{ addresses: [{ ip: '192.0.2.9' }], ports: [{ name: 'http', port: 80 }] }] },
    'main',
    'merge',
  )
  await c.settled()
  expect((await slices()).map((s) => s.endpoints[0].addresses)).toEqual([['192.0.2.9']])
  await c.patch('services', 'outside', { spec: { selector: { app: 'inside' } } })
  await c.settled()
  expect((await slices()).flatMap((s) => s.endpoints ?? [])).toEqual([])
})

test('signing requests are forgotten, sooner when they were decided', async () => {
  const REQUESTS = 'certificatesigningrequests.certificates.k8s.io'
  const spec = { request: signingRequest, signerName: 'example.com/a', usages: ['client auth'] }
  for (const name of ['decided', 'pending']) await c.create(REQUESTS, { metadata: { name }, spec })
  const said = { type: 'Denied', status: 'True', reason: 'Test', message: 'by the test' }
  await c.patch(REQUESTS, 'decided', { status: { conditions: [said] } }, 'approval' as never, 'merge')
  await c.pass(61 * 60_000)
  expect((await c.list(REQUESTS)).map((o) => o.metadata.name)).toEqual(['pending'])
  await c.pass(24 * 3600_000)
  expect(await c.list(REQUESTS)).toEqual([])
})

test('ephemeral volumes have claims that go with their pod', async () => {
  const CLAIMS = 'persistentvolumeclaims'
  const spec = { accessModes: ['ReadWriteOnce'], storageClassName: 'none', resources: { requests: { storage: '1Gi' } } }
  await c.create('pods', {
    metadata: { name: 'p' },
    spec: {
      automountServiceAccountToken: false,
      containers: [{ name: 'c', image: 'one' }],
      volumes: [{ name: 'scratch', ephemeral: { volumeClaimTemplate: { metadata: { labels: { of: 'p' } }, spec } } }],
    },
  })
  await c.settled()
  const claim = (await c.get(CLAIMS, 'p-scratch'))!
  expect(claim.metadata).toMatchObject({ labels: { of: 'p' }, ownerReferences: [{ kind: 'Pod', name: 'p', controller: true }] })
  await c.delete('pods', 'p', { gracePeriodSeconds: 0 })
  await c.settled()
  expect(await c.list(CLAIMS)).toEqual([])
})

test('pods on their way out of a node that is out of service go without being seen off', async () => {
  await c.create('pods', {
    metadata: { name: 'p' },
    spec: { automountServiceAccountToken: false, containers: [{ name: 'c', image: 'one' }] },
  })
  await c.rest()
  await c.delete('pods', 'p')
  await c.settled()
  expect(await c.list('pods')).toHaveLength(1)
  await c.patch('nodes', 'n1', { status: { conditions: [{ type: 'Ready', status: 'Unknown' }] } }, 'status')
  await c.patch('nodes', 'n1', { spec: { taints: [{ key: 'node.kubernetes.io/out-of-service', effect: 'NoExecute', value: 'shutdown' }] } })
  await c.settled()
  expect(await c.list('pods')).toEqual([])
})

test('endpoints say in which zone they are, and whom they are for where the service wants traffic near', async () => {
  const ZONE = 'topology.kubernetes.io/zone'
  await c.node('n2', { [ZONE]: 'b' })
  await c.patch('nodes', 'n1', { metadata: { labels: { [ZONE]: 'a' } } })
  await c.create('services', { metadata: { name: 's' }, spec: { selector: { app: 's' }, ports: [{ port: 80 }] } })
  for (const [name, nodeName] of [
    ['p1', 'n1'],
    ['p2', 'n2'],
  ] as const) {
    const spec = { nodeName, automountServiceAccountToken: false, containers: [{ name: 'c', image: 'one' }] }
    await c.create('pods', { metadata: { name, labels: { app: 's' } }, spec })
    await c.patch('pods', name, { status: { podIP: `10.0.0.${name[1]}`, podIPs: [{ ip: `10.0.0.${name[1]}` }] } }, 'status', 'merge')
  }
  await c.rest()
  const endpoints = async () =>
    (await c.list('endpointslices.discovery.k8s.io')).flatMap((x) => x.endpoints ?? []).filter((e: any) => e.targetRef)
  expect((await endpoints()).map((e: any) => [e.zone, e.hints])).toEqual([
    ['a', undefined],
    ['b', undefined],
  ])
  await c.patch('services', 's', { spec: { trafficDistribution: 'PreferClose' } })
  await c.settled()
  expect((await endpoints()).map((e: any) => e.hints)).toEqual([{ forZones: [{ name: 'a' }] }, { forZones: [{ name: 'b' }] }])
  await c.patch('nodes', 'n2', { metadata: { labels: { [ZONE]: null } } }, 'main', 'merge')
  await c.settled()
  expect((await endpoints()).map((e: any) => [e.zone, e.hints])).toEqual([
    ['a', undefined],
    [undefined, undefined],
  ])
})
