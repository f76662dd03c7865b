// What travels together to a real sqld: few round trips, each call with its own outcome, nobody harmed by another's failure.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { openRemote } from '../../api/platform/remote-database.ts'
import { sharingTrips } from '../../api/platform/shared-trips.ts'
import { type Database, guard, type Statement } from '../../api/ports/database.ts'
import { testSqld } from '../rig/sqld.ts'

let server: Awaited<ReturnType<typeof testSqld>>
let trips: number
let failing: Error | undefined
let shared: Database
const insert = (key: string): Statement => ({ sql: 'INSERT INTO t(key) VALUES (?)', args: [key] })
const read = (key: string): Statement => ({ sql: 'SELECT key FROM t WHERE key = ?', args: [key], one: true })
const keys = async () => (await shared.read([{ sql: 'SELECT key FROM t ORDER BY key', args: [] }]))[0]!.map((r) => r[0])

beforeAll(async () => {
  server = await testSqld()
})
afterAll(() => server.close())
beforeEach(async () => {
  failing = undefined
  const counting: typeof fetch = (...request) => {
    trips++
    return failing ? Promise.reject(failing) : fetch(...request)
  }
  shared = sharingTrips(openRemote({ url: server.url, fetch: counting }))
  await shared.write([
    { sql: 'DROP TABLE IF EXISTS t', args: [] },
    { sql: 'CREATE TABLE t (id INTEGER PRIMARY KEY, key TEXT UNIQUE)', args: [] },
  ])
  trips = 0
})

test('writes of one moment are one transaction, and each gets its own rows', async () => {
  const all = await Promise.all(Array.from({ length: 50 }, (_, i) => shared.write([insert(`a${i}`), insert(`b${i}`)])))
  expect(trips).toBe(1)
  expect(all.map((o) => o.ok && o.rowids)).toEqual(Array.from({ length: 50 }, (_, i) => [2 * i + 1, 2 * i + 2]))
})

test('who is refused takes no other along, and is told which of its own statements it was', async () => {
  const [, twice, fine, guarded, last] = await Promise.all([
    shared.write([insert('a')]),
    shared.write([insert('b'), insert('a')]),
    shared.write([insert('c')]),
    shared.write([insert('d'), insert('e'), guard("EXISTS (SELECT 1 FROM t WHERE key = 'none')", [])]),
    shared.write([insert('f')]),
  ])
  expect(twice).toEqual({ ok: false, index: 1, reason: 'unique' })
  expect(guarded).toEqual({ ok: false, index: 2, reason: 'guard' })
  expect([fine!.ok, last!.ok]).toEqual([true, true])
  expect(await keys()).toEqual(['a', 'c', 'f'])
})

test('all refused', async () => {
  await shared.write([insert('a')])
  const all = await Promise.all(Array.from({ length: 5 }, () => shared.write([insert('x'), insert('a')])))
  expect(all).toEqual(Array(5).fill({ ok: false, index: 1, reason: 'unique' }))
})

test('what comes while one is under way waits for the next, and too much for one is two', async () => {
  const first = shared.write([insert('first')])
  await Promise.resolve()
  const rest = Array.from({ length: 600 }, (_, i) => shared.write([insert(`r${i}`)]))
  await Promise.all([first, ...rest])
  expect(trips).toBe(3)
  expect((await keys()).length).toBe(601)
})

test('a database that fails fails all who were under way, and no one after', async () => {
  failing = new Error('away')
  const all = await Promise.allSettled([shared.write([insert('a')]), shared.write([insert('b')])])
  expect(all.map((o) => o.status)).toEqual(['rejected', 'rejected'])
  failing = undefined
  expect((await shared.write([insert('a')])).ok).toBe(true)
})

test('small reads travel together; one that fails fails alone', async () => {
  await shared.write([insert('a')])
  const bad: Statement = { sql: 'SELECT json(?)', args: ['no json'], one: true }
  const [a, none, failed] = await Promise.allSettled([shared.read([read('a')]), shared.read([read('none')]), shared.read([bad])])
  expect([a, none].map((o) => o.status === 'fulfilled' && o.value)).toEqual([[[['a']]], [[]]])
  expect(failed.status).toBe('rejected')
  trips = 0
  await Promise.all(Array.from({ length: 20 }, () => shared.read([read('a')])))
  expect(trips).toBe(1)
})
