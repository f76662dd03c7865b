// The engine itself: how often it looks, and what outlives its life.
import { expect, test } from 'vitest'
import { migrations } from '../../migrations/bundle.ts'
import { kindByName } from '../../shared/kinds/index.ts'
import { testCluster } from '../../test/rig/cluster.ts'
import { openEmbedded } from '../platform/node/embedded-database.ts'
import { decodeBody } from '../registry/codec.ts'
import { systemContext } from '../registry/context.ts'
import { create } from '../registry/create.ts'
import { keyFor } from '../registry/delete.ts'
import { mutate } from '../registry/update.ts'
import { startEngine } from './engine.ts'
import type { Controller } from './types.ts'

const COST = 20

test('looks that cost much and bring nothing keep a distance, and none is left out', async () => {
  let now = Date.parse('2026-01-01T00:00:00Z')
  const database = openEmbedded(':memory:')
  await database.migrate(migrations)
  const { cluster, hub } = await testCluster(database, () => now)
  const seen: number[] = []
  const counting: Controller<number> = {
    name: 'counting',
    all: () => [],
    wakes: { configmaps: () => ['all'] },
    view: (_key, reader) => reader.list('configmaps', 'default').length,
    reconcile: (_key, count) => {
      now += COST
      seen.push(count)
      return { writes: [] }
    },
  }
  const engine = await startEngine({ cluster, hub, alarm: { set: () => {} }, controllers: [counting] })
  const options = { fieldManager: 'test', fieldValidation: 'Strict' as const }
  for (let i = 0; i < 30; i++) {
    await create(cluster.env, kindByName('', 'ConfigMap')!, 'default', { metadata: { name: `m${i}` } }, options, systemContext('test'))
    await engine.idle()
    now += COST
    engine.wake()
    await engine.idle()
  }
  expect(seen.length).toBeGreaterThan(2)
  expect(seen.length).toBeLessThan(6)
  now += 10 * COST
  engine.wake()
  await engine.idle()
  expect(seen.at(-1)).toBe(30)
  await engine.close()
})

test('a node that is lost is found to be, though no life of the engine lasts as long as the grace', async () => {
  let now = Date.parse('2026-01-01T00:00:00Z')
  const database = openEmbedded(':memory:')
  await database.migrate(migrations)
  const { cluster, hub } = await testCluster(database, () => now)
  const nodes = kindByName('', 'Node')!
  const lost = new Map<string, number>()
  const options = { fieldManager: 'test', fieldValidation: 'Strict' as const }
  await create(cluster.env, nodes, '', { metadata: { name: 'n' } }, options, systemContext('test'))
  const conditions = [{ type: 'Ready', status: 'True', lastTransitionTime: new Date(now).toISOString() }]
  const key = keyFor(nodes, '', 'n')
  await mutate(cluster.env, nodes, key, 'status', (o) => ({ object: { ...o, status: { conditions } } }), options, systemContext('test'))
  const ready = async () => {
    const stored = (await cluster.store.get(key))!
    return decodeBody(stored.body, stored.rv).status.conditions[0].status
  }
  for (const want of ['True', 'True', 'Unknown']) {
    const engine = await startEngine({ cluster, hub, alarm: { set: () => {} }, lost, nodeMonitorGracePeriod: 20_000 })
    await engine.idle()
    expect(await ready()).toBe(want)
    await engine.close()
    now += 10_000
  }
  expect([...lost.keys()]).toEqual(['n'])
})
