// Placement: filters by kube-scheduler's rules, its words when nothing fits, and an even spread.
import { describe, expect, test } from 'vitest'
import type { KObject } from '../../../shared/meta/object.ts'
import { defaultProfile } from './configuration.ts'
import { fits, place, unschedulableMessage } from './placement.ts'
import { preempt } from './preemption.ts'
import { Snapshot } from './snapshot.ts'
import { addPod, type NodeInfo, nodeInfo } from './types.ts'

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
/** Where a pod goes, or the message that says why nowhere. */
const placed = (p: KObject, nodes: NodeInfo[]): string => {
  const found = place(p, new Snapshot(nodes), defaultProfile)
  return 'node' in found ? found.node.node.metadata.name : unschedulableMessage(p, found)
}

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
  expect(placed(p, infos(...nodes))).toBe(want)
})

test('host ports do not meet', () => {
  const wants = { containers: [{ name: 'c', ports: [{ containerPort: 80, hostPort: 80, protocol: 'TCP' }] }] }
  const [a] = infos(node('a'))
  addPod(a!, pod('first', wants))
  expect(placed(pod('second', wants), [a!])).toMatch(/didn't have free ports/)
})

test('pods of one kind spread', () => {
  const nodes = infos(node('a'), node('b'), node('c'))
  const counts: Record<string, number> = {}
  for (let i = 0; i < 9; i++) {
    const p = pod(`p${i}`)
    const at = placed(p, nodes)
    addPod(nodes.find((n) => n.node.metadata.name === at)!, p)
    counts[at] = (counts[at] ?? 0) + 1
  }
  expect(counts).toEqual({ a: 3, b: 3, c: 3 })
})

const near = (app: string, key = 'kubernetes.io/hostname') => ({ topologyKey: key, labelSelector: { matchLabels: { app } } })
const required = (...terms: object[]) => ({ requiredDuringSchedulingIgnoredDuringExecution: terms })
const preferredTerm = (weight: number, podAffinityTerm: object) => ({
  preferredDuringSchedulingIgnoredDuringExecution: [{ weight, podAffinityTerm }],
})
const labelled = (p: KObject, app: string, more: object = {}): KObject => ({ ...p, metadata: { ...p.metadata, labels: { app }, ...more } })
/** Nodes a and b in zone 1, c in zone 2, with these pods on them. */
const zoned = (pods: Record<string, KObject[]>) => {
  const zone = (z: string) => ({ labels: { zone: z } })
  const all = infos(node('a', zone('1')), node('b', zone('1')), node('c', zone('2')))
  for (const info of all) for (const p of pods[info.node.metadata.name] ?? []) addPod(info, p)
  return all
}
const tail = (n: string) => `preemption: 0/3 nodes are available: ${n}.`

test('ImageLocality: a large image that is there already draws', () => {
  const sizeBytes = 900 * 1024 * 1024
  const having = node('b')
  having.status.images = [{ names: ['big:1', 'big@sha256:x'], sizeBytes }]
  const wants = (image: string) => pod('p', { containers: [{ name: 'c', image, resources: { requests: { cpu: '100m' } } }] })
  expect(placed(wants('small'), infos(node('a'), having))).toBe('a')
  expect(placed(wants('big:1'), infos(node('a'), having))).toBe('b')
})

describe('InterPodAffinity', () => {
  const web = labelled(pod('web'), 'web')
  test.each<[string, KObject, Record<string, KObject[]>, string]>([
    ['near another', pod('p', { affinity: { podAffinity: required(near('web')) } }), { b: [web] }, 'b'],
    [
      'in its zone, where there is more room',
      pod('p', { affinity: { podAffinity: required(near('web', 'zone')) } }, '1500m'),
      { a: [labelled(pod('web', {}, '1'), 'web')] },
      'b',
    ],
    ['away from it', pod('p', { affinity: { podAntiAffinity: required(near('web', 'zone')) } }), { a: [web] }, 'c'],
    [
      'nobody to be near to',
      pod('p', { affinity: { podAffinity: required(near('web')) } }),
      {},
      `0/3 nodes are available: 3 node(s) didn't match pod affinity rules. ${tail('3 Preemption is not helpful for scheduling')}`,
    ],
    [
      'the first of those that want to be near each other',
      labelled(pod('p', { affinity: { podAffinity: required(near('web')) } }), 'web'),
      {},
      'a',
    ],
    [
      'in another namespace',
      pod('p', { affinity: { podAffinity: required({ ...near('web'), namespaces: ['e'] }) } }),
      { a: [web], b: [labelled(web, 'web', { namespace: 'e' })] },
      'b',
    ],
    [
      'in namespaces by label',
      pod('p', {
        affinity: { podAffinity: required({ ...near('web'), namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'e' } } }) },
      }),
      { a: [web], c: [labelled(web, 'web', { namespace: 'e' })] },
      'c',
    ],
    [
      'one on each node, and no fourth',
      labelled(pod('p', { affinity: { podAntiAffinity: required(near('web')) } }), 'web'),
      { a: [web], b: [web], c: [web] },
      `0/3 nodes are available: 3 node(s) didn't match pod anti-affinity rules. ${tail('3 No preemption victims found for incoming pod')}`,
    ],
    [
      'those that are there do not want it',
      web,
      {
        a: [pod('shy', { affinity: { podAntiAffinity: required(near('web', 'zone')) } })],
        c: [pod('shy', { affinity: { podAntiAffinity: required(near('web')) } })],
      },
      `0/3 nodes are available: 3 node(s) didn't satisfy existing pods anti-affinity rules. ${tail('3 No preemption victims found for incoming pod')}`,
    ],
    ['rather near', pod('p', { affinity: { podAffinity: preferredTerm(100, near('web')) } }), { c: [web] }, 'c'],
    ['rather not', pod('p', { affinity: { podAntiAffinity: preferredTerm(100, near('web', 'zone')) } }), { a: [web] }, 'c'],
    ['where somebody would like to have it', web, { b: [pod('fan', { affinity: { podAffinity: preferredTerm(100, near('web')) } })] }, 'b'],
  ])('%s', (_what, p, pods, want) => expect(placed(p, zoned(pods))).toBe(want))
})

describe('PodTopologySpread', () => {
  const spread = (more: object = {}) => ({
    topologySpreadConstraints: [
      { maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule', labelSelector: { matchLabels: { app: 'x' } }, ...more },
    ],
  })
  const two = [pod('x1'), pod('x2')]
  test.each<[string, KObject, Record<string, KObject[]>, string]>([
    ['where fewest are', pod('p', spread()), { a: two }, 'c'],
    ['as uneven as it may be', pod('p', spread({ maxSkew: 3 })), { c: two }, 'a'],
    ['others do not count', pod('p', spread()), { a: two.map((p) => labelled(p, 'y')), c: [pod('x')] }, 'b'],
    [
      'those on their way out neither',
      pod('p', { ...spread(), nodeSelector: { zone: '1' } }),
      { a: two.map((p) => labelled(p, 'x', { deletionTimestamp: 'now' })) },
      'b',
    ],
    ['nodes that it may not go to are no domain', pod('p', { ...spread(), nodeSelector: { zone: '1' } }), { a: two, b: two }, 'a'],
    [
      'unless they are to count',
      pod('p', { ...spread({ nodeAffinityPolicy: 'Ignore' }), nodeSelector: { zone: '1' } }),
      { a: two },
      "0/3 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 2 node(s) didn't match pod topology spread constraints. " +
        tail('2 No preemption victims found for incoming pod, 1 Preemption is not helpful for scheduling'),
    ],
    [
      'so many domains at least',
      pod('p', spread({ minDomains: 3 })),
      { a: [pod('x')], c: [pod('x')] },
      `0/3 nodes are available: 3 node(s) didn't match pod topology spread constraints. ${tail('3 No preemption victims found for incoming pod')}`,
    ],
    [
      'nodes without the label',
      pod('p', spread({ topologyKey: 'rack' })),
      {},
      `0/3 nodes are available: 3 node(s) didn't match pod topology spread constraints (missing required label). ${tail('3 Preemption is not helpful for scheduling')}`,
    ],
    ['only a wish', pod('p', spread({ whenUnsatisfiable: 'ScheduleAnyway' })), { a: two, b: [pod('x')] }, 'c'],
  ])('%s', (_what, p, pods, want) => expect(placed(p, zoned(pods))).toBe(want))
})

describe('DefaultPreemption', () => {
  const important = (cpu: string) => pod('p', { priority: 100 }, cpu)
  const running = (n: string, priority: number, cpu: string, more: object = {}) => labelled(pod(n, { priority }, cpu), n, more)
  const victims = (p: KObject, pods: Record<string, KObject[]>, budgets: KObject[] = []) => {
    const nodes = zoned(pods)
    const snapshot = new Snapshot(nodes)
    const found = preempt(p, nodes, budgets, (info, trial) =>
      fits(p, trial, defaultProfile.filters, snapshot.trial(info, trial, defaultProfile.args)),
    )
    return found && [found.info.node.metadata.name, ...found.victims.map((v) => v.metadata.name)]
  }
  const full = (n: string, priority = 500) => [running(n, priority, '2')]
  test.each<[string, string[] | undefined, Record<string, KObject[]>]>([
    ['those that matter less', ['b', 'low'], { a: full('a'), b: [running('low', 1, '2')], c: full('c') }],
    ['nobody who matters as much', undefined, { a: full('a', 100), b: full('b'), c: full('c') }],
    ['as few as will do', ['a', 'l2'], { a: [running('l1', 2, '1'), running('l2', 1, '1')], b: full('b'), c: full('c') }],
    [
      'where the most important victim matters least',
      ['c', 'lower'],
      { a: [running('low', 5, '2')], b: full('b'), c: [running('lower', 4, '2')] },
    ],
    [
      'where fewer have to go',
      ['b', 'one'],
      { a: [running('w', 1, '700m'), running('x', 1, '700m'), running('y', 1, '600m')], b: [running('one', 1, '2')], c: full('c') },
    ],
  ])('%s', (_what, want, pods) => expect(victims(important('1'), pods)).toEqual(want))

  test('rather nobody whom a budget guards', () => {
    const budget = {
      metadata: { name: 'b', namespace: 'd' },
      spec: { selector: { matchLabels: { app: 'kept' } } },
      status: { disruptionsAllowed: 0 },
    }
    const pods = { a: [running('kept', 1, '2')], b: [running('other', 50, '2')], c: full('c') }
    expect(victims(important('1'), pods, [budget as KObject])).toEqual(['b', 'other'])
    expect(victims(important('1'), { ...pods, b: full('b') }, [budget as KObject])).toEqual(['a', 'kept'])
  })

  test('never, where it is not wanted', () => {
    const gentle = pod('p', { priority: 100, preemptionPolicy: 'Never' }, '1')
    const pods = { a: full('a', 1), b: full('b', 1), c: full('c', 1) }
    expect(victims(gentle, pods)).toBeUndefined()
    expect(placed(gentle, zoned(pods))).toBe(
      '0/3 nodes are available: 3 Insufficient cpu. preemption: not eligible due to preemptionPolicy=Never.',
    )
  })
})
