// Joining: what a join token opens, how often, for whom, and what it binds its nodes to; on every database.
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createApp } from '../../api/http/app.ts'
import { nameFits } from '../../api/http/join-tokens.ts'
import { testCluster } from '../rig/cluster.ts'
import { databases, type TestDatabase } from './databases.ts'

test.each([
  [undefined, 'any', true],
  ['web-*', 'web-1', true],
  ['web-*', 'web-', true],
  ['web-*', 'xweb-1', false],
  ['*.eu', 'a.b.eu', true],
  ['a.b', 'axb', false],
  ['one', 'one', true],
  ['one', 'ones', false],
])('names like %s: %s is %s', (pattern, name, want) => {
  expect(nameFits(pattern, name)).toBe(want)
})

for (const { name: platform, open } of databases)
  describe(`join tokens on ${platform}`, () => {
    let db: TestDatabase
    let now = Date.now()
    let ask: (method: string, path: string, body?: unknown, token?: string) => Promise<{ status: number; object: any }>
    const key = async () => exportJWK((await generateKeyPair('ES256', { extractable: true })).publicKey)
    const join = async (token: string, name: string, publicKey?: unknown) =>
      ask('POST', '/kedge/v1/join', { name, publicKey: publicKey ?? (await key()) }, token)
    const newToken = async (body: object = {}) => (await ask('POST', '/kedge/v1/tokens', body)).object
    beforeAll(async () => {
      db = await open()
      const { cluster, hub } = await testCluster(db.database, () => now)
      const app = createApp({ cluster, sessions: hub.sessions })
      ask = async (method, path, body, token = 'admin') => {
        const r = await app.request(path, {
          method,
          headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
          ...(body ? { body: JSON.stringify(body) } : {}),
        })
        return { status: r.status, object: await r.json() }
      }
    })
    afterAll(() => db?.close())

    test('once, and the same machine again with its key', async () => {
      const { token } = await newToken()
      const own = await key()
      expect((await join(token, 'n1', own)).status).toBe(201)
      expect((await join(token, 'n1', own)).status).toBe(201)
      expect((await join(token, 'n2')).status).toBe(401)
    })

    test('several times; a rebuilt machine takes its old name with a new key', async () => {
      const { token } = await newToken({ uses: 2 })
      expect((await join(token, 'n3')).status).toBe(201)
      expect((await join(token, 'n3')).status).toBe(201)
      expect((await join(token, 'n3')).status).toBe(401)
    })

    test('not after its time', async () => {
      const { token } = await newToken({ seconds: 60 })
      now += 61_000
      expect((await join(token, 'n4')).status).toBe(401)
    })

    test('only under the names that it is for, and a wrong name costs no use', async () => {
      const { token } = await newToken({ nodeName: 'web-*' })
      const refused = await join(token, 'db-1')
      expect(refused.status).toBe(403)
      expect(refused.object.message).toContain('web-*')
      expect((await join(token, 'web-1')).status).toBe(201)
    })

    test('nodes begin with its labels and taints, also one that was here before', async () => {
      const taints = [{ key: 'dedicated', value: 'web', effect: 'NoSchedule' }]
      const { token } = await newToken({ uses: 2, labels: { pool: 'web' }, taints })
      await join(token, 'pool-1')
      const made = (await ask('GET', '/api/v1/nodes/pool-1')).object
      expect(made.metadata.labels).toMatchObject({ pool: 'web' })
      expect(made.spec.taints).toEqual(expect.arrayContaining([expect.objectContaining(taints[0]!)]))
      await ask('POST', '/api/v1/nodes', { apiVersion: 'v1', kind: 'Node', metadata: { name: 'pool-2', labels: { own: 'x' } } })
      await join(token, 'pool-2')
      const there = (await ask('GET', '/api/v1/nodes/pool-2')).object
      expect(there.metadata.labels).toMatchObject({ pool: 'web', own: 'x' })
      expect(there.spec.taints).toEqual(expect.arrayContaining([expect.objectContaining(taints[0]!)]))
    })

    test('listed without their texts, and revoked', async () => {
      const { token } = await newToken({ nodeName: 'listed-*', labels: { a: 'b' } })
      const { items } = (await ask('GET', '/kedge/v1/tokens')).object
      const mine = items.find((t: any) => t.nodeName === 'listed-*')
      expect(mine).toMatchObject({ uses: 1, labels: { a: 'b' } })
      expect(JSON.stringify(items)).not.toContain(token)
      expect((await ask('DELETE', `/kedge/v1/tokens/${mine.id}`)).status).toBe(200)
      expect((await ask('DELETE', `/kedge/v1/tokens/${mine.id}`)).status).toBe(404)
      expect((await join(token, 'listed-1')).status).toBe(401)
    })

    test('a removed node is nobody until it joins again', async () => {
      const pair = await generateKeyPair('ES256', { extractable: true })
      const own = await exportJWK(pair.publicKey)
      const assertion = () =>
        new SignJWT({})
          .setProtectedHeader({ alg: 'ES256' })
          .setSubject('system:node:old')
          .setAudience('kedge')
          .setIssuedAt(Math.floor(now / 1000))
          .setExpirationTime(Math.floor(now / 1000) + 300)
          .sign(pair.privateKey)
      const { token } = await newToken({ uses: 2 })
      await join(token, 'old', own)
      await ask('POST', '/api/v1/nodes', { apiVersion: 'v1', kind: 'Node', metadata: { name: 'old' } }, await assertion())
      expect((await ask('GET', '/api/v1/nodes/old', undefined, await assertion())).status).toBe(200)
      expect((await ask('DELETE', '/kedge/v1/nodes/old', undefined, 'alice')).status).toBe(403)
      expect((await ask('DELETE', '/kedge/v1/nodes/old')).status).toBe(200)
      expect((await ask('GET', '/api/v1/nodes/old', undefined, await assertion())).status).toBe(401)
      expect((await ask('GET', '/api/v1/nodes/old')).status).toBe(404)
      expect((await ask('DELETE', '/kedge/v1/nodes/old')).status).toBe(404)
      expect((await join(token, 'old', own)).status).toBe(201)
      expect((await ask('GET', '/api/v1/nodes/old', undefined, await assertion())).status).toBe(404)
    })

    test.each([
      [{ uses: 0 }, 'uses'],
      [{ seconds: -1 }, 'seconds'],
      [{ labels: { 'bad key': 'x' } }, 'label'],
      [{ taints: [{ key: 'a', effect: 'Never' }] }, 'effect'],
      [{ nodeName: 'Upper' }, 'node name'],
    ])('%j is refused', async (body, word) => {
      const r = await ask('POST', '/kedge/v1/tokens', body)
      expect(r.status).toBe(400)
      expect(r.object.message).toContain(word)
    })

    test('who may not make nodes may not see or make join tokens', async () => {
      expect((await ask('GET', '/kedge/v1/tokens', undefined, 'alice')).status).toBe(403)
      expect((await ask('POST', '/kedge/v1/tokens', {}, 'alice')).status).toBe(403)
      expect((await ask('DELETE', '/kedge/v1/tokens/x', undefined, 'alice')).status).toBe(403)
    })
  })
