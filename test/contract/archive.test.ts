// A cluster's archive, from every kind of database to every other: what comes out of it is the cluster, and half an archive is none.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createApp } from '../../api/http/app.ts'
import { archive, BadArchive, keyOfArchive, restore } from '../../api/store/archive.ts'
import { type TestCluster, testCluster } from '../rig/cluster.ts'
import { databases, type TestDatabase } from './databases.ts'

async function* each(lines: string[]) {
  yield* lines
}
const asker = (c: TestCluster) => {
  const app = createApp({ cluster: c.cluster, sessions: c.hub.sessions })
  return async (method: string, path: string, body?: unknown, token = 'admin'): Promise<any> => {
    const r = await app.request(path, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body ? { body: JSON.stringify(body) } : {}),
    })
    const text = await r.text()
    return { status: r.status, text, ...(text.startsWith('{"') && !text.includes('\n') ? { object: JSON.parse(text) } : {}) }
  }
}
const maps = '/api/v1/namespaces/default/configmaps'
const map = (name: string, value: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { value } })

for (const from of databases)
  for (const to of databases)
    describe(`from ${from.name} to ${to.name}`, () => {
      let source: TestDatabase
      let target: TestDatabase
      let ask: ReturnType<typeof asker>
      let lines: string[]
      beforeAll(async () => {
        source = await from.open()
        target = await to.open()
        ask = asker(await testCluster(source.database))
        await ask('POST', maps, map('a', '1'))
        await ask('POST', maps, map('gone', '1'))
        await ask('PUT', `${maps}/a`, map('a', '2'))
        await ask('DELETE', `${maps}/gone`)
        await ask('POST', '/api/v1/namespaces/default/secrets', {
          apiVersion: 'v1',
          kind: 'Secret',
          metadata: { name: 's' },
          stringData: { password: 'hunter2' },
        })
        for (let i = 0; i < 450; i++) await ask('POST', maps, map(`many-${i}`, 'x'))
        lines = (await ask('GET', '/kedge/v1/export')).text.trim().split('\n')
      })
      afterAll(async () => {
        await source?.close()
        await target?.close()
      })

      test('everything comes back at its version, history and secrets too', async () => {
        expect(lines.join('\n')).not.toContain('hunter2')
        await restore(target.database, each(lines))
        const there = asker(await testCluster(target.database))
        for (const path of [
          `${maps}/a`,
          `${maps}/many-449`,
          '/api/v1/namespaces/default/secrets/s',
          '/api/v1/namespaces/default/services/kubernetes',
        ])
          expect((await there('GET', path)).object).toEqual((await ask('GET', path)).object)
        expect((await there('GET', `${maps}/gone`)).status).toBe(404)
        const listed = async (a: typeof ask) => (await a('GET', maps)).object
        expect(await listed(there)).toEqual(await listed(ask))
        const made = await there('POST', maps, map('next', '1'))
        expect(Number(made.object.metadata.resourceVersion)).toBe(Number((await listed(ask)).metadata.resourceVersion) + 1)
        expect(keyOfArchive(lines[0]!)).toEqual(new Uint8Array(32).fill(7))
      })

      test('only who may do everything gets it', async () => {
        expect((await ask('GET', '/kedge/v1/export', undefined, 'alice')).status).toBe(403)
        expect((await ask('PUT', '/kedge/v1/moving', {}, 'alice')).status).toBe(403)
      })

      test('half an archive, a foreign file and a full database are refused', async () => {
        const empty = await to.open()
        try {
          for (const bad of [
            [],
            ['{"a":1}'],
            ['no json'],
            lines.slice(0, -1),
            [...lines.slice(0, 2), lines.at(-1)!],
            [lines[0]!, '{"nonsense":[]}'],
          ])
            await expect(restore(empty.database, each(bad))).rejects.toThrow(BadArchive)
          await expect(restore(target.database, each(lines))).rejects.toThrow(BadArchive)
        } finally {
          await empty.close()
        }
      })

      test('a frozen cluster takes no writes, and thaws', async () => {
        expect((await ask('PUT', '/kedge/v1/moving', {})).status).toBe(200)
        expect((await ask('POST', maps, map('late', '1'))).status).toBe(503)
        expect((await ask('PUT', `${maps}/a`, map('a', '3'))).status).toBe(503)
        expect((await ask('DELETE', `${maps}/a`)).status).toBe(503)
        expect((await ask('GET', `${maps}/a`)).status).toBe(200)
        const frozen: string[] = []
        for await (const line of archive(source.database, new Uint8Array(32))) frozen.push(line)
        expect(frozen.length).toBeGreaterThan(3)
        await ask('DELETE', '/kedge/v1/moving')
        expect((await ask('POST', maps, map('late', '1'))).status).toBe(201)
      })
    })
