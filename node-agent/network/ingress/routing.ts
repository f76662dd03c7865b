// What ingresses ask for, as a proxy needs it: which host and path leads to which backend, and which endpoints that has. Pure.
// Of two that want the same, the older has it. Hosts match whole, then by their wildcard, then those without any; paths exactly, then the longest.
import { createHash, createPrivateKey, X509Certificate } from 'node:crypto'
import { challengedHosts, THUMBPRINT, wantsAcme } from '../../../shared/ingress/acme.ts'
import { CLASS, isServed, tlsSecrets } from '../../../shared/ingress/class.ts'
import { type IngressOptions, isPathExpression, optionsOf } from '../../../shared/ingress/options.ts'
import { familiesOf } from '../../../shared/kinds/service.ts'
import { asHost } from '../../../shared/meta/address.ts'
import { endpointsOf, serving, slicesOf } from '../service-rules.ts'

/** The key of what holds for every host. */
export const ANY_HOST = '_'
/** Endpoints of one backend that are made use of. */
const MAX_ENDPOINTS = 512

export interface Backend {
  /** The service's namespace, name and port, and a mark where options make it another. */
  name: string
  /** `ip:port`, in order. */
  endpoints: string[]
  options: BackendOptions
}

interface BackendOptions extends Omit<IngressOptions, 'sslRedirect' | 'forceSslRedirect' | 'regex' | 'rewrite' | 'rewritePrefix'> {
  toHttps: boolean
  /** What of a path becomes what: an expression, and a template with `\1`. */
  replace?: { expression: string; by: string }
}

interface Route {
  /** A key of `hosts`, or ANY_HOST. */
  host: string
  path: string
  match: 'exact' | 'prefix' | 'regex'
  backend: string
}

export interface Certificate {
  /** Names the file. */
  name: string
  /** Chain and key, PEM. */
  pem: string
  /** As SNI says them, wildcards too. */
  hosts: string[]
}

export interface Routing {
  /** Hosts that rules name, wildcards as they are written; the values are keys of routes. */
  hosts: ReadonlyMap<string, string>
  routes: readonly Route[]
  backends: ReadonlyMap<string, Backend>
  certificates: readonly Certificate[]
  /** Where an ACME server may look for the answer to a challenge, and what that ends with. */
  challenges: { hosts: readonly string[]; thumbprint?: string }
  faults: readonly string[]
}

export interface RoutingSource {
  ingresses: Iterable<any>
  classOf(name: string): any
  service(namespace: string, name: string): any
  slices(namespace: string, service: string): any[]
  secret(namespace: string, name: string): any
  /** The addresses of a name outside of the cluster, as far as they are known. */
  external(name: string): readonly string[]
}

const keyOf = ({ metadata }: any): string => `${metadata.namespace}/${metadata.name}`
const byAge = (a: any, b: any): number =>
  String(a.metadata.creationTimestamp ?? '').localeCompare(String(b.metadata.creationTimestamp ?? '')) || (keyOf(a) < keyOf(b) ? -1 : 1)

/** The ingresses that are ours to serve, the oldest first. */
export const served = (source: Pick<RoutingSource, 'ingresses' | 'classOf'>): any[] =>
  [...source.ingresses].filter((i) => !i.metadata.deletionTimestamp && isServed(i, source.classOf)).sort(byAge)

/** What they refer to, as `secrets/namespace/name`. */
export const secretsOf = (ingresses: readonly any[]): Set<string> =>
  new Set(ingresses.flatMap((i) => tlsSecrets(i).map((name) => `secrets/${i.metadata.namespace}/${name}`)))

/** Whether a host of a certificate's list covers a host of a rule. */
const covers = (pattern: string, host: string): boolean =>
  pattern === host || (pattern.startsWith('*.') && !host.startsWith('*.') && host.slice(host.indexOf('.') + 1) === pattern.slice(2))

/** As an expression; a quote by its number, for the proxy's configuration is quoted itself. */
const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll("'", '\\x27')
/** As a request's line says it: what may not stand there as it is, encoded. */
const asRequested = (path: string) => encodeURI(path.toWellFormed()).replaceAll('%25', '%')

/** What is a backend's own business, and not its routes'. */
const ofBackend = ({ sslRedirect, forceSslRedirect, regex, rewrite, rewritePrefix, ...kept }: IngressOptions) => kept

function replacement(options: IngressOptions, path: string, match: Route['match']): BackendOptions['replace'] {
  if (options.rewrite !== undefined) {
    const by = options.rewrite.replaceAll('\\', '').replace(/\$(\d)/g, '\\$1')
    return { expression: match === 'regex' ? `^(?:${path.replace(/^\^/, '')}).*` : '^.*', by }
  }
  if (options.rewritePrefix === undefined || match === 'regex') return undefined
  const base = options.rewritePrefix.replaceAll('\\', '').replace(/\/$/, '')
  return { expression: `^${escaped(asRequested(path).replace(/\/$/, ''))}/?(.*)$`, by: `${base}/\\1` }
}

/** By the Secret: what was taken apart is not taken apart again for each endpoint that comes or goes. */
const pems = new WeakMap<object, string | undefined>()

/** The chain and the key of a Secret of certificates, when they belong together. */
function pemOf(secret: any): string | undefined {
  if (!pems.has(secret)) pems.set(secret, readPem(secret))
  return pems.get(secret)
}
function readPem({ data }: any): string | undefined {
  try {
    const text = (key: string) => Buffer.from(data[key], 'base64').toString()
    const [chain, key] = [text('tls.crt'), text('tls.key')]
    return new X509Certificate(chain).checkPrivateKey(createPrivateKey(key)) ? `${chain.trim()}\n${key.trim()}\n` : undefined
  } catch {
    return undefined
  }
}

export function routing(source: RoutingSource): Routing {
  const hosts = new Map<string, string>()
  const routes = new Map<string, Route>()
  const backends = new Map<string, Backend>()
  const certificates = new Map<string, Certificate>()
  const taken = new Set<string>()
  const faults: string[] = []
  const all = served(source).map((ingress) => ({ ingress, ...optionsOf(ingress) }))

  const backend = (ingress: any, to: any, options: BackendOptions): string | undefined => {
    const { namespace } = ingress.metadata
    const name = to?.service?.name
    const service = name && source.service(namespace, name)
    const wanted = to?.service?.port
    const port = service?.spec.ports?.find((p: any) => (wanted.name ? p.name === wanted.name : p.port === wanted.number))
    const isBare = options.protocol === 'HTTP' && !options.toHttps && Object.values(options).filter((v) => v !== undefined).length === 2
    const mark = isBare ? '' : `-${createHash('sha1').update(JSON.stringify(options)).digest('hex').slice(0, 8)}`
    const id = name ? `${namespace}.${name}.${wanted.name ?? wanted.number}${mark}` : undefined
    if (!id) return undefined
    if (!backends.has(id)) backends.set(id, { name: id, endpoints: endpointsFor(service, port, wanted), options })
    return id
  }
  // Where there is no such service there is nothing to answer: 503, as with one that has no endpoints.
  const endpointsFor = (service: any, port: any, wanted: any): string[] => {
    // Such a service need not list its ports.
    if (service?.spec.type === 'ExternalName')
      return source.external(service.spec.externalName).map((ip) => `${asHost(ip)}:${port?.port ?? wanted.number}`)
    if (!port) return []
    const { namespace, name } = service.metadata
    const slices = slicesOf(source.slices(namespace, name), familiesOf(service)[0]!)
    const all = serving(endpointsOf(slices, port.name ?? '', 'TCP'))
    return [...new Set(all.map((e) => `${asHost(e.ip)}:${e.port}`))].sort().slice(0, MAX_ENDPOINTS)
  }
  const add = (host: string, path: string, match: Route['match'], to: string | undefined) => {
    const key = `${match === 'exact' ? 'exact' : 'other'} ${host}|${path}`
    if (to !== undefined && !routes.has(key)) routes.set(key, { host, path, match, backend: to })
  }
  const keyOfHost = (host: string | undefined): string => {
    if (!host) return ANY_HOST
    if (!hosts.has(host)) hosts.set(host, `h${hosts.size + 1}`)
    return hosts.get(host)!
  }
  const withRegex = new Set(
    all.filter((a) => a.options.regex).flatMap(({ ingress }) => (ingress.spec.rules ?? []).map((r: any) => keyOfHost(r.host))),
  )

  for (const { ingress, options, faults: unread } of all) {
    faults.push(...unread.map((f) => `ingress ${keyOf(ingress)}: ${f}`))
    const tls: any[] = ingress.spec.tls ?? []
    const { sslRedirect, forceSslRedirect, regex } = options
    const optionsFor = (host: string | undefined, path: string, match: Route['match']): BackendOptions => {
      const hasTls = tls.some((t) => (t.hosts?.length ? host && t.hosts.some((h: string) => covers(h, host)) : true))
      const replace = replacement(options, path, match)
      return { ...ofBackend(options), toHttps: forceSslRedirect || (sslRedirect && hasTls), ...(replace ? { replace } : {}) }
    }
    for (const rule of ingress.spec.rules ?? []) {
      const host = keyOfHost(rule.host)
      for (const p of rule.http?.paths ?? []) {
        const path = p.path || '/'
        const asRegex = regex && p.pathType !== 'Exact'
        if (asRegex && !isPathExpression(path)) {
          faults.push(`ingress ${keyOf(ingress)}: path ${JSON.stringify(path)} is no expression that can be used`)
          continue
        }
        const match = p.pathType === 'Exact' ? 'exact' : asRegex ? 'regex' : 'prefix'
        const to = backend(ingress, p.backend, optionsFor(rule.host, path, match))
        add(host, match === 'regex' ? path : asRequested(path), match, to)
      }
    }
    for (const t of tls) {
      if (!t.secretName) continue
      const secret = source.secret(ingress.metadata.namespace, t.secretName)
      const pem = secret && pemOf(secret)
      // One that is being had is no fault while it is not there.
      if (!secret && wantsAcme(ingress)) continue
      if (!pem) {
        const why = secret ? 'has no certificate with its key' : 'does not exist'
        faults.push(`ingress ${keyOf(ingress)}: secret ${ingress.metadata.namespace}/${t.secretName} ${why}`)
        continue
      }
      const named: string[] = t.hosts?.length ? t.hosts : (ingress.spec.rules ?? []).flatMap((r: any) => (r.host ? [r.host] : []))
      const free = named.filter((h) => !taken.has(h))
      for (const h of free) taken.add(h)
      const name = `${ingress.metadata.namespace}.${t.secretName}`
      const known = certificates.get(name)
      if (free.length) certificates.set(name, { name, pem, hosts: [...(known?.hosts ?? []), ...free] })
    }
  }
  // What no path of a host's rules takes.
  for (const { ingress, options } of all) {
    const to = ingress.spec.defaultBackend
    if (!to) continue
    const id = backend(ingress, to, { ...ofBackend(options), toHttps: !!options.forceSslRedirect })
    const rules: any[] = ingress.spec.rules?.length ? ingress.spec.rules : [{}]
    for (const host of new Set(rules.map((r) => keyOfHost(r.host)))) add(host, '/', 'prefix', id)
  }
  const thumbprint = source.classOf(CLASS)?.metadata.annotations?.[THUMBPRINT]
  const isThumbprint = /^[A-Za-z0-9_-]{43}$/.test(thumbprint ?? '')
  const challenges = { hosts: challengedHosts(all.map((a) => a.ingress)), ...(isThumbprint ? { thumbprint } : {}) }
  // Where one path of a host is an expression, the longest of them all wins.
  const ofOneKind = [...routes.values()].map(
    (r): Route =>
      r.match === 'prefix' && withRegex.has(r.host) ? { ...r, match: 'regex', path: `${escaped(r.path.replace(/\/$/, ''))}(/|$)` } : r,
  )
  return { hosts, routes: ofOneKind, backends, certificates: [...certificates.values()], challenges, faults }
}
