// A lean HTTPS client for measuring: kept-alive connections, one request each at a time, nothing parsed that is not asked for.
import { Agent, request } from 'node:https'

export interface Target {
  url: string
  token: string
}

export interface Client {
  call(method: string, path: string, body?: string, type?: string): Promise<{ status: number; text: string }>
  /** A GET whose body is read to its end and dropped; its length. */
  drain(path: string): Promise<number>
  /** Lines of a watch as they come, but for empty ones; ends with the returned function. */
  watch(path: string, line: (text: string) => void): Promise<() => void>
}

export function client(target: Target, connections: number): Client {
  const agent = new Agent({ keepAlive: true, maxSockets: connections, rejectUnauthorized: false })
  const base = new URL(target.url)
  const options = (method: string, path: string, type?: string, length?: number) => ({
    host: base.hostname,
    port: base.port,
    path,
    method,
    agent,
    headers: {
      authorization: `Bearer ${target.token}`,
      accept: 'application/json',
      ...(length !== undefined ? { 'content-type': type ?? 'application/json', 'content-length': length } : {}),
    },
  })
  return {
    call: (method, path, body, type) =>
      new Promise((resolve, reject) => {
        const req = request(options(method, path, type, body === undefined ? undefined : Buffer.byteLength(body)), (res) => {
          const parts: Buffer[] = []
          res.on('data', (d) => parts.push(d))
          res.on('end', () => resolve({ status: res.statusCode ?? 0, text: Buffer.concat(parts).toString() }))
        })
        req.on('error', reject)
        req.end(body)
      }),
    drain: (path) =>
      new Promise((resolve, reject) => {
        const req = request(options('GET', path), (res) => {
          let n = 0
          res.on('data', (d: Buffer) => {
            n += d.length
          })
          res.on('end', () => ((res.statusCode ?? 500) < 400 ? resolve(n) : reject(new Error(`GET ${path}: ${res.statusCode}`))))
        })
        req.on('error', reject)
        req.end()
      }),
    watch: (path, line) =>
      new Promise((resolve, reject) => {
        const req = request({ ...options('GET', path), agent: new Agent({ rejectUnauthorized: false }) }, (res) => {
          let rest = ''
          res.on('data', (d) => {
            rest += d
            for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
              const text = rest.slice(0, end)
              rest = rest.slice(end + 1)
              if (text) line(text)
            }
          })
          res.on('error', () => {})
          resolve(() => req.destroy())
        })
        req.on('error', reject)
        req.end()
      }),
  }
}

/** Runs `task` from `workers` loops until the time is up; completions per second. */
export async function throughput(workers: number, ms: number, task: (i: number) => Promise<unknown>): Promise<number> {
  let n = 0
  const begun = performance.now()
  const end = begun + ms
  await Promise.all(
    Array.from({ length: workers }, async () => {
      while (performance.now() < end) {
        await task(n++)
      }
    }),
  )
  return (n / (performance.now() - begun)) * 1000
}

export const median = (list: number[]): number => [...list].sort((a, b) => a - b)[list.length >> 1] ?? Number.NaN
