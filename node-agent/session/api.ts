// Requests to the API as this node: one kept-alive agent, a fresh assertion each, answers parsed, Status errors thrown with their code.
import { Agent, request } from 'node:https'
import { under } from '../../shared/meta/url.ts'
import type { Identity } from './identity.ts'

export class ApiError extends Error {
  readonly code: number
  readonly reason: string
  constructor(code: number, reason: string, message: string) {
    super(message)
    this.code = code
    this.reason = reason
  }
}

export interface Api {
  /** Throws ApiError; code 0 when the server could not be reached. */
  call(method: string, path: string, body?: unknown, contentType?: string): Promise<any>
}

export function createApi(identity: Identity): Api {
  const agent = new Agent({ keepAlive: true, maxSockets: 16 })
  const once = async (method: string, path: string, data: string | undefined, contentType: string): Promise<any> => {
    const token = await identity.assertion()
    return new Promise((resolve, reject) => {
      const req = request(
        under(identity.server, path),
        {
          method,
          agent,
          ...(identity.ca ? { ca: identity.ca } : {}),
          timeout: 20_000,
          headers: {
            authorization: `Bearer ${token}`,
            'user-agent': 'kedge-node',
            accept: 'application/json',
            ...(data ? { 'content-type': contentType, 'content-length': Buffer.byteLength(data) } : {}),
          },
        },
        (res) => {
          if (res.statusCode === 401) identity.doubted(res.headers.date)
          const parts: Buffer[] = []
          res.on('data', (d) => parts.push(d))
          res.on('error', (cause) => reject(new ApiError(0, 'Unreachable', cause.message)))
          res.on('end', () => {
            let value: any
            try {
              value = JSON.parse(Buffer.concat(parts).toString() || '{}')
            } catch {
              value = { message: 'the answer was no JSON' }
            }
            if ((res.statusCode ?? 500) < 400) resolve(value)
            else reject(new ApiError(res.statusCode ?? 500, value.reason ?? '', value.message ?? ''))
          })
        },
      )
      req.on('timeout', () => req.destroy(new Error('no answer in 20 s')))
      req.on('error', (cause) => reject(new ApiError(0, 'Unreachable', cause.message)))
      req.end(data)
    })
  }
  return {
    call: async (method, path, body, contentType = 'application/json') => {
      const data = body === undefined ? undefined : JSON.stringify(body)
      try {
        return await once(method, path, data, contentType)
      } catch (cause) {
        // Nothing was done: the next assertion is by the server's clock.
        if ((cause as ApiError).code !== 401) throw cause
        return once(method, path, data, contentType)
      }
    },
  }
}
