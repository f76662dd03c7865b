// Placement: filters by kube-scheduler's rules, its words when nothing fits, and an even spread.
import { expect, test } from 'vitest'
import type { KObject } from '../../../shared/meta/object.ts'
import { place } from './scheduler.ts'
import { assume, nodeInfo } from './types.ts'

const node = (name: string, more: any = {}): KObject => ({
  metadata: { name, uid: name, creationTimestamp: '', labels: { 'kubernetes.io/hostname': name, ...more.labels } },
  spec: { ...more.spec },
  status: { allocatable: { cpu: '2', memory: '4Gi', pods: '10', ...more.allocatable } },
})
const pod = (name: string, spec: any = {}, cpu = '100m'): KObject => ({
  metadata: { name, namespace: 'd', uid: name, creationTimestamp: '', labels: { app: 'x' } },
  spec: { containers: [{ name: 'c', resources: { requests: { cpu } } }], ...spec },
})
const infos = (...nodes: KObject[]) => nodes.map((n) => nodeInfo(n, []))
const name = (p: ReturnType<typeof place>) => ('node' in p ? p.node.node.metadata.name : p.message)

const cases: { name: string; pod: KObject; nodes: KObject[]; want: string }[] = [
  { name: 'no nodes', pod: pod('p'), nodes: [], want: 'no nodes available to schedule pods' },
  {
    name: 'too big',
    pod: pod('p', {}, '9'),
    nodes: [node('a')],
    want: '0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.',
  },
  {
    name: 'selector',
    pod: pod('p', { nodeSelector: { disk: 'ssd' } }),
    nodes: [node('a'), node('b', { labels: { disk: 'ssd' } })],
    want: 'b',
  },
  {
    name: 'no node for the selector',
    pod: pod('p', { nodeSelector: { disk: 'ssd' } }),
    nodes: [node('a')],
    want: "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.",
  },
  {
    name: 'taint',
    pod: pod('p'),
    nodes: [node('a', { spec: { taints: [{ key: 'k', value: 'v', effect: 'NoSchedule' }] } })],
    want: '0/1 nodes are available: 1 node(s) had untolerated taint {k: v}. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.',
  },
  {
    name: 'tolerated taint',
    pod: pod('p', { tolerations: [{ key: 'k', operator: 'Exists' }] }),
    nodes: [node('a', { spec: { taints: [{ key: 'k', value: 'v', effect: 'NoSchedule' }] } })],
    want: 'a',
  },
  { name: 'cordoned', pod: pod('p'), nodes: [node('a', { spec: { unschedulable: true } }), node('b')], want: 'b' },
  {
    name: 'affinity by expression',
    pod: pod('p', {
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [{ matchExpressions: [{ key: 'n', operator: 'Gt', values: ['3'] }] }],
          },
        },
      },
    }),
    nodes: [node('a', { labels: { n: '3' } }), node('b', { labels: { n: '4' } })],
    want: 'b',
  },
  {
    name: 'preferred affinity',
    pod: pod('p', {
      affinity: {
        nodeAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [
            { weight: 100, preference: { matchExpressions: [{ key: 'z', operator: 'Exists' }] } },
          ],
        },
      },
    }),
    nodes: [node('a'), node('b', { labels: { z: '' } })],
    want: 'b',
  },
]
test.each(cases)('$name', ({ pod: p, nodes, want }) => {
  expect(name(place(p, infos(...nodes)))).toBe(want)
})

test('host ports do not meet', () => {
  const wants = { containers: [{ name: 'c', ports: [{ containerPort: 80, hostPort: 80, protocol: 'TCP' }] }] }
  const [a] = infos(node('a'))
  assume(a!, pod('first', wants))
  expect(name(place(pod('second', wants), [a!]))).toMatch(/didn't have free ports/)
})

test('pods of one kind spread', () => {
  const nodes = infos(node('a'), node('b'), node('c'))
  const counts: Record<string, number> = {}
  for (let i = 0; i < 9; i++) {
    const p = pod(`p${i}`)
    const at = place(p, nodes)
    if (!('node' in at)) throw new Error(at.message)
    assume(at.node, p)
    counts[name(at)] = (counts[name(at)] ?? 0) + 1
  }
  expect(counts).toEqual({ a: 3, b: 3, c: 3 })
})
