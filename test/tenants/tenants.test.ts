// One tenant against another, on each platform: nothing of a stranger can be read, changed, counted or exhausted, whichever way one comes.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { client } from '../bench/client.ts'
import { HostServer } from '../rig/control-plane.ts'
import { eventually } from '../rig/hosts.ts'

interface Tenant {
  account: string
  token: string
  cluster: string
}

const configMap = (name: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { a: '1' } })
const pod = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: { containers: [{ name: 'c', image: 'i' }] },
})

describe.each(['node', 'workers'])('tenants on %s', (platform) => {
  let host: HostServer
  const tenants: Tenant[] = []
  let a: Tenant
  let b: Tenant

  /** A new account with a cluster. */
  async function tenant(name: string, limits?: Record<string, number>): Promise<Tenant> {
    const made = await host.call('POST', '/v1/accounts', host.operatorToken, { name })
    if (limits) await host.call('PUT', `/v1/accounts/${name}/limits`, host.operatorToken, limits)
    const t = { account: name, token: made.token.token as string, cluster: `${name}-c` }
    const begun = performance.now()
    await host.call('POST', `/v1/accounts/${name}/clusters`, t.token, { name: t.cluster })
    expect(performance.now() - begun, 'a cluster is made in under a second').toBeLessThan(1000)
    tenants.push(t)
    return t
  }
  const inside = (t: Tenant, path: string) => `/clusters/${t.cluster}${path}`
  const newToken = (t: Tenant, body: object) => host.call('POST', `/v1/accounts/${t.account}/tokens`, t.token, body)
  const pods = '/api/v1/namespaces/default/pods'
  const maps = '/api/v1/namespaces/default/configmaps'

  beforeAll(async () => {
    host = await HostServer.start('127.0.0.1', ['--platform', platform])
    a = await tenant('alpha')
    b = await tenant('beta')
    await host.call('POST', inside(b, maps), b.token, configMap('secret-plan'))
    await host.call('POST', inside(b, pods), b.token, pod('p'))
  })
  afterAll(() => host?.stop())

  test('accounts are opened by the operator alone, unless sign-up is open', async () => {
    expect(await host.code('POST', '/v1/accounts', undefined, { name: 'gamma' })).toBe(403)
    expect(await host.code('POST', '/v1/accounts', a.token, { name: 'gamma' })).toBe(403)
    expect(await host.code('PUT', '/v1/accounts/alpha/limits', a.token, { clusters: 1000 })).toBe(401)
  })

  test('a token is nobody on another tenant’s cluster, at every verb, as on a cluster that is not there', async () => {
    const requests: [string, string, unknown?][] = [
      ['GET', '/api'],
      ['GET', '/version'],
      ['GET', '/healthz'],
      ['GET', maps],
      ['GET', `${maps}/secret-plan`],
      ['GET', `${maps}?watch=1&timeoutSeconds=1`],
      ['POST', maps, configMap('intruder')],
      ['PUT', `${maps}/secret-plan`, configMap('secret-plan')],
      ['PATCH', `${maps}/secret-plan`, { data: { a: '2' } }],
      ['DELETE', `${maps}/secret-plan`],
      ['DELETE', maps],
      ['GET', `${pods}/p/log`],
      ['POST', `${pods}/p/exec?command=id`],
      ['POST', `${pods}/p/binding`, {}],
      ['POST', '/api/v1/namespaces/default/serviceaccounts/default/token', {}],
      ['POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {}],
      ['POST', '/kedge/v1/tokens', {}],
      ['POST', '/kedge/v1/join', { name: 'n' }],
      ['GET', '/kedge/v1/session'],
      ['GET', '/no/such/path'],
    ]
    const answer = (method: string, path: string, token: string | undefined, body?: unknown) =>
      host.call(method, path, token, body).then(
        () => 'let in',
        (e) => `${e.code} ${e.message}`,
      )
    for (const [method, path, body] of requests)
      for (const token of [a.token, undefined, 'kedge-api-guessed', 'no-such-token']) {
        const there = await answer(method, inside(b, path), token, body)
        expect(there, `${method} ${path} with ${token?.slice(0, 12)}`).toMatch(/^401 /)
        expect(await answer(method, `/clusters/not-there${path}`, token, body), `${method} ${path}`).toBe(there)
      }
    expect((await host.call('GET', inside(b, `${maps}/secret-plan`), b.token)).data).toEqual({ a: '1' })
    expect((await host.call('GET', inside(b, maps), b.token)).items.map((o: any) => o.metadata.name)).not.toContain('intruder')
  })

  test('headers that the host uses inside open nothing from outside', async () => {
    const identity = encodeURIComponent(JSON.stringify({ username: 'x', groups: ['system:masters'] }))
    const forged = { 'x-kedge-identity': identity, 'x-kedge-cluster': b.cluster }
    for (const path of [maps, `${maps}?watch=1&timeoutSeconds=1`, `${pods}/p/log`]) {
      expect(await host.code('GET', inside(b, path), a.token, undefined, forged)).toBe(401)
      expect(await host.code('GET', inside(b, path), undefined, undefined, forged)).toBe(401)
    }
    const viewer = await newToken(a, { name: 'viewer', role: 'view', cluster: a.cluster })
    expect(await host.code('GET', inside(a, '/api/v1/secrets'), viewer.token, undefined, forged)).toBe(403)
    expect(await host.code('GET', inside(a, '/api/v1/secrets?watch=1&timeoutSeconds=1'), viewer.token, undefined, forged)).toBe(403)
  })

  test('impersonation stays inside the cluster', async () => {
    const as = { 'impersonate-user': 'kedge:beta:owner', 'impersonate-group': 'system:masters' }
    expect(await host.code('GET', inside(b, maps), a.token, undefined, as)).toBe(401)
    const items = (await host.call('GET', inside(a, maps), a.token, undefined, as)).items
    expect(items.map((o: any) => o.metadata.name)).not.toContain('secret-plan')
  })

  test('what a cluster signs or hands out holds in that cluster alone', async () => {
    await eventually('the service account is there', async () =>
      host.call('GET', inside(a, '/api/v1/namespaces/default/serviceaccounts/default'), a.token).then(
        () => true,
        () => false,
      ),
    )
    const issued = await host.call('POST', inside(a, '/api/v1/namespaces/default/serviceaccounts/default/token'), a.token, {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: {},
    })
    const jwt = issued.status.token as string
    const whoami = [
      '/apis/authentication.k8s.io/v1/selfsubjectreviews',
      { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' },
    ] as const
    const me = await host.call('POST', inside(a, whoami[0]), jwt, whoami[1])
    expect(me.status.userInfo.username).toBe('system:serviceaccount:default:default')
    expect(await host.code('POST', inside(b, whoami[0]), jwt, whoami[1])).toBe(401)
    const join = await host.call('POST', inside(a, '/kedge/v1/tokens'), a.token, {})
    const key = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign'])
    const publicKey = await crypto.subtle.exportKey('jwk', (key as CryptoKeyPair).publicKey)
    expect(await host.code('POST', inside(b, '/kedge/v1/join'), join.token, { name: 'n', publicKey })).toBe(401)
    expect(await host.code('POST', inside(a, '/kedge/v1/join'), join.token, { name: 'n', publicKey })).toBe(200)
  })

  test('under /v1 other accounts, their clusters and tokens do not exist', async () => {
    const theirs = (await host.call('GET', `/v1/accounts/beta/tokens`, b.token)).items[0].id
    const requests: [string, string, unknown?][] = [
      ['GET', '/v1/accounts/beta'],
      ['DELETE', '/v1/accounts/beta'],
      ['GET', '/v1/accounts/beta/members'],
      ['PUT', '/v1/accounts/beta/members/me', { role: 'owner' }],
      ['GET', '/v1/accounts/beta/tokens'],
      ['POST', '/v1/accounts/beta/tokens', { name: 'x', role: 'view' }],
      ['DELETE', `/v1/accounts/beta/tokens/${theirs}`],
      ['DELETE', `/v1/accounts/alpha/tokens/${theirs}`],
      ['GET', '/v1/accounts/beta/clusters'],
      ['POST', '/v1/accounts/beta/clusters', { name: 'mine' }],
      ['GET', `/v1/accounts/beta/clusters/${b.cluster}`],
      ['GET', `/v1/accounts/alpha/clusters/${b.cluster}`],
      ['DELETE', `/v1/accounts/alpha/clusters/${b.cluster}`],
      ['POST', `/v1/accounts/alpha/clusters/${b.cluster}/suspend`],
      ['POST', '/v1/accounts/alpha/tokens', { name: 'x', role: 'view', cluster: b.cluster }],
      ['GET', '/v1/accounts/beta/usage'],
      ['GET', '/v1/accounts/not-there/usage'],
    ]
    for (const [method, path, body] of requests) {
      expect(await host.code(method, path, a.token, body), `${method} ${path}`).toBe(404)
      expect(await host.code(method, path, undefined, body), `${method} ${path} without a token`).toBe(401)
    }
    expect((await host.call('GET', '/v1/accounts/beta/clusters', b.token)).items).toHaveLength(1)
    const shown = JSON.stringify(await host.call('GET', '/v1/accounts/beta/tokens', b.token))
    expect(shown).not.toContain(b.token)
    expect(shown).not.toContain('hash')
  })

  test('a token reaches as far as its scope and role, and cannot hand out more', async () => {
    const other = await host.call('POST', '/v1/accounts/alpha/clusters', a.token, { name: 'alpha-2' })
    await host.call('POST', inside(a, '/api/v1/namespaces'), a.token, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team' } })
    const one = (await newToken(a, { name: 'one', role: 'admin', cluster: a.cluster })).token
    const edit = (await newToken(a, { name: 'edit', role: 'edit', cluster: a.cluster, namespace: 'team' })).token
    const view = (await newToken(a, { name: 'view', role: 'view' })).token
    const team = '/api/v1/namespaces/team/configmaps'
    expect(await host.code('GET', inside(a, '/api/v1/nodes'), one)).toBe(200)
    expect(await host.code('GET', `/clusters/${other.name}/api/v1/nodes`, one)).toBe(401)
    expect(await host.code('GET', '/v1/accounts/alpha/clusters', one)).toBe(403)
    expect(await host.code('GET', `/v1/accounts/alpha/clusters/${a.cluster}`, one)).toBe(200)
    expect(await host.code('GET', '/v1/accounts/alpha/clusters/alpha-2', one)).toBe(403)
    expect(await host.code('DELETE', `/v1/accounts/alpha/clusters/${a.cluster}`, one)).toBe(403)
    expect(await host.code('POST', inside(a, team), edit, configMap('x'))).toBe(200)
    expect(await host.code('GET', inside(a, maps), edit)).toBe(403)
    expect(await host.code('GET', inside(a, '/api/v1/namespaces/team/secrets'), view)).toBe(403)
    expect(await host.code('GET', inside(a, team), view)).toBe(200)
    expect(await host.code('DELETE', inside(a, `${team}/x`), view)).toBe(403)
    expect(await host.code('POST', '/v1/accounts/alpha/tokens', view, { name: 'more', role: 'view' })).toBe(403)
    const admin = (await newToken(a, { name: 'admin', role: 'admin' })).token
    expect(await host.code('POST', '/v1/accounts/alpha/tokens', admin, { name: 'more', role: 'owner' })).toBe(403)
    expect(await host.code('PUT', '/v1/accounts/alpha/members/me', admin, { role: 'owner' })).toBe(403)
    expect(await host.code('DELETE', '/v1/accounts/alpha', admin)).toBe(403)
  })

  test('a revoked or expired token is refused', async () => {
    const short = await newToken(a, { name: 'short', role: 'view', seconds: 1 })
    const gone = await newToken(a, { name: 'gone', role: 'view' })
    for (const t of [short, gone]) expect(await host.code('GET', inside(a, maps), t.token)).toBe(200)
    await host.call('DELETE', `/v1/accounts/alpha/tokens/${gone.id}`, a.token)
    expect(await host.code('GET', inside(a, maps), gone.token)).toBe(401)
    await eventually('the other expires', async () => (await host.code('GET', inside(a, maps), short.token)) === 401, 5000)
  })

  test('a watch sees its own cluster alone', async () => {
    const seen: string[] = []
    const stop = await client({ url: host.url, token: a.token }, 1).watch(inside(a, `${maps}?watch=1`), (l) => seen.push(l))
    await host.call('POST', inside(b, maps), b.token, configMap('of-beta'))
    await host.call('POST', inside(a, maps), a.token, configMap('of-alpha'))
    await eventually('the own event', () => seen.some((l) => l.includes('of-alpha')))
    stop()
    expect(seen.join('\n')).not.toContain('of-beta')
  })

  test('bounds: clusters, tokens, objects, watches', async () => {
    const c = await tenant('small', { clusters: 2, tokens: 3, objects: 150, watches: 2 })
    await host.call('POST', '/v1/accounts/small/clusters', c.token, { name: 'small-2' })
    expect(await host.code('POST', '/v1/accounts/small/clusters', c.token, { name: 'small-3' })).toBe(403)
    for (const name of ['x', 'y']) await newToken(c, { name, role: 'view' })
    expect(await host.code('POST', '/v1/accounts/small/tokens', c.token, { name: 'z', role: 'view' })).toBe(403)
    let refused = 0
    for (let i = 0; i < 150 && !refused; i++)
      if ((await host.code('POST', inside(c, maps), c.token, configMap(`m-${i}`))) === 403) refused = i
    expect(refused, 'objects are bounded').toBeGreaterThan(0)
    const stops = await Promise.all(
      [0, 1].map(() => client({ url: host.url, token: c.token }, 1).watch(inside(c, `${maps}?watch=1`), () => {})),
    )
    expect(await host.code('GET', inside(c, `${maps}?watch=1&timeoutSeconds=1`), c.token)).toBe(429)
    for (const stop of stops) stop()
    expect(await host.code('POST', inside(b, maps), b.token, configMap('unhindered'))).toBe(200)
  })

  test('one tenant’s flood is refused, and the other goes on', async () => {
    const c = await tenant('loud', { requestsPerSecond: 20 })
    const flood = await Promise.all(Array.from({ length: 120 }, () => host.code('GET', inside(c, '/api'), c.token)))
    expect(flood.filter((code) => code === 429).length).toBeGreaterThan(40)
    const calm = await Promise.all(Array.from({ length: 20 }, () => host.code('GET', inside(b, '/api'), b.token)))
    expect(calm.every((code) => code === 200)).toBe(true)
  })

  test('suspended, resumed, deleted; and everything is there after kill -9', async () => {
    const path = `/v1/accounts/beta/clusters/${b.cluster}`
    await host.call('POST', `${path}/suspend`, b.token)
    await eventually('it is refused', async () => (await host.code('GET', inside(b, maps), b.token)) === 403)
    await host.call('POST', `${path}/resume`, b.token)
    await eventually('it answers', async () => (await host.code('GET', inside(b, maps), b.token)) === 200)
    await host.kill()
    await host.start()
    expect((await host.call('GET', inside(b, `${maps}/secret-plan`), b.token)).data).toEqual({ a: '1' })
    await host.call('DELETE', path, b.token)
    expect(await host.code('GET', inside(b, maps), b.token)).toBe(401)
    await host.call('DELETE', '/v1/accounts/beta', b.token)
    expect(await host.code('GET', '/v1/whoami', b.token)).toBe(401)
  })
})
