// Where services of type LoadBalancer can be reached.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Controlled } from '../../test/rig/controlled.ts'

let c: Controlled
beforeEach(async () => {
  c = await Controlled.start(0)
  await node('a', '10.0.0.1')
  await node('b', '10.0.0.2')
})
afterEach(() => c.close())

const node = async (name: string, ip: string, labels = {}, type = 'InternalIP') => {
  await c.node(name, labels)
  await c.patch('nodes', name, { status: { addresses: [{ type, address: ip }] } }, 'status', 'merge')
}
const service = async (name: string, spec: object = {}, annotations = {}) => {
  const ports = [{ name: 'http', port: 80 }]
  await c.create('services', { metadata: { name, annotations }, spec: { type: 'LoadBalancer', ports, selector: { app: name }, ...spec } })
  await c.settled()
}
const ips = async (name: string) => ((await c.get('services', name))!.status.loadBalancer.ingress ?? []).map((i: any) => i.ip)
const said = async (name: string) => (await c.list('events')).filter((e) => e.involvedObject.name === name).map((e) => e.message)

test('at the addresses of the nodes that are ready, as they come and go', async () => {
  await service('web')
  expect(await ips('web')).toEqual(['10.0.0.1', '10.0.0.2'])
  await node('c', '10.0.0.3')
  await node('left-out', '10.0.0.4', { 'node.kubernetes.io/exclude-from-external-load-balancers': '' })
  await c.patch('nodes', 'a', { status: { conditions: [{ type: 'Ready', status: 'False' }] } }, 'status')
  await c.settled()
  expect(await ips('web')).toEqual(['10.0.0.2', '10.0.0.3'])
  await node('d', '192.0.2.1', {}, 'ExternalIP')
  await c.settled()
  expect(await ips('web')).toEqual(['10.0.0.2', '10.0.0.3', '192.0.2.1'])
})

test.each<[string, object, object, string[]]>([
  ["another's class", { loadBalancerClass: 'example.com/theirs' }, {}, []],
  ['our class', { loadBalancerClass: 'kedge.dev/nodes' }, {}, ['10.0.0.1', '10.0.0.2']],
  ['not wanted', {}, { 'kedge.dev/load-balancer': 'none' }, []],
  ['one address alone', { loadBalancerIP: '10.0.0.2' }, {}, ['10.0.0.2']],
  ['an address that is no node’s', { loadBalancerIP: '10.9.9.9' }, {}, []],
  ['the port of the machines’ own administration', { ports: [{ name: 'ssh', port: 22 }] }, {}, []],
])('%s', async (_what, spec, annotations, want) => {
  await service('web', spec, annotations)
  expect(await ips('web')).toEqual(want)
})

test('a port is had by whoever came first, and then by the next', async () => {
  await service('first')
  c.now += 1000
  await service('second')
  expect([await ips('first'), await ips('second')]).toEqual([['10.0.0.1', '10.0.0.2'], []])
  expect(await said('second')).toEqual(['Error syncing load balancer: port 80/TCP of the nodes is taken by service default/first'])
  await c.delete('services', 'first')
  await c.settled()
  expect(await ips('second')).toEqual(['10.0.0.1', '10.0.0.2'])
})

test('with the local policy, only where there are endpoints', async () => {
  await service('web', { externalTrafficPolicy: 'Local' })
  expect(await ips('web')).toEqual([])
  await c.create('pods', {
    metadata: { name: 'p', labels: { app: 'web' } },
    spec: { nodeName: 'b', containers: [{ name: 'c', image: 'one' }] },
  })
  const ready = [{ type: 'Ready', status: 'True' }]
  await c.patch('pods', 'p', { status: { phase: 'Running', podIP: '10.1.0.2', podIPs: [{ ip: '10.1.0.2' }], conditions: ready } }, 'status')
  await c.settled()
  expect(await ips('web')).toEqual(['10.0.0.2'])
})
