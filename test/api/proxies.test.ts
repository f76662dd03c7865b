// Requests that are passed on: to pods, services and nodes, and to an API server that registered itself; through a node's session, on both platforms.
import { createServer as createPlain, type Server as HttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { Agent, createServer, request } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openAuthority } from '../../api/platform/node/certificates.ts'
import type { Session } from '../../node-agent/session/session.ts'
import { temporaryFolder } from '../rig/sqld.ts'
import { type Ask, ask } from './ask.ts'
import { localService, openNodeSession } from './node-session.ts'
import { type Server, startServer } from './server.ts'

const portOf = (s: HttpServer) => (s.address() as AddressInfo).port
const listening = (s: HttpServer) => new Promise<void>((done) => s.listen(0, '127.0.0.1', done))
const closed = (s: HttpServer | undefined) =>
  new Promise<void>((done) => {
    s?.closeAllConnections()
    if (s) s.close(() => done())
    else done()
  })

/** Tells what it was asked; some paths answer otherwise. */
function echo(req: IncomingMessage, res: ServerResponse): void {
  const parts: Buffer[] = []
  req.on('data', (d: Buffer) => parts.push(d))
  req.on('end', () => {
    if (req.url === '/away') return void res.writeHead(302, { location: '/there?x=1' }).end()
    if (req.url === '/cookies')
      return void res
        .writeHead(
          200,
          [
            ['set-cookie', 'a=1'],
            ['set-cookie', 'b=2'],
          ].flat(),
        )
        .end('{}')
    res.setHeader('content-type', 'application/json')
    res.end(JSON.stringify({ method: req.method, url: req.url, headers: req.headers, size: Buffer.concat(parts).length }))
  })
}

describe.each(['node', 'workers'])('on %s', (platform) => {
  let server: Server
  let send: Ask
  let session: Session
  let web: HttpServer
  let api: HttpServer
  let caBundle: string
  const folder = temporaryFolder('proxy-node')
  const certificates = temporaryFolder('proxy-ca')

  beforeAll(async () => {
    web = createPlain(echo)
    await listening(web)
    server = await startServer(platform)
    send = server.send
    session = await openNodeSession(server, folder.path, 'n1')
    const service = (name: string, port: number) => localService(send, 'default', name, port, { name: 'http', port: 80 })
    await service('web', portOf(web))
    const authority = await openAuthority(certificates.path, { dns: ['things.default.svc'], ips: ['127.0.0.1'] })
    caBundle = Buffer.from(authority.certificate).toString('base64')
    const { body } = await send('GET', '/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication')
    const leaf = await authority.issue({ dns: ['things.default.svc'], ips: ['127.0.0.1'] })
    api = createServer(
      { ...leaf, ca: body.data['requestheader-client-ca-file'], requestCert: true, rejectUnauthorized: false },
      things,
    ) as never
    await listening(api)
    await service('things', portOf(api))
  })
  afterAll(async () => {
    session?.close()
    await server?.stop()
    await Promise.all([closed(web), closed(api)])
    folder.remove()
    certificates.remove()
  })

  /** An aggregated API server: it believes headers of whoever has the proxy's certificate. */
  function things(req: IncomingMessage, res: ServerResponse): void {
    const socket = req.socket as TLSSocket
    const known = socket.authorized && socket.getPeerCertificate().subject.CN === 'front-proxy-client'
    const answer = (code: number, value: object) => res.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(value))
    if (!known) return void answer(401, { kind: 'Status', code: 401 })
    if (req.url === '/apis/things.example.com/v1') {
      const resources = [
        { name: 'things', singularName: 'thing', kind: 'Thing', namespaced: true, verbs: ['get', 'list'], shortNames: ['th'] },
      ]
      return void answer(200, { kind: 'APIResourceList', apiVersion: 'v1', groupVersion: 'things.example.com/v1', resources })
    }
    const { headers } = req
    answer(200, {
      kind: 'ThingList',
      apiVersion: 'things.example.com/v1',
      metadata: { selfLink: req.url },
      items: [],
      user: headers['x-remote-user'],
      groups: headers['x-remote-group'],
    })
  }

  const through = (path: string) => `/api/v1/namespaces/default/services/${path}`
  const raw = (method: string, path: string): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const agent = new Agent({ ca: server.cp.ca })
      const req = request(`${server.cp.url}${path}`, { method, agent, headers: { authorization: 'Bearer admintoken' } }, (res) => {
        res.resume()
        res.on('end', () => {
          agent.destroy()
          resolve(res)
        })
      })
      req.on('error', reject)
      req.end()
    })

  test('a service is reached by its name, by a port, with the path, the query and the body', async () => {
    const got = await send('GET', through('web/proxy/a/b%2Fc?x=%20y'))
    expect(got.body).toMatchObject({ method: 'GET', url: '/a/b%2Fc?x=%20y' })
    expect(got.body.headers.authorization).toBeUndefined()
    expect(got.body.headers['x-forwarded-uri']).toBe('/api/v1/namespaces/default/services/web/proxy/a/b%2Fc')
    expect((await send('GET', through('web:http/proxy/'))).body.url).toBe('/')
    expect((await send('GET', through('http:web:80/proxy/'))).body.url).toBe('/')
    const posted = await send('POST', through('web/proxy/form'), { text: 'x'.repeat(1_000_000) })
    expect(posted.body).toMatchObject({ method: 'POST', size: 1_000_011 })
    expect((await send('GET', through('web:81/proxy/'))).code).toBe(503)
    expect((await send('GET', through('none/proxy/'))).code).toBe(404)
  })

  test('redirects stay behind the proxy, cookies stay apart, and a path without an end gets one', async () => {
    const away = await raw('GET', through('web/proxy/away'))
    expect([away.statusCode, away.headers.location]).toEqual([302, `${through('web/proxy')}/there?x=1`])
    expect((await raw('GET', through('web/proxy/cookies'))).headers['set-cookie']).toEqual(['a=1', 'b=2'])
    const bare = await raw('GET', through('web/proxy'))
    expect([bare.statusCode, bare.headers.location]).toEqual([301, `${through('web/proxy')}/`])
  })

  test('a pod is reached by its address, and nothing of the machine through it', async () => {
    await send('POST', '/api/v1/namespaces/default/pods', { metadata: { name: 'p' }, spec: { containers: [{ name: 'c', image: 'x' }] } })
    const at = '/api/v1/namespaces/default/pods/p'
    expect((await send('GET', `${at}:80/proxy/`)).body.message).toBe('address not allowed')
    const address = { podIP: '127.0.0.1', podIPs: [{ ip: '127.0.0.1' }] }
    await send('PATCH', `${at}/status`, { status: address }, undefined, 'application/merge-patch+json')
    expect((await send('GET', `${at}:${portOf(web)}/proxy/`)).body.message).toBe('address not allowed')
  })

  test('what answers nobody is 503, and rights are asked for', async () => {
    await send(
      'PATCH',
      '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/web',
      { ports: [{ name: 'http', port: 1 }] },
      undefined,
      'application/merge-patch+json',
    )
    const dead = await send('GET', through('web/proxy/'))
    expect([dead.code, dead.body.message]).toEqual([503, expect.stringContaining('error trying to reach service: ')])
    const { body } = await send('POST', '/api/v1/namespaces/default/serviceaccounts/default/token', { spec: {} })
    const agent = new Agent({ ca: server.cp.ca })
    const refused = await ask(server.cp.url, body.status.token, agent)('POST', through('web/proxy/'), {})
    agent.destroy()
    expect(refused.body.message).toContain('cannot create resource "services/proxy" in API group ""')
  })

  test('an API that somebody else serves: available, discovered, and told who asks', async () => {
    const group = 'things.example.com'
    const registered = await send('POST', '/apis/apiregistration.k8s.io/v1/apiservices', {
      metadata: { name: `v1.${group}` },
      spec: {
        group,
        version: 'v1',
        service: { namespace: 'default', name: 'things', port: 80 },
        caBundle,
        groupPriorityMinimum: 100,
        versionPriority: 10,
      },
    })
    expect(registered.code).toBe(201)
    const at = `/apis/apiregistration.k8s.io/v1/apiservices/v1.${group}`
    await expect
      .poll(async () => (await send('GET', at)).body.status.conditions?.[0], { timeout: 15_000 })
      .toMatchObject({ type: 'Available', status: 'True', reason: 'Passed', message: 'all checks passed' })
    const table = await send('GET', at, undefined, 'application/json;as=Table;v=v1;g=meta.k8s.io')
    expect(table.body.rows[0].cells.slice(0, 3)).toEqual([`v1.${group}`, 'default/things', 'True'])
    expect((await send('GET', '/apis')).body.groups.map((g: any) => g.name)).toContain(group)
    expect((await send('GET', `/apis/${group}`)).body.preferredVersion.version).toBe('v1')
    const discovery = await send('GET', '/apis', undefined, 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList')
    const found = discovery.body.items.find((i: any) => i.metadata.name === group)
    expect(found.versions[0]).toMatchObject({ freshness: 'Current', resources: [{ resource: 'things', shortNames: ['th'] }] })
    const list = await send('GET', `/apis/${group}/v1/namespaces/default/things?limit=5`)
    expect(list.body).toMatchObject({
      kind: 'ThingList',
      user: 'admin',
      metadata: { selfLink: `/apis/${group}/v1/namespaces/default/things?limit=5` },
    })
    expect(list.body.groups).toContain('system:masters')
    const { body } = await send('POST', '/api/v1/namespaces/default/serviceaccounts/default/token', { spec: {} })
    const agent = new Agent({ ca: server.cp.ca })
    const refused = await ask(server.cp.url, body.status.token, agent)('GET', `/apis/${group}/v1/namespaces/default/things`)
    agent.destroy()
    expect(refused.body.message).toContain(`cannot list resource "things" in API group "${group}" in the namespace "default"`)
    await send('DELETE', '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/things')
    await expect
      .poll(async () => (await send('GET', at)).body.status.conditions?.[0], { timeout: 15_000 })
      .toMatchObject({ status: 'False', reason: 'MissingEndpoints' })
    expect((await send('GET', `/apis/${group}/v1/namespaces/default/things`)).code).toBe(503)
  })

  test('every version that is served here has its APIService, definitions among them', async () => {
    const at = '/apis/apiregistration.k8s.io/v1/apiservices'
    const states = async () =>
      Object.fromEntries((await send('GET', at)).body.items.map((i: any) => [i.metadata.name, i.status.conditions?.[0]?.reason]))
    await expect.poll(states, { timeout: 15_000 }).toMatchObject({ 'v1.': 'Local', 'v1.apps': 'Local', 'v2.autoscaling': 'Local' })
    const versions = [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }]
    const spec = { group: 'own.example.com', scope: 'Namespaced', names: { plural: 'owns', kind: 'Own' }, versions }
    const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
    await send('POST', definitions, { metadata: { name: 'owns.own.example.com' }, spec })
    await expect.poll(states, { timeout: 15_000 }).toMatchObject({ 'v1.own.example.com': 'Local' })
    await send('DELETE', `${at}/v1.apps`)
    await expect.poll(states, { timeout: 15_000 }).toMatchObject({ 'v1.apps': 'Local' })
    await send('DELETE', `${definitions}/owns.own.example.com`)
    await expect.poll(states, { timeout: 15_000 }).not.toHaveProperty(['v1.own.example.com'])
  })
})
