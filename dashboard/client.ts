// Requests of the dashboard: to the cluster that it was loaded from, as whoever is signed in. Knows nothing of what is shown.
import { toBase64Url } from '../shared/meta/base64.ts'
import { currentToken, signedOut } from './session.ts'

/** What the paths of the cluster begin with: `/clusters/NAME` on a host, else nothing. */
export const base = location.pathname.replace(/\/ui(\/.*)?$/, '')

/** The API said no, or nothing. `code` is 0 where it could not be reached. */
export class ApiError extends Error {
  readonly code: number
  readonly status: any

  constructor(code: number, message: string, status?: any) {
    super(message)
    this.code = code
    this.status = status
  }
}

export interface CallOptions {
  query?: Record<string, string>
  body?: unknown
  /** Of the body; JSON otherwise. */
  type?: string
  accept?: string
  signal?: AbortSignal
}

const pathWith = (path: string, query: Record<string, string> = {}): string => {
  const text = new URLSearchParams(query).toString()
  return `${base}${path}${text ? `?${text}` : ''}`
}

/** The answer of a request that went well. Rejects with an ApiError; whoever is not known any more is signed out. */
export async function request(method: string, path: string, o: CallOptions = {}): Promise<Response> {
  const token = await currentToken()
  const response = await fetch(pathWith(path, o.query), {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      accept: o.accept ?? 'application/json',
      ...(o.body === undefined ? {} : { 'content-type': o.type ?? 'application/json' }),
    },
    ...(o.body === undefined ? {} : { body: JSON.stringify(o.body) }),
    ...(o.signal ? { signal: o.signal } : {}),
  }).catch((cause) => {
    if (o.signal?.aborted) throw cause
    throw new ApiError(0, 'The cluster cannot be reached.')
  })
  if (response.ok) return response
  const text = await response.text()
  let status: any
  try {
    status = JSON.parse(text)
  } catch {
    // Not every refusal is a Status.
  }
  const message = status?.message ?? (text.trim() || `the answer was ${response.status}`)
  if (response.status === 401) signedOut('You are signed out: the token is not accepted any more.')
  throw new ApiError(response.status, message, status)
}

/** The JSON of an answer. */
export const call = async (method: string, path: string, o: CallOptions = {}): Promise<any> => (await request(method, path, o)).json()

/** A socket to the cluster; the token goes along as one of its protocols. */
export async function openSocket(path: string, query: Record<string, string> | URLSearchParams, protocol: string): Promise<WebSocket> {
  const token = await currentToken()
  const url = new URL(`${base}${path}?${new URLSearchParams(query)}`, location.href)
  url.protocol = url.protocol.replace('http', 'ws')
  return new WebSocket(url, [protocol, `base64url.bearer.authorization.k8s.io.${toBase64Url(new TextEncoder().encode(token))}`])
}
