// Traces of requests through the loop, on both platforms, as an OTLP endpoint gets them.
import { createServer, type Server as HttpServer } from 'node:http'
import { request } from 'node:https'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Server, startServer } from './server.ts'

describe.each(['node', 'workers'])('traces on %s', (platform) => {
  let server: Server
  let sink: HttpServer
  const spans: any[] = []
  beforeAll(async () => {
    sink = createServer(async (req, res) => {
      const parts: Buffer[] = []
      for await (const p of req) parts.push(p as Buffer)
      for (const r of JSON.parse(Buffer.concat(parts).toString()).resourceSpans)
        for (const s of r.scopeSpans) for (const span of s.spans) spans.push(span)
      res.writeHead(200, { 'content-type': 'application/json' }).end('{}')
    })
    await new Promise<void>((r) => sink.listen(0, '127.0.0.1', r))
    const { port } = sink.address() as AddressInfo
    const file = { kind: 'TracingConfiguration', endpoint: `http://127.0.0.1:${port}`, samplingRatePerMillion: 1_000_000 }
    server = await startServer(platform, ['--tracing-config-file', '{tracing.yaml}'], { 'tracing.yaml': JSON.stringify(file) })
  })
  afterAll(async () => {
    await server?.stop()
    sink?.closeAllConnections()
    sink?.close()
  })

  test('a deployment, from its request to the pods that come of it', async () => {
    const labels = { app: 'traced' }
    const made = await server.send('POST', '/apis/apps/v1/namespaces/default/deployments', {
      metadata: { name: 'traced' },
      spec: {
        replicas: 1,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'one' }] } },
      },
    })
    expect(made.code).toBe(201)
    const request = () => spans.find((s) => s.name === 'create deployments')
    const within = () => spans.filter((s) => s.traceId === request()?.traceId).map((s) => s.name)
    await expect
      .poll(() => within(), { timeout: 20_000 })
      .toEqual(
        expect.arrayContaining([
          'create deployments',
          'reconcile deployment-controller',
          'reconcile replicaset-controller',
          'reconcile default-scheduler',
        ]),
      )
    const all = spans.filter((s) => s.traceId === request().traceId)
    const ids = new Set(all.map((s) => s.spanId))
    // One tree: each but the request has its parent in it.
    expect(all.filter((s) => !ids.has(s.parentSpanId)).map((s) => s.name)).toEqual(['create deployments'])
    const { attributes } = request()
    expect(attributes).toContainEqual({ key: 'http.response.status_code', value: { intValue: '201' } })
  })

  test('what a client decided holds', async () => {
    const [traced, not] = ['0af7651916cd43dd8448eb211c80319c', '1bf7651916cd43dd8448eb211c80319c']
    const get = (traceparent: string) =>
      new Promise<void>((resolve, reject) => {
        const headers = { authorization: 'Bearer admintoken', traceparent }
        request(`${server.cp.url}/api/v1/namespaces`, { ca: server.cp.ca, headers }, (res) => res.resume().on('end', resolve))
          .on('error', reject)
          .end()
      })
    await get(`00-${not}-b7ad6b7169203331-00`)
    await get(`00-${traced}-b7ad6b7169203331-01`)
    await expect.poll(() => spans.find((s) => s.traceId === traced)?.parentSpanId, { timeout: 10_000 }).toBe('b7ad6b7169203331')
    expect(spans.some((s) => s.traceId === not)).toBe(false)
  })
})
