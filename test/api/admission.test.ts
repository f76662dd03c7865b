// What admission adds and refuses, as users meet it: quotas under a race, limits and defaults, classes.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../rig/hosts.ts'
import type { Ask } from './ask.ts'
import { type Server, startServer } from './server.ts'

const STRATEGIC = 'application/strategic-merge-patch+json'

describe.each(['node', 'workers'])('on %s', (platform) => {
  let server: Server
  let send: Ask
  beforeAll(async () => {
    server = await startServer(platform)
    send = server.send
  })
  afterAll(() => server?.stop())

  let serial = 0
  const namespace = async () => {
    const name = `ns-${serial++}`
    await send('POST', '/api/v1/namespaces', { metadata: { name } })
    await eventually(
      `${name} has its service account`,
      async () => (await send('GET', `/api/v1/namespaces/${name}/serviceaccounts/default`)).code === 200,
    )
    return name
  }
  const at = (ns: string, plural: string, name = '') => `/api/v1/namespaces/${ns}/${plural}${name ? `/${name}` : ''}`
  const pod = (name: string, resources: object = {}, spec: object = {}) => ({
    metadata: { name },
    spec: { containers: [{ name: 'c', image: 'nginx', resources }], ...spec },
  })
  const quota = async (ns: string, name: string, spec: object) => {
    await send('POST', at(ns, 'resourcequotas'), { metadata: { name }, spec })
    await eventually(`${name} is counted`, async () => !!(await send('GET', at(ns, 'resourcequotas', name))).body.status?.used)
  }
  const used = async (ns: string, name: string) => (await send('GET', at(ns, 'resourcequotas', name))).body.status.used

  describe('ResourceQuota', () => {
    test('of 32 creates at once as many get through as there is room for, and what goes makes room', async () => {
      const ns = await namespace()
      await quota(ns, 'few', { hard: { pods: '5', 'count/configmaps': '100', 'requests.cpu': '10' } })
      const answers = await Promise.all(
        Array.from({ length: 32 }, (_, i) => send('POST', at(ns, 'pods'), pod(`p-${i}`, { requests: { cpu: '100m' } }))),
      )
      expect(answers.filter((a) => a.code === 201)).toHaveLength(5)
      const refused = answers.filter((a) => a.code !== 201)
      for (const a of refused) {
        expect(a.code).toBe(403)
        expect(a.body.message).toMatch(/exceeded quota: few, requested: pods=1, used: pods=5, limited: pods=5$/)
      }
      expect(await used(ns, 'few')).toMatchObject({ pods: '5', 'requests.cpu': '500m' })
      const [first] = (await send('GET', at(ns, 'pods'))).body.items
      await send('DELETE', `${at(ns, 'pods', first.metadata.name)}?gracePeriodSeconds=0`)
      await eventually('one fewer counts', async () => (await used(ns, 'few')).pods === '4')
      expect((await send('POST', at(ns, 'pods'), pod('late', { requests: { cpu: '100m' } }))).code).toBe(201)
    })

    test('amounts, objects of any resource, services and claims count', async () => {
      const ns = await namespace()
      await quota(ns, 'all', {
        hard: {
          'requests.memory': '1Gi',
          'count/secrets': '1',
          'services.nodeports': '1',
          'requests.storage': '10Gi',
          'fast.storageclass.storage.k8s.io/requests.storage': '2Gi',
        },
      })
      const without = await send('POST', at(ns, 'pods'), pod('a'))
      expect(without.body.message).toMatch(/failed quota: all: must specify requests.memory for: c$/)
      const big = await send('POST', at(ns, 'pods'), pod('a', { requests: { memory: '2Gi' } }))
      expect(big.body.message).toMatch(/requested: requests.memory=2Gi, used: requests.memory=0, limited: requests.memory=1Gi$/)
      expect((await send('POST', at(ns, 'secrets'), { metadata: { name: 'one' } })).code).toBe(201)
      expect((await send('POST', at(ns, 'secrets'), { metadata: { name: 'two' } })).code).toBe(403)
      const service = (name: string, type: string) => ({ metadata: { name }, spec: { type, ports: [{ port: 80 }] } })
      expect((await send('POST', at(ns, 'services'), service('x', 'NodePort'))).code).toBe(201)
      expect((await send('POST', at(ns, 'services'), service('y', 'ClusterIP'))).code).toBe(201)
      const turned = await send('PATCH', at(ns, 'services', 'y'), { spec: { type: 'NodePort' } }, undefined, 'application/merge-patch+json')
      expect(turned.body.message).toMatch(/exceeded quota: all, requested: services.nodeports=1/)
      const claim = (name: string, storage: string, storageClassName: string) => ({
        metadata: { name },
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage } }, storageClassName },
      })
      expect((await send('POST', at(ns, 'persistentvolumeclaims'), claim('a', '3Gi', 'fast'))).body.message).toMatch(/exceeded quota/)
      expect((await send('POST', at(ns, 'persistentvolumeclaims'), claim('a', '3Gi', 'slow'))).code).toBe(201)
      expect(await used(ns, 'all')).toMatchObject({ 'requests.storage': '3Gi', 'count/secrets': '1', 'services.nodeports': '1' })
    })

    test('scopes choose which pods count', async () => {
      const ns = await namespace()
      await quota(ns, 'best', { hard: { pods: '0' }, scopes: ['BestEffort'] })
      await quota(ns, 'important', {
        hard: { pods: '0' },
        scopeSelector: { matchExpressions: [{ scopeName: 'PriorityClass', operator: 'In', values: [`vip-${platform}`] }] },
      })
      await send('POST', '/apis/scheduling.k8s.io/v1/priorityclasses', { metadata: { name: `vip-${platform}` }, value: 7 })
      expect((await send('POST', at(ns, 'pods'), pod('a'))).body.message).toMatch(/exceeded quota: best/)
      expect((await send('POST', at(ns, 'pods'), pod('a', { requests: { cpu: '1m' } }))).code).toBe(201)
      const vip = await send('POST', at(ns, 'pods'), pod('b', { requests: { cpu: '1m' } }, { priorityClassName: `vip-${platform}` }))
      expect(vip.body.message).toMatch(/exceeded quota: important/)
    })
  })

  test('LimitRanger fills in, and refuses with all that is wrong', async () => {
    const ns = await namespace()
    await send('POST', at(ns, 'limitranges'), {
      metadata: { name: 'l' },
      spec: {
        limits: [
          { type: 'Container', default: { cpu: '200m' }, defaultRequest: { cpu: '100m' }, max: { memory: '1Gi' }, min: { cpu: '50m' } },
          { type: 'PersistentVolumeClaim', max: { storage: '1Gi' } },
        ],
      },
    })
    const made = await send('POST', at(ns, 'pods'), pod('a'))
    expect(made.body.spec.containers[0].resources).toEqual({
      limits: { cpu: '200m', memory: '1Gi' },
      requests: { cpu: '100m', memory: '1Gi' },
    })
    expect(made.body.metadata.annotations['kubernetes.io/limit-ranger']).toBe(
      'LimitRanger plugin set: cpu, memory request for container c; cpu, memory limit for container c',
    )
    const refused = await send('POST', at(ns, 'pods'), pod('b', { requests: { cpu: '10m' }, limits: { memory: '2Gi' } }))
    expect(refused.code).toBe(403)
    expect(refused.body.message).toBe(
      'pods "b" is forbidden: [minimum cpu usage per Container is 50m, but request is 10m, maximum memory usage per Container is 1Gi, but limit is 2Gi]',
    )
    const claim = await send('POST', at(ns, 'persistentvolumeclaims'), {
      metadata: { name: 'c' },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '2Gi' } } },
    })
    expect(claim.body.message).toMatch(/maximum storage usage per PersistentVolumeClaim is 1Gi, but request is 2Gi$/)
  })

  test('classes: priority, runtime, storage and ingress', async () => {
    const ns = await namespace()
    const post = (path: string, body: object) => send('POST', path, body)
    expect((await post(at(ns, 'pods'), pod('x', {}, { priorityClassName: 'none' }))).body.message).toMatch(
      /no PriorityClass with name none was found$/,
    )
    await post('/apis/scheduling.k8s.io/v1/priorityclasses', {
      metadata: { name: 'usual' },
      value: 5,
      globalDefault: true,
      preemptionPolicy: 'Never',
    })
    const usual = await post(at(ns, 'pods'), pod('usual'))
    expect(usual.body.spec).toMatchObject({ priority: 5, priorityClassName: 'usual', preemptionPolicy: 'Never' })
    const critical = await post(at(ns, 'pods'), pod('critical', {}, { priorityClassName: 'system-node-critical' }))
    expect(critical.body.spec.priority).toBe(2_000_001_000)
    await post('/apis/node.k8s.io/v1/runtimeclasses', {
      metadata: { name: 'boxed' },
      handler: 'boxed',
      overhead: { podFixed: { memory: '10Mi' } },
      scheduling: { nodeSelector: { boxes: 'yes' } },
    })
    const boxed = await post(at(ns, 'pods'), pod('boxed', {}, { runtimeClassName: 'boxed' }))
    expect(boxed.body.spec).toMatchObject({ overhead: { memory: '10Mi' }, nodeSelector: { boxes: 'yes' } })
    expect((await post(at(ns, 'pods'), pod('odd', {}, { runtimeClassName: 'odd' }))).body.message).toMatch(/RuntimeClass "odd" not found$/)
    const claim = { metadata: { name: 'c' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } }
    const standard = { 'storageclass.kubernetes.io/is-default-class': 'true' }
    await post('/apis/storage.k8s.io/v1/storageclasses', {
      metadata: { name: 'standard', annotations: standard },
      provisioner: 'example.com/p',
    })
    expect((await post(at(ns, 'persistentvolumeclaims'), claim)).body.spec.storageClassName).toBe('standard')
    await post('/apis/networking.k8s.io/v1/ingressclasses', {
      metadata: { name: 'front', annotations: { 'ingressclass.kubernetes.io/is-default-class': 'true' } },
      spec: { controller: 'example.com/front' },
    })
    const ingress = await post(`/apis/networking.k8s.io/v1/namespaces/${ns}/ingresses`, {
      metadata: { name: 'i' },
      spec: { defaultBackend: { service: { name: 's', port: { number: 80 } } } },
    })
    expect(ingress.body.spec.ingressClassName).toBe('front')
  })

  test('events and autoscalers are the same objects by both of their versions', async () => {
    const ns = await namespace()
    const event = {
      metadata: { name: 'e' },
      regarding: { kind: 'Pod', name: 'p', namespace: ns },
      eventTime: '2026-01-01T00:00:00.000000Z',
      reportingController: 'example.com/c',
      reportingInstance: 'i',
      action: 'Do',
      reason: 'Done',
      note: 'it is',
      type: 'Normal',
    }
    expect((await send('POST', `/apis/events.k8s.io/v1/namespaces/${ns}/events`, event)).body).toMatchObject({
      note: 'it is',
      apiVersion: 'events.k8s.io/v1',
    })
    expect((await send('GET', at(ns, 'events', 'e'))).body).toMatchObject({
      message: 'it is',
      involvedObject: { name: 'p' },
      apiVersion: 'v1',
    })
    const chosen = await send('GET', `/apis/events.k8s.io/v1/namespaces/${ns}/events?fieldSelector=regarding.name%3Dp`)
    expect(chosen.body.items.map((i: any) => i.note)).toEqual(['it is'])
    const hpas = (version: string, name = '') => `/apis/autoscaling/${version}/namespaces/${ns}/horizontalpodautoscalers${name}`
    const memory = { type: 'Resource', resource: { name: 'memory', target: { type: 'Utilization', averageUtilization: 60 } } }
    await send('POST', hpas('v2'), {
      metadata: { name: 'h' },
      spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'w' }, maxReplicas: 3, metrics: [memory] },
    })
    const narrow = (await send('GET', hpas('v1', '/h'))).body
    expect(narrow).toMatchObject({ apiVersion: 'autoscaling/v1', spec: { maxReplicas: 3 } })
    narrow.spec.targetCPUUtilizationPercentage = 50
    narrow.spec.maxReplicas = 4
    // The autoscaler writes its status meanwhile.
    delete narrow.metadata.resourceVersion
    expect((await send('PUT', hpas('v1', '/h'), narrow)).body.spec).toMatchObject({ targetCPUUtilizationPercentage: 50, maxReplicas: 4 })
    const wide = (await send('GET', hpas('v2', '/h'))).body
    expect(wide.spec.metrics.map((m: any) => m.resource.name).sort()).toEqual(['cpu', 'memory'])
    const patched = await send('PATCH', hpas('v1', '/h'), { spec: { maxReplicas: 5 } }, undefined, 'application/merge-patch+json')
    expect(patched.body).toMatchObject({ apiVersion: 'autoscaling/v1', spec: { maxReplicas: 5, targetCPUUtilizationPercentage: 50 } })
  })

  test('storage in use stays until nobody uses it', async () => {
    const ns = await namespace()
    const claim = { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } }
    await send('POST', at(ns, 'persistentvolumeclaims'), { metadata: { name: 'data' }, ...claim })
    await send('POST', at(ns, 'pods'), pod('user', {}, { volumes: [{ name: 'd', persistentVolumeClaim: { claimName: 'data' } }] }))
    const deleted = await send('DELETE', at(ns, 'persistentvolumeclaims', 'data'))
    expect(deleted.body.metadata).toMatchObject({ deletionTimestamp: expect.any(String), finalizers: ['kubernetes.io/pvc-protection'] })
    expect((await send('GET', at(ns, 'persistentvolumeclaims', 'data'))).code).toBe(200)
    await send('DELETE', at(ns, 'pods', 'user'))
    await expect.poll(async () => (await send('GET', at(ns, 'persistentvolumeclaims', 'data'))).code).toBe(404)
  })

  test('a pod is resized in place: processor and memory, in its class of service', async () => {
    const ns = await namespace()
    const resources = { requests: { cpu: '100m', memory: '64Mi' }, limits: { cpu: '200m' } }
    await send('POST', at(ns, 'pods'), pod('r', {}, { containers: [{ name: 'c', image: 'x', resources }] }))
    const resize = (c: object) =>
      send('PATCH', `${at(ns, 'pods', 'r')}/resize`, { spec: { containers: [{ name: 'c', ...c }] } }, undefined, STRATEGIC)
    const larger = await resize({ image: 'another', resources: { requests: { cpu: '150m' } } })
    expect(larger.body.spec.containers[0]).toMatchObject({ image: 'x', resources: { requests: { cpu: '150m', memory: '64Mi' } } })
    expect(larger.body.metadata.generation).toBe(2)
    const refused = async (c: object) => (await resize(c)).body.message
    expect(await refused({ resources: { requests: { memory: null } } })).toContain('resource requests cannot be removed')
    expect(await refused({ resources: { requests: { 'example.com/gpu': '1' }, limits: { 'example.com/gpu': '1' } } })).toContain(
      'only cpu and memory resources are mutable',
    )
    expect(await refused({ resources: { requests: { cpu: '200m' }, limits: { memory: '64Mi' } } })).toContain(
      'Pod QOS Class may not change as a result of resizing',
    )
  })

  test('a scale is applied: its manager owns the replicas, and others meet a conflict', async () => {
    const ns = await namespace()
    const at = `/apis/apps/v1/namespaces/${ns}/deployments`
    const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'x' }] } }
    const spec = { replicas: 0, selector: { matchLabels: { a: 'b' } }, template }
    await send('POST', `${at}?fieldManager=maker`, { metadata: { name: 'd' }, spec })
    const apply = (manager: string, replicas: number, force = false) => {
      const scale = { apiVersion: 'autoscaling/v1', kind: 'Scale', metadata: { name: 'd' }, spec: { replicas } }
      return send('PATCH', `${at}/d/scale?fieldManager=${manager}&force=${force}`, scale, undefined, 'application/apply-patch+yaml')
    }
    expect((await apply('scaler', 2)).code).toBe(409)
    const taken = await apply('scaler', 2, true)
    expect([taken.body.kind, taken.body.spec]).toEqual(['Scale', { replicas: 2 }])
    expect((await apply('another', 3)).body.message).toContain('conflict with "scaler"')
    const { body } = await send('GET', `${at}/d`)
    const entry = body.metadata.managedFields.find((m: any) => m.manager === 'scaler')
    expect(entry).toMatchObject({ operation: 'Apply', subresource: 'scale', fieldsV1: { 'f:spec': { 'f:replicas': {} } } })
    expect(body.spec).toMatchObject({ replicas: 2, template: { spec: { containers: [{ image: 'x' }] } } })
  })

  test('a scheduler binds by Binding objects', async () => {
    const ns = await namespace()
    await send('POST', at(ns, 'pods'), pod('b', {}, { schedulerName: 'mine' }))
    const bound = await send('POST', at(ns, 'bindings'), { metadata: { name: 'b' }, target: { kind: 'Node', name: 'n' } })
    expect(bound.code).toBe(201)
    expect((await send('GET', at(ns, 'pods', 'b'))).body.spec.nodeName).toBe('n')
  })

  test('the parts of the control plane are well, and asking for them is deprecated', async () => {
    const all = await send('GET', '/api/v1/componentstatuses')
    expect(all.body.items.map((i: any) => [i.metadata.name, i.conditions[0].status])).toContainEqual(['scheduler', 'True'])
    expect(all.warnings).toEqual(['v1 ComponentStatus is deprecated in v1.19+'])
    expect((await send('GET', '/api/v1/componentstatuses/none')).code).toBe(404)
  })

  describe('PodSecurity', () => {
    const label = (ns: string, labels: object) =>
      send('PATCH', `/api/v1/namespaces/${ns}`, { metadata: { labels } }, undefined, 'application/merge-patch+json')
    test('a pod keeps to the level of its namespace, a template is warned of, and labels speak of what runs', async () => {
      const ns = await namespace()
      expect((await send('POST', at(ns, 'pods'), pod('early', {}, { hostNetwork: true }))).code).toBe(201)
      const labelled = await label(ns, { 'pod-security.kubernetes.io/enforce': 'baseline' })
      expect(labelled.warnings).toEqual([
        `existing pods in namespace "${ns}" violate the new PodSecurity enforce level "baseline:latest"`,
        'early: host namespaces',
      ])
      await label(ns, { 'pod-security.kubernetes.io/warn': 'restricted' })
      const refused = await send('POST', at(ns, 'pods'), pod('late', {}, { hostNetwork: true }))
      expect(refused).toMatchObject({
        code: 403,
        body: {
          reason: 'Forbidden',
          message: 'pods "late" is forbidden: violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true)',
        },
      })
      const plain = await send('POST', at(ns, 'pods'), pod('plain'))
      expect(plain.code).toBe(201)
      expect(plain.warnings).toEqual([
        expect.stringMatching(/^would violate PodSecurity "restricted:latest": allowPrivilegeEscalation != false \(/),
      ])
      const selector = { matchLabels: { a: 'b' } }
      const template = { metadata: { labels: { a: 'b' } }, spec: { hostPID: true, containers: [{ name: 'c', image: 'x' }] } }
      const deployed = await send('POST', `/apis/apps/v1/namespaces/${ns}/deployments`, {
        metadata: { name: 'd' },
        spec: { replicas: 0, selector, template },
      })
      expect([deployed.code, deployed.warnings]).toEqual([201, [expect.stringMatching(/host namespaces \(hostPID=true\)/)]])
      const debug = { spec: { ephemeralContainers: [{ name: 'd', image: 'x', securityContext: { privileged: true } }] } }
      const debugged = await send(
        'PATCH',
        `${at(ns, 'pods', 'plain')}/ephemeralcontainers`,
        debug,
        undefined,
        'application/merge-patch+json',
      )
      expect([debugged.code, debugged.body.message]).toEqual([403, expect.stringMatching(/privileged \(container "d" must not/)])
    })
    test('labels that mean nothing are refused', async () => {
      const answer = await send('POST', '/api/v1/namespaces', {
        metadata: { name: 'odd', labels: { 'pod-security.kubernetes.io/enforce': 'strict' } },
      })
      expect([answer.code, answer.body.message]).toEqual([
        422,
        'Namespace "odd" is invalid: metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: "strict": must be one of privileged, baseline, restricted',
      ])
    })
  })
})
