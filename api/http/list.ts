// List and watch: pages at a version, selectors, tables; answers are concatenations of stored bytes.
import { apiVersionOf, resourceOf } from '../../shared/kinds/index.ts'
import type { Kind } from '../../shared/kinds/kind.ts'
import { FieldErrors } from '../../shared/meta/field-error.ts'
import { parseFieldSelector, parseLabelSelector, type Selector } from '../../shared/meta/selector.ts'
import { badRequest, expired, invalid, StatusError } from '../../shared/status/index.ts'
import type { Cluster } from '../cluster.ts'
import type { Rider } from '../ports/database.ts'
import { decodeBody, encodeBody, itemText, objectText } from '../registry/codec.ts'
import { isMadeOnRead, readAs } from '../registry/conversion.ts'
import { type IncludeObject, partial, partialList, table } from '../registry/table.ts'
import { Compacted, type Page } from '../store/store.ts'
import { JSON_TYPE, json, negotiate } from './answer.ts'
import { difference, tooOld, versionOfMoment } from './history.ts'
import { integerParam, isTrue, type ResourceRequest } from './request.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const MAX_TIMEOUT = 3600

interface Selection {
  resource: string
  ns?: string
  labels?: Selector
  fields?: Selector
}

const metaFields = ['metadata.name', 'metadata.namespace']

function selection(r: ResourceRequest, query: URLSearchParams): Selection {
  const label = query.get('labelSelector')
  const field = query.get('fieldSelector')
  const labels = label ? parseLabelSelector(label) : undefined
  const fields = field ? parseFieldSelector(field) : []
  const known = Object.keys(r.kind.fields?.({ metadata: {} } as never) ?? {})
  for (const f of fields) if (!metaFields.includes(f.key) && !known.includes(f.key)) throw badRequest(`field label not supported: ${f.key}`)
  const rename = r.kind.stored?.field
  if (rename) for (const f of fields) f.key = rename(f.key)
  if (r.name !== undefined) fields.push({ key: 'metadata.name', operator: '=', values: [r.name] })
  return { resource: resourceOf(r.kind), ns: r.namespace, ...(labels?.length ? { labels } : {}), ...(fields.length ? { fields } : {}) }
}

interface Continue {
  v: 'meta.k8s.io/v1'
  rv: number
  ns: string
  name: string
}

const encodeContinue = (c: Continue) =>
  btoa(unescape(encodeURIComponent(JSON.stringify(c))))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '')

function decodeContinue(token: string): Continue {
  let text: string
  try {
    text = atob(token.replaceAll('-', '+').replaceAll('_', '/'))
  } catch {
    throw badRequest('invalid continue token: continue key is not valid: illegal base64 data')
  }
  try {
    const c = JSON.parse(decodeURIComponent(escape(text)))
    if (c.v !== 'meta.k8s.io/v1' || typeof c.rv !== 'number' || typeof c.name !== 'string') throw new Error('shape')
    return c
  } catch {
    const first = text.codePointAt(0) ?? 0
    const shown = first < 0x20 || first > 0x7e ? `\\u${first.toString(16).padStart(4, '0')}` : text[0]
    throw badRequest(`invalid continue token: continue key is not valid: invalid character '${shown}' looking for beginning of value`)
  }
}

/** A resource version parameter; empty counts as absent. */
function versionParam(query: URLSearchParams): number | undefined {
  const v = query.get('resourceVersion')
  if (!v) return undefined
  if (!/^\d{1,15}$/.test(v))
    throw new StatusError(
      400,
      'BadRequest',
      `resourceVersion: Invalid value: ${JSON.stringify(v)}: strconv.ParseUint: parsing ${JSON.stringify(v)}: invalid syntax`,
    )
  return Number(v)
}

const gone = (rv: number) =>
  expired(
    `The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. (version ${rv})`,
  )

/** What goes together of a list's and a watch's options. Throws 422 (apimachinery's ValidateListOptions). */
function checkOptions(query: URLSearchParams, watching: boolean): void {
  const e = new FieldErrors()
  const match = query.get('resourceVersionMatch')
  const initial = query.get('sendInitialEvents')
  const at = 'resourceVersionMatch'
  const paged = !!query.get('continue')
  if (watching) {
    if (initial && match !== 'NotOlderThan') e.forbidden(at, 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan')
    if (match && !initial) e.forbidden(at, 'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided')
    if (match && match !== 'NotOlderThan') e.notSupported(at, match, ['NotOlderThan'])
    if (match && paged) e.forbidden(at, 'resourceVersionMatch is forbidden when continue is provided')
  } else {
    if (match && !query.get('resourceVersion')) e.forbidden(at, 'resourceVersionMatch is forbidden unless resourceVersion is provided')
    if (match && paged) e.forbidden(at, 'resourceVersionMatch is forbidden when continue is provided')
    if (match && !['Exact', 'NotOlderThan'].includes(match)) e.notSupported(at, match, ['Exact', 'NotOlderThan', ''])
    if (match === 'Exact' && query.get('resourceVersion') === '0')
      e.forbidden(at, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"')
    if (initial) e.forbidden('sendInitialEvents', 'sendInitialEvents is forbidden for list')
  }
  if (e.any) throw invalid('meta.k8s.io', 'ListOptions', '', e.causes)
}

export async function list(
  cluster: Cluster,
  r: ResourceRequest,
  query: URLSearchParams,
  accept: string | undefined,
  rider?: Rider,
): Promise<Response> {
  const face = negotiate(accept)
  const s = selection(r, query)
  const diff = query.get('diff')
  if (diff !== null) return difference(cluster, r, s, diff)
  const moment = query.get('at')
  const limit = Math.max(0, integerParam(query, 'limit') ?? 0) || undefined
  const token = query.get('continue')
  const rv = versionParam(query)
  const match = query.get('resourceVersionMatch')
  checkOptions(query, false)
  const from = token ? decodeContinue(token) : undefined
  if (from && rv) throw badRequest('specifying resource version is not allowed when using continue')
  const past = moment === null || from ? undefined : await versionOfMoment(cluster, moment)
  const at = from?.rv ?? past ?? (match === 'Exact' ? rv : undefined)
  // Whole lists of now: their items stay the same until something of the resource changes, only the version at the head moves.
  const key =
    face === 'object' && !limit && !from && !at
      ? `${apiVersionOf(r.kind)} ${s.resource} ${s.ns ?? ''} ${query.get('labelSelector') ?? ''} ${query.get('fieldSelector') ?? ''} ${r.name ?? ''}`
      : undefined
  const known = !rider && key && cluster.lists ? cluster.lists.cache.get(key) : undefined
  if (known && (rv === undefined || rv <= cluster.lists!.head()))
    return joined(listHead(r.kind, { resourceVersion: String(cluster.lists!.head()) }), known)
  let page: Page
  try {
    page = await cluster.store.list(
      { ...s, limit, ...(from ? { after: { ns: from.ns, name: from.name } } : {}), ...(at ? { at } : {}) },
      rider,
    )
  } catch (cause) {
    if (cause instanceof Compacted) throw past === undefined ? gone(at ?? 0) : tooOld(cause, past)
    throw cause
  }
  if (rv !== undefined && rv > page.rv) throw tooLarge(rv, page.rv)
  if (past !== undefined && past > page.rv) throw tooLarge(past, page.rv)
  page.items = await readAs(cluster.env, r.kind, page.items)
  const meta = {
    resourceVersion: String(page.rv),
    ...(page.next ? { continue: encodeContinue({ v: 'meta.k8s.io/v1', rv: page.rv, ...page.next }) } : {}),
    ...(page.remaining !== undefined && page.next ? { remainingItemCount: page.remaining } : {}),
  }
  if (face === 'object') {
    const tail = listTail(r.kind, page)
    if (!key || !cluster.lists || page.rv !== cluster.lists.head()) return json(listHead(r.kind, meta) + tail)
    const bytes = encoder.encode(tail)
    cluster.lists.cache.put(key, s.resource, bytes)
    return joined(listHead(r.kind, meta), bytes)
  }
  const objects = page.items.map((i) => decodeBody(i.body, i.rv))
  return json(
    JSON.stringify(face === 'table' ? table(r.kind, objects, meta, cluster.clock.now(), include(query)) : partialList(objects, meta)),
  )
}

const include = (query: URLSearchParams): IncludeObject => {
  const v = query.get('includeObject')
  return v === 'None' || v === 'Object' ? v : 'Metadata'
}

const tooLarge = (asked: number, current: number) =>
  new StatusError(504, 'Timeout', `Too large resource version: ${asked}, current: ${current}`, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version', field: '' }],
    retryAfterSeconds: 1,
  })

const listHead = (kind: Kind, meta: object) =>
  `{"kind":"${kind.kind}List","apiVersion":"${apiVersionOf(kind)}","metadata":${JSON.stringify(meta)},"items":[`

function listTail(kind: Kind, page: Page): string {
  let out = ''
  for (let i = 0; i < page.items.length; i++) {
    if (i) out += ','
    out += itemText(kind, page.items[i]!.body, page.items[i]!.rv)
  }
  return `${out}]}`
}

const LARGE = 64 * 1024
const PIECE = 256 * 1024

/** Head and tail as one answer; a large tail is shared by all who ask, not copied for each. */
function joined(head: string, tail: Uint8Array): Response {
  if (tail.length < LARGE) return json(head + decoder.decode(tail))
  // In pieces, as the connection takes them: what is written at once is held again by TLS.
  let at = -1
  const body = new ReadableStream<Uint8Array>(
    {
      pull: (controller) => {
        if (at < 0) controller.enqueue(encoder.encode(head))
        else controller.enqueue(tail.subarray(at, at + PIECE))
        at = at < 0 ? 0 : at + PIECE
        if (at >= tail.length) controller.close()
      },
    },
    { highWaterMark: 0 },
  )
  return json(body)
}

/** The initial objects of a watch that starts from now, as ADDED events. */
function initialEvents(
  cluster: Cluster,
  r: ResourceRequest,
  page: Page,
  face: 'object' | 'table' | 'partial',
  inc: IncludeObject,
): Uint8Array[] {
  return page.items.map((i, index) => {
    const o = () => decodeBody(i.body, i.rv)
    const text =
      face === 'object'
        ? objectText(r.kind, i.body, i.rv)
        : JSON.stringify(
            face === 'partial'
              ? partial(o())
              : table(r.kind, [o()], { resourceVersion: String(i.rv) }, cluster.clock.now(), inc, index === 0),
          )
    return encoder.encode(`{"type":"ADDED","object":${text}}\n`)
  })
}

/** A watch of stored objects as one of the kind's version. A webhook that fails ends it: the client lists anew. */
function converted(
  cluster: Cluster,
  { kind }: ResourceRequest,
  face: 'object' | 'table' | 'partial',
  inc: IncludeObject,
  first: Uint8Array[] = [],
): TransformStream<Uint8Array, Uint8Array> {
  let rest = ''
  const text = new TextDecoder()
  const shown = async (line: string): Promise<string> => {
    const { type, object } = JSON.parse(line)
    if (type === 'ERROR') return line
    const rv = Number(object.metadata.resourceVersion)
    const of = async (body: string) => (await readAs(cluster.env, kind, [{ body, rv }]))[0]!.body
    const body = type === 'BOOKMARK' ? encodeBody(object) : await of(encodeBody(object))
    const o = () => decodeBody(body, rv)
    if (face === 'object' || type === 'BOOKMARK') return `{"type":"${type}","object":${objectText(kind, body, rv)}}`
    const seen = face === 'partial' ? partial(o()) : table(kind, [o()], { resourceVersion: String(rv) }, cluster.clock.now(), inc, false)
    return JSON.stringify({ type, object: seen })
  }
  return new TransformStream({
    start: (controller) => {
      for (const line of first) controller.enqueue(line)
    },
    transform: async (chunk, controller) => {
      const lines = (rest + text.decode(chunk, { stream: true })).split('\n')
      rest = lines.pop()!
      for (const line of lines) if (line) controller.enqueue(encoder.encode(`${await shown(line)}\n`))
    },
  })
}

export async function watch(cluster: Cluster, r: ResourceRequest, query: URLSearchParams, accept: string | undefined): Promise<Response> {
  const face = negotiate(accept)
  const s = selection(r, query)
  const rv = versionParam(query)
  checkOptions(query, true)
  const seconds = integerParam(query, 'timeoutSeconds')
  const bookmarks = isTrue(query.get('allowWatchBookmarks'))
  const initial = query.get('sendInitialEvents')
  const timeoutMs = Math.min(seconds || 1800 + (cluster.clock.now() % 1800), MAX_TIMEOUT) * 1000
  let start = rv ?? 0
  let first: Uint8Array[] | undefined
  if (!rv || isTrue(initial)) {
    const page = await cluster.store.list(s)
    page.items = await readAs(cluster.env, r.kind, page.items)
    start = page.rv
    first = initial !== null && !isTrue(initial) ? [] : initialEvents(cluster, r, page, face, include(query))
    if (isTrue(initial) && bookmarks)
      first.push(
        encoder.encode(
          `{"type":"BOOKMARK","object":${objectText(r.kind, '{"metadata":{"creationTimestamp":null,"annotations":{"k8s.io/initial-events-end":"true"}}}', page.rv)}}\n`,
        ),
      )
  } else {
    const { rv: head, floor } = await cluster.store.head()
    if (rv < floor) throw expired(`too old resource version: ${rv} (${floor})`)
    if (rv > head) throw tooLarge(rv, head)
  }
  // What is made of what is stored is made here: the hub shows it as it is stored.
  const made = isMadeOnRead(r.kind)
  const shown = await cluster.hub.watch({
    ...s,
    ...(r.kind.stored ? { as: { group: r.kind.group, version: r.kind.version, plural: r.kind.plural } } : {}),
    rv: start,
    bookmarks,
    timeoutMs,
    encoding: made ? 'object' : face,
    includeObject: include(query),
    ...(first && !made ? { first } : {}),
  })
  const stream = made ? shown.pipeThrough(converted(cluster, r, face, include(query), first)) : shown
  // Nothing on the way may hold a watch back: no compression, no transformation.
  return new Response(stream, {
    headers: { 'content-type': JSON_TYPE, 'content-encoding': 'identity', 'cache-control': 'no-cache, private, no-transform' },
  })
}
