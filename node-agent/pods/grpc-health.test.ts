// What a server of gRPC's health service may say, and what is made of it.
import { createServer, type Http2Server } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { grpcHealth } from './grpc-health.ts'

let server: Http2Server
afterEach(() => {
  server.close()
})

interface Says {
  status?: string
  body?: number[]
  silent?: boolean
}

/** Its port; `asked` gets the name of the service. */
async function serving(says: Says, asked: (service: string) => void = () => {}): Promise<number> {
  server = createServer()
  server.on('stream', (stream, headers) => {
    const parts: Buffer[] = []
    stream.on('data', (d: Buffer) => parts.push(d))
    stream.on('end', () => {
      const body = Buffer.concat(parts)
      asked(`${headers[':path']} ${body.subarray(7).toString()}`)
      if (says.silent) return
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': says.status ?? '0', 'grpc-message': 'because' }))
      stream.end(Buffer.from(says.body ?? []))
    })
    stream.on('error', () => {})
  })
  await new Promise<void>((r) => server.listen(0, '127.0.0.1', r))
  return (server.address() as AddressInfo).port
}

test.each<[string, Says, RegExp | undefined]>([
  ['serving', { body: [0, 0, 0, 0, 2, 8, 1] }, undefined],
  ['not serving', { body: [0, 0, 0, 0, 2, 8, 2] }, /^service unhealthy \(responded with "NOT_SERVING"\)$/],
  ['unknown', { body: [0, 0, 0, 0, 0] }, /responded with "UNKNOWN"/],
  ['no such service', { status: '5' }, /health rpc failed: rpc error: code = 5 desc = because/],
  ['no health service', { status: '12' }, /does not implement the grpc health protocol/],
  ['nothing', { silent: true }, /^timeout: failed to connect service "127\.0\.0\.1:\d+" within 0\.2s$/],
])('%s', async (_, says, want) => {
  const port = await serving(says)
  const why = await grpcHealth('127.0.0.1', port, '', 200)
  if (want) expect(why).toMatch(want)
  else expect(why).toBeUndefined()
})

test('the service that is asked for', async () => {
  const asked: string[] = []
  const port = await serving({ body: [0, 0, 0, 0, 2, 8, 1] }, (s) => asked.push(s))
  await grpcHealth('127.0.0.1', port, 'liveness', 1000)
  expect(asked).toEqual(['/grpc.health.v1.Health/Check liveness'])
})

test('nobody there', async () => {
  const port = await serving({})
  await new Promise<void>((r) => server.close(() => r()))
  expect(await grpcHealth('127.0.0.1', port, '', 1000)).toMatch(/failed to connect service/)
})
