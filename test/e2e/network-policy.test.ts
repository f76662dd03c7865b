// Network policies as a matrix: nine pods of three namespaces on three hosts, one of them behind a router, each to each, at addresses of both families, over
// two TCP ports and one of UDP; before, under and after each.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type Family, familyOf } from '../../shared/meta/address.ts'
import type { ControlPlane } from '../rig/control-plane.ts'
import { eventually, type Host } from '../rig/hosts.ts'
import { Prober, type Target } from '../rig/probers.ts'
import { type Stand, standMissing, startStand } from '../rig/stand.ts'

const missing = standMissing()

const NAMESPACES = ['x', 'w', 'z']
const PODS = ['a', 'b', 'c']
const NAMES = NAMESPACES.flatMap((ns) => PODS.map((p) => `${ns}/${p}`))
const PORTS = ['80', '81', '80/udp'] as const
const BOTH = ['IPv4', 'IPv6'] as const

const podManifest = (ns: string, name: string, node: string, command = 'sleep 3600', labels = `pod: ${name}`) => `---
apiVersion: v1
kind: Pod
metadata: {name: ${name}, namespace: ${ns}, labels: {${labels}}}
spec:
  nodeName: ${node}
  terminationGracePeriodSeconds: 0
  containers:
  - name: c
    image: test/busybox:1
    command: [sh, -c, ${JSON.stringify(command)}]
    ports: [{name: serve-80, containerPort: 80}, {name: serve-81, containerPort: 81}, {name: udp-80, containerPort: 80, protocol: UDP}]
`

const cluster = [
  ...NAMESPACES.map((ns) => `---\napiVersion: v1\nkind: Namespace\nmetadata: {name: ${ns}, labels: {ns: ${ns}}}\n`),
  ...NAMESPACES.flatMap((ns, i) => PODS.map((p, k) => podManifest(ns, p, `h${1 + ((i + k) % 3)}`))),
  '---\napiVersion: v1\nkind: Service\nmetadata: {name: svc, namespace: x}\nspec: {selector: {pod: a}, ipFamilyPolicy: RequireDualStack, ports: [{port: 80}]}\n',
].join('')

const policyManifest = (name: string, spec: string, ns = 'x') => `---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: ${name}, namespace: ${ns}}
spec: ${spec}
`

/** One attempt: who, whom, at which of its addresses, on which port. */
interface Try {
  from: string
  to: string
  family: Family
  port: (typeof PORTS)[number]
}
const nsOf = (pod: string) => pod.split('/')[0]!
const nameOf = (pod: string) => pod.split('/')[1]!
const A = '{matchLabels: {pod: a}}'

/** A policy (or several) of namespace x, and whom it lets through; a pod always reaches itself. */
const policies: [title: string, specs: string[], passes: (t: Try) => boolean][] = [
  ['nothing into a namespace', ['{podSelector: {}, policyTypes: [Ingress]}'], (t) => nsOf(t.to) !== 'x'],
  ['everything into a namespace', ['{podSelector: {}, ingress: [{}]}'], () => true],
  [
    'from pods of the same namespace',
    [`{podSelector: ${A}, ingress: [{from: [{podSelector: {matchLabels: {pod: b}}}]}]}`],
    (t) => t.to !== 'x/a' || t.from === 'x/b',
  ],
  [
    'from another namespace',
    [`{podSelector: ${A}, ingress: [{from: [{namespaceSelector: {matchLabels: {ns: w}}}]}]}`],
    (t) => t.to !== 'x/a' || nsOf(t.from) === 'w',
  ],
  [
    'from some pods of another namespace',
    [`{podSelector: ${A}, ingress: [{from: [{namespaceSelector: {matchLabels: {ns: w}}, podSelector: {matchLabels: {pod: c}}}]}]}`],
    (t) => t.to !== 'x/a' || t.from === 'w/c',
  ],
  [
    'from either of two',
    [`{podSelector: ${A}, ingress: [{from: [{namespaceSelector: {matchLabels: {ns: w}}}, {podSelector: {matchLabels: {pod: b}}}]}]}`],
    (t) => t.to !== 'x/a' || nsOf(t.from) === 'w' || t.from === 'x/b',
  ],
  [
    'from namespaces and pods by expressions',
    [
      `{podSelector: ${A}, ingress: [{from: [{namespaceSelector: {matchExpressions: [{key: ns, operator: NotIn, values: [x]}]}, podSelector: {matchExpressions: [{key: pod, operator: In, values: [a, b]}]}}]}]}`,
    ],
    (t) => t.to !== 'x/a' || (nsOf(t.from) !== 'x' && nameOf(t.from) !== 'c'),
  ],
  ['on one port', [`{podSelector: ${A}, ingress: [{ports: [{port: 80}]}]}`], (t) => t.to !== 'x/a' || t.port === '80'],
  ['on a port by its name', [`{podSelector: ${A}, ingress: [{ports: [{port: serve-81}]}]}`], (t) => t.to !== 'x/a' || t.port === '81'],
  ['on a range of ports', [`{podSelector: ${A}, ingress: [{ports: [{port: 70, endPort: 80}]}]}`], (t) => t.to !== 'x/a' || t.port === '80'],
  [
    'on a port of UDP',
    [`{podSelector: ${A}, ingress: [{ports: [{port: 80, protocol: UDP}]}]}`],
    (t) => t.to !== 'x/a' || t.port === '80/udp',
  ],
  [
    'from some on one port, from others on another',
    [
      `{podSelector: ${A}, ingress: [{from: [{podSelector: {}}], ports: [{port: 80}]}, {from: [{namespaceSelector: {matchLabels: {ns: z}}}], ports: [{port: 81}]}]}`,
    ],
    (t) => t.to !== 'x/a' || (nsOf(t.from) === 'x' && t.port === '80') || (nsOf(t.from) === 'z' && t.port === '81'),
  ],
  [
    'two policies add up',
    [
      `{podSelector: ${A}, ingress: [{from: [{podSelector: {matchLabels: {pod: b}}}]}]}`,
      '{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {ns: z}}}]}]}',
    ],
    (t) => nsOf(t.to) !== 'x' || nsOf(t.from) === 'z' || (t.to === 'x/a' && t.from === 'x/b'),
  ],
  [
    'from a range of addresses but for one',
    [
      `{podSelector: ${A}, ingress: [{from: [{ipBlock: {cidr: 10.244.0.0/16, except: [IPv4(w/b)/32]}}, {ipBlock: {cidr: 'fd00:10:244::/56', except: ['IPv6(w/b)/128']}}]}]}`,
    ],
    (t) => t.to !== 'x/a' || t.from !== 'w/b',
  ],
  [
    'from a range of one family',
    [`{podSelector: ${A}, ingress: [{from: [{ipBlock: {cidr: 'fd00:10:244::/56'}}]}]}`],
    (t) => t.to !== 'x/a' || t.family === 'IPv6',
  ],
  ['nothing out of a pod', [`{podSelector: ${A}, policyTypes: [Egress]}`], (t) => t.from !== 'x/a'],
  [
    'out to a namespace on one port',
    [`{podSelector: ${A}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {matchLabels: {ns: w}}}], ports: [{port: 81}]}]}`],
    (t) => t.from !== 'x/a' || (nsOf(t.to) === 'w' && t.port === '81'),
  ],
  [
    'out to a port by its name',
    [`{podSelector: ${A}, policyTypes: [Egress], egress: [{to: [{podSelector: {}}], ports: [{port: udp-80, protocol: UDP}]}]}`],
    (t) => t.from !== 'x/a' || (nsOf(t.to) === 'x' && t.port === '80/udp'),
  ],
  [
    'out to one address',
    [`{podSelector: ${A}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: IPv4(z/c)/32}}, {ipBlock: {cidr: 'IPv6(z/c)/128'}}]}]}`],
    (t) => t.from !== 'x/a' || t.to === 'z/c',
  ],
  ['neither in nor out', ['{podSelector: {}, policyTypes: [Ingress, Egress]}'], (t) => nsOf(t.to) !== 'x' && nsOf(t.from) !== 'x'],
  [
    'both sides have to agree',
    [
      `{podSelector: ${A}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {pod: b}}}]}]}`,
      '{podSelector: {matchLabels: {pod: b}}, ingress: [{ports: [{port: 81}]}]}',
    ],
    (t) => (t.from !== 'x/a' || t.to === 'x/b') && (t.to !== 'x/b' || t.port === '81'),
  ],
]

describe.skipIf(missing)('network policies on three hosts', () => {
  let stand: Stand
  let cp: ControlPlane
  let hosts: Host[]
  /** By family and name. */
  const ips = new Map<string, string>()
  const probers = new Map<string, Prober>()
  let services: string[]
  const addressAt = (name: string, family: Family) => ips.get(`${family} ${name}`)!

  const getPod = (ns: string, name: string) => JSON.parse(cp.k(`get pod -n ${ns} ${name} -o json`))
  const apply = (manifest: string) =>
    cp.k('apply -f -', { input: manifest.replace(/(IPv[46])\((.*?)\)/g, (_, family, name) => addressAt(name, family)) })
  const tries: Try[] = NAMES.flatMap((from) =>
    NAMES.flatMap((to) => BOTH.flatMap((family) => PORTS.map((port): Try => ({ from, to, family, port })))),
  )
  const shown = (t: Try) => `${t.from} → ${t.to}:${t.port} over ${t.family}`
  const target = (t: Try): Target => [addressAt(t.to, t.family), Number.parseInt(t.port, 10), t.port.endsWith('udp')]

  /** What does not answer; x/svc stands for the service before x/a. */
  async function refused(): Promise<string[]> {
    const rows = await Promise.all(
      NAMES.map(async (from) => {
        const mine = tries.filter((t) => t.from === from)
        const answers = await probers.get(from)!.reaches([...mine.map(target), ...services.map((ip): Target => [ip, 80])])
        const lost = mine.filter((_, i) => !answers[i]).map(shown)
        return [...lost, ...BOTH.filter((_, i) => !answers[mine.length + i]).map((family) => `${from} → x/svc over ${family}`)]
      }),
    )
    return rows.flat()
  }
  const expected = (passes: (t: Try) => boolean) => [
    ...NAMES.flatMap((from) => [
      ...tries.filter((t) => t.from === from && t.from !== t.to && !passes(t)).map(shown),
      ...BOTH.filter((family) => from !== 'x/a' && !passes({ from, to: 'x/a', family, port: '80' })).map(
        (f) => `${from} → x/svc over ${f}`,
      ),
    ]),
  ]
  /** Until the matrix is that, and then it is that once more. */
  async function becomes(passes: (t: Try) => boolean): Promise<void> {
    const wanted = expected(passes)
    let last: string[] = []
    await eventually('the matrix is as wanted', async () => {
      last = await refused()
      return JSON.stringify(last) === JSON.stringify(wanted)
    }).catch(() => expect(last).toEqual(wanted))
    expect(await refused()).toEqual(wanted)
  }

  beforeAll(async () => {
    stand = await startStand(3, { far: 1, families: ['IPv4', 'IPv6'] })
    cp = stand.cp
    hosts = stand.hosts
    apply(cluster)
    for (const ns of NAMESPACES) cp.k(`wait pod -n ${ns} --all --for=condition=Ready --timeout=60s`)
    for (const name of NAMES) {
      const { metadata, spec, status } = getPod(nsOf(name), nameOf(name))
      for (const { ip } of status.podIPs) ips.set(`${familyOf(ip)} ${name}`, ip)
      probers.set(name, await Prober.in(hosts.find((h) => h.name === spec.nodeName)!, metadata.uid, [80, 81], [80]))
    }
    services = JSON.parse(cp.k('get service -n x svc -o json')).spec.clusterIPs
  }, 180_000)
  afterAll(async () => {
    for (const p of probers.values()) p.stop()
    await stand?.stop()
  }, 60_000)

  // After each test all is open again, so that one that fails leaves the next ones a clean start.
  afterEach(async () => {
    cp.k('delete networkpolicy -n x --all')
    await becomes(() => true)
  }, 60_000)

  test('without any policy all reach all', () => becomes(() => true))

  test.each(policies)('%s', async (_title, specs, passes) => {
    apply(specs.map((spec, i) => policyManifest(`p${i}`, spec)).join(''))
    await becomes(passes)
  })

  test('labels of pods and namespaces, and rules, may change', async () => {
    apply(
      policyManifest(
        'p',
        `{podSelector: ${A}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: red}}, podSelector: {matchLabels: {role: client}}}]}]}`,
      ),
    )
    await becomes((t) => t.to !== 'x/a')
    cp.k('label pod -n w b role=client')
    cp.k('label namespace w team=red')
    await becomes((t) => t.to !== 'x/a' || t.from === 'w/b')
    cp.k('label pod -n w c role=client')
    cp.k('label pod -n w b role-')
    await becomes((t) => t.to !== 'x/a' || t.from === 'w/c')
    cp.k('label namespace w team-')
    await becomes((t) => t.to !== 'x/a')
    // It no longer limits a, but b.
    apply(policyManifest('p', '{podSelector: {matchLabels: {pod: b}}, policyTypes: [Ingress]}'))
    await becomes((t) => t.to !== 'x/b')
    cp.k('label pod -n x b pod=other --overwrite')
    await becomes(() => true)
    cp.k('label pod -n x b pod=b --overwrite')
    await becomes((t) => t.to !== 'x/b')
  })

  test('a new pod is limited before its first packet, and let in as soon as it is there', async () => {
    apply(policyManifest('p', `{podSelector: {matchLabels: {kind: caged}}, policyTypes: [Ingress, Egress]}`))
    apply(policyManifest('q', `{podSelector: ${A}, ingress: [{from: [{podSelector: {matchLabels: {kind: guest}}}]}]}`))
    const netcat = `nc -w 3 IPv6(x/a) 80 </dev/null 2>/dev/null | grep -q x && echo in || echo out`
    const names = Array.from({ length: 4 }, (_, i) => `caged-${i}`)
    apply(
      names
        .map((n, i) =>
          podManifest(
            'x',
            n,
            `h${1 + (i % 3)}`,
            `nc -w 2 IPv6(w/a) 80 </dev/null 2>/dev/null | grep -q x && echo leak || echo held; sleep 3600`,
            'kind: caged',
          ),
        )
        .join(''),
    )
    apply(podManifest('x', 'guest', 'h2', `for i in 1 2 3 4 5; do ${netcat}; done; sleep 3600`, 'kind: guest'))
    for (const n of names) expect(await eventually(`${n} speaks`, () => cp.k(`logs -n x ${n}`) || undefined)).toBe('held\n')
    const words = await eventually('the guest is let in', () => {
      const said = cp.k('logs -n x guest').trim().split('\n')
      return said.length === 5 ? said : undefined
    })
    expect(words.at(-1)).toBe('in')
    cp.k(`delete pod -n x guest ${names.join(' ')}`)
  })

  test('the DNS is reached by those alone who may reach it', async () => {
    const asks = () => cp.kubectl('exec -n x a -- nslookup -type=a svc.x.svc.cluster.local').code === 0
    expect(asks()).toBe(true)
    apply(policyManifest('p', `{podSelector: ${A}, policyTypes: [Egress]}`))
    await eventually('it is held', () => !asks())
    apply(
      policyManifest(
        'p',
        `{podSelector: ${A}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}, podSelector: {matchLabels: {k8s-app: kube-dns}}}], ports: [{port: 53, protocol: UDP}]}]}`,
      ),
    )
    await eventually('it asks', asks)
  })

  test('the host reaches its pods whatever policies say', async () => {
    apply(policyManifest('p', '{podSelector: {}, policyTypes: [Ingress, Egress]}'))
    await becomes((t) => nsOf(t.to) !== 'x' && nsOf(t.from) !== 'x')
    const reaches = (h: Host, ip: string) => h.try(`timeout 1 bash -c 'cat </dev/tcp/${ip}/80'`) === 'x'
    const at = (node: string) =>
      NAMES.filter((n) => nsOf(n) === 'x' && getPod('x', nameOf(n)).spec.nodeName === node).flatMap((n) => BOTH.map((f) => addressAt(n, f)))
    expect(at('h1').map((ip) => hosts.map((h) => reaches(h, ip)))).toEqual(at('h1').map(() => [true, false, false]))
  })

  test('rules outlast the daemon, and what changed meanwhile is made good', async () => {
    apply(policyManifest('p', `{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {ns: w}}}]}]}`))
    await becomes((t) => nsOf(t.to) !== 'x' || nsOf(t.from) === 'w')
    for (const h of hosts) h.killDaemon()
    expect(await refused()).toEqual(expected((t) => nsOf(t.to) !== 'x' || nsOf(t.from) === 'w'))
    apply(policyManifest('p', `{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {ns: z}}}]}]}`))
    for (const h of hosts) h.startDaemon()
    await becomes((t) => nsOf(t.to) !== 'x' || nsOf(t.from) === 'z')
  })

  test('rules that somebody flushes come back, and services with them', async () => {
    apply(policyManifest('p', `{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {ns: w}}}]}]}`))
    await becomes((t) => nsOf(t.to) !== 'x' || nsOf(t.from) === 'w')
    const address = JSON.parse(cp.k('get service svc -n x -o json')).spec.clusterIP
    const asks = (h: Host) => h.try(`timeout 1 bash -c 'cat </dev/tcp/${address}/80'`) === 'x'
    const home = hosts.find((h) => h.name === getPod('x', 'a').spec.nodeName)
    expect(asks(home!)).toBe(true)
    for (const h of hosts) h.run('nft flush ruleset')
    expect(asks(home!)).toBe(false)
    await eventually('the service is back', () => asks(home!), 60_000)
    await becomes((t) => nsOf(t.to) !== 'x' || nsOf(t.from) === 'w')
  })
})
