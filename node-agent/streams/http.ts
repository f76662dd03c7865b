// HTTP requests that the control plane has this machine make: it can reach what listens in the cluster, the control plane cannot.
import { request as plain } from 'node:http'
import { request as secure } from 'node:https'
import { isIP } from 'node:net'
import { Channel, type NodeAnswer, type NodeFetch } from '../../shared/session/frames.ts'
import { failure } from '../runtime/exec.ts'
import type { NodeStream } from '../session/session.ts'

export function serveFetch(r: NodeFetch, stream: NodeStream): void {
  const { tls } = r
  const options = { host: r.address, port: r.port, method: r.method, path: r.path, headers: r.headers, agent: false as const }
  const request = tls
    ? secure({ ...options, ...(isIP(tls.serverName) ? {} : { servername: tls.serverName }), ...(tls.ca ? { ca: tls.ca } : {}) })
    : plain(options)
  const timer = setTimeout(() => request.destroy(new Error('context deadline exceeded')), r.timeoutMs)
  const fail = (cause: Error) => {
    clearTimeout(timer)
    stream.end(failure(502, 'BadGateway', cause.message))
  }
  request.on('error', fail)
  request.on('response', async (response) => {
    try {
      const headers: Record<string, string> = {}
      for (const [k, v] of Object.entries(response.headers)) if (v !== undefined) headers[k] = Array.isArray(v) ? v.join(', ') : v
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
