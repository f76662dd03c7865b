// Events that are sent on by the control plane, on both platforms: all of them, while the sink is away and through a kill as well.
import { writeFileSync } from 'node:fs'
import { createServer, type Server as Sink } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { temporaryFolder } from '../rig/sqld.ts'
import { type Server, startServer } from './server.ts'

describe.each(['node', 'workers'])('on %s', (platform) => {
  let server: Server
  let sink: Sink
  const folder = temporaryFolder('outputs')
  const got = new Map<string, any>()
  let isAway = false
  const event = (name: string) => ({
    metadata: { name },
    involvedObject: { kind: 'Pod', namespace: 'default', name: 'web-1', uid: 'u', apiVersion: 'v1' },
    reason: 'BackOff',
    message: `told by ${name}`,
    type: 'Warning',
    source: { component: 'kubelet', host: 'n1' },
    count: 2,
    firstTimestamp: '2026-01-01T00:00:00Z',
    lastTimestamp: '2026-01-01T00:00:05Z',
  })
  const tell = async (name: string) => expect((await server.send('POST', '/api/v1/namespaces/default/events', event(name))).code).toBe(201)
  const texts = () => [...got.values()].map((d) => d.log)

  beforeAll(async () => {
    sink = createServer(async (req, res) => {
      const parts: Buffer[] = []
      for await (const p of req) parts.push(p as Buffer)
      if (isAway) return res.writeHead(503).end()
      const lines = Buffer.concat(parts).toString().trim().split('\n')
      for (let i = 0; i < lines.length; i += 2) got.set(JSON.parse(lines[i]!).create._id, JSON.parse(lines[i + 1]!))
      res.writeHead(200, { 'content-type': 'application/json' }).end('{"errors":false,"items":[]}')
    })
    await new Promise<void>((r) => sink.listen(0, '127.0.0.1', r))
    const file = path.join(folder.path, 'outputs.yaml')
    const url = `http://127.0.0.1:${(sink.address() as AddressInfo).port}`
    writeFileSync(file, JSON.stringify({ outputs: [{ type: 'elasticsearch', url, namespaces: ['default'] }] }))
    server = await startServer(platform, ['--event-outputs-file', file])
  })
  afterAll(async () => {
    await server?.stop()
    sink.closeAllConnections()
    sink.close()
    folder.remove()
  })

  test('an event, with what it is about', async () => {
    await tell('one')
    await expect.poll(texts, { timeout: 15_000 }).toContain('told by one')
    expect([...got.values()].find((d) => d.log === 'told by one')).toEqual({
      '@timestamp': '2026-01-01T00:00:05.000000000Z',
      log: 'told by one',
      event: { kind: 'Pod', name: 'web-1', reason: 'BackOff', type: 'Warning', count: '2', component: 'kubelet' },
      kubernetes: { namespace_name: 'default', pod_name: 'web-1', pod_id: 'u', host: 'n1' },
    })
  })

  test('what was told while the sink was away, and the server was killed, arrives', async () => {
    isAway = true
    await tell('two')
    await server.cp.kill()
    await server.cp.start()
    await tell('three')
    isAway = false
    await expect.poll(texts, { timeout: 30_000 }).toEqual(expect.arrayContaining(['told by two', 'told by three']))
    expect(texts().filter((t) => t === 'told by one')).toHaveLength(1)
  }, 60_000)
})
