// What a browser is given on both platforms: the files of the dashboard, and watches over WebSocket with the token as one of the protocols.
import { Agent, request } from 'node:https'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { WATCH_PROTOCOL } from '../../shared/session/watch.ts'
import { type Server, startServer } from './server.ts'

const MAPS = '/api/v1/namespaces/default/configmaps'
const TOKEN = `base64url.bearer.authorization.k8s.io.${Buffer.from('admintoken').toString('base64url')}`

describe.each(['node', 'workers'])('a browser on %s', (platform) => {
  let server: Server
  let agent: Agent
  beforeAll(async () => {
    server = await startServer(platform)
    agent = new Agent({ keepAlive: true, ca: server.cp.ca })
  })
  afterAll(async () => {
    agent?.destroy()
    await server?.stop()
  })
  const get = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
    new Promise<{ code: number; headers: any; body: Buffer }>((resolve, reject) => {
      const req = request(`${server.cp.url}${path}`, { agent, headers, method }, (res) => {
        const parts: Buffer[] = []
        res.on('data', (d: Buffer) => parts.push(d))
        res.on('end', () => {
          const sent = Buffer.concat(parts)
          // Before a Worker stands somebody who always takes what is packed.
          const body = res.headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent
          resolve({ code: res.statusCode!, headers: res.headers, body })
        })
      })
      req.on('error', reject)
      req.end()
    })

  test('the page and its files, packed or not, for everybody', async () => {
    const page = await get('/ui/')
    expect([page.code, page.headers['content-type'], page.headers['cache-control']]).toEqual([200, 'text/html; charset=utf-8', 'no-cache'])
    expect(page.headers['content-security-policy']).toContain("default-src 'none'")
    const script = /src="(main-[A-Z0-9]+\.js)"/.exec(page.body.toString())![1]
    const [plain, packed] = [await get(`/ui/${script}`), await get(`/ui/${script}`, { 'accept-encoding': 'gzip' })]
    expect([plain.headers['content-encoding'], packed.headers['content-encoding']]).toEqual([
      platform === 'node' ? undefined : 'gzip',
      'gzip',
    ])
    expect(packed.body).toEqual(plain.body)
    expect(plain.headers['cache-control']).toContain('immutable')
    expect((await get('/ui/', { 'if-none-match': page.headers.etag })).code).toBe(304)
  })

  test('what leads there, and what does not', async () => {
    const cases: [path: string, headers: Record<string, string>, method: string, code: number, location?: string][] = [
      ['/ui', {}, 'GET', 308, '/ui/'],
      ['/', { accept: 'text/html,*/*' }, 'GET', 302, '/ui/'],
      ['/ui/none.js', {}, 'GET', 404],
      ['/ui/__proto__', {}, 'GET', 404],
      ['/ui/', {}, 'DELETE', 405],
      ['/ui/sign-in', {}, 'POST', 404],
    ]
    for (const [path, headers, method, code, location] of cases) {
      const r = await get(path, headers, method)
      expect([method, path, r.code, r.headers.location]).toEqual([method, path, code, location])
    }
    expect(JSON.parse((await get('/ui/sign-in')).body.toString())).toEqual({ hosted: false })
  })

  const open = (query: string, protocols: string[], headers: Record<string, string> = {}) => {
    const events: any[] = []
    let woken = () => {}
    const socket = new WebSocket(`${server.cp.url.replace('https', 'wss')}${MAPS}?watch=true${query}`, protocols, { agent, headers })
    socket.on('message', (data) => {
      events.push(JSON.parse(data.toString()))
      woken()
    })
    const until = async (is: (e: any) => boolean) => {
      while (!events.some(is)) await new Promise<void>((r) => (woken = r))
      return events.find(is)
    }
    const opened = new Promise<string>((resolve, reject) => {
      socket.on('open', () => resolve(socket.protocol))
      socket.on('unexpected-response', (_, res) => reject(new Error(String(res.statusCode))))
      socket.on('error', reject)
    })
    return { socket, until, opened }
  }

  test('a watch over WebSocket: a message an event, as objects or as rows', async () => {
    const objects = open('', [WATCH_PROTOCOL, TOKEN])
    const rows = open('&accept=application/json;as=Table;v=v1;g=meta.k8s.io', [WATCH_PROTOCOL, TOKEN])
    expect([await objects.opened, await rows.opened]).toEqual([WATCH_PROTOCOL, WATCH_PROTOCOL])
    await server.send('POST', MAPS, { metadata: { name: 'fresh' }, data: { a: 'b' } })
    expect((await objects.until((e) => e.object.metadata?.name === 'fresh')).type).toBe('ADDED')
    const row = await rows.until((e) => e.object.rows?.[0]?.object.metadata.name === 'fresh')
    expect(row.object.rows[0].cells.slice(0, 2)).toEqual(['fresh', 1])
    await server.send('DELETE', `${MAPS}/fresh`)
    expect((await objects.until((e) => e.type === 'DELETED')).object.metadata.name).toBe('fresh')
    objects.socket.close()
    rows.socket.close()
  })

  test('without protocols, with a header, as other clients do it; nobody without a token', async () => {
    const plain = open('', [], { authorization: 'Bearer admintoken' })
    expect(await plain.opened).toBe('')
    plain.socket.close()
    const wrong = `base64url.bearer.authorization.k8s.io.${Buffer.from('kedge-wrong').toString('base64url')}`
    await expect(open('', [WATCH_PROTOCOL, wrong]).opened).rejects.toThrow('401')
    await expect(open('', [WATCH_PROTOCOL, 'base64url.bearer.authorization.k8s.io.###']).opened).rejects.toThrow()
    await expect(open('&resourceVersion=99999999', [WATCH_PROTOCOL, TOKEN]).opened).rejects.toThrow('504')
  })
})
