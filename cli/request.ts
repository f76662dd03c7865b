// One JSON request to a control plane, trusting its own CA.
import { request as httpsRequest } from 'node:https'
import { under } from '../shared/meta/url.ts'
import type { Access } from './kubeconfig.ts'

/** The parsed answer. Throws with the server's message on a Status, and with what to check when nothing answers. */
export function apiRequest(
  access: Access,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<any> {
  const url = under(access.server, path)
  const data = body === undefined ? undefined : JSON.stringify(body)
  return new Promise((resolve, reject) => {
    const req = httpsRequest(
      url,
      {
        method,
        ...(access.ca ? { ca: access.ca } : {}),
        headers: {
          accept: 'application/json',
          ...headers,
          ...(access.token ? { authorization: `Bearer ${access.token}` } : {}),
          ...(data ? { 'content-type': 'application/json', 'content-length': Buffer.byteLength(data) } : {}),
        },
        timeout: 15_000,
      },
      (res) => {
        const parts: Buffer[] = []
        res.on('data', (d) => parts.push(d))
        res.on('end', () => {
          const text = Buffer.concat(parts).toString()
          let value: any = text
          try {
            value = JSON.parse(text)
          } catch {
            // Health checks answer in plain text.
          }
          if ((res.statusCode ?? 500) < 400) resolve(value)
          else
            reject(
              Object.assign(new Error(value?.message ?? text.trim() ?? `${method} ${path} got ${res.statusCode}`), {
                code: res.statusCode,
              }),
            )
        })
      },
    )
    req.on('timeout', () => req.destroy(new Error('no answer in 15 s')))
    req.on('error', (cause: NodeJS.ErrnoException) => {
      const untrusted = /^(SELF_SIGNED|UNABLE_TO_VERIFY|DEPTH_ZERO|CERT_UNTRUSTED)/.test(cause.code ?? '')
      reject(
        new Error(
          untrusted
            ? `${access.server} is not under a CA that is trusted here: give its CA with --ca-file, or check the address`
            : `cannot reach ${access.server}: ${cause.message}`,
        ),
      )
    })
    req.end(data)
  })
}
