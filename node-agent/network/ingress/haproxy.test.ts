// Ingresses as requests see them: the real proxy on loopback, with the files that are made for it, before real servers.
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, request, type Server } from 'node:http'
import http2 from 'node:http2'
import { request as secure } from 'node:https'
import { type AddressInfo, connect, createServer as listen } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { THUMBPRINT } from '../../../shared/ingress/acme.ts'
import { CONTROLLER } from '../../../shared/ingress/class.ts'
import { fallbackCertificate } from './fallback-certificate.ts'
import { HaProxy, haproxyBinary } from './haproxy.ts'
import { type Places, placeCommands, placesFor, proxyFiles } from './haproxy-config.ts'
import { routing } from './routing.ts'

const missing = haproxyBinary() ? undefined : 'haproxy is not installed'
if (missing && process.env.CI === 'true') throw new Error(missing)
if (missing) console.warn(`ingress tests are skipped: ${missing}`)

/** A port that nobody has. */
const freePort = () =>
  new Promise<number>((resolve) => {
    const s = listen().listen(0, '127.0.0.1', () => {
      const { port } = s.address() as AddressInfo
      s.close(() => resolve(port))
    })
  })

interface Answer {
  status: number
  headers: Record<string, string | string[] | undefined>
  body: string
}

describe.skipIf(missing)('the proxy', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'kedge-ingress-'))
  const servers = new Map<string, Server>()
  const endpoints = new Map<string, string[]>()
  const secrets = new Map<string, any>()
  /** The addresses of names outside. */
  const external = new Map<string, string[]>()
  const thumbprint = 'x'.repeat(43)
  let proxy: HaProxy
  let http: number
  let https: number
  let places: Places = new Map()
  let serial = 0
  let losses = 0

  /** A server that says who it is, and what it was asked. */
  async function serve(name: string): Promise<string> {
    const server = createServer((req, res) => {
      res.setHeader('x-who', name)
      if (req.url === '/slow') setTimeout(() => res.end('late'), 1500)
      else res.end(JSON.stringify({ who: name, path: req.url, host: req.headers.host, headers: req.headers }))
    })
    server.on('upgrade', (_req, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n')
      socket.on('data', (d: Buffer) => socket.write(d))
      socket.on('error', () => {})
    })
    await new Promise<void>((r) => server.listen(0, '127.0.0.1', r))
    servers.set(name, server)
    return `127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  const rule = (host: string, path: string, service: string, pathType = 'Prefix') => ({
    ...(host ? { host } : {}),
    http: { paths: [{ path, pathType, backend: { service: { name: service, port: { number: 80 } } } }] },
  })
  const manifest = (name: string, spec: any, annotations: any = {}, at = '2026-01-01T00:00:00Z') => ({
    metadata: { name, namespace: 'default', creationTimestamp: at, annotations },
    spec: { ingressClassName: 'kedge', ...spec },
  })

  const routingOf = (ingresses: any[]) =>
    routing({
      ingresses,
      classOf: (name) =>
        name === 'kedge' ? { metadata: { annotations: { [THUMBPRINT]: thumbprint } }, spec: { controller: CONTROLLER } } : undefined,
      service: (namespace, name) => {
        if (external.has(name)) return { metadata: { namespace, name }, spec: { type: 'ExternalName', externalName: name } }
        return endpoints.has(name) ? { metadata: { namespace, name }, spec: { ports: [{ port: 80, protocol: 'TCP' }] } } : undefined
      },
      slices: (_ns, name) =>
        (endpoints.get(name) ?? []).map((e) => ({
          ports: [{ port: Number(e.split(':')[1]), protocol: 'TCP' }],
          addressType: 'IPv4',
          endpoints: [{ addresses: [e.split(':')[0]], conditions: { ready: true } }],
        })),
      secret: (_ns, name) => secrets.get(name),
      external: (name) => external.get(name) ?? [],
    })
  async function configure(ingresses: any[]): Promise<readonly string[]> {
    const r = routingOf(ingresses)
    places = placesFor(r.backends, new Map())
    const version = `v${++serial}`
    const files = proxyFiles(r, places, { folder, http, https, threads: 1 }, await fallbackCertificate(folder), version)
    await proxy.apply(files, version)
    return r.faults
  }

  const ask = (url: string, o: { host?: string; method?: string; headers?: any; body?: string; servername?: string } = {}) =>
    new Promise<Answer & { json: any; certificate?: string }>((resolve, reject) => {
      const over = url.startsWith('https:') ? secure : request
      const port = url.startsWith('https:') ? https : http
      const options = {
        host: '127.0.0.1',
        port,
        path: url.replace(/^https?:/, ''),
        method: o.method ?? 'GET',
        headers: { host: o.host ?? 'any.test', ...o.headers },
        rejectUnauthorized: false,
        servername: o.servername ?? o.host ?? 'any.test',
        agent: false as const,
      }
      const req = over(options, (res: IncomingMessage) => {
        const peer = (res.socket as any).getPeerCertificate?.()
        let body = ''
        res.on('data', (d) => (body += d))
        res.on('end', () => {
          const json = body.startsWith('{') ? JSON.parse(body) : undefined
          resolve({ status: res.statusCode!, headers: res.headers, body, json, certificate: peer?.subject?.CN })
        })
      })
      req.on('error', reject)
      req.end(o.body)
    })

  beforeAll(async () => {
    proxy = new HaProxy(folder, () => {
      losses++
    })
    ;[http, https] = [await freePort(), await freePort()]
    for (const name of ['a', 'b', 'c']) endpoints.set(name, [await serve(name)])
    endpoints.set('nobody', [])
  })
  afterAll(async () => {
    await proxy.stop(true)
    for (const s of servers.values()) s.close()
    for (const s of servers.values()) s.closeAllConnections()
    rmSync(folder, { recursive: true, force: true })
  })

  const to = (who: string, path?: string) => ({ status: 200, who, ...(path !== undefined ? { path } : {}) })
  const at = (status: number, location?: string) => ({ status, ...(location ? { location } : {}) })
  type Expected = { status: number; who?: string; path?: string; location?: string }

  test.each<[string, any[], [url: string, host: string | undefined, Expected][]]>([
    [
      'hosts: whole, by a wildcard of one label, any',
      [manifest('i', { rules: [rule('one.test', '/', 'a'), rule('*.one.test', '/', 'b'), rule('', '/', 'c')] })],
      [
        ['/', 'one.test', to('a')],
        ['/', 'ONE.test', to('a')],
        ['/', 'one.test:8080', to('a')],
        ['/', 'one.test.', to('a')],
        ['/', 'x.one.test', to('b')],
        ['/', 'y.x.one.test', to('c')],
        ['/', 'other.test', to('c')],
        ['/', '10.1.1.1', to('c')],
      ],
    ],
    [
      'a host that is named goes before a wildcard',
      [manifest('i', { rules: [rule('*.one.test', '/', 'b'), rule('x.one.test', '/', 'a')] })],
      [
        ['/', 'x.one.test', to('a')],
        ['/', 'z.one.test', to('b')],
        ['/', 'one.test', at(404)],
      ],
    ],
    [
      'prefixes are of whole elements, the longest wins',
      [manifest('i', { rules: [rule('', '/', 'a'), rule('', '/foo', 'b'), rule('', '/foo/bar/', 'c')] })],
      [
        ['/', undefined, to('a', '/')],
        ['/foo', undefined, to('b', '/foo')],
        ['/foo/', undefined, to('b')],
        ['/foo/x?y=1', undefined, to('b', '/foo/x?y=1')],
        ['/foobar', undefined, to('a')],
        ['/foo/bar', undefined, to('c')],
        ['/foo/bar/baz', undefined, to('c')],
        ['/foo/barbaz', undefined, to('b')],
        ['/FOO', undefined, to('a')],
      ],
    ],
    [
      'exact paths',
      [manifest('i', { rules: [rule('', '/foo', 'a', 'Exact'), rule('', '/foo', 'b'), rule('', '/bar/', 'c', 'Exact')] })],
      [
        ['/foo', undefined, to('a')],
        ['/foo?x', undefined, to('a')],
        ['/foo/', undefined, to('b')],
        ['/bar/', undefined, to('c')],
        ['/bar', undefined, at(404)],
      ],
    ],
    [
      'what no rule takes goes to the default',
      [
        manifest('i', { rules: [rule('one.test', '/foo', 'a')], defaultBackend: { service: { name: 'b', port: { number: 80 } } } }),
        manifest('j', { defaultBackend: { service: { name: 'c', port: { number: 80 } } } }),
        manifest('k', { rules: [rule('two.test', '/foo', 'a')] }),
      ],
      [
        ['/foo', 'one.test', to('a')],
        ['/', 'one.test', to('b')],
        ['/', 'two.test', to('c')],
        ['/foo', 'two.test', to('a')],
        ['/', 'three.test', to('c')],
      ],
    ],
    [
      'of two that want the same, the older has it',
      [
        manifest('young', { rules: [rule('one.test', '/', 'b')] }, {}, '2026-02-01T00:00:00Z'),
        manifest('old', { rules: [rule('one.test', '/', 'a')] }, {}, '2026-01-01T00:00:00Z'),
      ],
      [['/', 'one.test', to('a')]],
    ],
    [
      'another class is not ours',
      [manifest('i', { ingressClassName: 'theirs', rules: [rule('', '/', 'a')] })],
      [['/', undefined, at(404)]],
    ],
    [
      'a class as it was named before',
      [manifest('i', { ingressClassName: undefined, rules: [rule('', '/', 'a')] }, { 'kubernetes.io/ingress.class': 'kedge' })],
      [['/', undefined, to('a')]],
    ],
    [
      'services that are not there, or have nobody',
      [manifest('i', { rules: [rule('', '/', 'a'), rule('', '/gone', 'gone'), rule('', '/nobody', 'nobody')] })],
      [
        ['/gone', undefined, at(503)],
        ['/nobody', undefined, at(503)],
        ['/', undefined, to('a')],
      ],
    ],
    [
      'paths beyond ASCII, with blanks and quotes',
      [manifest('i', { rules: [rule('', '/grün', 'a'), rule('', '/two words', 'b'), rule('', "/it's", 'c')] })],
      [
        ['/gr%C3%BCn/x', undefined, to('a')],
        ['/two%20words', undefined, to('b')],
        ["/it's/x", undefined, to('c')],
      ],
    ],
    [
      'a prefix that is replaced, as the older annotation means it',
      [
        manifest('i', { rules: [rule('', '/welcome', 'a'), rule('', "/it's", 'b')] }, { 'ingress.kubernetes.io/rewrite-target': '/' }),
        manifest('j', { rules: [rule('', '/old', 'c')] }, { 'ingress.kubernetes.io/rewrite-target': '/new/100%' }),
      ],
      [
        ['/welcome', undefined, to('a', '/')],
        ['/welcome/x?y=%20', undefined, to('a', '/x?y=%20')],
        ["/it's/so", undefined, to('b', '/so')],
        ['/old/x', undefined, to('c', '/new/100%/x')],
      ],
    ],
    [
      'rewriting with captures, and without',
      [
        manifest(
          'i',
          {
            rules: [
              rule('', '/api(/|$)(.*)', 'a', 'ImplementationSpecific'),
              rule('', '/api/v2/(a|b)', 'b', 'ImplementationSpecific'),
              rule('', '/one(/)(.*)|/two(/)', 'b', 'ImplementationSpecific'),
            ],
          },
          { 'nginx.ingress.kubernetes.io/rewrite-target': '/$2', 'nginx.ingress.kubernetes.io/use-regex': 'true' },
        ),
        manifest('j', { rules: [rule('', '/all', 'c')] }, { 'nginx.ingress.kubernetes.io/rewrite-target': '/index.html' }),
      ],
      [
        ['/api/users?id=1', undefined, to('a', '/users?id=1')],
        ['/api', undefined, to('a', '/')],
        ['/apix', undefined, at(404)],
        ['/one/x', undefined, to('b', '/x')],
        ['/two/y', undefined, to('b', '/')],
        ['/all/of/it', undefined, to('c', '/index.html')],
      ],
    ],
    [
      'the longest of expressions and prefixes',
      [
        manifest('i', { rules: [rule('', '/.*', 'a', 'ImplementationSpecific')] }, { 'nginx.ingress.kubernetes.io/use-regex': 'true' }),
        manifest('j', { rules: [rule('', '/static', 'b')] }),
      ],
      [
        ['/x', undefined, to('a')],
        ['/static/x', undefined, to('b')],
        ['/staticx', undefined, to('a')],
      ],
    ],
    [
      'to https, where the host has TLS',
      [
        manifest('i', { tls: [{ hosts: ['one.test'] }], rules: [rule('one.test', '/', 'a'), rule('two.test', '/', 'b')] }),
        manifest(
          'j',
          { tls: [{ hosts: ['three.test'] }], rules: [rule('three.test', '/', 'a')] },
          { 'nginx.ingress.kubernetes.io/ssl-redirect': 'false' },
        ),
        manifest('k', { rules: [rule('four.test', '/', 'a')] }, { 'nginx.ingress.kubernetes.io/force-ssl-redirect': 'true' }),
      ],
      [
        ['/x?y', 'one.test', at(308, 'https://one.test/x?y')],
        ['https:/x', 'one.test', to('a', '/x')],
        ['/', 'two.test', to('b')],
        ['/', 'three.test', to('a')],
        ['/', 'four.test', at(308, 'https://four.test/')],
      ],
    ],
    [
      'redirects',
      [
        manifest(
          'i',
          { rules: [rule('one.test', '/', 'a')] },
          { 'nginx.ingress.kubernetes.io/permanent-redirect': 'https://new.test/100%25' },
        ),
        manifest('j', { rules: [rule('two.test', '/', 'a')] }, { 'nginx.ingress.kubernetes.io/temporal-redirect': 'https://new.test' }),
        manifest('k', { rules: [rule('three.test', '/', 'a')] }, { 'nginx.ingress.kubernetes.io/app-root': '/app' }),
      ],
      [
        ['/', 'one.test', at(301, 'https://new.test/100%25')],
        ['/', 'two.test', at(302, 'https://new.test')],
        ['/', 'three.test', at(302, '/app')],
        ['/x', 'three.test', to('a')],
      ],
    ],
    [
      'who may come',
      [
        manifest(
          'i',
          { rules: [rule('one.test', '/', 'a')] },
          { 'nginx.ingress.kubernetes.io/whitelist-source-range': '10.0.0.0/8, 192.168.1.1' },
        ),
        manifest('j', { rules: [rule('two.test', '/', 'a')] }, { 'nginx.ingress.kubernetes.io/whitelist-source-range': '127.0.0.0/8' }),
      ],
      [
        ['/', 'one.test', at(403)],
        ['/', 'two.test', to('a')],
      ],
    ],
    [
      'paths that climb are refused',
      [manifest('i', { rules: [rule('', '/', 'a'), rule('', '/shut', 'nobody')] })],
      [
        ['/x/../shut', undefined, at(400)],
        ['/x/%2E%2e/shut', undefined, at(400)],
        ['/x/..', undefined, at(400)],
        ['/x/..y', undefined, to('a')],
      ],
    ],
  ])('%s', async (_title, ingresses, requests) => {
    expect(await configure(ingresses)).toEqual([])
    for (const [url, host, expected] of requests) {
      const { status, json, headers } = await ask(url, { ...(host ? { host } : {}) })
      const got: Expected = { status }
      if (expected.who !== undefined) got.who = json?.who
      if (expected.path !== undefined) got.path = json?.path
      if (expected.location !== undefined) got.location = headers.location as string
      expect({ url, host, ...got }).toEqual({ url, host, ...expected })
    }
  })

  test.each<[string, any, RegExp]>([
    ['rewrite-target', 'no-slash', /rewrite-target: "no-slash" is not understood/],
    ['rewrite-target', "/x' code 1", /not understood/],
    ['proxy-read-timeout', 'a day', /not understood/],
    ['proxy-body-size', '8 apples', /not understood/],
    ['whitelist-source-range', '10.0.0.0/8, everyone', /not understood/],
    ['permanent-redirect', 'https://x\n  http-request deny', /not understood/],
    ['upstream-vhost', 'x y', /not understood/],
    ['backend-protocol', 'FCGI', /"FCGI" is not understood/],
  ])('what cannot be understood is left out, and said: %s %j', async (name, value, fault) => {
    const faults = await configure([manifest('i', { rules: [rule('', '/', 'a')] }, { [`nginx.ingress.kubernetes.io/${name}`]: value })])
    expect(faults.join()).toMatch(fault)
    expect((await ask('/')).json.who).toBe('a')
  })

  test('an expression that nobody can read takes nothing from the others', async () => {
    const regex = { 'nginx.ingress.kubernetes.io/use-regex': 'true' }
    const faults = await configure([
      manifest('i', { rules: [rule('', '/(x', 'a', 'ImplementationSpecific'), rule('', '/y+', 'b', 'ImplementationSpecific')] }, regex),
    ])
    expect(faults).toHaveLength(1)
    expect((await ask('/yyy')).json.who).toBe('b')
  })

  test('what backends are told of the client', async () => {
    await configure([
      manifest('i', { rules: [rule('one.test', '/', 'a')] }, { 'nginx.ingress.kubernetes.io/upstream-vhost': 'inner.test:8080' }),
    ])
    const { headers } = (await ask('https:/', { host: 'one.test', headers: { 'x-forwarded-for': '8.8.8.8', 'x-request-id': 'mine' } })).json
    expect(headers).toMatchObject({
      host: 'inner.test:8080',
      'x-forwarded-for': '127.0.0.1',
      'x-real-ip': '127.0.0.1',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'one.test',
      'x-forwarded-port': String(https),
      'x-request-id': 'mine',
    })
    expect((await ask('/', { host: 'one.test' })).json.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/)
  })

  test('a body that is too long, and an answer that takes too long', async () => {
    await configure([
      manifest('i', { rules: [rule('one.test', '/', 'a')] }, { 'nginx.ingress.kubernetes.io/proxy-body-size': '1k' }),
      manifest('j', { rules: [rule('two.test', '/', 'a')] }, { 'nginx.ingress.kubernetes.io/proxy-read-timeout': '1' }),
    ])
    const body = 'x'.repeat(1025)
    expect((await ask('/', { host: 'one.test', method: 'POST', body, headers: { 'content-length': 1025 } })).status).toBe(413)
    expect((await ask('/', { host: 'one.test', method: 'POST', body: body.slice(1), headers: { 'content-length': 1024 } })).status).toBe(
      200,
    )
    expect((await ask('/slow', { host: 'two.test' })).status).toBe(504)
    expect((await ask('/slow', { host: 'one.test' })).body).toBe('late')
  })

  test('a client keeps its endpoint by a cookie, whatever place that has', async () => {
    const all = [endpoints.get('a')![0]!, endpoints.get('b')![0]!, endpoints.get('c')![0]!]
    endpoints.set('many', all)
    const spread = manifest('i', { rules: [rule('', '/', 'many')] }, { 'nginx.ingress.kubernetes.io/affinity': 'cookie' })
    await configure([spread])
    const first = await ask('/')
    const cookie = String(first.headers['set-cookie']).split(';')[0]!
    expect(cookie).toMatch(/^INGRESSCOOKIE=/)
    const seen = new Set<string>()
    for (let i = 0; i < 6; i++) seen.add((await ask('/')).json.who)
    expect(seen.size).toBe(3)
    endpoints.set(
      'many',
      all.filter((e) => e === endpoints.get(first.json.who)![0]),
    )
    await configure([spread])
    endpoints.set('many', all)
    await configure([spread])
    for (let i = 0; i < 6; i++) expect((await ask('/', { headers: { cookie } })).json.who).toBe(first.json.who)
  })

  test('certificates by host, by wildcard, renewed, and one for the rest', async () => {
    const pair = async (cn: string) => {
      const at = mkdtempSync(path.join(tmpdir(), 'kedge-pair-'))
      const { pem } = await fallbackCertificate(at)
      rmSync(at, { recursive: true })
      const [certificate, key] = [pem.slice(0, pem.indexOf('-----BEGIN PRIVATE')), pem.slice(pem.indexOf('-----BEGIN PRIVATE'))]
      const base64 = (s: string) => Buffer.from(s).toString('base64')
      secrets.set(cn, { data: { 'tls.crt': base64(certificate), 'tls.key': base64(key) } })
      return new X509Certificate(certificate).fingerprint256
    }
    const shown = (servername: string) =>
      new Promise<string>((resolve, reject) => {
        const s = http2.connect(`https://127.0.0.1:${https}`, { servername, rejectUnauthorized: false })
        s.on('error', reject)
        s.on('connect', (_session, socket: any) => {
          expect(socket.alpnProtocol).toBe('h2')
          resolve(socket.getPeerCertificate().fingerprint256)
          s.close()
        })
      })
    const [one, wild] = [await pair('one'), await pair('wild')]
    const certified = manifest('i', {
      tls: [
        { hosts: ['one.test'], secretName: 'one' },
        { hosts: ['*.wild.test'], secretName: 'wild' },
        { hosts: ['lost.test'], secretName: 'lost' },
        { hosts: ['odd.test'], secretName: 'one.pem' },
      ],
      rules: [rule('one.test', '/', 'a')],
    })
    // A name that another one begins with.
    secrets.set('one.pem', secrets.get('wild'))
    expect(await configure([certified])).toEqual(['ingress default/i: secret default/lost does not exist'])
    expect([await shown('one.test'), await shown('x.wild.test')]).toEqual([one, wild])
    const rest = await shown('lost.test')
    expect([one, wild]).not.toContain(rest)
    const renewed = await pair('one')
    await configure([certified])
    expect(await shown('one.test')).toBe(renewed)
    // Halves that do not belong together.
    secrets.set('one', { data: { ...secrets.get('one').data, 'tls.key': secrets.get('wild').data['tls.key'] } })
    expect((await configure([certified])).join()).toContain('has no certificate with its key')
    expect(await shown('one.test')).toBe(rest)
  })

  test('HTTP/2 from and to, as gRPC needs it', async () => {
    const server = http2.createServer()
    server.on('stream', (stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
      stream.pipe(stream)
    })
    await new Promise<void>((r) => server.listen(0, '127.0.0.1', r))
    endpoints.set('grpc', [`127.0.0.1:${(server.address() as AddressInfo).port}`])
    await configure([manifest('i', { rules: [rule('g.test', '/', 'grpc')] }, { 'nginx.ingress.kubernetes.io/backend-protocol': 'GRPC' })])
    const client = http2.connect(`https://127.0.0.1:${https}`, { servername: 'g.test', rejectUnauthorized: false })
    const stream = client.request({ ':path': '/svc/Call', ':method': 'POST', ':authority': 'g.test', te: 'trailers' })
    const trailers = new Promise<any>((r) => stream.on('trailers', r))
    const answered = new Promise<string>((r) => stream.on('data', (d) => r(String(d))))
    stream.write('one')
    // While the call is open: both directions flow.
    expect(await answered).toBe('one')
    stream.end()
    expect((await trailers)['grpc-status']).toBe('0')
    client.close()
    server.close()
  })

  test('upgraded connections go on while files change', async () => {
    const up = (path: string) => manifest('i', { rules: [rule('', path, 'a')] })
    await configure([up('/')])
    const socket = connect(http, '127.0.0.1')
    let text = ''
    socket.on('data', (d) => (text += d))
    const says = async (what: string) => {
      while (!text.includes(what)) await new Promise((r) => socket.once('data', r))
    }
    socket.write('GET /echo HTTP/1.1\r\nHost: any.test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n')
    await says('101 Switching')
    await configure([up('/other')])
    socket.write('still here')
    await says('still here')
    expect((await ask('/echo')).status).toBe(404)
    socket.destroy()
  })

  test('no request is lost while endpoints and files change', async () => {
    const ingress = (n: number) => manifest('i', { rules: [rule('', '/', 'moving'), ...(n ? [rule(`h${n}.test`, '/', 'a')] : [])] })
    const [a, b, c] = ['a', 'b', 'c'].map((n) => endpoints.get(n)![0]!)
    endpoints.set('moving', [a!])
    await configure([ingress(0)])
    let running = true
    const counts = new Map<string, number>()
    const clients = Array.from({ length: 8 }, async () => {
      while (running) {
        const { status, json } = await ask('/').catch((cause) => ({ status: cause.code, json: undefined }))
        const key = status === 200 ? json.who : `failed: ${status}`
        counts.set(key, (counts.get(key) ?? 0) + 1)
      }
    })
    const moves = [[b!], [b!, c!], [a!, c!], [c!], [a!, b!, c!]]
    for (const [n, list] of moves.entries()) {
      endpoints.set('moving', list)
      const now = placesFor(routingOf([ingress(n)]).backends, places)
      for (const line of placeCommands(places, now)) await proxy.command(line)
      places = now
      const sum = () => [...counts.values()].reduce((x, y) => x + y, 0)
      for (const start = sum(); sum() < start + 60; ) await new Promise((r) => setImmediate(r))
      await configure([ingress(n + 1)])
    }
    running = false
    await Promise.all(clients)
    expect([...counts.keys()].sort()).toEqual(['a', 'b', 'c'])
  })

  test('its end is seen, and it starts again; whoever lets go of it leaves it running', async () => {
    await configure([manifest('i', { rules: [rule('', '/', 'a')] })])
    const before = losses
    proxy.release()
    const other = new HaProxy(folder, () => {
      losses++
    })
    const pid = async () => Number(/^(\d+)\s+master/m.exec(await command('show proc'))![1])
    const command = (line: string) =>
      new Promise<string>((resolve, reject) => {
        let text = ''
        const s = connect(path.join(folder, 'master.sock'), () => s.end(`${line}\n`))
        s.on('data', (d) => (text += d))
        s.on('error', reject)
        s.on('close', () => resolve(text))
      })
    const first = await pid()
    proxy = other
    await configure([manifest('i', { rules: [rule('', '/', 'b')] })])
    expect([await pid(), (await ask('/')).json.who, losses]).toEqual([first, 'b', before])
    process.kill(first, 'SIGKILL')
    while (losses === before) await new Promise((r) => setTimeout(r, 20))
    await configure([manifest('i', { rules: [rule('', '/', 'c')] })])
    expect((await ask('/')).json.who).toBe('c')
  })

  test('a name outside is a backend like any other, by the port that the ingress names', async () => {
    const [address, port] = endpoints.get('a')![0]!.split(':') as [string, string]
    external.set('outside', [address])
    external.set('unknown', [])
    const backend = (name: string) => ({ service: { name, port: { number: Number(port) } } })
    const rules = ['outside', 'unknown'].map((name) => ({
      host: `${name}.test`,
      http: { paths: [{ path: '/', pathType: 'Prefix', backend: backend(name) }] },
    }))
    await configure([manifest('i', { rules })])
    const asked = async (host: string) => (await ask('/', { host })).status
    expect([(await ask('/', { host: 'outside.test' })).json.who, await asked('unknown.test')]).toEqual(['a', 503])
  })

  test('challenges are answered where a certificate is to be had, and nowhere else', async () => {
    const of = (name: string, host: string, annotations: object) =>
      manifest(name, { rules: [rule(host, '/', 'a')], tls: [{ secretName: name, hosts: [host] }] }, annotations)
    const faults = await configure([of('i', 'one.test', { 'kubernetes.io/tls-acme': 'true' }), of('j', 'two.test', {})])
    expect(faults).toEqual([expect.stringContaining('secret default/j does not exist')])
    const asked = async (host: string, path: string) => {
      const { status, body } = await ask(path, { host })
      return status === 200 && !body.startsWith('{') ? body : status
    }
    expect([
      await asked('one.test', '/.well-known/acme-challenge/to-ken_1'),
      await asked('one.test', '/.well-known/acme-challenge/a/b'),
      await asked('one.test', '/'),
      await asked('two.test', '/.well-known/acme-challenge/token'),
    ]).toEqual([`to-ken_1.${thumbprint}`, 308, 308, 308])
  })

  test('the access log says who asked for what, and where it went', async () => {
    await configure([manifest('i', { rules: [rule('log.test', '/', 'a')] })])
    await ask('/seen?x="1"', { host: 'log.test', headers: { 'user-agent': 'a "quoted" agent' } })
    const lines = () => readFileSync(proxy.accessLog, 'utf8').split('\n')
    let line: string | undefined
    while (!(line = lines().find((l) => l.includes('/seen')))) await new Promise((r) => setTimeout(r, 10))
    const [server] = endpoints.get('a')!
    expect(line).toMatch(
      /^127\.0\.0\.1 - - \[.*\] "GET \/seen\?x=#221#22 HTTP\/1.1" 200 \d+ ".*" "a \\"quoted\\" agent" "log.test" \d+ default\.a\.80 /,
    )
    expect(line).toContain(` ${server} `)
  })
})

test('places are kept, and grow', () => {
  const backend = (list: string[]) =>
    new Map([['x', { name: 'x', endpoints: list, options: { protocol: 'HTTP' as const, toHttps: false } }]])
  const first = placesFor(backend(['1.1.1.1:1', '1.1.1.2:1', '1.1.1.3:1']), new Map())
  expect(first.get('x')!.slice(0, 4)).toEqual(['1.1.1.1:1', '1.1.1.2:1', '1.1.1.3:1', undefined])
  const second = placesFor(backend(['1.1.1.0:1', '1.1.1.1:1', '1.1.1.3:1']), first)
  expect(second.get('x')!.slice(0, 4)).toEqual(['1.1.1.1:1', undefined, '1.1.1.3:1', '1.1.1.0:1'])
  expect(placeCommands(first, second)).toEqual([
    'set server x/s4 addr 1.1.1.0 port 1; set server x/s4 state ready; set server x/s2 state maint',
  ])
  const many = Array.from({ length: 9 }, (_, i) => `1.1.1.${i}:1`)
  expect(placesFor(backend(many), second).get('x')!.length).toBe(16)
})
