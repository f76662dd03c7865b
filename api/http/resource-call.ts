// A request for a resource once it is known who asks, from its path to its answer. Whoever has the cluster can answer one: this thread, or another.
import type { Kind } from '../../shared/kinds/kind.ts'
import type { Cluster } from '../cluster.ts'
import type { Connection } from '../ports/socket.ts'
import type { Identity } from '../registry/context.ts'
import { errorAnswer } from './answer.ts'
import { asJson, withProtobuf } from './protobuf.ts'
import { isTrue, parseResourcePath, type ResourceRequest } from './request.ts'
import { handleResource, isStoredWrite } from './resource.ts'

export interface ResourceCall {
  group: string
  version: string
  /** The path behind the version. */
  segments: string[]
  request: Request
  user: Identity
  connection: Connection
  /** Filled with what admission has to say for the audit log, where there is one. */
  annotations?: Record<string, string>
  /** The traceparent of what it is part of, where it is traced. */
  trace?: string
}

/** Somebody else who takes the writes that would hold up everybody here. */
export interface Aside {
  /** The answer, or undefined where the write had better be answered here. The request's body is untouched then. */
  answer(call: ResourceCall, r: ResourceRequest, weight: number): Promise<Response> | undefined
  /** Told what the expressions cost that an object was held to. */
  cost(r: ResourceRequest, cost: number): void
}

/** How many times as long as JSON of the same length something takes to read. */
const YAML_WEIGHT = 8
const JSON_PATCH_WEIGHT = 16
/** Definitions and policies: their expressions are compiled. */
const EXPRESSIONS_WEIGHT = 8
const expressive = new Set(['apiextensions.k8s.io', 'admissionregistration.k8s.io'])

/** How much work a write will be, in bytes of plain JSON; of unknown length, as much as can be. */
function weightOf(kind: Kind, headers: Headers): number {
  const length = headers.get('content-length')
  if (length === null && headers.get('transfer-encoding') === null) return 0
  const type = headers.get('content-type') ?? ''
  // Clients say that applied configurations are YAML, and send JSON.
  const slowly = type.includes('json-patch') ? JSON_PATCH_WEIGHT : /^(application|text)\/(x-)?yaml/.test(type) ? YAML_WEIGHT : 1
  return Number(length ?? Number.POSITIVE_INFINITY) * slowly * (expressive.has(kind.group) ? EXPRESSIONS_WEIGHT : 1)
}

/** Throws StatusErrors. */
export async function answerResource(cluster: Cluster, call: ResourceCall, aside?: Aside): Promise<Response> {
  const { request, user, connection, annotations } = call
  const r = parseResourcePath(cluster.env.kinds, call.group, call.version, call.segments)
  const write = aside && isStoredWrite(request.method, r)
  const elsewhere = write ? aside.answer(call, r, weightOf(r.kind, request.headers)) : undefined
  if (elsewhere) return elsewhere
  const { url } = request
  const at = url.indexOf('?')
  const query = new URLSearchParams(at < 0 ? '' : url.slice(at + 1))
  const id = request.headers.get('x-request-id')
  const by = JSON.stringify({
    user: user.username,
    ...(connection.address ? { from: connection.address } : {}),
    ...(id ? { request: id } : {}),
    ...(call.trace ? { trace: call.trace } : {}),
  })
  const ctx = { user, by, warnings: [], cost: 0, ...(annotations ? { annotations } : {}) }
  const handle = (asked: Request) => handleResource({ cluster, request: asked, r, query, user, ctx, connection })
  try {
    const accept = asJson(request.headers.get('accept') ?? undefined)
    if (accept === undefined) return await handle(request)
    const watch = isTrue(query.get('watch')) || call.segments[0] === 'watch'
    return await withProtobuf(request, accept, r.kind, watch, (asked) =>
      handle(asked).catch((e) => errorAnswer(e, cluster.log, new URL(url).pathname)),
    )
  } finally {
    if (write && ctx.cost) aside.cost(r, ctx.cost)
  }
}
