// Lists that requests keep asking for: read once for as long as they may be remembered, however many ask at once, and never older than a change here.
import { beforeEach, expect, test } from 'vitest'
import { migrations } from '../../migrations/bundle.ts'
import { openEmbedded } from '../platform/node/embedded-database.ts'
import { Store } from '../store/store.ts'
import { Lookup } from './lookup.ts'

let now = 0
let reads = 0
let store: Store
let lookup: Lookup
const make = (name: string) =>
  store.create({ resource: 'things', ns: 'd', name, uid: name, body: `{"metadata":{"name":"${name}"}}`, labels: {}, fields: {}, by: '{}' })
const names = async () => (await lookup.list('things', 'd')).map((o) => o.metadata.name)

beforeEach(async () => {
  reads = 0
  const database = openEmbedded(':memory:')
  await database.migrate(migrations)
  const read: typeof database.read = async (s) => {
    reads++
    await new Promise((r) => setTimeout(r, 5))
    return database.read(s)
  }
  const clock = { now: () => now }
  store = new Store({ database: { ...database, read }, clock, onCommit: (e) => lookup.forget(e) })
  lookup = new Lookup(store, clock)
  await make('a')
})

test('many readers at once leave it known to those who follow', async () => {
  await Promise.all(Array.from({ length: 10 }, names))
  reads = 0
  expect(await names()).toEqual(['a'])
  expect(reads).toBe(0)
  now += 5000
  await names()
  expect(reads).toBe(1)
})

test('what changes while it is read is read again', async () => {
  const early = [names(), names()]
  await make('b')
  const late = names()
  await Promise.all([...early, late])
  expect(await names()).toEqual(['a', 'b'])
})
