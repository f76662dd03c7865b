// A proxy before a database server that counts what goes through, by kind of statement.
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'

export class CountingProxy {
  /** Requests since the last reset. */
  count = 0
  readonly seen: string[] = []
  readonly #server

  private constructor(target: string) {
    this.#server = createServer((req, res) => {
      const parts: Buffer[] = []
      req.on('data', (d) => parts.push(d))
      req.on('end', () => {
        const body = Buffer.concat(parts)
        this.count++
        if (this.seen.length < 50) this.seen.push(`${new Date().toISOString()} ${body.toString().slice(0, 300)}`)
        const onward = request(new URL(req.url ?? '/', target), { method: req.method, headers: req.headers }, (answer) => {
          res.writeHead(answer.statusCode ?? 502, answer.headers)
          answer.pipe(res)
        })
        onward.on('error', () => res.writeHead(502).end())
        onward.end(body)
      })
    })
  }

  static async start(target: string): Promise<CountingProxy> {
    const p = new CountingProxy(target)
    await new Promise<void>((r) => p.#server.listen(0, '127.0.0.1', r))
    return p
  }
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }
  reset(): void {
    this.count = 0
    this.seen.length = 0
  }
  stop(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }
}
