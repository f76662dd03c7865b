// What the connection sees on Node: large answers compressed for those who ask, watches never; and an end that lets everybody finish.
import { Agent, type RequestOptions, request } from 'node:https'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { temporaryFolder } from '../rig/sqld.ts'
import { HookServer } from './hook-server.ts'
import { openNodeSession } from './node-session.ts'
import { type Server, startServer } from './server.ts'

let server: Server
let agent: Agent
beforeAll(async () => {
  server = await startServer('node')
  agent = new Agent({ keepAlive: true, ca: server.cp.ca })
})
afterAll(async () => {
  agent?.destroy()
  await server?.stop()
})

const MAPS = '/api/v1/namespaces/default/configmaps'
const raw = (path: string, headers: Record<string, string> = {}, o: RequestOptions = {}, body?: string) =>
  new Promise<{ code: number; headers: any; body: Buffer }>((resolve, reject) => {
    const req = request(`${server.cp.url}${path}`, { agent, headers: { authorization: 'Bearer admintoken', ...headers }, ...o }, (res) => {
      const parts: Buffer[] = []
      res.on('data', (d: Buffer) => parts.push(d))
      res.on('error', reject)
      res.on('end', () => resolve({ code: res.statusCode!, headers: res.headers, body: Buffer.concat(parts) }))
    })
    req.on('error', reject)
    req.end(body)
  })

test('large answers go out compressed to those who take it', async () => {
  for (let i = 0; i < 4; i++) await server.send('POST', MAPS, { metadata: { name: `m${i}` }, data: { text: 'hello '.repeat(10_000) } })
  const plain = await raw(MAPS)
  const zipped = await raw(MAPS, { 'accept-encoding': 'gzip' })
  expect([plain.headers['content-encoding'], zipped.headers['content-encoding'], zipped.headers.vary]).toEqual([
    undefined,
    'gzip',
    'Accept-Encoding',
  ])
  expect(zipped.body.length).toBeLessThan(plain.body.length / 10)
  expect(JSON.parse(gunzipSync(zipped.body).toString()).items).toEqual(JSON.parse(plain.body.toString()).items)
  expect((await raw(`${MAPS}/m0`, { 'accept-encoding': 'gzip' })).headers['content-encoding']).toBeUndefined()
  expect((await raw(`${MAPS}?watch=1&timeoutSeconds=1`, { 'accept-encoding': 'gzip' })).headers['content-encoding']).toBe('identity')
})

test('a server that ends answers what it was asked, and ends watches in order', async () => {
  const hook = await HookServer.start(['hook.default.svc'])
  const folder = temporaryFolder('transport')
  const session = await openNodeSession(server, folder.path, 'n1')
  await server.send('POST', '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations', {
    metadata: { name: 'slow' },
    webhooks: [
      {
        name: 'slow.example.com',
        clientConfig: { url: `https://127.0.0.1:${hook.port}/slow`, caBundle: hook.caBundle },
        rules: [{ operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['secrets'] }],
        sideEffects: 'None',
        admissionReviewVersions: ['v1'],
        timeoutSeconds: 2,
        failurePolicy: 'Ignore',
      },
    ],
  })
  hook.handlers.set('/slow', () => 'never')
  const watch = raw(`${MAPS}?watch=1`)
  const write = raw(
    '/api/v1/namespaces/default/secrets',
    { 'content-type': 'application/json' },
    { method: 'POST' },
    JSON.stringify({ metadata: { name: 'late' } }),
  )
  await expect.poll(() => hook.asked.length).toBe(1)
  const stopped = server.cp.stop()
  expect((await watch).code).toBe(200)
  expect((await write).code).toBe(201)
  await stopped
  session.close()
  await hook.stop()
  folder.remove()
})
