// What comes of what is done, in sentences.
import { describe, expect, test } from 'vitest'
import { World } from '../shared/why/world.ts'
import { ofDeleting, ofDraining, ofRestarting, ofScaling } from './consequences.ts'

const owned = (kind: string, uid: string) => [{ apiVersion: 'apps/v1', kind, name: 'x', uid, controller: true }]
const pod = (name: string, more: any = {}, spec: any = {}): any => ({
  metadata: { name, namespace: 'a', labels: { app: 'web' }, ...more },
  spec: { nodeName: 'n', ...spec },
  status: { phase: 'Running' },
})
const deployment: any = { kind: 'Deployment', metadata: { name: 'web', namespace: 'a', uid: 'd' }, spec: { replicas: 2 } }
const set: any = { metadata: { name: 'web-1', namespace: 'a', uid: 's', ownerReferences: owned('Deployment', 'd') } }
const service: any = { metadata: { name: 'web', namespace: 'a' }, spec: { selector: { app: 'web' }, clusterIP: '10.96.0.9' } }
const pods = [pod('web-1', { ownerReferences: owned('ReplicaSet', 's') }), pod('web-2', { ownerReferences: owned('ReplicaSet', 's') })]
const world = (lists: Record<string, any[]>) => new World(new Map(Object.entries(lists)), 0)
const around = { pods, 'replicasets.apps': [set], services: [service] }

describe('deleting', () => {
  const cases: { name: string; resource: string; object: any; lists: Record<string, any[]>; want: RegExp[] }[] = [
    {
      name: 'a deployment stops its pods and empties its service',
      resource: 'deployments.apps',
      object: deployment,
      lists: around,
      want: [/^2 pods will be stopped, with up to 30 s to end: web-1, web-2\.$/, /^1 service will lead nowhere: web\.$/],
    },
    {
      name: 'a deployment beside another that serves the same',
      resource: 'deployments.apps',
      object: deployment,
      lists: { ...around, pods: [...pods, pod('other')] },
      want: [/^2 pods/],
    },
    {
      name: 'a pod that somebody makes anew',
      resource: 'pods',
      object: pods[0],
      lists: {},
      want: [/stopped/, /ReplicaSet x makes a new one/],
    },
    { name: 'a pod of nobody', resource: 'pods', object: pod('one'), lists: {}, want: [/stopped/, /belongs to nobody/] },
    {
      name: 'a config map in use',
      resource: 'configmaps',
      object: { metadata: { name: 'c', namespace: 'a' } },
      lists: { pods: [pod('u', {}, { containers: [{ env: [{ valueFrom: { configMapKeyRef: { name: 'c' } } }] }] })] },
      want: [/^1 pod uses it/],
    },
    {
      name: 'a secret of an ingress',
      resource: 'secrets',
      object: { metadata: { name: 's', namespace: 'a' } },
      lists: {
        pods: [],
        'ingresses.networking.k8s.io': [{ metadata: { name: 'i', namespace: 'a' }, spec: { tls: [{ secretName: 's' }] } }],
      },
      want: [/^No running pod uses it\.$/, /^1 ingress loses its certificate: i\.$/],
    },
    {
      name: 'a claim whose volume goes',
      resource: 'persistentvolumeclaims',
      object: { metadata: { name: 'c', namespace: 'a' }, spec: { volumeName: 'v' } },
      lists: { pods: [], persistentvolumes: [{ metadata: { name: 'v' }, spec: { persistentVolumeReclaimPolicy: 'Delete' } }] },
      want: [/^No pod uses it\.$/, /^The volume v and everything on it is deleted\.$/],
    },
    {
      name: 'a service behind an ingress',
      resource: 'services',
      object: service,
      lists: {
        'endpointslices.discovery.k8s.io': [
          { metadata: { namespace: 'a', labels: { 'kubernetes.io/service-name': 'web' } }, endpoints: [{ conditions: { ready: true } }] },
        ],
        'ingresses.networking.k8s.io': [
          { metadata: { name: 'i', namespace: 'a' }, spec: { defaultBackend: { service: { name: 'web' } } } },
        ],
      },
      want: [
        /web\.a and its address 10\.96\.0\.9 answer nobody/,
        /^1 endpoint served it/,
        /^1 ingress leads to it and will answer 503: i\.$/,
      ],
    },
    {
      name: 'a namespace with what is in it',
      resource: 'namespaces',
      object: { kind: 'Namespace', metadata: { name: 'a' } },
      lists: { pods, services: [service] },
      want: [/^Everything in it is deleted: 2 pods, 1 service, and all else\.$/, /cannot be undone/],
    },
    {
      name: 'anything else',
      resource: 'leases',
      object: { kind: 'Lease', metadata: { name: 'l' } },
      lists: {},
      want: [/^Lease l is deleted/],
    },
  ]
  for (const c of cases)
    test(c.name, () => {
      const said = ofDeleting(c.resource, c.object, world(c.lists))
      expect(said).toHaveLength(c.want.length)
      for (const [i, want] of c.want.entries()) expect(said[i]).toMatch(want)
    })
})

test('scaling', () => {
  expect(ofScaling(deployment, 5, world(around))).toEqual(['3 pods will be started.'])
  expect(ofScaling(deployment, 2, world(around))).toEqual(['Nothing changes.'])
  expect(ofScaling(deployment, 0, world(around))).toEqual([
    '2 pods will be stopped, with up to 30 s to end.',
    '1 service will lead nowhere: web.',
  ])
  const scaled = {
    'horizontalpodautoscalers.autoscaling': [
      { metadata: { name: 'h', namespace: 'a' }, spec: { scaleTargetRef: { kind: 'Deployment', name: 'web' } } },
    ],
  }
  expect(ofScaling(deployment, 3, world(scaled)).at(-1)).toMatch(/autoscaler h decides/)
})

test('restarting', () => {
  expect(ofRestarting({ ...deployment, spec: { replicas: 3, strategy: { type: 'Recreate' } } })[1]).toMatch(/there is a gap/)
  expect(ofRestarting({ ...deployment, spec: { replicas: 1 } })[1]).toMatch(/ready before the old one goes/)
})

test('draining a node', () => {
  const lists = {
    pods: [...pods, pod('daemon', { ownerReferences: owned('DaemonSet', 'x') }), pod('alone'), pod('elsewhere', {}, { nodeName: 'm' })],
  }
  expect(ofDraining({ metadata: { name: 'n' } } as any, world(lists))).toEqual([
    'No new pod comes to it.',
    '3 pods are sent away, as their disruption budgets allow.',
    '1 pod of daemon sets stays.',
    '1 pod belongs to nobody and is not made anew: alone.',
  ])
})
