// What a node may do to volumes: let go of its own, once they are deleted, and nothing else.
import { expect, test } from 'vitest'
import { migrations } from '../../migrations/bundle.ts'
import { testCluster } from '../../test/rig/cluster.ts'
import { createApp } from '../http/app.ts'
import { openEmbedded } from '../platform/node/embedded-database.ts'

const VOLUMES = '/api/v1/persistentvolumes'
const volume = (name: string, node: string) => ({
  metadata: { name, labels: { 'kedge.dev/node': node }, finalizers: ['kedge.dev/local-volume', 'example.com/other'] },
  spec: {
    capacity: { storage: '1Gi' },
    accessModes: ['ReadWriteOnce'],
    local: { path: `/data/${name}` },
    nodeAffinity: {
      required: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [node] }] }] },
    },
  },
})
const letGo = { metadata: { finalizers: ['example.com/other', 'kubernetes.io/pv-protection'] } }

test('a node lets go of deleted volumes that it keeps', async () => {
  const database = openEmbedded(':memory:')
  await database.migrate(migrations)
  const { cluster, hub } = await testCluster(database)
  const app = createApp({ cluster, sessions: hub.sessions })
  const ask = async (method: string, path: string, body?: object, node?: string) => {
    const as = node ? { 'impersonate-user': `system:node:${node}`, 'impersonate-group': 'system:nodes' } : {}
    const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
    const headers = { authorization: 'Bearer admin', 'content-type': type, ...as } as Record<string, string>
    return (await app.request(path, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) })).status
  }
  for (const [name, node] of [
    ['own', 'n1'],
    ['kept', 'n1'],
    ['others', 'n2'],
  ] as const)
    expect(await ask('POST', VOLUMES, volume(name, node))).toBe(201)
  for (const name of ['own', 'others']) expect(await ask('DELETE', `${VOLUMES}/${name}`)).toBe(200)

  expect(await ask('PATCH', `${VOLUMES}/others`, letGo, 'n1')).toBe(403)
  expect(await ask('PATCH', `${VOLUMES}/kept`, letGo, 'n1')).toBe(403)
  expect(await ask('PATCH', `${VOLUMES}/own`, { ...letGo, spec: { capacity: { storage: '2Gi' } } }, 'n1')).toBe(403)
  expect(await ask('PATCH', `${VOLUMES}/own`, { metadata: { finalizers: ['kubernetes.io/pv-protection'] } }, 'n1')).toBe(403)
  expect(await ask('PATCH', `${VOLUMES}/own`, { metadata: { labels: { 'kedge.dev/node': 'n2' } } }, 'n1')).toBe(403)
  expect(await ask('DELETE', `${VOLUMES}/kept`, undefined, 'n1')).toBe(403)
  expect(await ask('PATCH', `${VOLUMES}/own`, letGo, 'n1')).toBe(200)
})
