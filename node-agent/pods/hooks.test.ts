// Hooks by request: whatever the answer, it has been asked.
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { runHook } from './hooks.ts'

let server: Server
let port: number
const heard: string[] = []
beforeEach(async () => {
  heard.length = 0
  server = createServer((req, res) => {
    heard.push(`${req.method} ${req.url} ${req.headers['user-agent']}`)
    res.writeHead(500).end()
  })
  await new Promise<void>((r) => server.listen(0, '127.0.0.1', r))
  port = (server.address() as AddressInfo).port
})
afterEach(() => {
  server.close()
})

const hook = (httpGet: object) =>
  runHook({} as never, { httpGet }, { container: { name: 'c' }, id: 'x', podIP: '127.0.0.1', timeout: 1000 })

test.each(['HTTP', 'HTTPS'])('%s to a server that speaks no TLS', async (scheme) => {
  expect(await hook({ port, path: '/bye', scheme })).toBeUndefined()
  expect(heard).toEqual(['GET /bye kube-lifecycle/1.36'])
})

test('nobody there', async () => {
  server.close()
  expect(await hook({ port })).toMatch(/^lifecycle hook for Container "c" failed - error: Get "http:\/\/127\.0\.0\.1:\d+\/"/)
})
