// A proxy before a database server that counts what goes through. In a thread of its own: the tests block theirs while kubectl runs.
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parentPort, Worker, workerData } from 'node:worker_threads'

const KEPT = 50

if (parentPort && workerData?.countingProxy) {
  const { target, counter } = workerData.countingProxy as { target: string; counter: Int32Array }
  const server = createServer((req, res) => {
    const parts: Buffer[] = []
    req.on('data', (d) => parts.push(d))
    req.on('end', () => {
      const body = Buffer.concat(parts)
      Atomics.add(counter, 0, 1)
      parentPort!.postMessage({ seen: `${new Date().toISOString()} ${body.toString().slice(0, 300)}` })
      const onward = request(new URL(req.url ?? '/', target), { method: req.method, headers: req.headers }, (answer) => {
        res.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(res)
      })
      onward.on('error', () => res.writeHead(502).end())
      onward.end(body)
    })
  })
  server.listen(0, '127.0.0.1', () => parentPort!.postMessage({ port: (server.address() as AddressInfo).port }))
}

export class CountingProxy {
  readonly #worker: Worker
  readonly #counter: Int32Array
  /** The first requests since the last reset. */
  readonly seen: string[] = []
  url = ''

  private constructor(worker: Worker, counter: Int32Array) {
    this.#worker = worker
    this.#counter = counter
  }

  static async start(target: string): Promise<CountingProxy> {
    const counter = new Int32Array(new SharedArrayBuffer(4))
    const worker = new Worker(new URL(import.meta.url), { workerData: { countingProxy: { target, counter } } })
    const p = new CountingProxy(worker, counter)
    await new Promise<void>((resolve, reject) => {
      worker.once('error', reject)
      worker.on('message', (m: { port?: number; seen?: string }) => {
        if (m.seen && p.seen.length < KEPT) p.seen.push(m.seen)
        if (!m.port) return
        p.url = `http://127.0.0.1:${m.port}`
        resolve()
      })
    })
    return p
  }
  /** Requests since the last reset. */
  get count(): number {
    return Atomics.load(this.#counter, 0)
  }
  reset(): void {
    Atomics.store(this.#counter, 0, 0)
    this.seen.length = 0
  }
  async stop(): Promise<void> {
    await this.#worker.terminate()
  }
}
