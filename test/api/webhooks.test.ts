// Admission webhooks on both platforms: services behind a node's session, URLs, what they may change and refuse, and what becomes of a
// request when they do not answer.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Session } from '../../node-agent/session/session.ts'
import { temporaryFolder } from '../rig/sqld.ts'
import type { Ask } from './ask.ts'
import { HookServer } from './hook-server.ts'
import { localService, openNodeSession } from './node-session.ts'
import { type Server, startServer } from './server.ts'

const API = '/apis/admissionregistration.k8s.io/v1'
const MERGE = 'application/merge-patch+json'
const SERVICE = 'hook.hooks.svc'

describe.each(['node', 'workers'])('on %s', (platform) => {
  let server: Server
  let send: Ask
  let hook: HookServer
  let session: Session
  const folder = temporaryFolder('hook-node')
  const made: string[] = []
  let serial = 0
  let ns: string

  beforeAll(async () => {
    hook = await HookServer.start([SERVICE])
    server = await startServer(platform)
    send = server.send
    session = await openNodeSession(server, folder.path, 'n1')
    await send('POST', '/api/v1/namespaces', { metadata: { name: 'hooks' } })
    await localService(send, 'hooks', 'hook', hook.port)
  })
  afterAll(async () => {
    session?.close()
    await server?.stop()
    await hook?.stop()
    folder.remove()
  })
  beforeEach(async () => {
    hook.asked.length = 0
    hook.handlers.clear()
    ns = `ns-${serial++}`
    await send('POST', '/api/v1/namespaces', { metadata: { name: ns, labels: { where: ns } } })
  })
  afterEach(async () => {
    for (const path of made.splice(0)) await send('DELETE', path)
  })

  const viaService = (path: string) => ({ clientConfig: { service: { namespace: 'hooks', name: 'hook', path }, caBundle: hook.caBundle } })
  const webhook = (name: string, more: object = {}) => ({
    name: `${name}.hooks.example.com`,
    ...viaService(`/${name}`),
    rules: [{ operations: ['*'], apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'] }],
    namespaceSelector: { matchLabels: { where: ns } },
    sideEffects: 'None',
    admissionReviewVersions: ['v1'],
    timeoutSeconds: 5,
    ...more,
  })
  const configure = async (plural: 'validating' | 'mutating', ...webhooks: object[]) => {
    const name = `${plural}-${serial++}`
    const answer = await send('POST', `${API}/${plural}webhookconfigurations`, { metadata: { name }, webhooks })
    expect(answer.code, JSON.stringify(answer.body.message ?? '')).toBe(201)
    made.push(`${API}/${plural}webhookconfigurations/${name}`)
  }
  const at = (name = '') => `/api/v1/namespaces/${ns}/configmaps${name && `/${name}`}`
  const map = (name: string, data: object = {}, query = '') => send('POST', `${at()}${query}`, { metadata: { name }, data })

  test('one is asked with the whole request, refuses in its own words, and warns', async () => {
    await configure('validating', webhook('check'))
    hook.handlers.set('/check', (r) =>
      r.object?.data?.bad
        ? { allowed: false, status: { code: 403, reason: 'Forbidden', message: 'no bad data' } }
        : { allowed: true, warnings: [`seen ${r.operation}`] },
    )
    const fine = await map('a', { x: '1' })
    expect([fine.code, fine.warnings]).toEqual([201, ['seen CREATE']])
    expect(hook.asked[0]!.request).toMatchObject({
      kind: { group: '', version: 'v1', kind: 'ConfigMap' },
      resource: { group: '', version: 'v1', resource: 'configmaps' },
      name: 'a',
      namespace: ns,
      operation: 'CREATE',
      userInfo: { username: 'admin', groups: expect.arrayContaining(['system:masters']) },
      object: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', namespace: ns }, data: { x: '1' } },
      oldObject: null,
      dryRun: false,
    })
    const refused = await map('b', { bad: '1' })
    expect([refused.code, refused.body.reason, refused.body.message]).toEqual([
      403,
      'Forbidden',
      'admission webhook "check.hooks.example.com" denied the request: no bad data',
    ])
    await send('PATCH', at('a'), { data: { y: '2' } }, undefined, MERGE)
    expect(hook.asked.at(-1)!.request).toMatchObject({
      operation: 'UPDATE',
      object: { data: { x: '1', y: '2' } },
      oldObject: { data: { x: '1' } },
    })
    await map('c', {}, '?dryRun=All')
    expect(hook.asked.at(-1)!.request.dryRun).toBe(true)
    await send('DELETE', at('a'))
    expect(hook.asked.at(-1)!.request).toMatchObject({ operation: 'DELETE', object: null, oldObject: { metadata: { name: 'a' } } })
  })

  test('rules, selectors and conditions say what it is asked about', async () => {
    const conditions = { matchConditions: [{ name: 'named', expression: 'object == null || object.metadata.name != "skipped"' }] }
    await configure(
      'validating',
      webhook('check', { ...conditions, objectSelector: { matchExpressions: [{ key: 'ask', operator: 'Exists' }] } }),
    )
    const labelled = (name: string) => send('POST', at(), { metadata: { name, labels: { ask: '' } } })
    await map('plain')
    await labelled('skipped')
    await send('POST', '/api/v1/namespaces/default/configmaps', { metadata: { name: 'elsewhere', labels: { ask: '' } } })
    await send('POST', `/api/v1/namespaces/${ns}/secrets`, { metadata: { name: 's', labels: { ask: '' } } })
    await labelled('asked')
    expect(hook.asked.map((a) => a.request.name)).toEqual(['asked'])
    await send('DELETE', '/api/v1/namespaces/default/configmaps/elsewhere')
  })

  test('changes are made in order, seen by the next, and by those before who want to know', async () => {
    const add = (key: string) => (r: any) => ({
      allowed: true,
      patch: [{ op: 'add', path: `/data/${key}`, value: Object.keys(r.object.data).sort().join(',') }],
    })
    hook.handlers.set('/one', (r) => (r.object.data.one ? { allowed: true } : add('one')(r)))
    hook.handlers.set('/two', add('two'))
    await configure('mutating', webhook('one', { reinvocationPolicy: 'IfNeeded' }), webhook('two'))
    const answer = await map('a', { x: '' })
    expect(answer.body.data).toEqual({ x: '', one: 'x', two: 'one,x' })
    expect(hook.asked.map((a) => a.path)).toEqual(['/one', '/two', '/one'])
    hook.handlers.set('/one', () => ({ allowed: true, patch: [{ op: 'replace', path: '/metadata/name', value: 'other' }] }))
    const renamed = await map('b', { x: '' })
    expect([renamed.code, renamed.body.message]).toEqual([500, expect.stringMatching(/metadata.name may not be changed$/)])
    hook.handlers.set('/one', () => ({ allowed: true, patch: [{ op: 'add', path: '/data', value: 5 }] }))
    expect((await map('c', { x: '' })).code).toBe(500)
  })

  test('one that does not answer, or not sensibly, refuses or is passed over', async () => {
    const answers: [string, 'never' | string, RegExp][] = [
      ['slow', 'never', /failed to call webhook: Post "https:\/\/hook\.hooks\.svc:443\/slow\?timeout=1s": context deadline exceeded$/],
      ['text', 'hello', /failed to call webhook: the answer is not JSON$/],
      ['other', JSON.stringify({ response: { uid: 'x', allowed: true } }), /expected response\.uid="[-0-9a-f]+", got "x"$/],
      ['empty', '{}', /webhook response was absent$/],
    ]
    for (const [name, answer, message] of answers) {
      hook.handlers.set(`/${name}`, () => answer)
      await configure('validating', webhook(name, { timeoutSeconds: 1 }))
      const refused = await map(name)
      expect([refused.code, refused.body.message]).toEqual([
        500,
        expect.stringMatching(`^Internal error occurred: failed calling webhook "${name}.hooks.example.com": `),
      ])
      expect(refused.body.message).toMatch(message)
      await send('DELETE', made.pop()!)
    }
    await configure('validating', webhook('slow', { timeoutSeconds: 1, failurePolicy: 'Ignore' }))
    expect((await map('passed')).code).toBe(201)
  })

  test('certificates that are not under its CA, and services without endpoints, are no answers', async () => {
    await configure('validating', webhook('check', { clientConfig: { service: { namespace: 'hooks', name: 'hook' } } }))
    const untrusted = await map('a')
    expect([untrusted.code, untrusted.body.message]).toEqual([500, expect.stringMatching(/certificate/)])
    await send('DELETE', made.pop()!)
    const nowhere = { service: { namespace: 'hooks', name: 'nowhere' }, caBundle: hook.caBundle }
    await configure('validating', webhook('check', { clientConfig: nowhere }))
    const absent = await map('a')
    expect([absent.code, absent.body.message]).toEqual([500, expect.stringMatching(/services "nowhere" not found$/)])
  })

  test('a URL under a CA of its own', async () => {
    const clientConfig = { url: `https://127.0.0.1:${hook.port}/url`, caBundle: hook.caBundle }
    await configure('validating', webhook('url', { clientConfig }))
    hook.handlers.set('/url', () => ({ allowed: false }))
    const refused = await map('a')
    expect([refused.code, refused.body.message]).toEqual([
      400,
      'admission webhook "url.hooks.example.com" denied the request without explanation',
    ])
  })

  test('what is asked of a pod beside writing it: an eviction, a connection', async () => {
    const rules = [{ operations: ['CONNECT', 'CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods/eviction', 'pods/exec'] }]
    await configure('validating', webhook('other', { rules }))
    hook.handlers.set('/other', () => ({ allowed: false, status: { message: 'not this one' } }))
    const at = `/api/v1/namespaces/${ns}/pods`
    await send('POST', at, { metadata: { name: 'p' }, spec: { nodeName: 'n1', containers: [{ name: 'c', image: 'x' }] } })
    const evicted = await send('POST', `${at}/p/eviction`, { metadata: { name: 'p' } })
    expect(evicted.body.message).toContain('not this one')
    expect(hook.asked[0]!.request).toMatchObject({
      kind: { group: 'policy', version: 'v1', kind: 'Eviction' },
      resource: { group: '', version: 'v1', resource: 'pods' },
      subResource: 'eviction',
      operation: 'CREATE',
      name: 'p',
    })
    const connection = await send('GET', `${at}/p/exec?command=sh&command=-c&stdout=true`)
    expect(connection.body.message).toContain('not this one')
    expect(hook.asked[1]!.request).toMatchObject({
      operation: 'CONNECT',
      object: { kind: 'PodExecOptions', apiVersion: 'v1', command: ['sh', '-c'], stdout: true },
    })
  })
})
