// How often a request asks the database: one round trip per read, one per create, two per update.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createApp } from '../../api/http/app.ts'
import { type TestCluster, testCluster } from '../rig/cluster.ts'
import { counting, databases, type TestDatabase } from './databases.ts'

for (const { name, open } of databases)
  describe(`round trips on ${name}`, () => {
    let db: TestDatabase
    let counted: ReturnType<typeof counting>
    let c: TestCluster
    const ask = async (method: string, path: string, body?: unknown, type = 'application/json') => {
      const before = counted.trips
      const app = createApp({ cluster: c.cluster })
      const r = await app.request(path, {
        method,
        headers: { authorization: 'Bearer admin', 'content-type': type },
        ...(body ? { body: JSON.stringify(body) } : {}),
      })
      const text = await r.text()
      return { status: r.status, trips: counted.trips - before, text }
    }
    beforeAll(async () => {
      db = await open()
      counted = counting(db.database)
      c = await testCluster(counted)
    })
    afterAll(() => db.close())

    const cm = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data: { k: 'v' } }
    const base = '/api/v1/namespaces/default/configmaps'
    test('create, get, list, update, patch, delete', async () => {
      expect(await ask('POST', base, cm)).toMatchObject({ status: 201, trips: 1 })
      expect(await ask('GET', `${base}/a`)).toMatchObject({ status: 200, trips: 1 })
      expect(await ask('GET', base)).toMatchObject({ status: 200, trips: 1 })
      expect(await ask('GET', `${base}?limit=1&labelSelector=x`)).toMatchObject({ status: 200, trips: 1 })
      expect(await ask('PUT', `${base}/a`, { ...cm, data: { k: 'w' } })).toMatchObject({ status: 200, trips: 2 })
      expect(await ask('PATCH', `${base}/a`, { data: { z: '1' } }, 'application/merge-patch+json')).toMatchObject({ status: 200, trips: 2 })
      expect(await ask('DELETE', `${base}/a`)).toMatchObject({ status: 200, trips: 2 })
    })
  })
