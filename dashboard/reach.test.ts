// Who reaches whom.
import { describe, expect, test } from 'vitest'
import { OUTSIDE, Policies, reachOf, type Workload } from './reach.ts'

const pod = (name: string, labels: Record<string, string>, owner?: [kind: string, name: string], phase = 'Running'): any => ({
  metadata: { name, namespace: 'a', labels, ...(owner ? { ownerReferences: [{ kind: owner[0], name: owner[1], controller: true }] } : {}) },
  status: { phase, conditions: [{ type: 'Ready', status: 'True' }] },
})

test('workloads by their owners, services by their selectors, ingresses by their backends', () => {
  const reach = reachOf({
    pods: [
      pod('web-x-1', { app: 'web', 'pod-template-hash': 'x' }, ['ReplicaSet', 'web-x']),
      pod('web-y-1', { app: 'web', 'pod-template-hash': 'y' }, ['ReplicaSet', 'web-y']),
      pod('db-0', { app: 'db' }, ['StatefulSet', 'db']),
      pod('done', { app: 'web' }, undefined, 'Succeeded'),
      pod('alone', {}),
    ],
    services: [
      { metadata: { name: 'web', namespace: 'a' }, spec: { selector: { app: 'web' } } },
      { metadata: { name: 'outside', namespace: 'a' }, spec: {} },
    ] as any,
    ingresses: [
      {
        metadata: { name: 'front', namespace: 'a' },
        spec: { rules: [{ http: { paths: [{ backend: { service: { name: 'web' } } }, { backend: { service: { name: 'none' } } }] } }] },
      },
    ] as any,
    policies: [],
    namespaces: [],
  })
  expect(reach.workloads.map((w) => [w.key, w.pods])).toEqual([
    ['a/Deployment/web', 2],
    ['a/StatefulSet/db', 1],
    ['a/Pod/alone', 1],
  ])
  expect(reach.services.map((s) => s.leadsTo)).toEqual([['a/Deployment/web'], []])
  expect(reach.ingresses[0]!.leadsTo).toEqual(['a/web'])
})

const workload = (name: string, namespace = 'a'): Workload => ({
  key: `${namespace}/Pod/${name}`,
  namespace,
  kind: 'Pod',
  name,
  labels: { app: name },
  pods: 1,
  ready: 1,
})
const policy = (spec: object, namespace = 'a'): any => ({ metadata: { name: 'p', namespace }, spec })
const [web, db, far] = [workload('web'), workload('db'), workload('web', 'b')]
const of = (name: string) => ({ matchLabels: { app: name } })

describe('what policies leave open', () => {
  const cases: { name: string; policies: any[]; from: any; to: any; want: any }[] = [
    { name: 'nothing holds anybody', policies: [], from: web, to: db, want: 'all' },
    { name: 'nobody is let in', policies: [policy({ podSelector: {}, policyTypes: ['Ingress'] })], from: web, to: db, want: 'none' },
    {
      name: 'one is, on a port',
      policies: [policy({ podSelector: of('db'), ingress: [{ from: [{ podSelector: of('web') }], ports: [{ port: 5432 }] }] })],
      from: web,
      to: db,
      want: ['5432/TCP'],
    },
    {
      name: 'a selector of pods means those of its own namespace',
      policies: [policy({ podSelector: of('db'), ingress: [{ from: [{ podSelector: of('web') }] }] })],
      from: far,
      to: db,
      want: 'none',
    },
    {
      name: 'a selector of namespaces means others',
      policies: [policy({ podSelector: of('db'), ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: 'b' } } }] }] })],
      from: far,
      to: db,
      want: 'all',
    },
    {
      name: 'several policies allow together',
      policies: [
        policy({ podSelector: of('db'), ingress: [{ ports: [{ port: 1 }] }] }),
        policy({ podSelector: {}, ingress: [{ ports: [{ port: 2, endPort: 9, protocol: 'UDP' }] }] }),
      ],
      from: web,
      to: db,
      want: ['1/TCP', '2-9/UDP'],
    },
    {
      name: 'who may not leave reaches nobody who lets all in',
      policies: [policy({ podSelector: of('web'), policyTypes: ['Egress'] })],
      from: web,
      to: db,
      want: 'none',
    },
    {
      name: 'what the one lets out and the other in',
      policies: [
        policy({ podSelector: of('web'), policyTypes: ['Egress'], egress: [{ ports: [{ port: 1 }, { port: 2 }] }] }),
        policy({ podSelector: of('db'), ingress: [{ ports: [{ port: 2 }, { port: 3 }] }] }),
      ],
      from: web,
      to: db,
      want: ['2/TCP'],
    },
    {
      name: 'outside is meant by blocks of addresses',
      policies: [policy({ podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: '0.0.0.0/0' } }] }] })],
      from: OUTSIDE,
      to: db,
      want: 'all',
    },
  ]
  for (const c of cases)
    test(c.name, () => {
      const rules = new Policies(c.policies, [{ metadata: { name: 'b', labels: { team: 'b' } } } as any])
      expect(rules.between(c.from, c.to)).toEqual(c.want)
    })
})
