// Autoscalers by metrics that an aggregated API server serves, from the request to the replicas; on both platforms.
import { createServer, type Server as HttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openAuthority } from '../../api/platform/node/certificates.ts'
import type { Session } from '../../node-agent/session/session.ts'
import { temporaryFolder } from '../rig/sqld.ts'
import type { Ask } from './ask.ts'
import { localService, openNodeSession } from './node-session.ts'
import { type Server, startServer } from './server.ts'

const EXTERNAL = '/apis/external.metrics.k8s.io/v1beta1'
const CUSTOM = '/apis/custom.metrics.k8s.io/v1beta2'

describe.each(['node', 'workers'])('on %s', (platform) => {
  let server: Server
  let send: Ask
  let session: Session
  let metrics: HttpsServer
  const folder = temporaryFolder('metrics-node')
  const certificates = temporaryFolder('metrics-ca')
  const asked: string[] = []

  /** 35 messages wait; the ingress has 90 requests a second. */
  const answers: Record<string, object> = {
    [EXTERNAL]: { kind: 'APIResourceList', groupVersion: 'external.metrics.k8s.io/v1beta1', resources: [] },
    [CUSTOM]: { kind: 'APIResourceList', groupVersion: 'custom.metrics.k8s.io/v1beta2', resources: [] },
    [`${EXTERNAL}/namespaces/default/messages?labelSelector=queue%3Dorders`]: {
      kind: 'ExternalMetricValueList',
      items: [{ value: '20' }, { value: '15' }],
    },
    [`${CUSTOM}/namespaces/default/services/front/requests`]: {
      kind: 'MetricValueList',
      items: [{ describedObject: { kind: 'Service', name: 'front' }, metric: { name: 'requests' }, value: '90k' }],
    },
  }

  beforeAll(async () => {
    server = await startServer(platform)
    send = server.send
    session = await openNodeSession(server, folder.path, 'n1')
    const names = { dns: ['metrics.default.svc'], ips: ['127.0.0.1'] }
    const authority = await openAuthority(certificates.path, names)
    metrics = createServer(await authority.issue(names), (req, res) => {
      asked.push(req.url!)
      const found = answers[req.url!]
      res.writeHead(found ? 200 : 404, { 'content-type': 'application/json' })
      res.end(JSON.stringify(found ?? { kind: 'Status', code: 404, message: 'nothing is measured there' }))
    })
    await new Promise<void>((done) => metrics.listen(0, '127.0.0.1', done))
    await localService(send, 'default', 'metrics', (metrics.address() as AddressInfo).port, { name: 'https', port: 443 })
    for (const [group, version] of [
      ['external.metrics.k8s.io', 'v1beta1'],
      ['custom.metrics.k8s.io', 'v1beta2'],
    ]) {
      const caBundle = Buffer.from(authority.certificate).toString('base64')
      const spec = {
        group,
        version,
        groupPriorityMinimum: 100,
        versionPriority: 100,
        caBundle,
        service: { namespace: 'default', name: 'metrics' },
      }
      const made = await send('POST', '/apis/apiregistration.k8s.io/v1/apiservices', { metadata: { name: `${version}.${group}` }, spec })
      expect(made.code).toBe(201)
    }
  })
  afterAll(async () => {
    session?.close()
    await server?.stop()
    metrics?.closeAllConnections()
    await new Promise((done) => (metrics ? metrics.close(done) : done(undefined)))
    folder.remove()
    certificates.remove()
  })

  const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments'
  const SCALERS = '/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers'
  async function scaled(name: string, metric: object) {
    const template = { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'c', image: 'one' }] } }
    await send('POST', DEPLOYMENTS, { metadata: { name }, spec: { replicas: 2, selector: { matchLabels: { app: name } }, template } })
    await expect.poll(async () => (await send('GET', `${DEPLOYMENTS}/${name}`)).body.status?.replicas, { timeout: 15_000 }).toBe(2)
    const spec = { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name }, minReplicas: 1, maxReplicas: 10, metrics: [metric] }
    expect((await send('POST', SCALERS, { metadata: { name }, spec })).code).toBe(201)
    await expect
      .poll(async () => (await send('GET', `${SCALERS}/${name}`)).body.status?.conditions?.length ?? 0, { timeout: 15_000 })
      .toBeGreaterThan(1)
    const [deployment, scaler] = [(await send('GET', `${DEPLOYMENTS}/${name}`)).body, (await send('GET', `${SCALERS}/${name}`)).body]
    return { replicas: deployment.spec.replicas, status: scaler.status }
  }

  test('by a metric from outside the cluster', async () => {
    const metric = { name: 'messages', selector: { matchLabels: { queue: 'orders' } } }
    const { replicas, status } = await scaled('orders', {
      type: 'External',
      external: { metric, target: { type: 'AverageValue', averageValue: '10' } },
    })
    expect(replicas).toBe(4)
    expect(status.currentMetrics).toMatchObject([{ type: 'External', external: { current: { averageValue: '17500m' } } }])
  })

  test('by a metric of another object', async () => {
    const describedObject = { apiVersion: 'v1', kind: 'Service', name: 'front' }
    const target = { type: 'AverageValue', averageValue: '30k' }
    const { replicas } = await scaled('front', { type: 'Object', object: { metric: { name: 'requests' }, describedObject, target } })
    expect(replicas).toBe(3)
  })

  test('what nobody measures is told, and nothing is changed', async () => {
    const target = { type: 'AverageValue', averageValue: '10' }
    const { replicas, status } = await scaled('unknown', { type: 'Pods', pods: { metric: { name: 'nothing' }, target } })
    expect(replicas).toBe(2)
    expect(status.conditions).toContainEqual(
      expect.objectContaining({
        type: 'ScalingActive',
        status: 'False',
        reason: 'FailedGetPodsMetric',
        message: expect.stringContaining('unable to compute the replica count: '),
      }),
    )
    expect(asked).toContainEqual(`${CUSTOM}/namespaces/default/pods/*/nothing?labelSelector=app%3Dunknown`)
  })
})
