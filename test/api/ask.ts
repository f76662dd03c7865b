// Plain requests to an API, with whatever code it answers.
import { type Agent, request } from 'node:https'

interface Answer {
  code: number
  body: any
  /** The texts of the Warning headers. */
  warnings: string[]
}

export type Ask = (method: string, path: string, body?: unknown, accept?: string, type?: string) => Promise<Answer>

const warningsOf = (header: string | undefined): string[] =>
  [...(header ?? '').matchAll(/299 \S+ ("(?:[^"\\]|\\.)*")/g)].map((m) => JSON.parse(m[1]!))

export const ask =
  (url: string, token: string, agent: Agent): Ask =>
  (method, path, body, accept = 'application/json', type = 'application/json') =>
    new Promise((resolve, reject) => {
      const data = body === undefined ? undefined : JSON.stringify(body)
      const req = request(
        `${url}${path}`,
        { method, agent, headers: { authorization: `Bearer ${token}`, accept, ...(data ? { 'content-type': type } : {}) } },
        (res) => {
          const parts: Buffer[] = []
          res.on('data', (d: Buffer) => parts.push(d))
          res.on('end', () => {
            const text = Buffer.concat(parts).toString()
            try {
              resolve({ code: res.statusCode ?? 0, body: JSON.parse(text), warnings: warningsOf(res.headers.warning) })
            } catch {
              reject(new Error(`${method} ${path}: ${res.statusCode} ${text.slice(0, 300)}`))
            }
          })
        },
      )
      req.on('error', reject)
      req.end(data)
    })
