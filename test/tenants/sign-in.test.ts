// People sign in at an OpenID Connect provider: the command line's whole way, on each platform, and what it gives them.
import { execFile, execFileSync } from 'node:child_process'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { launcher } from '../../cli/processes.ts'
import { ControlPlane, HostServer } from '../rig/control-plane.ts'
import { HostUser } from '../rig/host-user.ts'
import { OidcProvider } from '../rig/oidc-provider.ts'

describe.each(['node', 'workers'])('sign-in on %s', (platform) => {
  let provider: OidcProvider
  let host: HostServer
  const flags = () => ['--platform', platform, '--oidc-issuer-url', provider.issuer, '--oidc-client-id', provider.clientId]
  const environment = (who: string) => new HostUser(host, who).environment
  // Not the blocking call: the provider answers in this very process.
  const run = (who: string, command: string, ...args: string[]): Promise<{ code: number; out: string; err: string }> =>
    new Promise((resolve) => {
      const child = execFile(command, args, { env: environment(who), timeout: 30_000 }, (cause, out, err) =>
        resolve({ code: cause ? ((cause as { code?: number }).code ?? 1) : 0, out, err }),
      )
      child.stdin?.end()
    })
  const ca = () => `${host.folder.path}/ca.crt`

  const login = (who: string, ...more: string[]) => new HostUser(host, who).signIn(...more)

  beforeAll(async () => {
    provider = await OidcProvider.start('127.0.0.1')
    host = await HostServer.start('127.0.0.1', [...flags(), '--signup', 'open'])
  })
  afterAll(async () => {
    await host?.stop()
    provider?.stop()
  })

  test('a person opens an account, makes a cluster and uses kubectl; no secret lies in the kubeconfig', async () => {
    provider.person = { sub: '1', email: 'ann@example.com', email_verified: true }
    const r = await login('ann', '--new-account', 'acme')
    expect(r.out, r.err).toContain('as ann@example.com: account acme')
    expect((await run('ann', launcher, 'cluster', 'create', 'prod')).code).toBe(0)
    const me = await run('ann', 'kubectl', 'auth', 'whoami')
    expect(me.out, me.err).toContain('ann@example.com')
    expect((await run('ann', 'kubectl', 'get', 'nodes')).code).toBe(0)
    expect(execFileSync('cat', [environment('ann').KUBECONFIG!], { encoding: 'utf8' })).not.toMatch(/token|secret/i)
  })

  test('a sign-in that ends is renewed without the person', async () => {
    provider.person = { sub: '1', email: 'ann@example.com', email_verified: true }
    provider.lifetime = 2
    await login('ann')
    const before = provider.refreshes
    provider.lifetime = 300
    expect((await run('ann', 'kubectl', 'get', 'namespaces')).code).toBe(0)
    expect(provider.refreshes).toBeGreaterThan(before)
  })

  test('a stranger is in no account; a member has the role that was given', async () => {
    provider.person = { sub: '2', email: 'bob@example.com', email_verified: true }
    expect((await login('bob')).err).toContain('belongs to no account here')
    expect((await run('ann', launcher, 'account', 'add', 'bob@example.com', '--role', 'view')).code).toBe(0)
    const r = await login('bob')
    expect(r.out, r.err).toContain('account acme')
    expect((await run('bob', launcher, 'cluster', 'use', 'prod')).code).toBe(0)
    expect((await run('bob', 'kubectl', 'get', 'pods')).code).toBe(0)
    expect((await run('bob', 'kubectl', 'create', 'namespace', 'x')).err).toContain('forbidden')
    expect((await run('bob', launcher, 'cluster', 'create', 'mine')).err).toContain('may not make clusters')
    expect((await run('ann', launcher, 'account', 'remove', 'bob@example.com')).code).toBe(0)
    expect(await host.code('GET', '/v1/accounts/acme', await provider.idToken(provider.person))).toBe(404)
  })

  test('an unverified address, another audience and a foreign signature are nobody', async () => {
    const refused = async (token: string) => {
      expect(await host.code('GET', '/v1/whoami', token)).toBe(401)
      expect(await host.code('GET', '/clusters/prod/api', token)).toBe(401)
    }
    await refused(await provider.idToken({ sub: '1', email: 'ann@example.com', email_verified: false }))
    const forger = await OidcProvider.start('127.0.0.1')
    await refused(await forger.idToken({ sub: '1', email: 'ann@example.com', email_verified: true }))
    forger.stop()
  })

  test('a machine without a browser signs in with a code', async () => {
    provider.person = { sub: '1', email: 'ann@example.com', email_verified: true }
    const r = await run('device', launcher, 'login', '--server', host.url, '--ca-file', ca(), '--device')
    expect(r.err).toContain('type the code ABCD-EFGH')
    expect(r.out).toContain('account acme')
  })

  test('a single cluster takes the same provider’s people, with RBAC for their groups', async () => {
    const cp = await ControlPlane.start('127.0.0.1', [...flags(), '--oidc-username-prefix', 'o:', '--oidc-groups-claim', 'groups'])
    try {
      const token = await provider.idToken({ sub: 'u7', email: 'x@y', email_verified: true, groups: ['devs'] })
      const as = (args: string) =>
        new Promise<string>((resolve) => {
          execFile(
            'kubectl',
            ['--server', cp.url, '--certificate-authority', path.join(cp.folder.path, 'ca.crt'), '--token', token, ...args.split(' ')],
            { env: { ...process.env, KUBECONFIG: '/dev/null' } },
            (_, out, err) => resolve(out + err),
          )
        })
      expect(await as('auth whoami')).toMatch(/o:u7[\s\S]*devs/)
      expect(await as('get pods')).toContain('forbidden')
      cp.k('create rolebinding devs --clusterrole=view --group=devs')
      await expect.poll(() => as('get pods'), { timeout: 10_000, interval: 500 }).toContain('No resources found')
    } finally {
      await cp.stop()
    }
  })
})
