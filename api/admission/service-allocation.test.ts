// Ports that services get for health checks: kept while they are wanted, free for others afterwards.
import { beforeEach, expect, test } from 'vitest'
import { migrations } from '../../migrations/bundle.ts'
import { kindByName } from '../../shared/kinds/index.ts'
import { type TestCluster, testCluster } from '../../test/rig/cluster.ts'
import { openEmbedded } from '../platform/node/embedded-database.ts'
import { systemContext } from '../registry/context.ts'
import { create } from '../registry/create.ts'
import { keyFor } from '../registry/delete.ts'
import { patch } from '../registry/patch.ts'

const kind = kindByName('', 'Service')!
const options = { fieldManager: 'test', fieldValidation: 'Strict' as const }
const ctx = systemContext('test')
let c: TestCluster
beforeEach(async () => {
  const database = openEmbedded(':memory:')
  await database.migrate(migrations)
  c = await testCluster(database)
})

const balancer = { type: 'LoadBalancer', externalTrafficPolicy: 'Local', ports: [{ port: 80 }] }
const made = async (name: string, spec: object = {}) =>
  (await create(c.cluster.env, kind, 'default', { metadata: { name }, spec: { ...balancer, ...spec } }, options, ctx)).object.spec
const changed = async (name: string, spec: object) =>
  (await patch(c.cluster.env, kind, keyFor(kind, 'default', name), 'main', 'merge', { spec }, options, ctx)).object.spec

test('who needs one gets one, and keeps it', async () => {
  const { healthCheckNodePort: port, ports } = await made('a')
  expect(port).toBeGreaterThanOrEqual(30_000)
  expect(port).not.toBe(ports[0].nodePort)
  expect((await changed('a', { ports: [{ port: 81 }] })).healthCheckNodePort).toBe(port)
  expect((await made('b', { healthCheckNodePort: undefined })).healthCheckNodePort).not.toBe(port)
})

test('who does not need it any more gives it back', async () => {
  const { healthCheckNodePort: port } = await made('a', { healthCheckNodePort: 30_123 })
  expect(port).toBe(30_123)
  const taken = {
    code: 422,
    message: expect.stringContaining('spec.healthCheckNodePort: Invalid value: 30123: provided port is already allocated'),
  }
  await expect(made('b', { healthCheckNodePort: port })).rejects.toMatchObject(taken)
  expect((await changed('a', { externalTrafficPolicy: 'Cluster' })).healthCheckNodePort).toBeUndefined()
  expect((await made('b', { healthCheckNodePort: port })).healthCheckNodePort).toBe(port)
})

test.each<[string, object, string]>([
  ['without need', { externalTrafficPolicy: 'Cluster', healthCheckNodePort: 30_001 }, "may only be set when `type` is 'LoadBalancer'"],
  ['out of range', { healthCheckNodePort: 80 }, 'provided port is not in the valid range'],
])('%s there is none', async (_, spec, why) => {
  await expect(made('a', spec)).rejects.toMatchObject({ code: 422, message: expect.stringContaining(why) })
})

test('it is not changed', async () => {
  await made('a')
  await expect(changed('a', { healthCheckNodePort: 30_002 })).rejects.toMatchObject({
    message: expect.stringContaining('field is immutable'),
  })
})
