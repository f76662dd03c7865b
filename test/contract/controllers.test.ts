// Whatever happens in whatever order, and however often writes fail or the engine dies in between: once it is quiet, controllers have brought about what
// was asked for last, and then write nothing more.
import fc from 'fast-check'
import { expect } from 'vitest'
import { isReady } from '../../shared/meta/conditions.ts'
import type { KObject } from '../../shared/meta/object.ts'
import type { Controlled } from '../rig/controlled.ts'
import { overtaken, property } from './property.ts'

const pod = { automountServiceAccountToken: false, containers: [{ name: 'c', image: 'one' }] }
const selector = { matchLabels: { app: 'a' } }
const template = { metadata: { labels: { app: 'a' } }, spec: pod }

interface Workload {
  resource: string
  spec: object
  /** What is there besides, by resource. */
  besides?: [resource: string, object: object][]
  /** What is wrong with the state, by what was asked for. */
  check: (c: Controlled, asked: { replicas: number; image: string }) => Promise<void>
}

/** Pods that failed stay where they are until their owner goes; nobody counts on them. */
const alive = async (c: Controlled) => (await c.alive()).filter((p) => p.status?.phase !== 'Failed')
const images = (pods: KObject[]) => [...new Set(pods.map((p) => p.spec.containers[0].image))]

const readyAddresses = async (c: Controlled): Promise<string[]> =>
  (await c.list('endpointslices.discovery.k8s.io')).flatMap((s) =>
    (s.endpoints ?? []).filter((e: any) => e.conditions.ready).map((e: any) => e.targetRef.name),
  )

const workloads: Record<string, Workload> = {
  'Deployment behind a service, with a budget': {
    resource: 'deployments.apps',
    spec: { replicas: 2, selector, template },
    besides: [
      ['services', { metadata: { name: 'a' }, spec: { type: 'LoadBalancer', selector: selector.matchLabels, ports: [{ port: 80 }] } }],
      ['poddisruptionbudgets.policy', { metadata: { name: 'a' }, spec: { selector, minAvailable: 1 } }],
    ],
    check: async (c, { replicas }) => {
      const pods = await alive(c)
      expect((await readyAddresses(c)).sort()).toEqual(pods.map((p) => p.metadata.name).sort())
      const { status } = (await c.get('poddisruptionbudgets.policy', 'a'))!
      expect([status.expectedPods, status.currentHealthy, status.disruptionsAllowed]).toEqual([
        replicas,
        replicas,
        Math.max(0, replicas - 1),
      ])
    },
  },
  'StatefulSet with volumes of ours': {
    resource: 'statefulsets.apps',
    spec: {
      replicas: 2,
      serviceName: 'a',
      selector,
      template,
      persistentVolumeClaimRetentionPolicy: { whenScaled: 'Delete' },
      volumeClaimTemplates: [
        {
          metadata: { name: 'd' },
          spec: { storageClassName: 'ours', accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
        },
      ],
    },
    besides: [
      ['storageclasses.storage.k8s.io', { metadata: { name: 'ours' }, provisioner: 'kedge.dev/local', volumeBindingMode: 'Immediate' }],
    ],
    check: async (c, { replicas }) => {
      // Members whose node is gone wait for their volumes, which were there.
      const claims = await c.list('persistentvolumeclaims')
      // One whose pod was killed just before the set shrank has nobody to go with, as upstream.
      expect(claims.map((k) => k.metadata.name)).toEqual(expect.arrayContaining(Array.from({ length: replicas }, (_, i) => `d-a-${i}`)))
      const volumes = (await c.list('persistentvolumes')).filter((v) => !v.metadata.deletionTimestamp)
      const nodes = new Set((await c.list('nodes')).map((n) => n.metadata.name))
      for (const k of claims) {
        const volume = volumes.find((v) => v.metadata.name === k.spec.volumeName)
        expect(volume?.spec.claimRef.uid).toBe(k.metadata.uid)
        const pod = (await alive(c)).find((p) => p.metadata.name === k.metadata.name.slice(2))
        const keeper = volume!.metadata.labels!['kedge.dev/node']!
        if (pod?.spec.nodeName) expect([pod.spec.nodeName, nodes.has(keeper)]).toEqual([keeper, true])
      }
      expect(volumes).toHaveLength(claims.length)
    },
  },
  Deployment: {
    resource: 'deployments.apps',
    spec: { replicas: 2, selector, template },
    check: async (c, { replicas, image }) => {
      const pods = await alive(c)
      expect(pods).toHaveLength(replicas)
      expect(images(pods)).toEqual(replicas ? [image] : [])
      expect((await c.get('deployments.apps', 'a'))!.status.availableReplicas ?? 0).toBe(replicas)
    },
  },
  StatefulSet: {
    resource: 'statefulsets.apps',
    spec: { replicas: 2, serviceName: 'a', selector, template },
    check: async (c, { replicas, image }) => {
      const pods = await alive(c)
      expect(pods.map((p) => p.metadata.name)).toEqual(Array.from({ length: replicas }, (_, i) => `a-${i}`))
      expect(images(pods)).toEqual(replicas ? [image] : [])
      const { status } = (await c.get('statefulsets.apps', 'a'))!
      expect(status).toMatchObject({ replicas, availableReplicas: replicas })
      expect(status.currentRevision).toBe(status.updateRevision)
    },
  },
  DaemonSet: {
    resource: 'daemonsets.apps',
    spec: { selector, template },
    check: async (c, { image }) => {
      const pods = await alive(c)
      const nodes = (await c.list('nodes')).map((n) => n.metadata.name)
      expect(pods.map((p) => p.spec.nodeName).sort()).toEqual(nodes.sort())
      expect(images(pods)).toEqual([image])
      expect((await c.get('daemonsets.apps', 'a'))!.status).toMatchObject({
        numberAvailable: nodes.length,
        updatedNumberScheduled: nodes.length,
      })
    },
  },
}

/** Something that happens. */
type Step =
  | { what: 'scale'; replicas: number }
  | { what: 'image'; image: string }
  | { what: 'kill' | 'fail' | 'sick' | 'kubelet' | 'node'; which: number }
  | { what: 'restart' | 'settle' }
  | { what: 'trouble'; writes: number; how: 'before' | 'after' }

const which = fc.nat({ max: 5 })
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ what: fc.constant('scale' as const), replicas: fc.nat({ max: 4 }) }),
  fc.record({ what: fc.constant('image' as const), image: fc.constantFrom('one', 'two', 'three') }),
  fc.record({ what: fc.constantFrom('kill' as const, 'fail' as const, 'sick' as const, 'kubelet' as const, 'node' as const), which }),
  fc.record({ what: fc.constantFrom('restart' as const, 'settle' as const) }),
  fc.record({
    what: fc.constant('trouble' as const),
    writes: fc.integer({ min: 1, max: 6 }),
    how: fc.constantFrom('before' as const, 'after' as const),
  }),
)

async function take(c: Controlled, resource: string, s: Step, asked: { replicas: number; image: string }): Promise<void> {
  const pods = await c.list('pods')
  const one = 'which' in s ? pods[s.which % Math.max(1, pods.length)] : undefined
  switch (s.what) {
    case 'scale':
      if (resource === 'daemonsets.apps') return
      asked.replicas = s.replicas
      await c.patch(resource, 'a', { spec: { replicas: s.replicas } })
      return
    case 'image':
      asked.image = s.image
      await c.patch(resource, 'a', { spec: { template: { spec: { containers: [{ name: 'c', image: s.image }] } } } })
      return
    case 'kill':
      if (one) await c.delete('pods', one.metadata.name)
      return
    case 'fail':
      if (one && one.status?.phase !== 'Failed') await c.ended(one, 1)
      return
    case 'sick':
      if (one && isReady(one)) await c.ready(one.metadata.name, false)
      return
    case 'kubelet':
      await c.kubelet(s.which)
      return
    case 'node': {
      const name = `n${2 + (s.which % 3)}`
      if (await c.get('nodes', name)) await c.delete('nodes', name)
      else await c.node(name)
      return
    }
    case 'restart':
      await c.restart()
      return
    case 'settle':
      await c.settled()
      return
    default:
      await c.troubled(s.writes, s.how)
  }
}

for (const [kind, w] of Object.entries(workloads))
  property(
    `${kind}: comes to what was asked for last, and rests there`,
    fc.array(step, { minLength: 4, maxLength: 14 }),
    2,
    async (c, steps) => {
      const asked = { replicas: 2, image: 'one' }
      const annotations = { 'kedge.dev/local-volumes': '/data', 'kedge.dev/local-volumes-size': '100Gi' }
      for (const n of await c.list('nodes')) await c.patch('nodes', n.metadata.name, { metadata: { annotations } })
      for (const [resource, object] of w.besides ?? []) await c.create(resource, object)
      await c.create(w.resource, { metadata: { name: 'a' }, spec: w.spec })
      for (const s of steps) await take(c, w.resource, s, asked).catch(overtaken)
      await c.rest()
      // Past every back-off, and the time after which pods of a lost node are given up.
      await c.pass(2 * 60_000)
      await c.rest()
      await w.check(c, asked)
    },
  )

const rounds = fc.array(
  fc.record({ code: fc.nat({ max: 2 }), n: fc.nat({ max: 3 }), then: fc.constantFrom('settle', 'restart', 'trouble', 'kill') }),
  { minLength: 3, maxLength: 12 },
)

property('Job: every pod counts once', rounds, 1, async (c, taken) => {
  await c.create('jobs.batch', {
    metadata: { name: 'j' },
    spec: { completions: 6, parallelism: 3, backoffLimit: 1000, template: { spec: { ...pod, restartPolicy: 'Never' } } },
  })
  let [good, bad] = [0, 0]
  const running = async () => (await c.alive()).filter((p) => p.spec.nodeName && !['Succeeded', 'Failed'].includes(p.status?.phase))
  const round = async (code: number, n: number, then: string) => {
    for (const p of (await running()).slice(0, n)) {
      await c.ended(p, code)
      if (code) bad++
      else good++
    }
    if (then === 'kill')
      for (const p of (await running()).slice(0, 1)) {
        await c.delete('pods', p.metadata.name)
        bad++
      }
    let left = then === 'trouble' ? 4 : 0
    c.trouble = () => (left-- > 0 ? (left % 2 ? 'before' : 'after') : undefined)
    if (then === 'restart') await c.restart()
    await c.settled()
    c.trouble = () => undefined
    for (const p of await c.list('pods'))
      if (p.metadata.deletionTimestamp) await c.delete('pods', p.metadata.name, { gracePeriodSeconds: 0 }).catch(() => {})
    await c.pass(11 * 60_000)
  }
  for (const { code, n, then } of taken) await round(code, n, then)
  for (let i = 0; i < 10 && (await running()).length; i++) await round(0, 3, 'settle')
  await c.rest()
  const { status } = (await c.get('jobs.batch', 'j'))!
  expect(status.conditions.at(-1).type).toBe('Complete')
  expect([status.succeeded, status.failed ?? 0]).toEqual([good, bad])
  expect(status.uncountedTerminatedPods).toEqual({})
})
