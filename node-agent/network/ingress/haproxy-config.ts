// HAProxy's files for a routing, and the commands that lead from one set of endpoints to another without new files. Pure.
// A backend has places for servers; endpoints take and leave them while the proxy runs.
import { createHash } from 'node:crypto'
import path from 'node:path'
import { CHALLENGES } from '../../../shared/ingress/acme.ts'
import { ANY_HOST, type Backend, type Certificate, type Routing } from './routing.ts'

const FEWEST_PLACES = 8
/** A line of commands that the proxy takes at once, characters. */
const MAX_LINE = 8000
const NOBODY = '127.0.0.1:1'

export interface ProxySettings {
  /** Where its files lie. */
  folder: string
  http: number
  https: number
  threads: number
  /** Whether it is to be asked at addresses of IPv6, too. */
  ipv6?: boolean
  /** Whom its workers run as. */
  user?: string
}

/** Who has which place of a backend; undefined where nobody has. */
export type Places = ReadonlyMap<string, readonly (string | undefined)[]>

/** Places for these backends: those that are taken kept as they are, more of them where they do not suffice. */
export function placesFor(backends: ReadonlyMap<string, Backend>, before: Places): Places {
  const places = new Map<string, (string | undefined)[]>()
  for (const [name, { endpoints }] of backends) {
    const had = before.get(name)
    let count = had?.length ?? FEWEST_PLACES
    while (count < endpoints.length) count *= 2
    const wanted = new Set(endpoints)
    const now = Array.from({ length: count }, (_, i) => {
      const who = had?.[i]
      return who !== undefined && wanted.delete(who) ? who : undefined
    })
    // Rather where nobody was: there it can be ready before others leave.
    const isFree = (who: string | undefined, i: number) => who === undefined && had?.[i] === undefined
    for (const e of wanted) {
      const free = now.findIndex(isFree)
      now[free < 0 ? now.indexOf(undefined) : free] = e
    }
    places.set(name, now)
  }
  return places
}

/** Commands for its socket that lead from one to the other, which have the same backends with as many places. */
export function placeCommands(before: Places, now: Places): string[] {
  const come: string[] = []
  const go: string[] = []
  for (const [name, list] of now) {
    const had = before.get(name)!
    for (const [i, who] of list.entries()) {
      if (who === had[i]) continue
      const server = `${name}/s${i + 1}`
      if (who === undefined) {
        go.push(`set server ${server} state maint`)
        continue
      }
      const at = who.lastIndexOf(':')
      come.push(`set server ${server} addr ${who.slice(0, at).replace(/[[\]]/g, '')} port ${who.slice(at + 1)}`)
      if (had[i] === undefined) come.push(`set server ${server} state ready`)
    }
  }
  const all = [...come, ...go]
  const lines: string[] = []
  for (const command of all) {
    const last = lines.length - 1
    if (last >= 0 && lines[last]!.length + command.length < MAX_LINE) lines[last] += `; ${command}`
    else lines.push(command)
  }
  return lines
}

/** As the configuration takes it literally; formats of its own are switched off by doubling. */
const quoted = (text: string): string => {
  if (/['\x00-\x1f\x7f]/.test(text)) throw new Error(`${JSON.stringify(text)} cannot be written to the configuration`)
  return `'${text}'`
}
const literal = (text: string): string => quoted(text.replaceAll('%', '%%'))

function backendLines({ name, options: o }: Backend, places: readonly (string | undefined)[]): string[] {
  const lines = [`backend ${name}`]
  if (o.sources) lines.push(`  http-request deny deny_status 403 unless { src ${o.sources.join(' ')} }`)
  if (o.toHttps) lines.push('  http-request redirect scheme https code 308 unless { ssl_fc }')
  if (o.redirect) lines.push(`  http-request redirect location ${literal(o.redirect.to)} code ${o.redirect.code}`)
  if (o.appRoot) lines.push(`  http-request redirect location ${literal(o.appRoot)} code 302 if { path / }`)
  if (o.bodySize) lines.push(`  http-request deny deny_status 413 if { req.body_size gt ${o.bodySize} }`)
  if (o.replace) lines.push(`  http-request replace-path ${quoted(o.replace.expression)} ${literal(o.replace.by)}`)
  if (o.host) lines.push(`  http-request set-header Host ${literal(o.host)}`)
  if (o.connectTimeout !== undefined) lines.push(`  timeout connect ${o.connectTimeout}s`)
  if (o.idleTimeout !== undefined) lines.push(`  timeout server ${o.idleTimeout}s`, `  timeout tunnel ${Math.max(3600, o.idleTimeout)}s`)
  // The value is made of the endpoint's address: it outlasts new files, and the place that an endpoint has.
  if (o.cookie) lines.push(`  cookie ${o.cookie} insert indirect nocache httponly dynamic`, `  dynamic-cookie-key ${name}`)
  const how = { HTTP: '', HTTPS: ' ssl verify none', GRPC: ' proto h2', GRPCS: ' ssl verify none alpn h2' }[o.protocol]
  places.forEach((who, i) => {
    lines.push(`  server s${i + 1} ${who ?? NOBODY}${how}${who === undefined ? ' disabled' : ''}`)
  })
  return lines
}

const CHALLENGED = 'challenged.list'

/** The answer to any challenge is its token and the account's thumbprint: whoever has another account is not served by it. */
function challengeLines({ challenges: { hosts, thumbprint } }: Routing, list: string): string[] {
  if (!hosts.length || !thumbprint) return []
  const asked = `{ var(txn.host) -m str -f ${list} } { path -m reg '^${CHALLENGES.replaceAll('.', '[.]')}[A-Za-z0-9_-]+$' }`
  return [`  http-request return status 200 content-type text/plain lf-string %[path,field(4,/)].${thumbprint} if !{ ssl_fc } ${asked}`]
}

/** Of one length, that no name is a part of another. */
const certificateFile = (name: string) => path.join('certificates', `${createHash('sha1').update(name).digest('hex')}.pem`)

/** All of its files, by their names in the folder. `fallback` is shown to who asks for a host without a certificate. */
export function proxyFiles(r: Routing, places: Places, s: ProxySettings, fallback: Certificate, version: string): Map<string, string> {
  const at = (name: string) => path.join(s.folder, name)
  const certificates = [fallback, ...r.certificates]
  const ofMatch = (match: string) => r.routes.filter((x) => x.match === match)
  const lines = (list: readonly string[]) => list.map((l) => `${l}\n`).join('')
  const prefix = (p: string) => (p.endsWith('/') ? p : `${p}/`)
  // Hosts, then the path: whole, by expressions, by the longest beginning.
  const lookUp = (host: string) => [
    `  http-request set-var-fmt(txn.key) '${host}|%[path]'`,
    `  http-request set-var(txn.to) var(txn.key),map_str(${at('exact.map')}) unless { var(txn.to) -m found }`,
    `  http-request set-var(txn.to) var(txn.key),map_reg(${at('regex.map')}) unless { var(txn.to) -m found }`,
    `  http-request set-var-fmt(txn.key) '${host}|%[path]/'`,
    `  http-request set-var(txn.to) var(txn.key),map_beg(${at('prefix.map')}) unless { var(txn.to) -m found }`,
  ]
  const config = [
    'global',
    `  description ${version}`,
    '  log stdout format raw local0',
    // How many connections there may be follows from that; without it, from a limit that may be a million.
    '  fd-hard-limit 40000',
    `  nbthread ${s.threads}`,
    ...(s.user ? [`  user ${s.user}`] : []),
    `  stats socket ${at('admin.sock')} mode 600 level admin expose-fd listeners`,
    '  stats timeout 1m',
    // Long connections of workers that have been replaced.
    '  hard-stop-after 10m',
    '  mworker-max-reloads 16',
    '  ssl-default-bind-options ssl-min-ver TLSv1.2',
    '  tune.ssl.default-dh-param 2048',
    'defaults',
    '  mode http',
    '  log global',
    '  option dontlognull',
    '  option redispatch 1',
    '  retries 3',
    '  retry-on conn-failure empty-response',
    // Whoever is there answers within a moment; who does not, is asked no longer than the others are kept waiting.
    '  timeout connect 2s',
    '  timeout client 60s',
    '  timeout server 60s',
    '  timeout tunnel 1h',
    '  timeout http-request 60s',
    '  timeout http-keep-alive 75s',
    '  timeout queue 5s',
    'frontend ingress',
    ...(s.ipv6 ? [':', ':::'] : [':']).flatMap((any) => [
      `  bind ${any}${s.http}${any === ':::' ? ' v6only' : ''}`,
      `  bind ${any}${s.https}${any === ':::' ? ' v6only' : ''} ssl crt-list ${at('certificates.list')} alpn h2,http/1.1`,
    ]),
    '  unique-id-format %[uuid()]',
    '  capture request header Host len 128',
    '  capture request header Referer len 256',
    '  capture request header User-Agent len 256',
    // As the common log is read: who, when, what, what came of it; then how long it took, ms, and where it went.
    `  log-format '%{+E}o%ci - - [%trl] "%HM %HU %HV" %ST %B "%[capture.req.hdr(1)]" "%[capture.req.hdr(2)]" "%[capture.req.hdr(0)]" %Ta %b %si:%sp %ID'`,
    // A path that climbs could be routed as one place and served as another.
    "  http-request deny deny_status 400 if { path,lower -m reg '(^|/)(\\.|%2e){2}(/|$)' }",
    // Only what is safe to do twice is tried again once it has been sent.
    '  http-request disable-l7-retry unless { method GET HEAD OPTIONS }',
    '  http-request set-header X-Request-ID %[unique-id] unless { req.hdr(X-Request-ID) -m found }',
    '  http-request set-header X-Real-IP %[src]',
    '  http-request set-header X-Forwarded-For %[src]',
    '  http-request set-header X-Forwarded-Host %[req.hdr(Host)]',
    '  http-request set-header X-Forwarded-Port %[dst_port]',
    '  http-request set-header X-Forwarded-Proto http unless { ssl_fc }',
    '  http-request set-header X-Forwarded-Proto https if { ssl_fc }',
    "  http-request set-var(txn.host) 'req.hdr(Host),host_only,lower,regsub(\\.$,)'",
    `  http-request set-var(txn.of) var(txn.host),map_str(${at('hosts.map')})`,
    `  http-request set-var(txn.of) 'var(txn.host),regsub("^[^.]+","*"),map_str(${at('hosts.map')})' unless { var(txn.of) -m found }`,
    ...challengeLines(r, at(CHALLENGED)),
    ...lookUp('%[var(txn.of)]'),
    ...lookUp(ANY_HOST),
    '  use_backend %[var(txn.to)] if { var(txn.to) -m found }',
    '  default_backend nowhere',
    'backend nowhere',
    '  http-request return status 404 content-type text/plain string "default backend - 404"',
    ...[...r.backends.values()].flatMap((b) => backendLines(b, places.get(b.name)!)),
  ]
  return new Map([
    ['haproxy.cfg', lines(config)],
    [CHALLENGED, lines(r.challenges.hosts)],
    ['hosts.map', lines([...r.hosts].map(([host, key]) => `${host} ${key}`))],
    ['exact.map', lines(ofMatch('exact').map((x) => `${x.host}|${x.path} ${x.backend}`))],
    ['prefix.map', lines(ofMatch('prefix').map((x) => `${x.host}|${prefix(x.path)} ${x.backend}`))],
    [
      'regex.map',
      lines(
        ofMatch('regex')
          .toSorted((a, b) => b.path.length - a.path.length)
          .map((x) => `^${x.host}\\|(?:${x.path.replace(/^\^/, '')}) ${x.backend}`),
      ),
    ],
    ['certificates.list', lines(certificates.map((c) => [at(certificateFile(c.name)), ...c.hosts].join(' ')))],
    ...certificates.map((c): [string, string] => [certificateFile(c.name), c.pem]),
  ])
}
