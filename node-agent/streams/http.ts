// HTTP requests that the control plane has this machine make: it can reach what listens in the cluster, the control plane cannot.
import { request as plain } from 'node:http'
import { request as secure } from 'node:https'
import { isIP } from 'node:net'
import { Channel, type NodeAnswer, type NodeFetch } from '../../shared/session/frames.ts'
import { failure } from '../runtime/exec.ts'
import type { NodeStream } from '../session/session.ts'

const DIAL_TIMEOUT = 30_000

export function serveFetch(r: NodeFetch, stream: NodeStream): void {
  const { tls } = r
  const options = { host: r.address, port: r.port, method: r.method, path: r.path, headers: r.headers, agent: false as const }
  const request = tls
    ? secure({
        ...options,
        ...(isIP(tls.serverName) ? {} : { servername: tls.serverName }),
        ...(tls.ca ? { ca: tls.ca } : {}),
        ...(tls.insecure ? { rejectUnauthorized: false } : {}),
        ...(tls.cert ? { cert: tls.cert, key: tls.key } : {}),
      })
    : plain(options)
  const stop = (ms: number, why: string) => setTimeout(() => request.destroy(new Error(why)), ms)
  const timer = r.timeoutMs === undefined ? undefined : stop(r.timeoutMs, 'context deadline exceeded')
  const dialling = stop(DIAL_TIMEOUT, `dial tcp ${r.address}:${r.port}: i/o timeout`)
  request.once('socket', (socket) => socket.once('connect', () => clearTimeout(dialling)))
  request.once('close', () => clearTimeout(dialling))
  const fail = (cause: Error) => {
    clearTimeout(timer)
    stream.end(failure(502, 'BadGateway', cause.message))
  }
  request.on('error', fail)
  request.on('response', async (response) => {
    try {
      const headers: NodeAnswer['headers'] = []
      const { rawHeaders: raw } = response
      for (let i = 0; i < raw.length; i += 2) headers.push([raw[i]!, raw[i + 1]!])
      const head: NodeAnswer = { status: response.statusCode ?? 502, headers }
      await stream.write(Channel.error, Buffer.from(JSON.stringify(head)))
      for await (const part of response) await stream.write(Channel.stdout, part as Buffer)
      clearTimeout(timer)
      stream.end()
    } catch (cause) {
      fail(cause as Error)
    }
  })
  stream.onClose(() => {
    clearTimeout(timer)
    request.destroy()
  })
  stream.onData(async (channel, bytes) => {
    if (channel === Channel.closeStdin) return void request.end()
    if (channel === Channel.stdin && !request.write(bytes)) await new Promise((done) => request.once('drain', done).once('close', done))
  })
}
