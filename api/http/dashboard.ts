// What a browser fetches to become the dashboard: the files under /ui, of the cluster that is there or of /clusters/NAME, for everybody; nothing in them is of a
// cluster. And the way to sign in at the OIDC provider, which a page cannot go by itself where the provider lets no other origin in.
import { badRequest, notFound, StatusError, unavailable } from '../../shared/status/index.ts'
import type { Oidc } from '../auth/oidc.ts'
import type { Log } from '../ports/log.ts'
import { errorAnswer, json } from './answer.ts'
import { readText } from './body.ts'

export interface DashboardOptions {
  /** Where people sign in, if anywhere; asked for when somebody does. */
  oidc(): Oidc | undefined
  /** Whether there are many clusters behind this address. */
  hosted?: boolean
  log: Log
}

/** Whose path is the dashboard's: nearly no request's, and each is held to it. */
const ADDRESS = /^https?:\/\/[^/]+(?:(\/)|((?:\/clusters\/[^/?]+)?\/ui)(\/[^?]*)?)(?:\?|$)/
/** What scripts of the page may do, were somebody to bring one in: nothing beyond this server. Editor and terminal write style elements. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
const MAX_BODY = 16 * 1024
/** Sign-ins under way: each is a request to the provider. */
const MOST_AT_ONCE = 16
let underWay = 0

const decoded = new Map<string, Uint8Array<ArrayBuffer>>()
function bytesOf(name: string, base64: string): Uint8Array<ArrayBuffer> {
  let bytes = decoded.get(name)
  if (!bytes) {
    bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))
    decoded.set(name, bytes)
  }
  return bytes
}

async function file(name: string, request: Request): Promise<Response> {
  // Half a megabyte that most servers are never asked for.
  const { files, tag } = await import('../../dashboard/dist/files.ts')
  const found = Object.hasOwn(files, name) ? files[name] : undefined
  if (!found) throw notFound({ group: '', resource: 'ui', name })
  const isPage = name === 'index.html'
  const etag = `"${tag}"`
  const headers: Record<string, string> = {
    'content-type': found.type,
    // A file's name changes with what is in it; the page's does not.
    'cache-control': isPage ? 'no-cache' : 'public, max-age=31536000, immutable',
    vary: 'Accept-Encoding',
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'content-security-policy': POLICY,
    ...(isPage ? { etag } : {}),
  }
  if (isPage && request.headers.get('if-none-match') === etag) return new Response(null, { status: 304, headers })
  const bytes = bytesOf(name, found.gzip)
  if (/\bgzip\b/.test(request.headers.get('accept-encoding') ?? ''))
    return new Response(request.method === 'HEAD' ? null : bytes, {
      headers: { ...headers, 'content-encoding': 'gzip', 'content-length': String(bytes.length) },
      encodeBody: 'manual',
    })
  const body = request.method === 'HEAD' ? null : new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'))
  return new Response(body, { headers })
}

async function signIn(o: DashboardOptions, request: Request): Promise<Response> {
  const oidc = o.oidc()
  const way = await oidc?.wayIn().catch(() => undefined)
  if (request.method === 'GET') return json(JSON.stringify({ ...(way ? { oidc: way } : {}), hosted: o.hosted ?? false }))
  if (!oidc) throw notFound({ group: '', resource: 'ui', name: 'sign-in' })
  const text = await readText(request)
  if (text.length > MAX_BODY) throw badRequest('the sign-in is too long')
  let asked: { code?: string; verifier?: string; redirectUri?: string; refreshToken?: string }
  try {
    asked = JSON.parse(text)
  } catch {
    throw badRequest('the sign-in is no JSON')
  }
  const grant: Record<string, string> = asked?.refreshToken
    ? { grant_type: 'refresh_token', refresh_token: String(asked.refreshToken) }
    : {
        grant_type: 'authorization_code',
        code: String(asked?.code ?? ''),
        code_verifier: String(asked?.verifier ?? ''),
        redirect_uri: String(asked?.redirectUri ?? ''),
      }
  if (underWay >= MOST_AT_ONCE)
    throw new StatusError(429, 'TooManyRequests', 'too many sign in at once, please try again later', { retryAfterSeconds: 1 })
  underWay++
  try {
    const tokens = await oidc.trade(grant)
    if (tokens === 'away') throw unavailable('the sign-in provider cannot be reached')
    if (!tokens) throw new StatusError(401, 'Unauthorized', 'the sign-in provider did not accept this')
    const { headers } = json('')
    headers.set('cache-control', 'no-store')
    return new Response(JSON.stringify(tokens), { headers })
  } finally {
    underWay--
  }
}

/** The answer, where the request is for the dashboard; undefined for all others. */
export async function dashboard(o: DashboardOptions, request: Request): Promise<Response | undefined> {
  const at = ADDRESS.exec(request.url)
  if (!at) return undefined
  const [, isRoot, ui = '', rest] = at
  const reads = request.method === 'GET' || request.method === 'HEAD'
  // Whoever types the server's name into a browser wants to see something.
  if (isRoot)
    return reads && request.headers.get('accept')?.includes('text/html')
      ? new Response(null, { status: 302, headers: { location: '/ui/' } })
      : undefined
  try {
    if (rest === undefined) return new Response(null, { status: 308, headers: { location: `${ui}/` } })
    const name = rest.slice(1) || 'index.html'
    if (name === 'sign-in' && (request.method === 'GET' || request.method === 'POST')) return await signIn(o, request)
    if (!reads) throw new StatusError(405, 'MethodNotAllowed', 'the dashboard is read')
    return await file(name, request)
  } catch (cause) {
    return errorAnswer(cause, o.log, ui)
  }
}
