// @kubernetes/client-node: informers, lists, patches, server-side apply, watches.
import {
  AppsV1Api,
  CoreV1Api,
  CustomObjectsApi,
  KubeConfig,
  KubernetesObjectApi,
  makeInformer,
  PatchStrategy,
  setHeaderOptions,
  Watch,
} from '@kubernetes/client-node'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ControlPlane } from '../rig/control-plane.ts'
import { eventually } from '../rig/hosts.ts'

const NS = 'default'

describe.each(['node', 'workers'])('on %s', (platform) => {
  let cp: ControlPlane
  const config = new KubeConfig()
  let core: CoreV1Api
  beforeAll(async () => {
    cp = await ControlPlane.start('127.0.0.1', ['--platform', platform])
    config.loadFromFile(cp.kubeconfig)
    core = config.makeApiClient(CoreV1Api)
  })
  afterAll(() => cp?.stop())

  test('objects come and go; errors have their codes', async () => {
    const body = { metadata: { name: 'a' }, data: { k: 'v' } }
    const made = await core.createNamespacedConfigMap({ namespace: NS, body })
    expect(made.data).toEqual({ k: 'v' })
    await expect(core.createNamespacedConfigMap({ namespace: NS, body })).rejects.toMatchObject({ code: 409 })
    await expect(core.readNamespacedConfigMap({ name: 'none', namespace: NS })).rejects.toMatchObject({ code: 404 })
    const patched = await core.patchNamespacedConfigMap(
      { name: 'a', namespace: NS, body: { data: { l: 'w' } } },
      setHeaderOptions('Content-Type', PatchStrategy.MergePatch),
    )
    expect(patched.data).toEqual({ k: 'v', l: 'w' })
    await core.deleteNamespacedConfigMap({ name: 'a', namespace: NS })
  })

  test('an informer tells of all that happens', async () => {
    const seen: string[] = []
    const list = () => core.listNamespacedSecret({ namespace: NS })
    const informer = makeInformer(config, `/api/v1/namespaces/${NS}/secrets`, list)
    for (const event of ['add', 'update', 'delete'] as const) informer.on(event, (o) => seen.push(`${event} ${o.metadata?.name}`))
    const failed: unknown[] = []
    informer.on('error', (e) => failed.push(e))
    await informer.start()
    await core.createNamespacedSecret({ namespace: NS, body: { metadata: { name: 's' }, stringData: { a: 'b' } } })
    await eventually('it was added', () => seen.includes('add s'))
    await core.patchNamespacedSecret(
      { name: 's', namespace: NS, body: { metadata: { labels: { x: 'y' } } } },
      setHeaderOptions('Content-Type', PatchStrategy.StrategicMergePatch),
    )
    await eventually('it was updated', () => seen.includes('update s'))
    await core.deleteNamespacedSecret({ name: 's', namespace: NS })
    await eventually('it was deleted', () => seen.includes('delete s'))
    await informer.stop()
    expect(failed).toEqual([])
  })

  test('server-side apply by whatever kind it is', async () => {
    const objects = KubernetesObjectApi.makeApiClient(config)
    const spec = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'applied', namespace: NS },
      spec: {
        replicas: 0,
        selector: { matchLabels: { a: 'b' } },
        template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'x' }] } },
      },
    }
    await objects.patch(spec, undefined, undefined, 'client-node', true, PatchStrategy.ServerSideApply)
    const apps = config.makeApiClient(AppsV1Api)
    const read = await apps.readNamespacedDeployment({ name: 'applied', namespace: NS })
    expect(read.metadata?.managedFields?.map((m) => [m.manager, m.operation])).toContainEqual(['client-node', 'Apply'])
    await apps.deleteNamespacedDeployment({ name: 'applied', namespace: NS })
  })

  test('custom resources, and a watch of them', async () => {
    const objects = KubernetesObjectApi.makeApiClient(config)
    const schema = { openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object', properties: { n: { type: 'integer' } } } } } }
    await objects.create({
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'birds.zoo.example' },
      spec: {
        group: 'zoo.example',
        scope: 'Namespaced',
        names: { plural: 'birds', kind: 'Bird' },
        versions: [{ name: 'v1', served: true, storage: true, schema }],
      },
    } as any)
    const custom = config.makeApiClient(CustomObjectsApi)
    const at = { group: 'zoo.example', version: 'v1', namespace: NS, plural: 'birds' }
    const seen: string[] = []
    const started = (await custom.listNamespacedCustomObject(at)) as any
    const watch = await new Watch(config).watch(
      `/apis/zoo.example/v1/namespaces/${NS}/birds`,
      { resourceVersion: started.metadata.resourceVersion },
      (phase, o) => seen.push(`${phase} ${o.metadata.name}`),
      () => {},
    )
    await custom.createNamespacedCustomObject({
      ...at,
      body: { apiVersion: 'zoo.example/v1', kind: 'Bird', metadata: { name: 'tit' }, spec: { n: 1 } },
    })
    await eventually('the watch told of it', () => seen.includes('ADDED tit'))
    watch.abort()
  })
})
