// What a daemon writes of its Node: all of it once, and afterwards only what is not so any more.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createApp } from '../../api/http/app.ts'
import { writeNodeStatus } from '../../node-agent/node-status.ts'
import type { Api } from '../../node-agent/session/api.ts'
import { type TestCluster, testCluster } from '../rig/cluster.ts'
import { databases, type TestDatabase } from './databases.ts'

let db: TestDatabase
let c: TestCluster
let writes: string[] = []
let resources: Record<string, string> = {}
const facts = { name: 'n', ips: ['192.0.2.1'], runtimeVersion: '20', managed: false, volumes: '/tmp/volumes', pressure: new Set<never>() }
const well = { ok: true, message: 'well' }
const ask = async (method: string, path: string, body?: unknown, type = 'application/json') => {
  const headers = { authorization: 'Bearer admin', 'content-type': type }
  const r = await createApp({ cluster: c.cluster }).request(path, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) })
  const answer = (await r.json()) as any
  if (!r.ok) throw Object.assign(new Error(answer.message), { code: r.status })
  return answer
}
const api = {
  call: (method: string, path: string, body?: unknown, type?: string) => {
    if (method !== 'GET') writes.push(`${method} ${path.slice('/api/v1/nodes'.length)}`)
    return ask(method, path, body, type)
  },
} as Api
const node = () => ask('GET', '/api/v1/nodes/n')
const change = (path: string, body: object) => ask('PATCH', `/api/v1/nodes/n${path}`, body, 'application/merge-patch+json')
const report = async (ready = well, known?: any) => {
  writes = []
  await writeNodeStatus(api, { ...facts, resources }, ready, known)
  return writes
}

beforeAll(async () => {
  db = await databases[0]!.open()
  c = await testCluster(db.database, () => Date.now(), 5000)
})
afterAll(() => db.close())

test('a Node is made once, and not written again while nothing has changed', async () => {
  expect(await report()).toEqual(['POST ', 'PATCH /n/status', 'PATCH /n'])
  expect(await report()).toEqual([])
  expect(await report(well, await node())).toEqual([])
})

test('what is not so any more is written, and what others keep stays', async () => {
  await change('', { metadata: { labels: { 'kubernetes.io/os': null } } })
  expect(await report()).toEqual(['PATCH /n'])
  const other = { type: 'KernelDeadlock', status: 'False', reason: 'KernelHasNoDeadlock', message: '' }
  const { conditions } = (await node()).status
  const ready = conditions.find((x: any) => x.type === 'Ready')
  const unknown = { ...ready, status: 'Unknown', reason: 'NodeStatusUnknown', message: 'gone', lastTransitionTime: '2026-01-01T00:00:00Z' }
  await change('/status', { status: { conditions: [...conditions.filter((x: any) => x !== ready), unknown, other] } })
  expect(await report()).toEqual(['PATCH /n/status'])
  const now = (await node()).status.conditions
  expect(now).toContainEqual(expect.objectContaining(other))
  expect(now.find((x: any) => x.type === 'Ready')).toMatchObject({ status: 'True', message: 'well' })
  expect(now.find((x: any) => x.type === 'Ready').lastTransitionTime).not.toBe(unknown.lastTransitionTime)
  expect(await report({ ok: false, message: 'container runtime is down' })).toEqual(['PATCH /n/status'])
})

test('resources of the machine come and go; those that others name are theirs', async () => {
  const capacity = async () => {
    const { capacity, allocatable } = (await node()).status
    expect(allocatable).toEqual(capacity)
    return Object.fromEntries(Object.entries(capacity).filter(([name]) => name.startsWith('example.com/')))
  }
  const dongles = { 'example.com/dongle': '4' }
  await change('/status', { status: { capacity: dongles, allocatable: dongles } })
  resources = { 'example.com/gpu': '2' }
  await report()
  expect(await capacity()).toEqual({ ...dongles, 'example.com/gpu': '2' })
  resources = {}
  expect(await report()).toEqual(['PATCH /n/status', 'PATCH /n'])
  expect(await capacity()).toEqual({ ...dongles, 'example.com/gpu': '0' })
  expect(await report()).toEqual([])
})
