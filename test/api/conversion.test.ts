// Custom resources in versions that a webhook makes of each other, on both platforms: written and read in any of them, wherever they are stored.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Session } from '../../node-agent/session/session.ts'
import { eventually } from '../rig/hosts.ts'
import { temporaryFolder } from '../rig/sqld.ts'
import type { Ask } from './ask.ts'
import { HookServer } from './hook-server.ts'
import { localService, openNodeSession } from './node-session.ts'
import { type Server, startServer } from './server.ts'

const GROUP = 'travel.example.com'
const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const MERGE = 'application/merge-patch+json'

const schema = (properties: object) => ({
  openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object', properties } }, required: ['spec'] },
})
const string = { type: 'string' }
/** v1 has one field for the host and the port, v2 has two. */
const v1 = { name: 'v1', served: true, storage: true, schema: schema({ hostPort: string }) }
const v2 = {
  name: 'v2',
  served: true,
  storage: false,
  schema: schema({ host: string, port: string }),
  additionalPrinterColumns: [{ name: 'Host', type: 'string', jsonPath: '.spec.host' }],
}

function convert(o: any, to: string): any {
  if (o.apiVersion === to) return o
  const spec =
    to === `${GROUP}/v2`
      ? { host: o.spec.hostPort?.split(':')[0], port: o.spec.hostPort?.split(':')[1] }
      : { hostPort: `${o.spec.host}:${o.spec.port}` }
  return { ...o, apiVersion: to, spec }
}

describe.each(['node', 'workers'])('on %s', (platform) => {
  let server: Server
  let send: Ask
  let hook: HookServer
  let session: Session
  let serial = 0
  let plural: string
  const folder = temporaryFolder('conversion')

  beforeAll(async () => {
    hook = await HookServer.start(['hook.default.svc'])
    server = await startServer(platform)
    send = server.send
    session = await openNodeSession(server, folder.path, 'n1')
    await localService(send, 'default', 'hook', hook.port)
  })
  afterAll(async () => {
    session?.close()
    await server?.stop()
    await hook?.stop()
    folder.remove()
  })
  beforeEach(() => {
    plural = `trips${serial++}`
    hook.handlers.set('/convert', (r) =>
      answered(
        r.uid,
        r.objects.map((o: any) => convert(o, r.desiredAPIVersion)),
      ),
    )
  })

  const answered = (uid: string, convertedObjects: object[], result: object = { status: 'Success' }) =>
    JSON.stringify({ apiVersion: 'apiextensions.k8s.io/v1', kind: 'ConversionReview', response: { uid, result, convertedObjects } })
  const conversion = () => ({
    strategy: 'Webhook',
    webhook: {
      clientConfig: { service: { namespace: 'default', name: 'hook', path: '/convert' }, caBundle: hook.caBundle },
      conversionReviewVersions: ['v1'],
    },
  })
  const names = () => ({ plural, kind: `Trip${serial}`, singular: `trip${serial}`, listKind: `Trip${serial}List` })
  const define = async (spec: object) => {
    const answer = await send('POST', DEFINITIONS, {
      metadata: { name: `${plural}.${GROUP}` },
      spec: { group: GROUP, scope: 'Namespaced', names: names(), versions: [v1, v2], conversion: conversion(), ...spec },
    })
    expect(answer.code, JSON.stringify(answer.body.message ?? '')).toBe(201)
    await eventually('it is served', async () => (await send('GET', at('v1'))).code === 200)
  }
  const change = async (spec: object) => {
    expect((await send('PATCH', `${DEFINITIONS}/${plural}.${GROUP}`, { spec }, undefined, MERGE)).code).toBe(200)
    // Another process has known it for a while.
    await new Promise((done) => setTimeout(done, platform === 'workers' ? 5500 : 0))
  }
  const at = (version: string, name = '') => `/apis/${GROUP}/${version}/namespaces/default/${plural}${name && `/${name}`}`

  test('one object in both versions: created, read, listed, updated, patched, applied, watched and deleted', async () => {
    await define({})
    const made = await send('POST', at('v2'), { metadata: { name: 'a' }, spec: { host: 'h', port: '1' } })
    expect([made.code, made.body]).toEqual([201, expect.objectContaining({ apiVersion: `${GROUP}/v2`, spec: { host: 'h', port: '1' } })])
    expect((await send('GET', at('v1', 'a'))).body).toMatchObject({ apiVersion: `${GROUP}/v1`, spec: { hostPort: 'h:1' } })
    await send('POST', at('v1'), { metadata: { name: 'b' }, spec: { hostPort: 'x:2' } })
    const specs = async (v: string) => (await send('GET', at(v))).body.items.map((i: any) => i.spec)
    expect(await specs('v2')).toEqual([
      { host: 'h', port: '1' },
      { host: 'x', port: '2' },
    ])
    expect(await specs('v1')).toEqual([{ hostPort: 'h:1' }, { hostPort: 'x:2' }])
    const { body } = await send('GET', at('v2', 'a'))
    body.spec.port = '3'
    expect((await send('PUT', at('v2', 'a'), body)).body.spec).toEqual({ host: 'h', port: '3' })
    expect((await send('PATCH', at('v2', 'a'), { spec: { host: 'g' } }, undefined, MERGE)).body.spec).toEqual({ host: 'g', port: '3' })
    expect((await send('GET', at('v1', 'a'))).body.spec).toEqual({ hostPort: 'g:3' })
    const config = { apiVersion: `${GROUP}/v2`, kind: body.kind, metadata: { name: 'a' }, spec: { port: '4' } }
    const applied = await send('PATCH', `${at('v2', 'a')}?fieldManager=t&force=true`, config, undefined, 'application/apply-patch+yaml')
    expect(applied.body.spec).toEqual({ host: 'g', port: '4' })
    const table = await send('GET', at('v2'), undefined, 'application/json;as=Table;v=v1;g=meta.k8s.io')
    expect(table.body.rows.map((r: any) => r.cells)).toEqual([
      ['a', 'g'],
      ['b', 'x'],
    ])
    const seen = await server.lines(
      `${at('v2')}?watch=1&timeoutSeconds=1&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan`,
    )
    expect(seen.slice(0, 2).map((e: any) => [e.type, e.object.apiVersion, e.object.spec])).toEqual([
      ['ADDED', `${GROUP}/v2`, { host: 'g', port: '4' }],
      ['ADDED', `${GROUP}/v2`, { host: 'x', port: '2' }],
    ])
    const since = (await send('GET', at('v2'))).body.metadata.resourceVersion
    const later = server.lines(`${at('v2')}?watch=1&timeoutSeconds=2&resourceVersion=${since}`)
    await send('PATCH', at('v1', 'b'), { spec: { hostPort: 'y:9' } }, undefined, MERGE)
    expect((await send('DELETE', at('v2', 'a'))).code).toBe(200)
    expect((await later).map((e: any) => [e.type, e.object.spec])).toEqual([
      ['MODIFIED', { host: 'y', port: '9' }],
      ['DELETED', { host: 'g', port: '4' }],
    ])
  })

  test('another version is stored from now on: what is there is read in the new one, and written in it', async () => {
    await define({ versions: [v1], conversion: { strategy: 'None' } })
    await send('POST', at('v1'), { metadata: { name: 'old' }, spec: { hostPort: 'h:1' } })
    await change({
      versions: [
        { ...v1, storage: false },
        { ...v2, storage: true },
      ],
      conversion: conversion(),
    })
    await eventually('the second version is served', async () => (await send('GET', at('v2'))).code === 200)
    expect((await send('GET', `${DEFINITIONS}/${plural}.${GROUP}`)).body.status.storedVersions).toEqual(['v1', 'v2'])
    expect((await send('GET', at('v2', 'old'))).body.spec).toEqual({ host: 'h', port: '1' })
    await send('POST', at('v1'), { metadata: { name: 'new' }, spec: { hostPort: 'n:2' } })
    hook.asked.length = 0
    expect((await send('GET', at('v2', 'new'))).body.spec).toEqual({ host: 'n', port: '2' })
    expect(hook.asked).toEqual([])
    // Written once more it is of the new version.
    await send('PATCH', at('v2', 'old'), { metadata: { labels: { a: 'b' } } }, undefined, MERGE)
    hook.asked.length = 0
    expect((await send('GET', at('v2', 'old'))).body.spec).toEqual({ host: 'h', port: '1' })
    expect(hook.asked).toEqual([])
  })

  test('a webhook that fails, or changes what it must not, is told of; nothing is stored', async () => {
    await define({})
    hook.handlers.set('/convert', (r) => answered(r.uid, [], { status: 'Failure', message: 'no such trip' }))
    const refused = await send('POST', at('v2'), { metadata: { name: 'a' }, spec: { host: 'h', port: '1' } })
    expect([refused.code, refused.body.message]).toEqual([
      500,
      expect.stringMatching(/conversion webhook for travel.example.com\/v2, Kind=Trip\d+ failed: no such trip/),
    ])
    hook.handlers.set('/convert', (r) =>
      answered(
        r.uid,
        r.objects.map((o: any) => ({ ...convert(o, r.desiredAPIVersion), metadata: { ...o.metadata, name: 'other' } })),
      ),
    )
    const renamed = await send('POST', at('v2'), { metadata: { name: 'a' }, spec: { host: 'h', port: '1' } })
    expect(renamed.body.message).toContain('metadata.name may not change')
    expect((await send('GET', at('v1', 'a'))).code).toBe(404)
  })

  test('a definition says whom to call', async () => {
    const spec = { group: GROUP, scope: 'Namespaced', names: names(), versions: [v1, v2], conversion: { strategy: 'Webhook' } }
    const answer = await send('POST', DEFINITIONS, { metadata: { name: `${plural}.${GROUP}` }, spec })
    expect(answer.code).toBe(422)
    expect(answer.body.details.causes.map((c: any) => c.field)).toEqual([
      'spec.conversion.webhook.clientConfig',
      'spec.conversion.webhook.conversionReviewVersions',
    ])
  })
})
