// The store's contract, on every database: compare-and-swap, one order, consistent lists, history, compaction.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createSeal } from '../../api/store/seal.ts'
import { Compacted, namespaceGuard, type Replaced, Store, type Version } from '../../api/store/store.ts'
import { parseLabelSelector } from '../../shared/meta/selector.ts'
import { databases, type TestDatabase } from './databases.ts'

let clock = 1000
const version = (name: string, data = 'x', more: Partial<Version> = {}): Version => ({
  resource: 'things',
  ns: 'd',
  name,
  uid: `uid-${name}`,
  body: `{"metadata":{"name":"${name}"},"data":"${data}"}`,
  labels: {},
  fields: {},
  by: '{}',
  ...more,
})
const replaced = (rv: number, more: Partial<Replaced> = {}): Replaced => ({ rv, body: '', labels: {}, fields: {}, ...more })
const rvOf = (w: { ok: boolean; rv?: number }) => {
  expect(w.ok).toBe(true)
  return w.rv!
}

for (const { name: platform, open } of databases)
  describe(`store on ${platform}`, () => {
    let db: TestDatabase
    let store: Store
    beforeAll(async () => {
      db = await open()
    })
    afterAll(() => db.close())
    beforeEach(async () => {
      await db.database.write(['log', 'objects', 'allocations', 'meta', 'wakeups'].map((t) => ({ sql: `DELETE FROM ${t}`, args: [] })))
      store = new Store({ database: db.database, clock: { now: () => clock } })
    })

    test('a statement of one row and the same without that bound do not meet', async () => {
      const sql = 'SELECT value FROM meta WHERE key = ?'
      await db.database.write(['a', 'b'].map((k) => ({ sql: 'INSERT INTO meta(key, value) VALUES (?, ?)', args: [k, `of ${k}`] })))
      for (const k of ['a', 'none', 'b', 'none', 'a']) {
        const want = k === 'none' ? [] : [[`of ${k}`]]
        expect(await db.database.read([{ sql, args: [k] }])).toEqual([want])
        expect(await db.database.read([{ sql, args: ['b'], one: true }])).toEqual([[['of b']]])
        expect(await db.database.read([{ sql, args: ['none'], one: true }])).toEqual([[]])
      }
    })

    test('a statement that failed once works again', async () => {
      const ask = (text: string) => db.database.read([{ sql: 'SELECT json(?)', args: [text], one: true }])
      expect(await ask('1')).toEqual([[['1']]])
      await expect(ask('no json')).rejects.toThrow()
      expect(await ask('2')).toEqual([[['2']]])
    })

    test('create, read, update, delete', async () => {
      const first = rvOf(await store.create(version('a')))
      expect(await store.create(version('a'))).toEqual({ ok: false, why: 'exists' })
      expect((await store.get({ resource: 'things', ns: 'd', name: 'a' }))!.rv).toBe(first)
      const second = rvOf(await store.update(version('a', 'y'), replaced(first)))
      expect(second).toBeGreaterThan(first)
      expect((await store.get({ resource: 'things', ns: 'd', name: 'a' }))!.body).toContain('"data":"y"')
      const third = rvOf(await store.delete(version('a', 'y'), replaced(second)))
      expect(third).toBeGreaterThan(second)
      expect(await store.get({ resource: 'things', ns: 'd', name: 'a' })).toBeUndefined()
      expect((await store.create(version('a'))).ok).toBe(true)
    })

    test('a stale write fails and leaves nothing behind', async () => {
      const first = rvOf(await store.create(version('a')))
      rvOf(await store.update(version('a', 'y'), replaced(first)))
      const { rv } = await store.head()
      expect(await store.update(version('a', 'z'), replaced(first))).toEqual({ ok: false, why: 'conflict' })
      expect(await store.delete(version('a', 'z'), replaced(first))).toEqual({ ok: false, why: 'conflict' })
      expect((await store.head()).rv).toBe(rv)
    })

    test('of 16 racing writers each version has one winner', async () => {
      rvOf(await store.create(version('n', '0')))
      let wins = 0
      const writer = async () => {
        for (let mine = 0; mine < 6; ) {
          const now = (await store.get({ resource: 'things', ns: 'd', name: 'n' }))!
          const value = Number(JSON.parse(now.body).data)
          if ((await store.update(version('n', String(value + 1)), replaced(now.rv))).ok) {
            mine++
            wins++
          }
        }
      }
      await Promise.all(Array.from({ length: 16 }, writer))
      expect(JSON.parse((await store.get({ resource: 'things', ns: 'd', name: 'n' }))!.body).data).toBe(String(wins))
      const { events } = await store.since(0, 1000)
      expect(events.map((e) => Number(JSON.parse(e.body).data))).toEqual(Array.from({ length: wins + 1 }, (_, i) => i))
    })

    test('a list stays at its version while writes go on', async () => {
      for (let i = 0; i < 10; i++) rvOf(await store.create(version(`p${i}`, 'old')))
      const page = await store.list({ resource: 'things', ns: 'd', limit: 4 })
      expect(page.items.map((i) => i.name)).toEqual(['p0', 'p1', 'p2', 'p3'])
      expect(page.remaining).toBe(6)
      const p5 = (await store.get({ resource: 'things', ns: 'd', name: 'p5' }))!
      rvOf(await store.update(version('p5', 'new'), replaced(p5.rv)))
      const p6 = (await store.get({ resource: 'things', ns: 'd', name: 'p6' }))!
      rvOf(await store.delete(version('p6', 'old'), replaced(p6.rv)))
      rvOf(await store.create(version('p55', 'new')))
      const rest = await store.list({ resource: 'things', ns: 'd', after: page.next!, at: page.rv })
      expect(rest.items.map((i) => `${i.name}=${JSON.parse(i.body).data}`)).toEqual([
        'p4=old',
        'p5=old',
        'p6=old',
        'p7=old',
        'p8=old',
        'p9=old',
      ])
      expect(rest.rv).toBe(page.rv)
    })

    const cases: [string, string[]][] = [
      ['tier=web', ['a', 'b']],
      ['tier!=web', ['c', 'd']],
      ['env in (dev, prod)', ['a', 'b']],
      ['env notin (dev)', ['b', 'c', 'd']],
      ['!env', ['c', 'd']],
      ['env', ['a', 'b']],
      ['tier=web,env=prod', ['b']],
      ['example.com/key=v', ['d']],
    ]
    test.each(cases)('label selector %s', async (selector, want) => {
      rvOf(await store.create(version('a', 'x', { labels: { tier: 'web', env: 'dev' } })))
      rvOf(await store.create(version('b', 'x', { labels: { tier: 'web', env: 'prod' } })))
      rvOf(await store.create(version('c', 'x', { labels: { tier: 'db' } })))
      rvOf(await store.create(version('d', 'x', { labels: { 'example.com/key': 'v' } })))
      const page = await store.list({ resource: 'things', labels: parseLabelSelector(selector) })
      expect(page.items.map((i) => i.name)).toEqual(want)
    })

    test('field selectors know names, namespaces and columns', async () => {
      rvOf(await store.create(version('a', 'x', { fields: { 'spec.nodeName': 'n1' } })))
      rvOf(await store.create(version('b', 'x', { ns: 'e', fields: { 'spec.nodeName': '' } })))
      const names = async (key: string, value: string) =>
        (await store.list({ resource: 'things', fields: [{ key, operator: '=', values: [value] }] })).items.map((i) => i.name)
      expect(await names('spec.nodeName', 'n1')).toEqual(['a'])
      expect(await names('spec.nodeName', '')).toEqual(['b'])
      expect(await names('metadata.namespace', 'e')).toEqual(['b'])
      expect(await names('metadata.name', 'a')).toEqual(['a'])
    })

    test('history resumes from any version without gap or duplicate', async () => {
      const all: number[] = []
      for (let i = 0; i < 8; i++) {
        const rv = rvOf(await store.create(version(`h${i}`)))
        all.push(rv, rvOf(await store.update(version(`h${i}`, 'y', { labels: { i: String(i) } }), replaced(rv))))
      }
      const from = all[0]! - 1
      for (let at = 0; at <= all.length; at++) {
        const rv = at === 0 ? from : all[at - 1]!
        const seen: number[] = []
        for (let last = rv; ; ) {
          const { events } = await store.since(last, 3)
          seen.push(...events.map((e) => e.rv))
          if (events.length < 3) break
          last = events.at(-1)!.rv
        }
        expect(seen).toEqual(all.slice(at))
      }
      const { events } = await store.since(all[0]!, 1)
      expect(events[0]).toMatchObject({ verb: 'update', labels: { i: '0' }, oldLabels: {} })
    })

    test('the last change of a resource, and of the pods of a node; and those pods', async () => {
      const pod = (name: string, node: string) => version(name, 'x', { resource: 'pods', fields: { 'spec.nodeName': node } })
      expect(await store.newest('pods')).toBe(0)
      const a = rvOf(await store.create(pod('a', 'n1')))
      const b = rvOf(await store.create(pod('b', 'n2')))
      rvOf(await store.create(version('other')))
      expect(await store.newest('pods')).toBe(b)
      expect(await store.newest('pods', 'n1')).toBe(a)
      expect(await store.newest('pods', 'n3')).toBe(0)
      const gone = rvOf(await store.delete(pod('a', 'n1'), replaced(a)))
      expect(await store.newest('pods', 'n1')).toBe(gone)
      const on = async (node: string) =>
        (await store.list({ resource: 'pods', fields: [{ key: 'spec.nodeName', operator: '=', values: [node] }] })).items.map((i) => i.name)
      expect([await on('n1'), await on('n2')]).toEqual([[], ['b']])
    })

    test('compaction forgets the past, keeps the present, and answers Compacted below its floor', async () => {
      clock = 1000
      const a = rvOf(await store.create(version('a', 'one')))
      const b = rvOf(await store.update(version('a', 'two'), replaced(a)))
      const gone = rvOf(await store.create(version('gone')))
      rvOf(await store.delete(version('gone'), replaced(gone)))
      clock = 5000
      const c = rvOf(await store.update(version('a', 'three'), replaced(b)))
      expect(await store.compact(3000)).toBe(3)
      expect(JSON.parse((await store.get({ resource: 'things', ns: 'd', name: 'a' }))!.body).data).toBe('three')
      await expect(store.since(a, 10)).rejects.toBeInstanceOf(Compacted)
      await expect(store.list({ resource: 'things', at: a })).rejects.toBeInstanceOf(Compacted)
      const { floor } = await store.head()
      expect((await store.list({ resource: 'things', at: floor })).items.map((i) => JSON.parse(i.body).data)).toEqual(['two'])
      expect((await store.since(floor, 10)).events.map((e) => [e.rv, e.oldLabels])).toEqual([[c, {}]])
      clock = 1000
    })

    test('a guard that does not hold stops the whole batch', async () => {
      expect(await store.create(version('a'), [namespaceGuard('nowhere')])).toEqual({ ok: false, why: 'extra', index: 0 })
      expect(await store.get({ resource: 'things', ns: 'd', name: 'a' })).toBeUndefined()
      rvOf(await store.create(version('here', 'x', { resource: 'namespaces', ns: '', fields: { 'status.phase': 'Active' } })))
      rvOf(await store.create(version('a'), [namespaceGuard('here')]))
    })

    test('two claims of one value: the second is refused and changes nothing', async () => {
      const claim = (owner: string) => ({
        sql: 'INSERT INTO allocations(kind, value, owner) VALUES (?, ?, ?)',
        args: ['ip', '10.0.0.1', owner],
      })
      rvOf(await store.create(version('a'), [claim('a')]))
      expect(await store.create(version('b'), [claim('b')])).toEqual({ ok: false, why: 'extra', index: 0 })
      expect(await store.get({ resource: 'things', ns: 'd', name: 'b' })).toBeUndefined()
    })

    test('sealed bodies are ciphertext; with a new key they are read, sealed anew, and the old key may go', async () => {
      const [first, second] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)]
      const sealedBy = async (...keys: [Uint8Array, ...Uint8Array[]]) =>
        new Store({ database: db.database, clock: { now: () => clock }, seal: await createSeal(...keys), sealed: new Set(['things']) })
      const at = { resource: 'things', ns: 'd', name: 'a' }
      const dataOf = async (s: Store) => JSON.parse((await s.get(at))!.body).data
      const old = await sealedBy(first)
      const rv = rvOf(await old.create(version('a', 'hidden')))
      rvOf(await old.update(version('a', 'hidden too'), replaced(rv)))
      const seal = await createSeal(first)
      await old.metaValue('k', () => seal.close('meta/k', 'of the cluster'))
      const stored = async () =>
        (await db.database.read([{ sql: 'SELECT body FROM log UNION SELECT value FROM meta', args: [] }]))[0]!.flat().join()
      expect(await stored()).not.toContain('hidden')
      expect(await old.reseal()).toBe(0)
      const both = await sealedBy(second, first)
      expect(await dataOf(both)).toBe('hidden too')
      expect(await both.reseal()).toBe(3)
      expect(await both.reseal()).toBe(0)
      const now = await sealedBy(second)
      expect(await dataOf(now)).toBe('hidden too')
      expect((await now.list({ resource: 'things', at: rv })).items.map((i) => JSON.parse(i.body).data)).toEqual(['hidden'])
      const text = await now.metaValue('k', () => '')
      expect(await (await createSeal(second)).open('meta/k', text)).toBe('of the cluster')
      await expect(dataOf(old)).rejects.toThrow(/not among those given/)
    })
  })
