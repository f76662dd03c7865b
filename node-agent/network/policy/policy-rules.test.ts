// What network policies come to for a pod, as rules; and how one table becomes another.
import { describe, expect, test } from 'vitest'
import { familyOf } from '../../../shared/meta/address.ts'
import type { Peer } from '../../../shared/session/peers.ts'
import { groupsOf, isLimited, type PolicedPod, policyScript, policyTable } from './policy-rules.ts'

const pod = (over: Partial<PolicedPod> = {}): PolicedPod => ({
  ip: '10.244.0.5',
  namespace: 'default',
  labels: { app: 'web' },
  containers: [
    {
      ports: [
        { name: 'http', containerPort: 8080 },
        { name: 'dns', containerPort: 5353, protocol: 'UDP' },
      ],
    },
  ],
  ...over,
})
const policy = (spec: object, namespace = 'default') => ({ metadata: { namespace, name: 'p' }, spec: { podSelector: {}, ...spec } })
const ingress = (...rules: object[]) => policy({ policyTypes: ['Ingress'], ingress: rules })
const egress = (...rules: object[]) => policy({ policyTypes: ['Egress'], egress: rules })
const others: Peer[] = [['10.244.1.7', { 'TCP/http': 80 }], ['10.244.2.8'], ['fd00:244:1::7', { 'TCP/http': 80 }]]

/** The rules of the pod's chain in one direction, with the elements of a set in its place. */
function rules(policies: object[], direction: 'ingress' | 'egress', of = pod(), dns?: string): string[] | undefined {
  const table = policyTable(familyOf(of.ip), policies, [of], () => others, dns)
  const chain = table.elements.get(direction)?.get(of.ip)?.replace('jump ', '')
  const shown = (rule: string) =>
    rule.replace(/@((group|ports)-\w+)/, (_, set) => `{${[...(table.elements.get(set)?.keys() ?? [])].join(', ')}}`)
  return chain ? table.chains.get(chain)!.map(shown) : undefined
}
const OTHERS = '{10.244.1.7, 10.244.2.8}'

test.each<[string, object[], string[] | undefined]>([
  ['no policy', [], undefined],
  ['a policy of another namespace', [policy({ policyTypes: ['Ingress'] }, 'other')], undefined],
  ['a policy for other pods', [policy({ podSelector: { matchLabels: { app: 'db' } }, policyTypes: ['Ingress'] })], undefined],
  ['a policy of egress alone', [egress({})], undefined],
  ['nothing is let in', [ingress()], ['drop']],
  ['types are by what is there', [policy({})], ['drop']],
  ['everything is let in', [ingress({})], ['return', 'drop']],
  ['from pods', [ingress({ from: [{ podSelector: { matchLabels: { a: 'b' } } }] })], [`ip saddr ${OTHERS} return`, 'drop']],
  [
    'two policies add up',
    [ingress({ ports: [{ port: 80 }] }), ingress({ ports: [{ port: 81, protocol: 'UDP' }] })],
    ['meta l4proto tcp th dport { 80 } return', 'meta l4proto udp th dport { 81 } return', 'drop'],
  ],
  [
    'ports of one rule go together, a range too',
    [ingress({ ports: [{ port: 80 }, { port: 443 }, { port: 8000, endPort: 8100 }] })],
    ['meta l4proto tcp th dport { 80, 443, 8000-8100 } return', 'drop'],
  ],
  [
    'ports that are said twice, and ranges that overlap',
    [ingress({ ports: [{ port: 85 }, { port: 80, endPort: 90 }, { port: 85 }, { port: 91 }, { port: 70, endPort: 75 }] })],
    ['meta l4proto tcp th dport { 70-75, 80-91 } return', 'drop'],
  ],
  [
    'all ports of a protocol',
    [ingress({ ports: [{ protocol: 'SCTP' }, { protocol: 'SCTP', port: 7 }] })],
    ['meta l4proto sctp return', 'drop'],
  ],
  ["a port's name means the pod's own", [ingress({ ports: [{ port: 'http' }] })], ['meta l4proto tcp th dport { 8080 } return', 'drop']],
  ['a name that the pod does not have', [ingress({ ports: [{ port: 'metrics' }] })], ['drop']],
  ['a name of another protocol', [ingress({ ports: [{ port: 'dns' }] })], ['drop']],
  [
    'a range of addresses with exceptions, on a port',
    [ingress({ from: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16', '10.2.0.0/16'] } }], ports: [{ port: 80 }] })],
    ['ip saddr 10.0.0.0/8 ip saddr != 10.1.0.0/16 ip saddr != 10.2.0.0/16 meta l4proto tcp th dport { 80 } return', 'drop'],
  ],
  ['a range of the other family lets nobody in', [ingress({ from: [{ ipBlock: { cidr: 'fd00::/8' } }] })], ['drop']],
])('ingress: %s', (_, policies, expected) => expect(rules(policies, 'ingress')).toEqual(expected))

test.each<[string, object[], string[] | undefined]>([
  ['ingress alone', [ingress()], undefined],
  ['rules for egress limit it without being named', [policy({ egress: [{}] })], ['return', 'drop']],
  ['nothing is let out', [egress()], ['drop']],
  ['to pods', [egress({ to: [{ namespaceSelector: {} }] })], [`ip daddr ${OTHERS} return`, 'drop']],
  [
    "a port's name means another number at each pod",
    [egress({ to: [{ podSelector: {} }], ports: [{ port: 'http' }] })],
    ['meta l4proto tcp ip daddr . th dport {10.244.1.7 . 80} return', 'drop'],
  ],
  ['a name to anybody', [egress({ ports: [{ port: 'http' }] })], ['meta l4proto tcp ip daddr . th dport {10.244.1.7 . 80} return', 'drop']],
])('egress: %s', (_, policies, expected) => expect(rules(policies, 'egress')).toEqual(expected))

describe('the DNS of this host', () => {
  const toDns = (peer: object, ports?: object[]) =>
    rules([egress({ to: [peer], ...(ports ? { ports } : {}) })], 'egress', pod(), '10.96.0.10')
  const system = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } } }
  const WITH = '{10.244.1.7, 10.244.2.8, 10.96.0.10}'
  test.each<[string, object, string]>([
    ['its namespace', system, WITH],
    ['its pods', { ...system, podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } } }, WITH],
    ['all namespaces', { namespaceSelector: {} }, WITH],
    ['other pods there', { ...system, podSelector: { matchLabels: { app: 'other' } } }, OTHERS],
    ['another namespace', { podSelector: {} }, OTHERS],
  ])('%s', (_, peer, set) => expect(toDns(peer)).toEqual([`ip daddr ${set} return`, 'drop']))
  test('its ports have the names that they have elsewhere', () =>
    expect(toDns(system, [{ protocol: 'UDP', port: 'dns' }])).toEqual([
      'meta l4proto udp ip daddr . th dport {10.96.0.10 . 53} return',
      'drop',
    ]))
})

test('groups are asked for by those alone whose policies matter here', () => {
  const here = ingress({ from: [{ podSelector: { matchLabels: { a: 'b' } } }] })
  const there = policy({ podSelector: { matchLabels: { app: 'db' } }, ingress: [{ from: [{ namespaceSelector: {} }] }] })
  expect([...groupsOf([here, there], [pod()]).values()]).toEqual([{ namespace: 'default', podSelector: { matchLabels: { a: 'b' } } }])
  expect(isLimited([there], pod())).toBe(false)
  expect(isLimited([here], pod())).toBe(true)
})

describe('from one table to the next', () => {
  const [one, two] = [pod(), pod({ ip: '10.244.0.6' })]
  const from = [ingress({ from: [{ podSelector: {} }] })]
  const table = (pods: PolicedPod[], members: Peer[] = others) => policyTable('IPv4', from, pods, () => members)

  test('the first is whole', () => expect(policyScript(undefined, table([one]))).toMatch(/^add table.*\ndelete table/))
  test('the same is nothing', () => expect(policyScript(table([one]), table([one]))).toBe(''))
  test('another pod with the same rules is two elements', () =>
    expect(policyScript(table([one]), table([one, two]))).toMatch(
      /^add element ip kedge-policy ingress { 10.244.0.6 : jump rules-\w+ }\nadd element ip kedge-policy selves { 10.244.0.6 . 10.244.0.6 }\n$/,
    ))
  test('another member is one element', () =>
    expect(policyScript(table([one]), table([one], [...others, ['10.244.3.9']]))).toMatch(
      /^add element ip kedge-policy group-\w+ { 10.244.3.9 }\n$/,
    ))
  test('what nobody needs any more goes after those that needed it', () =>
    expect(
      policyScript(table([one]), table([]))
        .replaceAll(/-\w{24}/g, '')
        .trim()
        .split('\n'),
    ).toEqual([
      'delete element ip kedge-policy ingress { 10.244.0.5 }',
      'delete element ip kedge-policy selves { 10.244.0.5 . 10.244.0.5 }',
      'flush chain ip kedge-policy rules',
      'delete chain ip kedge-policy rules',
      'delete set ip kedge-policy group',
    ]))
})

describe('a pod at its address of IPv6', () => {
  const six = pod({ ip: 'fd00:244::5' })
  test.each<[string, object[], 'ingress' | 'egress', string[]]>([
    [
      'pods are meant at such addresses',
      [ingress({ from: [{ podSelector: {} }] })],
      'ingress',
      ['ip6 saddr {fd00:244:1::7} return', 'drop'],
    ],
    [
      'of ranges those of its family',
      [ingress({ from: [{ ipBlock: { cidr: '10.0.0.0/8' } }, { ipBlock: { cidr: 'fd00::/8', except: ['fd00:1::/32'] } }] })],
      'ingress',
      ['ip6 saddr fd00::/8 ip6 saddr != fd00:1::/32 return', 'drop'],
    ],
    [
      'who lets in one family alone has said nothing of the other',
      [ingress({ from: [{ ipBlock: { cidr: '0.0.0.0/0' } }] })],
      'ingress',
      ['drop'],
    ],
    [
      'names of ports',
      [egress({ to: [{ podSelector: {} }], ports: [{ port: 'http' }] })],
      'egress',
      ['meta l4proto tcp ip6 daddr . th dport {fd00:244:1::7 . 80} return', 'drop'],
    ],
  ])('%s', (_, policies, direction, want) => expect(rules(policies, direction, six)).toEqual(want))
  test('is nothing of the other table', () => {
    expect(policyTable('IPv4', [ingress()], [six], () => others).elements).toEqual(new Map())
    expect(
      policyScript(
        undefined,
        policyTable('IPv6', [ingress()], [six], () => others),
      ),
    ).toMatch(/^add table ip6 kedge-policy\n/)
  })
})
