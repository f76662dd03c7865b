// The OIDC provider of a Node server, behind a CA of its own if need be.
import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { checkOidc, Oidc, type OidcSettings } from '../../auth/oidc.ts'
import { stderrLog, systemClock } from './ports.ts'

export interface OidcOptions extends OidcSettings {
  /** The CA that the provider is under, where it is not a public one. */
  caFile?: string
}

/** Requests through a CA: Node's fetch cannot be given one. */
const throughCa =
  (ca: string): typeof fetch =>
  (input, init) =>
    new Promise((resolve, reject) => {
      const url = typeof input === 'string' || input instanceof URL ? input : input.url
      const headers = Object.fromEntries(new Headers(init?.headers))
      const req = request(url, { ca, headers, method: init?.method ?? 'GET', ...(init?.signal ? { signal: init.signal } : {}) }, (res) => {
        const parts: Buffer[] = []
        res.on('data', (d) => parts.push(d))
        res.on('error', reject)
        res.on('end', () => resolve(new Response(Buffer.concat(parts), { status: res.statusCode ?? 500 })))
      })
      req.on('error', reject)
      req.end(init?.body as string | undefined)
    })

export function openOidc({ caFile, ...settings }: OidcOptions): Oidc {
  checkOidc(settings)
  return new Oidc(settings, systemClock, stderrLog, ...(caFile ? [throughCa(readFileSync(caFile, 'utf8'))] : []))
}
