// What operators configure of the API: the audit log and its policy, PodSecurity's defaults and exemptions, admission that is off otherwise.
import { readFileSync } from 'node:fs'
import { Agent } from 'node:https'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../rig/hosts.ts'
import { type Ask, ask } from './ask.ts'
import { type Server, startServer } from './server.ts'

const policy = `
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: None
    resources: [{group: "", resources: [events]}]
  - level: Metadata
    resources: [{group: "", resources: [secrets]}]
  - level: RequestResponse
    resources: [{group: "", resources: [configmaps]}]
    namespaces: [audited]
    omitManagedFields: true
  - level: Metadata
    resources: [{group: "", resources: [pods]}]
`
const security = `
apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
  - name: PodSecurity
    configuration:
      apiVersion: pod-security.admission.config.k8s.io/v1
      kind: PodSecurityConfiguration
      defaults: {enforce: baseline, audit: restricted}
      exemptions: {namespaces: [trusted]}
`
const MERGE = 'application/merge-patch+json'

describe.each(['node', 'workers'])('on %s', (platform) => {
  let server: Server
  let send: Ask
  beforeAll(async () => {
    const args = [
      '--audit-policy-file',
      '{policy.yaml}',
      '--audit-log-path',
      '{audit.log}',
      '--admission-control-config-file',
      '{security.yaml}',
    ]
    const plugins = 'PodNodeSelector,PodTolerationRestriction,OwnerReferencesPermissionEnforcement'
    server = await startServer(platform, [...args, '--serve-older-versions', '--enable-admission-plugins', plugins], {
      'policy.yaml': policy,
      'security.yaml': security,
    })
    send = server.send
    for (const name of ['audited', 'trusted']) await send('POST', '/api/v1/namespaces', { metadata: { name } })
    for (const ns of ['audited', 'trusted', 'default'])
      await eventually(
        'its account is there',
        async () => (await send('GET', `/api/v1/namespaces/${ns}/serviceaccounts/default`)).code === 200,
      )
  })
  afterAll(() => server?.stop())

  /** The events that were written about a path. */
  const events = (uri: string): any[] =>
    (platform === 'node' ? readFileSync(path.join(server.folder, 'audit.log'), 'utf8') : server.cp.log())
      .split('\n')
      .filter((l) => l.startsWith('{"kind":"Event"'))
      .map((l) => JSON.parse(l))
      .filter((e) => e.requestURI === uri)
  const written = async (uri: string, n = 1) => {
    await expect.poll(() => events(uri).length, { timeout: 10_000 }).toBeGreaterThanOrEqual(n)
    return events(uri)
  }
  const pod = (name: string, spec: object = {}) => ({ metadata: { name }, spec: { containers: [{ name: 'c', image: 'x' }], ...spec } })

  test('who asked for what, and what came of it: as much as the policy wants', async () => {
    const maps = '/api/v1/namespaces/audited/configmaps'
    await send('POST', maps, { metadata: { name: 'm' }, data: { a: 'b' } })
    const [event] = await written(maps)
    expect(event).toMatchObject({
      level: 'RequestResponse',
      stage: 'ResponseComplete',
      verb: 'create',
      user: { username: 'admin', groups: expect.arrayContaining(['system:masters']) },
      objectRef: { resource: 'configmaps', namespace: 'audited' },
      responseStatus: { code: 201 },
      requestObject: { data: { a: 'b' } },
      responseObject: { kind: 'ConfigMap', metadata: { name: 'm' } },
      annotations: { 'authorization.k8s.io/decision': 'allow' },
    })
    expect(event.responseObject.metadata.managedFields).toBeUndefined()
    const secrets = '/api/v1/namespaces/audited/secrets'
    await send('POST', secrets, { metadata: { name: 's' }, stringData: { password: 'hidden' } })
    const [secret] = await written(secrets)
    expect(secret).toMatchObject({ level: 'Metadata', responseStatus: { code: 201 } })
    expect(JSON.stringify(secret)).not.toContain('hidden')
    const elsewhere = '/api/v1/namespaces/default/configmaps'
    await send('GET', elsewhere)
    await server.lines(`${secrets}?watch=1&timeoutSeconds=1`)
    const [watch] = await written(`${secrets}?watch=1&timeoutSeconds=1`)
    expect([watch.verb, watch.stage]).toEqual(['watch', 'ResponseStarted'])
    expect(events(elsewhere)).toEqual([])
  })

  test('who could not sign in is written down, too', async () => {
    const uri = '/api/v1/namespaces/audited/secrets/unknown'
    const agent = new Agent({ ca: server.cp.ca })
    expect((await ask(server.cp.url, 'no-such-token', agent)('GET', uri)).code).toBe(401)
    agent.destroy()
    expect((await written(uri))[0]).toMatchObject({
      level: 'Metadata',
      stage: 'ResponseStarted',
      user: {},
      responseStatus: { code: 401, message: 'Authentication failed, attempted: bearer' },
    })
  })

  test('PodSecurity keeps to the configured defaults, lets through whom they exempt, and notes it', async () => {
    const pods = (ns: string) => `/api/v1/namespaces/${ns}/pods`
    const refused = await send('POST', pods('default'), pod('p', { hostNetwork: true }))
    expect(refused.body.message).toContain('violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true)')
    expect((await send('POST', pods('trusted'), pod('p', { hostNetwork: true }))).code).toBe(201)
    expect((await send('POST', pods('default'), pod('plain'))).code).toBe(201)
    expect((await written(pods('trusted')))[0].annotations).toMatchObject({ 'pod-security.kubernetes.io/exempt': 'namespace' })
    const noted = await written(pods('default'), 2)
    expect(noted.find((e) => e.responseStatus.code === 201).annotations).toMatchObject({
      'pod-security.kubernetes.io/enforce-policy': 'baseline:latest',
      'pod-security.kubernetes.io/audit-violations': expect.stringContaining('would violate PodSecurity "restricted:latest"'),
    })
  })

  test('a namespace says where its pods go, and what they tolerate', async () => {
    const tolerations = (list: object[]) => JSON.stringify(list)
    const dedicated = { key: 'dedicated', operator: 'Equal', value: 'a', effect: 'NoSchedule' }
    const annotations = {
      'scheduler.alpha.kubernetes.io/node-selector': 'zone=a',
      'scheduler.alpha.kubernetes.io/defaultTolerations': tolerations([dedicated]),
      'scheduler.alpha.kubernetes.io/tolerationsWhitelist': tolerations([dedicated, { operator: 'Exists', effect: 'NoExecute' }]),
    }
    await send('PATCH', '/api/v1/namespaces/trusted', { metadata: { annotations } }, undefined, MERGE)
    const at = '/api/v1/namespaces/trusted/pods'
    await expect
      .poll(async () => (await send('POST', `${at}?dryRun=All`, pod('q'))).body.spec.nodeSelector, { timeout: 10_000 })
      .toEqual({ zone: 'a' })
    const made = await send('POST', at, pod('placed', { nodeSelector: { disk: 'ssd' } }))
    expect(made.body.spec).toMatchObject({ nodeSelector: { zone: 'a', disk: 'ssd' }, tolerations: expect.arrayContaining([dedicated]) })
    const conflict = await send('POST', at, pod('elsewhere', { nodeSelector: { zone: 'b' } }))
    expect(conflict.body.message).toContain('pod node label selector conflicts with its namespace node label selector')
    const strange = await send('POST', at, pod('strange', { tolerations: [{ key: 'gpu', operator: 'Exists' }] }))
    expect(strange.body.message).toContain('conflict with its namespace whitelist')
  })

  test('versions that Kubernetes has removed are written and read, with a warning', async () => {
    const at = '/apis/extensions/v1beta1/namespaces/default/ingresses'
    const backend = { serviceName: 'web', servicePort: 80 }
    const made = await send('POST', at, {
      apiVersion: 'extensions/v1beta1',
      kind: 'Ingress',
      metadata: { name: 'i' },
      spec: { backend, rules: [{ host: 'a.b', http: { paths: [{ path: '/', backend }] } }] },
    })
    expect([made.code, made.warnings]).toEqual([
      201,
      ['extensions/v1beta1 Ingress was removed from Kubernetes; use networking.k8s.io/v1 Ingress'],
    ])
    expect(made.body).toMatchObject({ apiVersion: 'extensions/v1beta1', spec: { backend, rules: [{ http: { paths: [{ backend }] } }] } })
    const now = await send('GET', '/apis/networking.k8s.io/v1/namespaces/default/ingresses/i')
    expect(now.body.spec.defaultBackend).toEqual({ service: { name: 'web', port: { number: 80 } } })
    const patched = await send('PATCH', `${at}/i`, { spec: { backend: { serviceName: 'other' } } }, undefined, MERGE)
    expect(patched.body.spec.backend).toEqual({ serviceName: 'other', servicePort: 80 })
    const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'x' }] } }
    const config = { apiVersion: 'apps/v1beta1', kind: 'Deployment', metadata: { name: 'd' }, spec: { replicas: 0, template } }
    const path = '/apis/apps/v1beta1/namespaces/default/deployments/d?fieldManager=t'
    const applied = await send('PATCH', path, config, undefined, 'application/apply-patch+yaml')
    expect([applied.code, applied.body.spec.selector]).toEqual([201, { matchLabels: { a: 'b' } }])
    expect((await send('GET', '/apis')).body.groups.find((g: any) => g.name === 'apps').preferredVersion.version).toBe('v1')
    const seen = await server.lines(`${at}?watch=1&timeoutSeconds=1`)
    expect(seen[0].object).toMatchObject({ apiVersion: 'extensions/v1beta1', spec: { backend: { serviceName: 'other' } } })
  })
})
