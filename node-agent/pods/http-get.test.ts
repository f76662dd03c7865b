// Requests of probes and hooks on the wire.
import { createServer } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { httpGet } from './http-get.ts'

let close = () => {}
afterEach(() => close())

/** A server that says one thing to everybody, byte for byte; its port, and what it heard. */
async function saying(answer: string | undefined): Promise<{ port: number; heard: string[] }> {
  const heard: string[] = []
  const server = createServer((s) => {
    s.on('error', () => {})
    s.once('data', (d) => {
      heard.push(String(d))
      if (answer !== undefined) s.end(answer)
    })
  })
  await new Promise<void>((r) => server.listen(0, '127.0.0.1', r))
  close = () => server.close()
  return { port: (server.address() as { port: number }).port, heard }
}

const ask = (action: object, container: object = {}) =>
  httpGet(action, { container, podIP: '127.0.0.1', timeoutMs: 300, userAgent: 'kube-probe/1.36' })

test.each([
  ['as it should be', 'HTTP/1.1 204 No Content\r\n\r\n', 204],
  ['with bare line feeds', 'HTTP/1.1 200 OK\n\nhello', 200],
  ['an error', 'HTTP/1.0 503 No\r\ncontent-length: 0\r\n\r\n', 503],
])('%s', async (_, answer, want) => {
  const { port } = await saying(answer)
  expect(await ask({ port })).toBe(want)
})

test('path, port by name and headers are as they were asked for', async () => {
  const { port, heard } = await saying('HTTP/1.1 200 OK\r\n\r\n')
  const httpHeaders = [
    { name: 'Host', value: 'example.com' },
    { name: 'X-One', value: 'a' },
    { name: 'X-One', value: 'b' },
  ]
  await ask({ port: 'web', path: 'health?x=1', httpHeaders }, { ports: [{ name: 'web', containerPort: port }] })
  const lines = heard[0]!.toLowerCase().split('\r\n')
  expect(lines[0]).toBe('get /health?x=1 http/1.1')
  for (const line of ['host: example.com', 'x-one: a', 'x-one: b', 'user-agent: kube-probe/1.36']) expect(lines).toContain(line)
})

test('silence is told', async () => {
  const { port } = await saying(undefined)
  await expect(ask({ port })).rejects.toThrow(/^Get "http:\/\/127\.0\.0\.1:\d+\/": context deadline exceeded/)
})

test('nobody there', async () => {
  const { port } = await saying('')
  close()
  await expect(ask({ port, path: '/x' })).rejects.toThrow(/ECONNREFUSED/)
})
