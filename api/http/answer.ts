// Answers: which face of an object the client accepts, and the one place where errors become Status.
import { internalError, notAcceptable, StatusError } from '../../shared/status/index.ts'
import type { Encoding } from '../ports/hub.ts'
import type { Log } from '../ports/log.ts'

export const JSON_TYPE = 'application/json'
const encoder = new TextEncoder()
const cacheControl = { 'cache-control': 'no-cache, private' }

/** The face that the Accept header asks for first among those served. Throws 406. */
export function negotiate(accept: string | undefined): Encoding {
  if (!accept || accept === '*/*') return 'object'
  for (const entry of accept.split(',')) {
    const [type, ...params] = entry
      .trim()
      .split(';')
      .map((p) => p.trim())
    if (type !== JSON_TYPE && type !== '*/*' && type !== 'application/*' && type !== 'application/yaml') continue
    const p = new Map(params.map((x) => x.split('=', 2) as [string, string]))
    const as = p.get('as')
    if (!as) return 'object'
    if (p.get('g') !== 'meta.k8s.io' || p.get('v') !== 'v1') continue
    if (as === 'Table') return 'table'
    if (as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList') return 'partial'
  }
  throw notAcceptable('only the following media types are accepted: application/json, application/yaml')
}

/** UTF-8 as headers carry it: a character for each byte. */
const headerText = (text: string): string => String.fromCharCode(...encoder.encode(text)).replaceAll('\x7f', '?')

/** One warning as its header has it. */
export const warningText = (text: string): string => `299 - ${headerText(JSON.stringify(text.slice(0, 500)))}`

/** From here on compression is worth its time (as upstream: 128 KiB); the platform does it. */
const LARGE = 128 * 1024

export function json(text: string | ReadableStream<Uint8Array>, status = 200, warnings?: string[]): Response {
  const headers: Record<string, string> = { 'content-type': JSON_TYPE, ...cacheControl }
  if (typeof text !== 'string' || text.length > LARGE) headers.vary = 'Accept-Encoding'
  // Several warnings travel in one header, as RFC 7234 lets them.
  if (warnings?.length) headers.warning = warnings.slice(0, 20).map(warningText).join(', ')
  return new Response(text as string, { status, headers })
}

/** Any thrown value as an answer. Unknown errors are logged with their cause and shown to nobody. */
export function errorAnswer(cause: unknown, log: Log, path: string): Response {
  if (cause instanceof StatusError) {
    const r = json(JSON.stringify(cause.toStatus()), cause.code)
    if (cause.details?.retryAfterSeconds) r.headers.set('retry-after', String(cause.details.retryAfterSeconds))
    return r
  }
  log.error('a request failed', cause, { path })
  return json(JSON.stringify(internalError('the request could not be completed; see the server log').toStatus()), 500)
}

/** Texts one after the other, each made when it is taken. */
export const textStream = (texts: AsyncIterator<string>): ReadableStream<Uint8Array> =>
  new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        const next = await texts.next()
        if (next.done) controller.close()
        else controller.enqueue(encoder.encode(next.value))
      },
      cancel: async () => void (await texts.return?.()),
    },
    { highWaterMark: 0 },
  )
