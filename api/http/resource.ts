// One request for a stored resource: authorize, then the verb's handler. Subresources with a life of their own are in files beside this one.

import { apiVersionOf, resourceOf } from '../../shared/kinds/index.ts'
import { storedKindOf } from '../../shared/kinds/table.ts'
import { dictionary } from '../../shared/meta/dictionary.ts'
import { DecodeError, decode } from '../../shared/schema/decode.ts'
import { schemaOf } from '../../shared/schema/types.ts'
import { badRequest, invalid, notFound, StatusError } from '../../shared/status/index.ts'
import type { Cluster } from '../cluster.ts'
import type { Rider } from '../ports/database.ts'
import type { Connection } from '../ports/socket.ts'
import { decodeBody, encodeBody, inVersion, type Outcome, objectText, outcomeText } from '../registry/codec.ts'
import type { Identity, RequestContext } from '../registry/context.ts'
import { readAs } from '../registry/conversion.ts'
import { create } from '../registry/create.ts'
import { decodeObject } from '../registry/decode.ts'
import { type DeleteOptions, keyFor, remove } from '../registry/delete.ts'
import { type PatchType, patch, serverSideApply } from '../registry/patch.ts'
import { partial, table } from '../registry/table.ts'
import { type Part, update } from '../registry/update.ts'
import { subjectOf } from '../registry/validate.ts'
import { json, negotiate, warningText } from './answer.ts'
import { bind } from './binding.ts'
import { parseBody, readBody, readText } from './body.ts'
import { componentStatuses } from './component-status.ts'
import { evict } from './eviction.ts'
import { difference, pastObject } from './history.ts'
import { list, watch } from './list.ts'
import { nodeLease } from './node-lease.ts'
import { podExec, podPortForward } from './pod-exec.ts'
import { podLog } from './pod-log.ts'
import { proxy } from './proxy.ts'
import { attributesOf, integerParam, isTrue, methodRefused, type ResourceRequest, verbOf, writeOptions } from './request.ts'
import { review } from './reviews.ts'
import { getScale, writeScale } from './scale.ts'
import { createToken } from './token.ts'
import { usage } from './usage.ts'
import { overSocket } from './watch-socket.ts'

export interface Asked {
  cluster: Cluster
  request: Request
  r: ResourceRequest
  verb: string
  query: URLSearchParams
  user: Identity
  ctx: RequestContext
  connection: Connection
}

const patchTypes: Record<string, PatchType | 'apply'> = dictionary({
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
  'application/apply-patch+yaml': 'apply',
})

/** Answers a request whose path names a served resource; of deprecated ones it is told with every answer. Throws StatusErrors. */
export async function handleResource(a: Omit<Asked, 'verb'>): Promise<Response> {
  const response = await handle(a)
  if (a.r.kind.deprecation) response.headers.append('warning', warningText(a.r.kind.deprecation))
  return response
}

async function handle(a: Omit<Asked, 'verb'>): Promise<Response> {
  const { cluster, request, r, query, user } = a
  const verb = verbOf(request.method, r, query)
  const accept = request.headers.get('accept') ?? undefined
  const past = query.has('at') || query.has('diff')
  if (past && verb !== 'get' && verb !== 'list') throw badRequest('at and diff are for reads')
  // Rights ride with the read of the present alone: the past takes several.
  const reads = (verb === 'get' || verb === 'list') && !past && !r.kind.virtual && (!r.subresource || hasBody(r))
  const rider = reads ? await cluster.authorizer.requireRiding(user, attributesOf(r, verb)) : undefined
  if (!reads) await cluster.authorizer.require(user, attributesOf(r, verb))
  const asked: Asked = { ...a, verb }
  if (r.kind.virtual) return virtual(asked)
  if (r.subresource && !hasBody(r)) return subresource(asked)
  switch (verb) {
    case 'list':
      return list(cluster, r, query, accept, rider)
    case 'watch':
      return overSocket(a.connection, await watch(cluster, r, query, accept ?? query.get('accept') ?? undefined))
    case 'get':
      return get(asked, accept, rider)
    case 'create':
      return write(asked, 201, async (options) => create(cluster.env, r.kind, r.namespace ?? '', await body(asked), options, asked.ctx))
    case 'update':
      return write(asked, 200, async (options) => update(cluster.env, r.kind, key(asked), part(r), await body(asked), options, asked.ctx))
    case 'patch':
      return patchResource(asked)
    case 'delete':
      return deleteOne(asked)
    default:
      return deleteCollection(asked)
  }
}

export const key = ({ r }: Pick<Asked, 'r'>) => keyFor(r.kind, r.namespace ?? '', r.name!)
/** Subresources that are the object itself, of which they change a part. */
const hasBody = (r: ResourceRequest): boolean =>
  r.subresource === 'status' || r.subresource === 'finalize' || !!r.kind.subresources?.[r.subresource ?? '']?.part
const writes = new Set(['POST', 'PUT', 'PATCH'])
/** Whether a request has a stored object written, or a part of one. */
export const isStoredWrite = (method: string, r: ResourceRequest): boolean =>
  writes.has(method) && !r.kind.virtual && (!r.subresource || hasBody(r))
const part = (r: ResourceRequest): Part => (hasBody(r) ? (r.subresource as Part) : 'main')
export const body = async ({ request, r }: Pick<Asked, 'request' | 'r'>): Promise<unknown> => readBody(request, r.kind.kind)

async function write(a: Asked, status: number, run: (options: ReturnType<typeof writeOptions>) => Promise<Outcome>): Promise<Response> {
  const what = a.verb === 'create' ? 'CreateOptions' : a.verb === 'patch' ? 'PatchOptions' : 'UpdateOptions'
  const outcome = await run(writeOptions(a.query, a.request.headers.get('user-agent'), what))
  return face(a, outcome, a.verb === 'patch' && outcome.created ? 201 : status)
}

/** A written object in the face that the client accepts. */
function face(a: Asked, outcome: Outcome, status: number): Response {
  const encoding = negotiate(a.request.headers.get('accept') ?? undefined)
  if (encoding === 'object') return json(outcomeText(a.r.kind, outcome), status, a.ctx.warnings)
  const o = outcome.object
  const meta = { resourceVersion: o.metadata.resourceVersion ?? '' }
  return json(
    JSON.stringify(encoding === 'partial' ? partial(o) : table(a.r.kind, [o], meta, a.cluster.clock.now(), 'Metadata')),
    status,
    a.ctx.warnings,
  )
}

async function get(a: Asked, accept: string | undefined, rider: Rider | undefined): Promise<Response> {
  const encoding = negotiate(accept)
  const at = key(a)
  const diff = a.query.get('diff')
  const moment = a.query.get('at')
  if (diff !== null) return difference(a.cluster, a.r, at, diff)
  const stored = moment === null ? await a.cluster.store.get(at, rider) : await pastObject(a.cluster, a.r, at.resource, moment)
  if (!stored) {
    const made = await nodeLease(a.cluster, at.resource, at.ns, at.name)
    if (made) return json(JSON.stringify(made))
    throw notFound(subjectOf(a.r.kind, a.r.name))
  }
  const { body } = (await readAs(a.cluster.env, a.r.kind, [stored]))[0]!
  if (encoding === 'object') return json(objectText(a.r.kind, body, stored.rv))
  const o = decodeBody(body, stored.rv)
  return json(
    JSON.stringify(
      encoding === 'partial' ? partial(o) : table(a.r.kind, [o], { resourceVersion: String(stored.rv) }, a.cluster.clock.now(), 'Metadata'),
    ),
  )
}

async function patchResource(a: Asked): Promise<Response> {
  const { cluster, r, request, query } = a
  const contentType = request.headers.get('content-type') ?? ''
  const type = patchTypes[contentType.split(';')[0]!.trim()]
  if (type === 'strategic' && r.kind.custom)
    throw new StatusError(
      415,
      'UnsupportedMediaType',
      'the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml',
      {},
    )
  if (!type) throw new StatusError(415, 'UnsupportedMediaType', '415: Unsupported Media Type', {})
  const raw = parseBody(await readText(request), contentType, r.kind.kind)
  return write(a, 200, async (options) => {
    if (type !== 'apply') {
      if (isTrue(query.get('force')))
        throw patchFault('force', 'Forbidden: may not be specified for non-apply patch', 'FieldValueForbidden')
      return patch(cluster.env, r.kind, key(a), part(r), type, raw, options, a.ctx)
    }
    if (!query.get('fieldManager')) throw patchFault('fieldManager', 'Required value: is required for apply patch', 'FieldValueRequired')
    if (r.subresource === undefined) {
      const exists = await cluster.store.get(key(a))
      // Creating through apply needs the right to create.
      if (!exists) await cluster.authorizer.require(a.user, { ...attributesOf(r, 'create') })
    }
    return serverSideApply(cluster.env, r.kind, key(a), part(r), raw, isTrue(query.get('force')), options, a.ctx)
  })
}

const patchFault = (field: string, message: string, reason: string) =>
  invalid('meta.k8s.io', 'PatchOptions', '', [{ field, message, reason }])

async function deleteOptions(a: Asked): Promise<DeleteOptions> {
  const raw: any = await readBody(a.request, 'DeleteOptions')
  let o: DeleteOptions & { dryRun?: any } = {}
  if (raw !== undefined) {
    if (typeof raw !== 'object' || raw === null) throw badRequest('the request body must be DeleteOptions')
    try {
      o = decode(schemaOf('V1DeleteOptions'), raw, [])
    } catch (cause) {
      if (cause instanceof DecodeError) throw badRequest(cause.message)
      throw cause
    }
  }
  const { query } = a
  const grace = integerParam(query, 'gracePeriodSeconds')
  const policy = query.get('propagationPolicy')
  const orphan = query.get('orphanDependents')
  const dry = writeOptions(query, null, 'DeleteOptions').dryRun || !!o.dryRun?.length
  return {
    ...o,
    ...(grace !== undefined ? { gracePeriodSeconds: grace } : {}),
    ...(policy ? { propagationPolicy: policy } : {}),
    ...(orphan ? { orphanDependents: isTrue(orphan) } : {}),
    dryRun: dry,
  }
}

async function deleteOne(a: Asked): Promise<Response> {
  const { cluster, r } = a
  if (r.subresource) throw methodRefused()
  const options = await deleteOptions(a)
  const done = await remove(cluster.env, storedKindOf(r.kind), key(a), options, a.ctx)
  if (r.kind.conversion) {
    const shown = (await readAs(cluster.env, r.kind, [{ body: encodeBody(done.object), rv: done.rv }]))[0]!
    done.object = decodeBody(shown.body, done.rv)
  }
  const text = JSON.stringify({
    kind: r.kind.kind,
    apiVersion: apiVersionOf(r.kind),
    ...inVersion(r.kind, done.object),
    metadata: { ...done.object.metadata, resourceVersion: String(done.rv) },
  })
  if (!done.final || r.kind.deleteReturnsObject) return json(text)
  const details = { name: r.name, ...(r.kind.group ? { group: r.kind.group } : {}), kind: r.kind.plural, uid: done.object.metadata.uid }
  return json(JSON.stringify({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details }))
}

/** Deletes page by page what the selectors meet; answers with the list of it. */
async function deleteCollection(a: Asked): Promise<Response> {
  const { cluster, r, query } = a
  const options = await deleteOptions(a)
  const found = await list(cluster, r, query, 'application/json')
  const page = JSON.parse(await found.text())
  for (let i = 0; i < page.items.length; i += 32)
    await Promise.all(
      page.items.slice(i, i + 32).map((o: any) =>
        remove(
          cluster.env,
          storedKindOf(r.kind),
          { resource: resourceOf(r.kind), ns: o.metadata.namespace ?? '', name: o.metadata.name },
          options,
          a.ctx,
        ).catch((e) => {
          if (e?.code !== 404) throw e
        }),
      ),
    )
  return json(JSON.stringify(page))
}

/** What is answered and not stored. */
function virtual(a: Asked): Promise<Response> {
  switch (a.r.kind.kind) {
    case 'Binding':
      return bind(a)
    case 'ComponentStatus':
      return componentStatuses(a)
    case 'NodeMetrics':
    case 'PodMetrics':
      return usage(a)
    default:
      return answerReview(a)
  }
}

async function answerReview(a: Asked): Promise<Response> {
  const options = writeOptions(a.query, null, 'CreateOptions')
  const object = decodeObject(a.r.kind, await body(a), options, a.ctx)
  return json(JSON.stringify(await review(a.cluster, a.r.kind, object, a.user, a.r.namespace)), 201)
}

function subresource(a: Asked): Promise<Response> {
  switch (a.r.subresource) {
    case 'scale':
      return a.verb === 'get' ? getScale(a) : writeScale(a)
    case 'binding':
      return bind(a)
    case 'eviction':
      return evict(a)
    case 'token':
      return createToken(a)
    case 'log':
      return podLog(a)
    case 'portforward':
      return podPortForward(a)
    case 'proxy':
      return proxy(a)
    default:
      return podExec(a)
  }
}
