// Requests that are passed on: to pods, services and nodes (their proxy subresource), and to aggregated API servers. A node dials, on the connection that
// it opened.
import { isIP } from '../../shared/meta/names.ts'
import type { KObject } from '../../shared/meta/object.ts'
import { badRequest, StatusError, unavailable } from '../../shared/status/index.ts'
import { serviceTargets } from '../admission/service-targets.ts'
import type { NodeCall } from '../ports/hub.ts'
import type { Environment } from '../registry/context.ts'
import { admitted } from './other-admission.ts'
import { podOf } from './pod-stream.ts'
import type { Asked } from './resource.ts'

/** Of one connection, or of this server's own; the rest is passed on. */
const OWN = new Set([
  'accept-encoding',
  'authorization',
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])
const isOwn = (name: string): boolean => OWN.has(name) || name.startsWith('impersonate-')

interface Forward {
  targets: NodeCall['targets']
  tls?: NodeCall['tls']
  host: string
  path: string
  /** Said to the server besides what the client says. */
  headers?: Record<string, string | string[]>
  /** Headers of the client's that are not passed on. */
  strip?: RegExp
  /** What absolute paths in answers are moved below, `/api/v1/…/proxy`. */
  below?: string
}

/** Sends a client's request on, and its answer back. Throws 503 when nobody answers. */
export async function forward(env: Environment, request: Request, to: Forward): Promise<Response> {
  const headers: Record<string, string> = {}
  request.headers.forEach((value, name) => {
    if (!isOwn(name) && !to.strip?.test(name)) headers[name] = value
  })
  const length = request.headers.get('content-length')
  const hasBody = !!request.body && request.method !== 'GET' && request.method !== 'HEAD'
  const answer = await env
    .reach({
      targets: to.targets,
      ...(to.tls ? { tls: to.tls } : {}),
      method: request.method,
      path: to.path,
      headers: { ...headers, ...to.headers, host: to.host, ...(hasBody && length ? { 'content-length': length } : {}) },
      ...(hasBody ? { body: request.body! } : {}),
    })
    .catch((cause) => {
      throw cause instanceof StatusError && cause.code === 504 ? unavailable(`error trying to reach service: ${cause.message}`) : cause
    })
  const back = new Headers()
  answer.headers.forEach((value, name) => {
    if (name !== 'content-length' && !isOwn(name)) back.append(name, value)
  })
  const size = answer.headers.get('content-length')
  if (size && answer.body) back.set('content-length', size)
  const location = answer.headers.get('location')
  if (location && to.below) back.set('location', below(location, to))
  return new Response(answer.body, { status: answer.status, headers: back })
}

/** A redirect within the server, as the client has to follow it. */
function below(location: string, { host, below: prefix }: Forward): string {
  const inside = location.startsWith('/') && !location.startsWith('//') ? location : undefined
  if (inside !== undefined) return prefix + inside
  if (!URL.canParse(location)) return location
  const url = new URL(location)
  return url.host === host ? `${prefix}${url.pathname}${url.search}` : location
}

/** `[scheme:]name[:port]`; undefined where it is neither. */
function splitName(text: string): { scheme: string; name: string; port: string } | undefined {
  const parts = text.split(':')
  if (parts.length === 1) return { scheme: '', name: text, port: '' }
  if (parts.length === 2) return { scheme: '', name: parts[0]!, port: parts[1]! }
  if (parts.length === 3 && ['', 'http', 'https'].includes(parts[0]!)) return { scheme: parts[0]!, name: parts[1]!, port: parts[2]! }
  return undefined
}

/** Nothing of the node itself, and nothing that is no host, is reached by way of a pod's address. */
function proxyable(address: string | undefined): string {
  if (address === undefined || !isIP(address)) throw badRequest('address not allowed')
  if (/^(127\.|169\.254\.|0\.|22[4-9]\.|23\d\.)/.test(address) || /^(::1?$|fe[89ab]|ff)/i.test(address))
    throw badRequest('address not allowed')
  return address
}

function portOf(text: string, otherwise: number): number {
  if (!text) return otherwise
  const n = Number(text)
  if (!Number.isInteger(n) || n < 1 || n > 65_535) throw badRequest(`invalid port ${JSON.stringify(text)}`)
  return n
}

interface Place {
  targets: NodeCall['targets']
  tls: boolean
  host: string
}

async function placeOf(a: Asked): Promise<Place> {
  const { kind, namespace } = a.r
  const asked = splitName(a.r.name!)
  if (!asked) throw badRequest(`invalid ${kind.singular} request ${JSON.stringify(a.r.name)}`)
  const { name, port } = asked
  const tls = asked.scheme === 'https'
  if (kind.kind === 'Service') {
    const targets = await serviceTargets(a.cluster.env, namespace!, name, port)
    return { targets, tls, host: `${targets[0]!.address}:${targets[0]!.port}` }
  }
  const object = await podOf({ ...a, r: { ...a.r, name } })
  if (kind.kind === 'Node') {
    const address = object.status?.addresses?.find((x: any) => x.type === 'InternalIP')?.address ?? name
    // Its daemon is asked itself: it listens nowhere.
    if (!port) return { targets: [{ node: name, address, port: 0 }], tls: false, host: name }
    return { targets: [{ node: name, address, port: portOf(port, 0) }], tls, host: `${address}:${port}` }
  }
  const address = proxyable(object.status?.podIP)
  const at = portOf(port, firstPort(object) ?? (tls ? 443 : 80))
  return {
    targets: [{ ...(object.spec.nodeName ? { node: object.spec.nodeName } : {}), address, port: at }],
    tls,
    host: `${address}:${at}`,
  }
}

const firstPort = (pod: KObject): number | undefined => pod.spec.containers.flatMap((c: any) => c.ports ?? [])[0]?.containerPort

/** pods/NAME/proxy, services/NAME/proxy and nodes/NAME/proxy, with whatever path comes behind. */
export async function proxy(a: Asked): Promise<Response> {
  const url = new URL(a.request.url)
  const [, prefix, path] = /^(.*?\/(?:pods|services|nodes)\/[^/]+\/proxy)(\/.*)?$/.exec(url.pathname)!
  if (path === undefined && a.verb === 'get') return new Response(null, { status: 301, headers: { location: `${prefix}/${url.search}` } })
  await admitted(a, 'CONNECT', 'v1', a.r.kind.subresources!.proxy!.kind!, { path: path ?? '/' })
  const place = await placeOf(a)
  return forward(a.cluster.env, a.request, {
    targets: place.targets,
    ...(place.tls ? { tls: { serverName: place.targets[0]!.address, insecure: true } } : {}),
    host: place.host,
    path: `${path ?? '/'}${url.search}`,
    headers: { 'x-forwarded-uri': url.pathname, 'x-forwarded-host': url.host, 'x-forwarded-proto': 'https' },
    below: prefix!,
  })
}
