// The past: objects and lists as they were, and what changed since, for those who may read them now.
import { Agent } from 'node:https'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Ask, ask } from './ask.ts'
import { type Server, startServer } from './server.ts'

const MERGE = 'application/merge-patch+json'
const MAPS = '/api/v1/namespaces/default/configmaps'

describe.each(['node', 'workers'])('on %s', (platform) => {
  let server: Server
  let send: Ask
  let first: string
  let second: string
  let between: string
  beforeAll(async () => {
    server = await startServer(platform)
    send = server.send
    const made = await send('POST', MAPS, {
      metadata: { name: 'a', labels: { of: 'test' }, annotations: { 'x/o': '1' } },
      data: { x: '1', y: '1' },
    })
    await send('POST', MAPS, { metadata: { name: 'gone', labels: { of: 'test' } } })
    first = (await send('GET', MAPS)).body.metadata.resourceVersion
    expect(Number(first)).toBeGreaterThan(Number(made.body.metadata.resourceVersion))
    between = new Date(Date.now() + 5).toISOString()
    await new Promise((done) => setTimeout(done, 20))
    await send('PATCH', `${MAPS}/a`, { metadata: { annotations: { 'x/y': '3' } }, data: { x: '2', y: null } }, undefined, MERGE)
    await send('DELETE', `${MAPS}/gone`)
    await send('POST', MAPS, { metadata: { name: 'new', labels: { of: 'test' } } })
    second = (await send('GET', MAPS)).body.metadata.resourceVersion
  })
  afterAll(() => server?.stop())
  const own = `${MAPS}?labelSelector=of%3Dtest`

  test('an object and a list as they were, by version and by time', async () => {
    for (const at of [first, between]) {
      expect((await send('GET', `${MAPS}/a?at=${at}`)).body.data).toEqual({ x: '1', y: '1' })
      expect((await send('GET', `${own}&at=${at}`)).body.items.map((i: any) => i.metadata.name)).toEqual(['a', 'gone'])
      expect((await send('GET', `${MAPS}/gone?at=${at}`)).code).toBe(200)
      expect((await send('GET', `${MAPS}/new?at=${at}`)).code).toBe(404)
    }
    expect((await send('GET', `${MAPS}/a?at=now`)).body.data).toEqual({ x: '2' })
    expect((await send('GET', `${MAPS}/a?at=1h`)).code).toBe(404)
    const page = await send('GET', `${own}&at=${first}&limit=1`)
    const rest = await send('GET', `${own}&at=${first}&limit=1&continue=${page.body.metadata.continue}`)
    expect([...page.body.items, ...rest.body.items].map((i: any) => i.metadata.name)).toEqual(['a', 'gone'])
    const table = await send('GET', `${own}&at=${first}`, undefined, 'application/json;as=Table;v=v1;g=meta.k8s.io')
    expect(table.body.rows.map((r: any) => r.cells[0])).toEqual(['a', 'gone'])
  })

  test('what changed between two moments', async () => {
    const { body } = await send('GET', `${own}&diff=${first}..${second}`)
    expect(body).toMatchObject({ kind: 'Difference', from: first, to: second })
    expect(body.items).toEqual([
      {
        namespace: 'default',
        name: 'a',
        change: 'changed',
        patch: [
          { op: 'add', path: '/metadata/annotations/x~1y', value: '3' },
          { op: 'replace', path: '/data/x', value: '2' },
          { op: 'remove', path: '/data/y' },
        ],
      },
      { namespace: 'default', name: 'new', change: 'added' },
      { namespace: 'default', name: 'gone', change: 'removed' },
    ])
    const back = await send('GET', `${MAPS}/a?diff=now..${first}`)
    expect(back.body.items[0].patch).toContainEqual({ op: 'add', path: '/data/y', value: '1' })
  })

  test.each([
    [`${MAPS}/a?at=yesterday`, 400],
    [`${MAPS}/a?diff=1`, 400],
    [`${MAPS}/a?at=99999999`, 400],
    [`${MAPS}?at=99999999`, 504],
    [`${MAPS}?watch=1&at=1`, 400],
    [`${MAPS}?resourceVersionMatch=Exact`, 422],
    [`${MAPS}?resourceVersionMatch=Exact&resourceVersion=0`, 422],
    [`${MAPS}?sendInitialEvents=true`, 422],
    [`${MAPS}?watch=1&sendInitialEvents=true`, 422],
    [`${MAPS}?watch=1&resourceVersionMatch=NotOlderThan`, 422],
  ])('GET %s is %i', async (path, code) => expect((await send('GET', path)).code).toBe(code))

  test('nobody reads of the past what they may not read now, and it is not changed', async () => {
    await send('POST', '/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'curious' } })
    const { body } = await send('POST', '/api/v1/namespaces/default/serviceaccounts/curious/token', { spec: {} })
    const agent = new Agent({ ca: server.cp.ca })
    const curious = ask(server.cp.url, body.status.token, agent)
    for (const path of [`${MAPS}/a?at=${first}`, `${MAPS}?at=${first}`, `${MAPS}/a?diff=${first}..now`, `${MAPS}?diff=${first}..now`])
      expect((await curious('GET', path)).code, path).toBe(403)
    agent.destroy()
    expect((await send('DELETE', `${MAPS}?at=${first}`)).code).toBe(400)
    expect((await send('DELETE', `${MAPS}/a?at=${first}`)).code).toBe(400)
  })
})
