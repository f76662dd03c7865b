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
    let now = 0
    const ask = async (method: string, path: string, body?: unknown, type = 'application/json', token = 'admin') => {
      const before = counted.trips
      const app = createApp({ cluster: c.cluster })
      const r = await app.request(path, {
        method,
        headers: { authorization: `Bearer ${token}`, 'content-type': type },
        ...(body ? { body: JSON.stringify(body) } : {}),
      })
      const text = await r.text()
      return { status: r.status, trips: counted.trips - before, text }
    }
    beforeAll(async () => {
      db = await open()
      counted = counting(db.database)
      c = await testCluster(counted, () => 1_700_000_000_000 + now, 5000)
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

    test('rights that have to be read ride along, a refusal too', async () => {
      const rbac = '/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings'
      const binding = {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'RoleBinding',
        metadata: { name: 'bob' },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
        subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'bob' }],
      }
      expect(await ask('POST', rbac, binding)).toMatchObject({ status: 201 })
      const asBob = (path: string) => ask('GET', path, undefined, undefined, 'bob')
      for (const path of [base, `${base}/kube-root-ca.crt`, '/api/v1/namespaces/default/secrets', '/api/v1/nodes/n']) {
        now += 10_000
        const allowed = path.startsWith(base)
        expect(await asBob(path), path).toMatchObject({ trips: 1 })
        expect((await asBob(path)).status === 403, path).toBe(!allowed)
      }
    })
  })
