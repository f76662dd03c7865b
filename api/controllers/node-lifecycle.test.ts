// Nodes that join at the same moment get ranges of their own.
import { expect, test } from 'vitest'
import { migrations } from '../../migrations/bundle.ts'
import { kindByName } from '../../shared/kinds/index.ts'
import { testCluster } from '../../test/rig/cluster.ts'
import { startEngine } from '../engine/engine.ts'
import { openEmbedded } from '../platform/node/embedded-database.ts'
import { decodeBody } from '../registry/codec.ts'
import { systemContext } from '../registry/context.ts'
import { create } from '../registry/create.ts'
import { freeRange } from './node-lifecycle.ts'

test.each([
  ['10.244.0.0/16', [], '10.244.0.0/24'],
  ['10.244.0.0/16', ['10.244.0.0/24', '10.244.1.0/24'], '10.244.2.0/24'],
  ['10.244.0.0/23', ['10.244.0.0/24', '10.244.1.0/24'], undefined],
])('of %s with %j taken: %s', (cidr, used, want) => {
  expect(freeRange(cidr, new Set<string>(used))).toBe(want)
})

test('twenty nodes at once share no range', async () => {
  let now = Date.now()
  const database = openEmbedded(':memory:')
  await database.migrate(migrations)
  const { cluster, hub } = await testCluster(database, () => now)
  const engine = await startEngine({ cluster, hub, alarm: { set: () => {} } })
  const nodes = kindByName('', 'Node')!
  const options = { fieldManager: 'test', fieldValidation: 'Strict' as const }
  await Promise.all(
    Array.from({ length: 20 }, (_, i) => create(cluster.env, nodes, '', { metadata: { name: `n${i}` } }, options, systemContext('test'))),
  )
  const ranges = async () =>
    (await cluster.store.list({ resource: 'nodes' })).items.map((i) => decodeBody(i.body, i.rv).spec?.podCIDR).filter(Boolean)
  for (let i = 0; i < 100 && (await ranges()).length < 20; i++) {
    await engine.idle()
    now += 50
    engine.wake()
  }
  const all = await ranges()
  expect(all).toHaveLength(20)
  expect(new Set(all).size).toBe(20)
  await engine.close()
})
