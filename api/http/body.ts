// Reading request bodies: JSON or YAML, bounded in size, with kube-apiserver's messages.
import { parseYaml } from '../../shared/manifests/yaml.ts'
import { decodeProtobuf, ProtobufError } from '../../shared/schema/protobuf.ts'
import { badRequest, StatusError, tooLarge } from '../../shared/status/index.ts'

const MAX_BODY = 3 * 1024 * 1024
const MAX_DEPTH = 500

/** The body's bytes; 413 past three megabytes. */
export async function readBytes(request: Request): Promise<Uint8Array> {
  const length = Number(request.headers.get('content-length') ?? 0)
  if (length > MAX_BODY) throw tooLarge(`the request body is too large: the limit is ${MAX_BODY} bytes`)
  if (length) return new Uint8Array(await request.arrayBuffer())
  if (!request.body) return new Uint8Array()
  const parts: Uint8Array[] = []
  let size = 0
  for await (const chunk of request.body as unknown as AsyncIterable<Uint8Array>) {
    size += chunk.length
    if (size > MAX_BODY) throw tooLarge(`the request body is too large: the limit is ${MAX_BODY} bytes`)
    parts.push(chunk)
  }
  return parts.length === 1 ? parts[0]! : concat(parts, size)
}

/** The body as text; 413 past three megabytes. */
export async function readText(request: Request): Promise<string> {
  const length = Number(request.headers.get('content-length') ?? 0)
  if (length && length <= MAX_BODY) return request.text()
  return new TextDecoder().decode(await readBytes(request))
}

function concat(parts: Uint8Array[], size: number): Uint8Array {
  const out = new Uint8Array(size)
  let at = 0
  for (const p of parts) {
    out.set(p, at)
    at += p.length
  }
  return out
}

const yamlTypes = ['application/yaml', 'application/x-yaml', 'text/yaml', 'application/apply-patch+yaml']

/** Parses by content type; `kind` names what was expected in the message. */
export function parseBody(text: string, contentType: string, kind: string): unknown {
  const type = contentType.split(';')[0]!.trim()
  if (type === 'application/cbor')
    throw new StatusError(
      415,
      'UnsupportedMediaType',
      `the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf`,
      {},
    )
  if (yamlTypes.includes(type)) {
    const trimmed = text.trimStart()
    if (!trimmed.startsWith('{'))
      try {
        if (bracketsDeep(text)) throw new Error('exceeded max depth')
        return shallow(parseYaml(text), text)
      } catch (cause) {
        throw badRequest(`error decoding YAML: ${(cause as Error).message.split('\n')[0]}`)
      }
  }
  if (nestedDeep(text)) throw tooDeep()
  try {
    return JSON.parse(text)
  } catch {
    throw badRequest(
      `the object provided is unrecognized (must be of type ${kind}): couldn't get version/kind; json parse error: ${goJsonError(text)} (${preview(text)})`,
    )
  }
}

const tooDeep = () => badRequest('the body of the request is nested too deeply: exceeded max depth')

const [QUOTE, BACKSLASH, OPEN_LIST, CLOSE_LIST, OPEN, CLOSE] = [...'"\\[]{}'].map((c) => c.charCodeAt(0)) as [
  number,
  number,
  number,
  number,
  number,
  number,
]

/** Whether JSON is nested beyond any sense: it would overflow whoever walks it. Told by its text, before anything is made of it. */
function nestedDeep(text: string): boolean {
  // Short texts cannot be.
  if (text.length < 2 * MAX_DEPTH) return false
  let depth = 0
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (c === QUOTE) {
      // To the end of the string: a quote that no odd number of backslashes stands before.
      for (;;) {
        i = text.indexOf('"', i + 1)
        if (i < 0) return false
        let slashes = 0
        while (text.charCodeAt(i - 1 - slashes) === BACKSLASH) slashes++
        if (slashes % 2 === 0) break
      }
    } else if (c === OPEN || c === OPEN_LIST) {
      if (++depth > MAX_DEPTH) return true
    } else if (c === CLOSE || c === CLOSE_LIST) depth--
  }
  return false
}

/** Brackets within brackets: YAML's reader takes long to find that there are too many. Quotes are not looked at. */
function bracketsDeep(text: string): boolean {
  let depth = 0
  for (const [c] of text.matchAll(/[[\]{}]/g)) {
    depth += c === '[' || c === '{' ? 1 : -1
    if (depth > MAX_DEPTH) return true
  }
  return false
}

/** The same of what was read from YAML, whose nesting its text does not tell. */
function shallow<T>(value: T, text: string): T {
  if (text.length < 2 * MAX_DEPTH) return value
  let level: unknown[] = [value]
  for (let depth = 0; level.length; depth++) {
    if (depth > MAX_DEPTH) throw tooDeep()
    level = level.flatMap((v) =>
      typeof v === 'object' && v !== null ? Object.values(v).filter((x) => typeof x === 'object' && x !== null) : [],
    )
  }
  return value
}

/** Go's words for the commonest fault; others keep the engine's. */
function goJsonError(text: string): string {
  try {
    JSON.parse(text)
  } catch (cause) {
    const message = (cause as Error).message
    const at = /position (\d+)/.exec(message)
    if (/Unexpected end/i.test(message) || (at && Number(at[1]) >= text.trimEnd().length)) return 'unexpected end of JSON input'
    const c = at && text[Number(at[1])]
    return c ? `invalid character ${JSON.stringify(c).replaceAll('"', "'")} looking for beginning of value` : message
  }
  return ''
}

const preview = (text: string) =>
  text.length > 30 ? `${[...new TextEncoder().encode(text.slice(0, 30))].map((b) => b.toString(16).padStart(2, '0')).join('')} ...` : text

/** The parsed body of a request, whatever type it has; undefined when there is none. */
export async function readBody(request: Request, kind: string): Promise<any> {
  const contentType = request.headers.get('content-type') ?? 'application/json'
  if (contentType.startsWith('application/vnd.kubernetes.protobuf')) {
    const bytes = await readBytes(request)
    if (!bytes.length) return undefined
    try {
      return decodeProtobuf(bytes)
    } catch (cause) {
      if (cause instanceof ProtobufError)
        throw badRequest(`the object provided is unrecognized (must be of type ${kind}): ${cause.message}`)
      throw cause
    }
  }
  const text = await readText(request)
  return text ? parseBody(text, contentType, kind) : undefined
}
