// One JSON request to a control plane, trusting its own CA.
import { createWriteStream, renameSync, rmSync } from 'node:fs'
import { request as httpsRequest } from 'node:https'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
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
  const stream = body instanceof Readable ? body : undefined
  const data = body === undefined || stream ? undefined : JSON.stringify(body)
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
          ...(data ? { 'content-type': headers['content-type'] ?? 'application/json', 'content-length': Buffer.byteLength(data) } : {}),
        },
        timeout: stream ? 0 : 15_000,
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
    if (stream) stream.pipe(req)
    else req.end(data)
  })
}

/** A GET whose answer is written to a file as it comes, for the user's eyes alone; its length. Nothing is left behind when it breaks. */
export async function download(access: Access, path: string, file: string): Promise<number> {
  const next = `${file}.part`
  try {
    const size = await new Promise<number>((resolve, reject) => {
      const headers = { ...(access.token ? { authorization: `Bearer ${access.token}` } : {}) }
      const req = httpsRequest(under(access.server, path), { ...(access.ca ? { ca: access.ca } : {}), headers }, (res) => {
        if (res.statusCode !== 200) {
          let text = ''
          res.on('data', (d) => {
            text += d
          })
          res.on('end', () => reject(new Error(messageOf(text) ?? `${path} got ${res.statusCode}`)))
          return
        }
        const out = createWriteStream(next, { mode: 0o600 })
        pipeline(res, out).then(() => resolve(out.bytesWritten), reject)
      })
      req.on('error', (cause) => reject(new Error(`cannot reach ${access.server}: ${cause.message}`)))
      req.end()
    })
    renameSync(next, file)
    return size
  } finally {
    rmSync(next, { force: true })
  }
}

function messageOf(text: string): string | undefined {
  try {
    return JSON.parse(text).message
  } catch {
    return text.trim() || undefined
  }
}
