// Clients that accept Kubernetes' protobuf and nothing else. Answers are made as JSON, which costs nothing for stored objects, and encoded on
// their way out; whoever takes JSON too gets JSON.
import { apiVersionOf } from '../../shared/kinds/index.ts'
import type { Kind } from '../../shared/kinds/kind.ts'
import { hasMessage } from '../../shared/schema/protobuf.ts'
import { encodeProtobuf, encodeWatchEvent } from '../../shared/schema/protobuf-encode.ts'
import { notAcceptable } from '../../shared/status/index.ts'

const PROTOBUF = 'application/vnd.kubernetes.protobuf'
const MAX_LINE = 64 * 1024 * 1024

/** The Accept header to answer by, when the client's own asks for protobuf alone; undefined when it takes JSON. */
export function asJson(accept: string | undefined): string | undefined {
  if (!accept?.includes(PROTOBUF)) return undefined
  const entries = accept.split(',').map((e) => e.trim())
  const types = entries.map((e) => e.split(';')[0]!.trim())
  if (types.some((t) => t === 'application/json' || t === '*/*' || t === 'application/*')) return undefined
  const ours = entries
    .filter((e) => e.startsWith(PROTOBUF))
    .map((e) => e.replace(PROTOBUF, 'application/json').replace(/;\s*stream=watch/, ''))
  const there = ours.filter((e) => !e.includes('as=Table'))
  if (!there.length) throw refused()
  return there.join(',')
}

const refused = (): Error => notAcceptable('only the following media types are accepted: application/json, application/yaml')

/** Answers by `handle` as if JSON were asked for, and hands out protobuf. Throws 406 for kinds that have none. */
export async function withProtobuf(
  request: Request,
  accept: string,
  kind: Kind,
  watch: boolean,
  handle: (request: Request) => Promise<Response>,
): Promise<Response> {
  if (kind.custom || !hasMessage(apiVersionOf(kind), kind.kind)) throw refused()
  const headers = new Headers(request.headers)
  headers.set('accept', accept)
  return inProtobuf(await handle(new Request(request, { headers })), watch)
}

/** Lines of JSON events as frames. */
function frames(): TransformStream<Uint8Array, Uint8Array> {
  const decoder = new TextDecoder()
  let rest = ''
  return new TransformStream({
    transform(chunk, controller) {
      rest += decoder.decode(chunk, { stream: true })
      const lines = rest.split('\n')
      rest = lines.pop()!
      if (rest.length > MAX_LINE) throw new Error('an event is too long')
      for (const line of lines) {
        // Empty lines keep the connection alive; frames have nothing of the kind.
        if (!line) continue
        const { type, object } = JSON.parse(line)
        controller.enqueue(encodeWatchEvent(type, object))
      }
    },
  })
}

/** A JSON answer as protobuf. */
async function inProtobuf(answer: Response, watch: boolean): Promise<Response> {
  const type = answer.headers.get('content-type') ?? ''
  if (!type.startsWith('application/json') || !answer.body) return answer
  const headers = new Headers(answer.headers)
  if (watch && answer.status === 200) {
    headers.set('content-type', `${PROTOBUF};stream=watch`)
    return new Response(answer.body.pipeThrough(frames()), { status: answer.status, headers })
  }
  headers.set('content-type', PROTOBUF)
  headers.delete('content-length')
  return new Response(encodeProtobuf(await answer.json()) as BodyInit, { status: answer.status, headers })
}
