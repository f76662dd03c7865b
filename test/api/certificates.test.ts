// Certificates by request: asked for, approved, signed, and used to call the API with.
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { Agent, get } from 'node:https'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { temporaryFolder } from '../rig/sqld.ts'
import { type Ask, ask } from './ask.ts'
import { type Server, startServer } from './server.ts'

const REQUESTS = '/apis/certificates.k8s.io/v1/certificatesigningrequests'
const CLIENT = 'kubernetes.io/kube-apiserver-client'

describe.each(['node', 'workers'])('on %s', (platform) => {
  let server: Server
  let send: Ask
  const folder = temporaryFolder('csr')
  const key = path.join(folder.path, 'key.pem')
  beforeAll(async () => {
    server = await startServer(platform)
    send = server.send
  })
  afterAll(async () => {
    await server?.stop()
    folder.remove()
  })

  const request = (subject: string): string =>
    execFileSync(
      'openssl',
      ['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-subj', subject],
      { stdio: ['ignore', 'pipe', 'ignore'] },
    ).toString()
  const asks = (name: string, pem: string, spec: object = {}) =>
    send('POST', REQUESTS, {
      metadata: { name },
      spec: { request: btoa(pem), signerName: CLIENT, usages: ['client auth'], ...spec },
    })
  const approve = async (name: string, by: Ask = send, type = 'Approved') => {
    const { body } = await send('GET', `${REQUESTS}/${name}`)
    body.status.conditions = [{ type, status: 'True', reason: 'Test', message: 'said by the test' }]
    return by('PUT', `${REQUESTS}/${name}/approval`, body)
  }

  test('who asks is written by the server, and an approval brings the certificate', async () => {
    const made = await asks('jane', request('/O=dev/CN=jane'), { username: 'somebody else' })
    expect(made.body.spec).toMatchObject({ username: 'admin', groups: expect.arrayContaining(['system:masters']) })
    expect(made.body.status).toEqual({})
    const approved = await approve('jane')
    expect(approved.code).toBe(200)
    expect(approved.body.status.conditions[0]).toMatchObject({ lastUpdateTime: expect.any(String), lastTransitionTime: expect.any(String) })
    const file = path.join(folder.path, 'cert.pem')
    writeFileSync(file, atob(approved.body.status.certificate))
    const said = execFileSync('openssl', ['x509', '-in', file, '-noout', '-subject', '-ext', 'extendedKeyUsage']).toString()
    expect(said).toContain('O = dev, CN = jane')
    expect(said).toContain('TLS Web Client Authentication')
    const table = await send('GET', REQUESTS, undefined, 'application/json;as=Table;v=v1;g=meta.k8s.io')
    expect(table.body.rows[0].cells.slice(-1)).toEqual(['Approved,Issued'])
    if (platform === 'workers') return
    const agent = new Agent({ ca: server.cp.ca, cert: atob(approved.body.status.certificate), key: readFileSync(key) })
    const who = await new Promise<any>((resolve, reject) => {
      get(`${server.cp.url}/api/v1/namespaces`, { agent }, (res) => {
        res.setEncoding('utf8').on('data', (d) => resolve(JSON.parse(d)))
      }).on('error', reject)
    })
    agent.destroy()
    expect(who.message).toContain('User "jane" cannot list resource "namespaces"')
  })

  // workerd asks nobody for certificates.
  if (platform === 'node')
    test('a certificate of somebody else signs nobody in, and does no harm', async () => {
      const [foreign, file] = [path.join(folder.path, 'foreign.key'), path.join(folder.path, 'foreign.pem')]
      const made = [
        'req',
        '-x509',
        '-newkey',
        'rsa:2048',
        '-nodes',
        '-keyout',
        foreign,
        '-out',
        file,
        '-subj',
        '/O=system:masters/CN=admin',
        '-addext',
        'extendedKeyUsage=clientAuth',
      ]
      execFileSync('openssl', made, { stdio: 'ignore' })
      const agent = new Agent({ ca: server.cp.ca, cert: readFileSync(file), key: readFileSync(foreign) })
      expect((await ask(server.cp.url, 'admintoken', agent)('GET', '/api/v1/namespaces')).code).toBe(200)
      const who = await new Promise<any>((resolve, reject) => {
        get(`${server.cp.url}/api/v1/namespaces`, { agent }, (res) => {
          res.setEncoding('utf8').on('data', (d) => resolve(JSON.parse(d)))
        }).on('error', reject)
      })
      agent.destroy()
      expect(who.message).toContain('User "system:anonymous" cannot list resource "namespaces"')
    })

  test('what is denied is not signed, and a decision stands', async () => {
    await asks('denied', request('/CN=x'))
    expect((await approve('denied', send, 'Denied')).body.status.certificate).toBeUndefined()
    const again = await approve('denied')
    expect(again.body.message).toContain('updates may not remove a condition of type "Denied"')
  })

  test('no certificate makes an administrator, and a request must be signed by its own key', async () => {
    const masters = await asks('masters', request('/O=system:masters/CN=me'))
    expect(masters.code).toBe(403)
    expect(masters.body.message).toContain('use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed')
    const pem = request('/CN=x')
    const der = Buffer.from(pem.split('\n').slice(1, -2).join(''), 'base64')
    der[der.length - 3]! ^= 1
    const spoiled = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`
    const refused = await asks('spoiled', spoiled)
    expect([refused.code, refused.body.details.causes[0].field]).toEqual([422, 'spec.request'])
  })

  test('a kubelet asks for what a kubelet may have, or the signer says why not', async () => {
    const signerName = 'kubernetes.io/kube-apiserver-client-kubelet'
    const usages = ['digital signature', 'client auth']
    await asks('kubelet', request('/O=system:nodes/CN=system:node:n1'), { signerName, usages })
    expect((await approve('kubelet')).body.status.certificate).toBeTruthy()
    await asks('no-kubelet', request('/O=people/CN=system:node:n1'), { signerName, usages })
    const { status } = (await approve('no-kubelet')).body
    expect(status.conditions[1]).toMatchObject({ type: 'Failed', message: 'subject organization is not system:nodes' })
    expect(status.certificate).toBeUndefined()
  })

  const RBAC = '/apis/rbac.authorization.k8s.io/v1'
  /** Runs with the token of a service account that has a cluster role of these rules, both of this name. */
  const as = async (name: string, rules: object[], run: (by: Ask) => Promise<void>) => {
    const accounts = '/api/v1/namespaces/default/serviceaccounts'
    expect((await send('POST', accounts, { metadata: { name } })).code).toBe(201)
    const { body } = await send('POST', `${accounts}/${name}/token`, { spec: {} })
    await send('POST', `${RBAC}/clusterroles`, { metadata: { name }, rules })
    await send('POST', `${RBAC}/clusterrolebindings`, {
      metadata: { name },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
      subjects: [{ kind: 'ServiceAccount', name, namespace: 'default' }],
    })
    const agent = new Agent({ ca: server.cp.ca })
    await run(ask(server.cp.url, body.status.token, agent))
    agent.destroy()
  }
  const maySign = (verb: string) => ({
    apiGroups: ['certificates.k8s.io'],
    resources: ['signers'],
    resourceNames: ['kubernetes.io/*'],
    verbs: [verb],
  })
  const MERGE = 'application/merge-patch+json'

  test('approving takes the right to approve for the signer', async () => {
    const rules = [{ apiGroups: ['certificates.k8s.io'], resources: ['certificatesigningrequests/approval'], verbs: ['update'] }]
    await as('approver', rules, async (approver) => {
      await asks('guarded', request('/CN=x'))
      const refused = await approve('guarded', approver)
      expect(refused.body.message).toContain('user not permitted to approve requests with signerName "kubernetes.io/kube-apiserver-client"')
      await send('PATCH', `${RBAC}/clusterroles/approver`, { rules: [...rules, maySign('approve')] }, undefined, MERGE)
      await expect.poll(async () => (await approve('guarded', approver)).code, { timeout: 15_000 }).toBe(200)
    })
  })

  test('trust anchors are certificates of authorities, given out by whoever may attest for the signer', async () => {
    const bundles = '/apis/certificates.k8s.io/v1beta1/clustertrustbundles'
    const rules = [{ apiGroups: ['certificates.k8s.io'], resources: ['clustertrustbundles'], verbs: ['create', 'update', 'patch'] }]
    const bundle = (trustBundle: string) => ({
      metadata: { name: 'kubernetes.io:test:a' },
      spec: { signerName: 'kubernetes.io/test', trustBundle },
    })
    const { body } = await send('GET', '/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication')
    const anchor = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/.exec(body.data['client-ca-file'])![0]
    await as('attester', rules, async (attester) => {
      expect((await attester('POST', bundles, bundle(anchor))).body.message).toContain(
        'user not permitted to attest for signerName "kubernetes.io/test"',
      )
      await send('PATCH', `${RBAC}/clusterroles/attester`, { rules: [...rules, maySign('attest')] }, undefined, MERGE)
      await expect.poll(async () => (await attester('POST', bundles, bundle(anchor))).code, { timeout: 15_000 }).toBe(201)
      const fault = async (text: string) =>
        (await attester('PATCH', `${bundles}/kubernetes.io:test:a`, { spec: { trustBundle: text } }, undefined, MERGE)).body.message
      expect(await fault(`${anchor}\n${anchor}`)).toContain('duplicate trust anchor (indices 0, 1)')
      expect(await fault('-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----')).toContain('entry 0 does not parse as X.509')
      expect(await fault(anchor.replaceAll('CERTIFICATE', 'PUBLIC KEY'))).toContain('entry 0 has bad block type: PUBLIC KEY')
    })
    const found = await send('GET', `${bundles}?fieldSelector=spec.signerName%3Dkubernetes.io/test`)
    expect(found.body.items.map((i: any) => i.metadata.name)).toEqual(['kubernetes.io:test:a'])
  })
})
