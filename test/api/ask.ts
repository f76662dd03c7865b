// Plain requests to an API, with whatever code it answers.
import { type Agent, request } from 'node:https'

export interface Answer {
  code: number
  body: any
}

export const ask =
  (url: string, token: string, agent: Agent) =>
  (method: string, path: string, body?: unknown, accept = 'application/json', type = 'application/json'): Promise<Answer> =>
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
              resolve({ code: res.statusCode ?? 0, body: JSON.parse(text) })
            } catch {
              reject(new Error(`${method} ${path}: ${res.statusCode} ${text.slice(0, 300)}`))
            }
          })
        },
      )
      req.on('error', reject)
      req.end(data)
    })
