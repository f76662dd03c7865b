// What the control plane does for ingresses: their class, their addresses, what it says of them, and which nodes may read their certificates.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Controlled } from '../../test/rig/controlled.ts'
import { nodeIdentity } from '../auth/nodes.ts'

const CLASSES = 'ingressclasses.networking.k8s.io'
const INGRESSES = 'ingresses.networking.k8s.io'

let c: Controlled
beforeEach(async () => {
  c = await Controlled.start(0)
})
afterEach(() => c.close())

const node = async (name: string, ip: string, serves: string | null = 'serving') => {
  await c.node(name)
  await c.patch('nodes', name, { status: { addresses: [{ type: 'InternalIP', address: ip }] } }, 'status', 'merge')
  await says(name, serves)
}
const says = async (name: string, serves: string | null) => {
  await c.patch('nodes', name, { metadata: { annotations: { 'kedge.dev/ingress': serves } } }, undefined, 'merge')
  await c.settled()
}
const ingress = async (name: string, spec: object = {}, annotations: object = {}) => {
  const defaultBackend = { service: { name: 'web', port: { number: 80 } } }
  await c.create(INGRESSES, { metadata: { name, annotations }, spec: { defaultBackend, ...spec } })
  await c.settled()
}
const ips = async (name: string) => ((await c.get(INGRESSES, name))!.status.loadBalancer.ingress ?? []).map((i: any) => i.ip)
const said = async () => (await c.list('events')).filter((e) => e.involvedObject.kind === 'Ingress').map((e) => e.message)
const service = () => c.create('services', { metadata: { name: 'web' }, spec: { ports: [{ name: 'http', port: 80 }] } })

test('the class comes with the first node that could serve, as the default where there is none', async () => {
  await node('a', '10.0.0.1', null)
  expect(await c.get(CLASSES, 'kedge', '')).toBeUndefined()
  await says('a', 'available')
  expect(await c.get(CLASSES, 'kedge', '')).toMatchObject({
    metadata: { annotations: { 'ingressclass.kubernetes.io/is-default-class': 'true' } },
    spec: { controller: 'kedge.dev/ingress' },
  })
  await service()
  await ingress('web')
  expect((await c.get(INGRESSES, 'web'))!.spec.ingressClassName).toBe('kedge')
})

test('another default stays the default', async () => {
  const annotations = { 'ingressclass.kubernetes.io/is-default-class': 'true' }
  await c.create(CLASSES, { metadata: { name: 'theirs', annotations }, spec: { controller: 'example.com/theirs' } }, '')
  await node('a', '10.0.0.1')
  expect((await c.get(CLASSES, 'kedge', ''))!.metadata.annotations).toEqual({ 'ingressclass.kubernetes.io/is-default-class': 'false' })
})

test('the addresses are those of the nodes that serve', async () => {
  await node('a', '10.0.0.1')
  await node('b', '10.0.0.2', 'available')
  await service()
  await ingress('web')
  await ingress('theirs', { ingressClassName: 'theirs' })
  expect([await ips('web'), await ips('theirs')]).toEqual([['10.0.0.1'], []])
  await says('b', 'serving')
  expect(await ips('web')).toEqual(['10.0.0.1', '10.0.0.2'])
  await c.patch('nodes', 'a', { status: { conditions: [{ type: 'Ready', status: 'False' }] } }, 'status')
  await c.settled()
  expect(await ips('web')).toEqual(['10.0.0.2'])
  await says('b', null)
  expect(await ips('web')).toEqual([])
})

test('what leads nowhere is said, and what is well is not', async () => {
  await node('a', '10.0.0.1')
  await ingress('web', { tls: [{ secretName: 'cert' }] }, { 'nginx.ingress.kubernetes.io/proxy-read-timeout': 'long' })
  expect((await said()).sort()).toEqual([
    'annotation nginx.ingress.kubernetes.io/proxy-read-timeout: "long" is not understood',
    'secret default/cert not found',
    'service default/web not found',
  ])
  await service()
  await ingress('port', { defaultBackend: { service: { name: 'web', port: { name: 'https' } } } })
  expect(await said()).toContain('service default/web has no port https')
  const before = (await said()).length
  await ingress('well')
  expect((await said()).length).toBe(before)
})

test('a node reads the certificates of ingresses that it serves, and no other secrets', async () => {
  await node('a', '10.0.0.1')
  await ingress('web', { tls: [{ secretName: 'cert' }] })
  await ingress('theirs', { ingressClassName: 'theirs', tls: [{ secretName: 'not-ours' }] })
  const may = (verb: string, name?: string, namespace = 'default') =>
    c.cluster.cluster.authorizer.allows(nodeIdentity('a'), { verb, group: '', resource: 'secrets', namespace, ...(name ? { name } : {}) })
  expect([await may('get', 'cert'), await may('watch', 'cert'), await may('list', 'cert')]).toEqual([true, true, true])
  expect([await may('get', 'other'), await may('get', 'not-ours'), await may('get', 'cert', 'kube-system')]).toEqual([false, false, false])
  expect([await may('list'), await may('delete', 'cert'), await may('update', 'cert')]).toEqual([false, false, false])
  await c.delete(INGRESSES, 'web')
  await c.settled()
  expect(await may('get', 'cert')).toBe(false)
})
