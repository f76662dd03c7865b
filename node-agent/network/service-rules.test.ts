// Which elements the service table has for services, slices and pods; and the way from one state to the next.
import { expect, test } from 'vitest'
import type { Family } from '../../shared/meta/address.ts'
import { hash32 } from '../../shared/meta/hash.ts'
import { difference, type Elements, type LocalPod, podElements, serviceElements, slicesOf } from './service-rules.ts'

const port = { name: 'http', port: 80, protocol: 'TCP' }
const service = (spec: object, status: object = {}) => ({
  metadata: { namespace: 'default', name: 's' },
  spec: { clusterIP: '10.96.0.5', ports: [port], ...spec },
  status,
})
const endpoint = (address: string, conditions: object = { ready: true }, more: object = {}) => ({
  addresses: [address],
  conditions,
  ...more,
})
const slice = (...endpoints: object[]) => ({ addressType: 'IPv4', ports: [{ name: 'http', port: 8080, protocol: 'TCP' }], endpoints })
const two = slice(endpoint('10.244.0.1'), endpoint('10.244.1.1'))
const at = (nodeName: string, address: string) => endpoint(address, { ready: true }, { nodeName })
const spread = slice(at('here', '10.244.0.1'), at('there', '10.244.1.1'), at('there', '10.244.1.2'))
const elsewhere = slice(at('there', '10.244.1.1'))
const forZone = (name: string, address: string) => endpoint(address, { ready: true }, { hints: { forZones: [{ name }] } })

const idOf = (endpoint: string) => hash32(endpoint) & 0x7fffffff
const keeps = (timeoutSeconds: number) => ({ sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds } } })

/** As text: `set key : value`. */
function rules(services: object[], slices: object[], pods: LocalPod[] = [], family: Family = 'IPv4'): string[] {
  const here = { node: 'here', zone: 'a' }
  const all = [...services.map((s) => serviceElements(s, slicesOf(slices, family), here, family).elements), podElements(pods, family)]
  return all
    .flatMap((elements) => [...elements])
    .flatMap(([set, list]) => [...list].map(([k, v]) => `${set} ${k}${v ? ` : ${v}` : ''}`))
    .sort()
}

test.each<[string, object, object[], string[]]>([
  [
    'two endpoints take turns',
    service({}),
    [two],
    [
      'cluster-ips 10.96.0.5',
      'endpoints 10.96.0.5 . tcp . 80 . 0 : 10.244.0.1 . 8080',
      'endpoints 10.96.0.5 . tcp . 80 . 1 : 10.244.1.1 . 8080',
      'services 10.96.0.5 . tcp . 80 : goto pick-2',
    ],
  ],
  ['nobody is there: refused', service({}), [], ['cluster-ips 10.96.0.5', 'no-endpoints 10.96.0.5 . tcp . 80 : goto refuse']],
  [
    'those on their way out serve while there are no others',
    service({}),
    [slice(endpoint('10.244.0.1', { ready: false, serving: true, terminating: true }), endpoint('10.244.0.2', { ready: false }))],
    ['cluster-ips 10.96.0.5', 'endpoints 10.96.0.5 . tcp . 80 . 0 : 10.244.0.1 . 8080', 'services 10.96.0.5 . tcp . 80 : goto pick-1'],
  ],
  [
    'a client keeps its endpoint',
    service({ sessionAffinity: 'ClientIP' }),
    [two],
    [
      'cluster-ips 10.96.0.5',
      'services 10.96.0.5 . tcp . 80 : goto sticky-10800-pick-2',
      `sticky-endpoints 10.96.0.5 . tcp . 80 . ${idOf('10.244.1.1:8080')} : 10.244.1.1 . 8080`,
      `sticky-endpoints 10.96.0.5 . tcp . 80 . ${idOf('10.244.0.1:8080')} : 10.244.0.1 . 8080`,
      `sticky-ids 10.96.0.5 . tcp . 80 . 0 : ${idOf('10.244.0.1:8080')}`,
      `sticky-ids 10.96.0.5 . tcp . 80 . 1 : ${idOf('10.244.1.1:8080')}`,
    ].sort(),
  ],
  [
    'a node port, refused while nobody is there',
    service({ ports: [{ ...port, nodePort: 30_080 }] }),
    [],
    ['cluster-ips 10.96.0.5', 'no-endpoints 10.96.0.5 . tcp . 80 : goto refuse', 'no-endpoints-node tcp . 30080 : goto refuse'],
  ],
  [
    'a balancer for some alone',
    service({ loadBalancerSourceRanges: ['192.0.2.0/24'] }, { loadBalancer: { ingress: [{ ip: '198.51.100.1' }] } }),
    [],
    [
      'cluster-ips 10.96.0.5',
      'guarded 198.51.100.1 . tcp . 80',
      'no-endpoints 10.96.0.5 . tcp . 80 : goto refuse',
      'no-endpoints 198.51.100.1 . tcp . 80 : goto refuse',
      'sources 198.51.100.1 . tcp . 80 . 192.0.2.0/24',
    ],
  ],
  [
    'clients of the cluster stay on their node',
    service({ internalTrafficPolicy: 'Local' }),
    [spread],
    ['cluster-ips 10.96.0.5', 'endpoints 10.96.0.5 . tcp . 80 . 0 : 10.244.0.1 . 8080', 'services 10.96.0.5 . tcp . 80 : goto pick-1'],
  ],
  [
    'clients of the cluster whose node has none',
    service({ internalTrafficPolicy: 'Local' }),
    [elsewhere],
    ['cluster-ips 10.96.0.5', 'services 10.96.0.5 . tcp . 80 : drop'],
  ],
  [
    'clients from outside stay on the node, those of the cluster do not',
    service(
      { externalTrafficPolicy: 'Local', ports: [{ ...port, nodePort: 30_080 }] },
      { loadBalancer: { ingress: [{ ip: '198.51.100.1' }] } },
    ),
    [slice(at('here', '10.244.0.1'), at('there', '10.244.1.1'))],
    [
      'cluster-ips 10.96.0.5',
      'endpoints 10.96.0.5 . tcp . 80 . 0 : 10.244.0.1 . 8080',
      'endpoints 10.96.0.5 . tcp . 80 . 1 : 10.244.1.1 . 8080',
      'endpoints 198.51.100.1 . tcp . 80 . 0 : 10.244.0.1 . 8080',
      'endpoints 198.51.100.1 . tcp . 80 . 1 : 10.244.1.1 . 8080',
      'local-endpoints 198.51.100.1 . tcp . 80 . 0 : 10.244.0.1 . 8080',
      'local-node-endpoints tcp . 30080 . 0 : 10.244.0.1 . 8080',
      'node-endpoints tcp . 30080 . 0 : 10.244.0.1 . 8080',
      'node-endpoints tcp . 30080 . 1 : 10.244.1.1 . 8080',
      'node-outside tcp . 30080 : goto local-node-pick-1',
      'node-ports tcp . 30080 : goto node-pick-2',
      'outside 198.51.100.1 . tcp . 80 : goto local-pick-1',
      'services 10.96.0.5 . tcp . 80 : goto pick-2',
      'services 198.51.100.1 . tcp . 80 : goto pick-2',
    ],
  ],
  [
    'clients from outside where the node has none',
    service({ externalTrafficPolicy: 'Local', ...keeps(60), ports: [{ ...port, nodePort: 30_080 }] }),
    [elsewhere],
    [
      'cluster-ips 10.96.0.5',
      'node-outside tcp . 30080 : drop',
      'node-ports tcp . 30080 : goto node-sticky-60-pick-1',
      `node-sticky-endpoints tcp . 30080 . ${idOf('10.244.1.1:8080')} : 10.244.1.1 . 8080`,
      `node-sticky-ids tcp . 30080 . 0 : ${idOf('10.244.1.1:8080')}`,
      'services 10.96.0.5 . tcp . 80 : goto sticky-60-pick-1',
      `sticky-endpoints 10.96.0.5 . tcp . 80 . ${idOf('10.244.1.1:8080')} : 10.244.1.1 . 8080`,
      `sticky-ids 10.96.0.5 . tcp . 80 . 0 : ${idOf('10.244.1.1:8080')}`,
    ],
  ],
  [
    'endpoints that are meant for this zone',
    service({}),
    [slice(forZone('a', '10.244.0.1'), forZone('b', '10.244.1.1'))],
    ['cluster-ips 10.96.0.5', 'endpoints 10.96.0.5 . tcp . 80 . 0 : 10.244.0.1 . 8080', 'services 10.96.0.5 . tcp . 80 : goto pick-1'],
  ],
  [
    'one that says nothing makes them meant for all',
    service({}),
    [slice(forZone('b', '10.244.1.1'), endpoint('10.244.0.1'))],
    [
      'cluster-ips 10.96.0.5',
      'endpoints 10.96.0.5 . tcp . 80 . 0 : 10.244.1.1 . 8080',
      'endpoints 10.96.0.5 . tcp . 80 . 1 : 10.244.0.1 . 8080',
      'services 10.96.0.5 . tcp . 80 : goto pick-2',
    ],
  ],
  ['a headless service has no rules', service({ clusterIP: 'None' }), [two], []],
  ['nor has an alias', service({ type: 'ExternalName', clusterIP: undefined }), [], []],
])('%s', (_, of, slices, want) => {
  expect(rules([of], slices)).toEqual(want)
})

test('ports of the host lead to pods', () => {
  const ports = [
    { containerPort: 8080, hostPort: 80, protocol: 'TCP' },
    { containerPort: 53, hostPort: 5353, protocol: 'UDP', hostIP: '192.0.2.1' },
    { containerPort: 9090 },
  ]
  expect(rules([], [], [{ ip: '10.244.0.1', containers: [{ ports }, {}] }])).toEqual([
    'hairpin 10.244.0.1 . 10.244.0.1',
    'host-address-ports 192.0.2.1 . udp . 5353 : 10.244.0.1 . 53',
    'host-ports tcp . 80 : 10.244.0.1 . 8080',
  ])
})

test('only what differs is written', () => {
  const from: Elements = new Map([
    [
      'services',
      new Map([
        ['a', 'goto pick-1'],
        ['b', 'goto pick-1'],
      ]),
    ],
    ['hairpin', new Map([['x', '']])],
  ])
  const to: Elements = new Map([
    [
      'services',
      new Map([
        ['a', 'goto pick-2'],
        ['b', 'goto pick-1'],
      ]),
    ],
  ])
  expect(difference(from, to, 'ip kedge').split('\n')).toEqual([
    'delete element ip kedge services { a }',
    'delete element ip kedge hairpin { x }',
    'add element ip kedge services { a : goto pick-2 }',
    '',
  ])
  expect(difference(to, to, 'ip kedge')).toBe('')
})

test('each family has a table, with what is of it', () => {
  const dual = service(
    {
      type: 'LoadBalancer',
      clusterIPs: ['10.96.0.5', 'fd00:96::5'],
      ipFamilies: ['IPv4', 'IPv6'],
      externalIPs: ['192.0.2.1', '2001:db8::1'],
      loadBalancerSourceRanges: ['192.0.2.0/24'],
      ports: [{ ...port, nodePort: 30080 }],
    },
    { loadBalancer: { ingress: [{ ip: '10.88.0.11' }, { ip: 'fd00:88::11' }] } },
  )
  const slices = [slice(endpoint('10.244.0.1')), { ...slice(endpoint('fd00:244::1')), addressType: 'IPv6' }]
  const containers = [{ ports: [{ containerPort: 80, hostPort: 8080 }] }]
  const pods = ['10.244.0.1', 'fd00:244::1'].map((ip) => ({ ip, containers }))
  const of = (address: string, cluster: string, outer: string, balanced: string) => [
    `cluster-ips ${cluster}`,
    ...[outer, cluster, balanced].map((front) => `endpoints ${front} . tcp . 80 . 0 : ${address} . 8080`),
    `guarded ${balanced} . tcp . 80`,
    `hairpin ${address} . ${address}`,
    `host-ports tcp . 8080 : ${address} . 80`,
    `node-endpoints tcp . 30080 . 0 : ${address} . 8080`,
    'node-ports tcp . 30080 : goto node-pick-1',
    ...[outer, cluster, balanced].map((front) => `services ${front} . tcp . 80 : goto pick-1`),
  ]
  expect(rules([dual], slices, pods)).toEqual(
    [...of('10.244.0.1', '10.96.0.5', '192.0.2.1', '10.88.0.11'), 'sources 10.88.0.11 . tcp . 80 . 192.0.2.0/24'].sort(),
  )
  expect(rules([dual], slices, pods, 'IPv6')).toEqual(of('fd00:244::1', 'fd00:96::5', '2001:db8::1', 'fd00:88::11').sort())
})
