// Ingress on two hosts, as clients outside see it: real proxy, real pods, certificates; nothing is lost while all of it changes.
import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { request as secure } from 'node:https'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AcmeServer, acmeMissing } from '../rig/acme-server.ts'
import type { ControlPlane } from '../rig/control-plane.ts'
import { eventually, type Host } from '../rig/hosts.ts'
import { temporaryFolder } from '../rig/sqld.ts'
import { type Stand, standMissing, startStand } from '../rig/stand.ts'

const missing = standMissing()

const web = (name: string, version: number, replicas: number) => `---
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}}
spec:
  replicas: ${replicas}
  strategy: {rollingUpdate: {maxUnavailable: 0, maxSurge: 1}}
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec:
      terminationGracePeriodSeconds: 5
      topologySpreadConstraints: [{maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app: ${name}}}}]
      containers:
      - name: web
        image: test/web:${version}
        ports: [{name: http, containerPort: 8080}]
        readinessProbe: {httpGet: {path: /, port: http}, periodSeconds: 1}
        lifecycle: {preStop: {sleep: {seconds: 1}}}
---
apiVersion: v1
kind: Service
metadata: {name: ${name}}
spec: {selector: {app: ${name}}, ports: [{name: web, port: 80, targetPort: http}]}
`

const ingress = (name: string, spec: string, annotations = '') => `---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: ${name}, annotations: {${annotations}}}
spec: ${spec}
`
const path_ = (p: string, service: string) => `{path: ${p}, pathType: Prefix, backend: {service: {name: ${service}, port: {name: web}}}}`

interface Answer {
  status: number
  body: string
  location?: string
  certificate?: string
}

describe.skipIf(missing)('ingress on two hosts', () => {
  let stand: Stand
  let cp: ControlPlane
  let h1: Host
  let h2: Host
  const apply = (manifest: string) => cp.k('apply -f -', { input: manifest })
  const json = (args: string) => JSON.parse(cp.k(`${args} -o json`))

  /** A request from outside; `ca` makes the client look at the certificate. */
  const ask = (host: Host, name: string, url = '/', ca?: string) =>
    new Promise<Answer>((resolve, reject) => {
      const isSecure = url.startsWith('https:')
      const req = (isSecure ? secure : request)(
        {
          host: host.ip,
          path: url.replace(/^https:/, ''),
          headers: { host: name },
          agent: false,
          timeout: 10_000,
          ...(isSecure ? { servername: name, ...(ca ? { ca } : { rejectUnauthorized: false }) } : {}),
        },
        (res) => {
          const certificate = (res.socket as any).getPeerCertificate?.()?.serialNumber
          let body = ''
          res.on('data', (d) => (body += d))
          res.on('end', () => resolve({ status: res.statusCode!, body, location: res.headers.location, certificate }))
          res.on('error', reject)
        },
      )
      req.on('timeout', () => req.destroy(new Error('no answer')))
      req.on('error', reject)
      req.end()
    })
  const answers = (host: Host, name: string, url?: string) =>
    ask(host, name, url).catch((cause): Answer => ({ status: 0, body: cause.code ?? cause.message }))
  const becomes = (host: Host, name: string, status: number, url?: string) =>
    eventually(`${name} answers ${status} on ${host.name}`, async () => (await answers(host, name, url)).status === status)

  beforeAll(async () => {
    stand = await startStand(2)
    cp = stand.cp
    ;[h1, h2] = stand.hosts as [Host, Host]
    apply(web('web', 1, 2) + web('other', 2, 1))
    for (const d of ['web', 'other']) cp.k(`rollout status deployment/${d} --timeout=60s`)
  }, 180_000)
  afterAll(() => stand?.stop(), 60_000)

  test('there is a class, and as long as nobody wants it nothing listens', async () => {
    expect(json('get ingressclass kedge').metadata.annotations).toMatchObject({ 'ingressclass.kubernetes.io/is-default-class': 'true' })
    expect(await answers(h1, 'web.test')).toEqual({ status: 0, body: 'ECONNREFUSED' })
  })

  test('hosts and paths lead to pods on both hosts, from each of them', async () => {
    apply(
      ingress(
        'web',
        `{rules: [{host: web.test, http: {paths: [${path_('/', 'web')}]}}, {http: {paths: [${path_('/other', 'other')}]}}]}`,
        'ingress.kubernetes.io/rewrite-target: /',
      ),
    )
    for (const h of [h1, h2]) {
      await becomes(h, 'web.test', 200)
      const seen = new Set<string>()
      for (let i = 0; i < 8; i++) seen.add((await ask(h, 'web.test')).body.trim())
      expect([...seen].every((s) => /^web-.* v1$/.test(s))).toBe(true)
      expect(seen.size).toBe(2)
      expect((await ask(h, 'any.test', '/other')).body).toMatch(/^other-.* v2\n$/)
      expect((await ask(h, 'any.test', '/')).status).toBe(404)
    }
    await eventually('the addresses are known', () => {
      const all = json('get ingress web').status.loadBalancer.ingress ?? []
      return JSON.stringify(all) === JSON.stringify([{ ip: h1.ip }, { ip: h2.ip }])
    })
    expect(cp.k('get ingress web -o wide').split('\n')[1]).toMatch(
      new RegExp(`^web +kedge +web.test +${`${h1.ip},${h2.ip}`.slice(0, 13)}\\.\\.\\. +80 `),
    )
  })

  test('certificates come from Secrets, whenever they come, and are renewed', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'kedge-tls-'))
    const [crt, key] = [path.join(folder, 'crt'), path.join(folder, 'key')]
    const issue = () =>
      execFileSync(
        'openssl',
        [
          'req',
          '-x509',
          '-newkey',
          'ec',
          '-pkeyopt',
          'ec_paramgen_curve:P-256',
          '-nodes',
          '-days',
          '2',
          '-subj',
          '/CN=tls.test',
          '-addext',
          'subjectAltName=DNS:tls.test',
          '-keyout',
          key,
          '-out',
          crt,
        ],
        { stdio: 'pipe' },
      )
    apply(ingress('tls', `{tls: [{hosts: [tls.test], secretName: tls}], rules: [{host: tls.test, http: {paths: [${path_('/', 'web')}]}}]}`))
    await becomes(h1, 'tls.test', 308)
    expect((await ask(h1, 'tls.test', '/x?y=1')).location).toBe('https://tls.test/x?y=1')
    const said = await eventually('what is missing is said', () =>
      cp.k('get events --field-selector involvedObject.name=tls -o jsonpath={.items[*].message}'),
    )
    expect(said).toContain('secret default/tls not found')
    issue()
    cp.k(`create secret tls tls --cert=${crt} --key=${key}`)
    const shown = (h: Host) => ask(h, 'tls.test', 'https:/', readFileSync(crt, 'utf8')).catch(() => undefined)
    const first = await eventually('it is shown', () => shown(h1))
    expect(first).toMatchObject({ status: 200, body: expect.stringMatching(/^web-/) })
    await eventually('on both', () => shown(h2))
    issue()
    apply(cp.k(`create secret tls tls --cert=${crt} --key=${key} --dry-run=client -o yaml`))
    for (const h of [h1, h2]) {
      const next = await eventually('the new one is shown', () => shown(h))
      expect(next!.certificate).not.toBe(first!.certificate)
    }
    rmSync(folder, { recursive: true })
  })

  test('no request fails while pods roll, rules change and daemons are killed', async () => {
    let running = true
    const failures: string[] = []
    const versions = new Map<string, number>()
    const clients = [h1, h2, h1, h2].map(async (h) => {
      while (running) {
        const a = await answers(h, 'web.test')
        if (a.status === 200) versions.set(a.body.trim().slice(-2), (versions.get(a.body.trim().slice(-2)) ?? 0) + 1)
        else failures.push(`${h.name}: ${a.status} ${a.body}`)
      }
    })
    const seen = (version: string, more: number) => {
      const before = versions.get(version) ?? 0
      return eventually(`${version} answers`, () => (versions.get(version) ?? 0) > before + more)
    }
    await seen('v1', 50)
    cp.k('set image deployment/web web=test/web:2')
    apply(ingress('more', `{rules: [{host: more.test, http: {paths: [${path_('/', 'web')}]}}]}`))
    await eventually('it has rolled', () => cp.kubectl('rollout status deployment/web --timeout=1s').code === 0, 60_000)
    await becomes(h1, 'more.test', 200)
    h1.killDaemon()
    await seen('v2', 50)
    h1.startDaemon()
    // Pods that all came and went while nobody could tell its proxy are known to none: it is told of something first.
    apply(ingress('again', `{rules: [{host: again.test, http: {paths: [${path_('/', 'web')}]}}]}`))
    await becomes(h1, 'again.test', 200)
    cp.k('set image deployment/web web=test/web:3')
    await eventually('it has rolled again', () => cp.kubectl('rollout status deployment/web --timeout=1s').code === 0, 60_000)
    cp.k('delete ingress more')
    await becomes(h1, 'more.test', 404)
    await becomes(h2, 'more.test', 404)
    cp.k('scale deployment/web --replicas=1')
    await seen('v3', 50)
    cp.k('scale deployment/web --replicas=3')
    await seen('v3', 50)
    running = false
    await Promise.all(clients)
    expect(failures).toEqual([])
  })

  test('a proxy that was killed is back', async () => {
    h1.run('pkill -9 haproxy')
    await becomes(h1, 'web.test', 200)
  })

  test('a service of its own port 80 goes before it, and gives it back', async () => {
    apply(
      '---\napiVersion: v1\nkind: Service\nmetadata: {name: balanced}\nspec: {type: LoadBalancer, selector: {app: other}, ports: [{port: 80, targetPort: http}]}\n',
    )
    await eventually('the service answers', async () => (await ask(h1, 'web.test')).body.startsWith('other-'))
    cp.k('delete service balanced')
    await eventually('the ingress answers', async () => (await ask(h1, 'web.test')).body.startsWith('web-'))
  })

  test('a name outside of the cluster is a backend', async () => {
    apply(
      `---\napiVersion: v1\nkind: Service\nmetadata: {name: outside}\nspec: {type: ExternalName, externalName: web.default.svc.cluster.local}\n`,
    )
    const backend = '{service: {name: outside, port: {number: 80}}}'
    apply(ingress('outside', `{rules: [{host: outside.test, http: {paths: [{path: /, pathType: Prefix, backend: ${backend}}]}}]}`))
    for (const h of [h1, h2])
      await eventually(`${h.name} leads there`, async () => (await answers(h, 'outside.test')).body.startsWith('web-'))
    expect(cp.k('get events --field-selector involvedObject.name=outside')).not.toContain('has no port')
    cp.k('delete ingress,service outside')
  })

  test.skipIf(acmeMissing())('certificates are had from an ACME server, and shown at once', { timeout: 400_000 }, async () => {
    const acme = await AcmeServer.start(new URL(cp.url).hostname, h1.ip, 80)
    const folder = temporaryFolder('trust')
    try {
      const ca = path.join(folder.path, 'acme.pem')
      writeFileSync(ca, acme.ca)
      cp.k(
        `create configmap kedge-acme -n kube-system --from-literal=agreeToTerms=true --from-literal=server=${acme.directory} --from-file=caBundle=${ca}`,
      )
      const rules = `rules: [{host: had.test, http: {paths: [${path_('/', 'web')}]}}]`
      apply(ingress('had', `{${rules}, tls: [{hosts: [had.test], secretName: had}]}`, 'kubernetes.io/tls-acme: "true"'))
      const data = await eventually('it is there', () => JSON.parse(cp.kubectl('get secret had -o json').out || '{}').data, 60_000)
      const { serialNumber, subjectAltName } = new X509Certificate(Buffer.from(data['tls.crt'], 'base64'))
      expect(subjectAltName).toBe('DNS:had.test')
      for (const h of [h1, h2])
        await eventually(`${h.name} shows it`, async () => (await answers(h, 'had.test', 'https:/')).certificate === serialNumber)
      // Nodes answer for these hosts alone, and the rest is redirected as before.
      expect((await answers(h1, 'had.test')).status).toBe(308)
      expect(cp.k('get events --field-selector involvedObject.name=had')).toContain('CertificateOrdered')
      cp.k('delete ingress had')
    } finally {
      folder.remove()
      await acme.stop()
    }
  })

  test('with the last ingress the proxy goes', async () => {
    cp.k('delete ingress --all')
    for (const h of [h1, h2]) await becomes(h, 'web.test', 0)
    await eventually('no process is left', () => h1.try('pgrep haproxy').trim() === '')
    await eventually('nobody serves', () =>
      json('get nodes').items.every((n: any) => n.metadata.annotations['kedge.dev/ingress'] === 'available'),
    )
  })
})
