// Kinds of services as a matrix: who reaches which, under which policy, at addresses of both families. One pod on the first of three hosts, the third behind a router; asked from pods and
// from hosts, where the pod is and where it is not, and from outside.
import { execFile } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { asHost, asRange, type Family, ofFamily } from '../../shared/meta/address.ts'
import type { ControlPlane } from '../rig/control-plane.ts'
import { addressOf, eventually, type Host, plugIn, sh } from '../rig/hosts.ts'
import { type Stand, standMissing, startStand } from '../rig/stand.ts'

const missing = standMissing()
const HOME = 'h1'
const EXTERNAL = { IPv4: '10.88.0.222', IPv6: 'fd00:88::222' }
const BOTH = ['IPv4', 'IPv6'] as const
const EACH = BOTH.flatMap((family) => (['Cluster', 'Local'] as const).map((policy) => ({ family, policy })))

type Policy = 'Cluster' | 'Local'
interface Case {
  name: string
  /** A node port's, a balancer's, or a service's. */
  port: number
  policy: Policy
}
const KINDS = (['Cluster', 'Local'] as const).flatMap((policy, i): (Case & { spec: object })[] => {
  const ports = (port: number, more: object = {}) => [{ port, targetPort: 8080, ...more }]
  const name = (kind: string) => `${kind}-${policy.toLowerCase()}`
  return [
    { name: name('inner'), port: 80, policy, spec: { internalTrafficPolicy: policy, ports: ports(80) } },
    {
      name: name('node'),
      port: 30_700 + i,
      policy,
      spec: { type: 'NodePort', externalTrafficPolicy: policy, ports: ports(80, { nodePort: 30_700 + i }) },
    },
    {
      name: name('balancer'),
      port: 8100 + i,
      policy,
      spec: { type: 'LoadBalancer', externalTrafficPolicy: policy, ports: ports(8100 + i) },
    },
    {
      name: name('external'),
      port: 8200 + i,
      policy,
      spec: { type: 'NodePort', externalTrafficPolicy: policy, externalIPs: Object.values(EXTERNAL), ports: ports(8200 + i) },
    },
  ]
})

/** Who asks: from where, and the command that runs another there. */
interface Client {
  name: string
  /** Undefined outside. */
  node?: string
  run(command: string[]): Promise<boolean>
}

const succeeds = (file: string, args: string[], env = process.env) =>
  new Promise<boolean>((resolve) => execFile(file, args, { timeout: 20_000, env }, (cause) => resolve(!cause)))

const pod = (name: string, node: string, image: string, more = '') => `---
apiVersion: v1
kind: Pod
metadata: {name: ${name}, labels: {app: ${name}}}
spec: {nodeName: ${node}, terminationGracePeriodSeconds: 0, containers: [{name: c, image: "test/${image}:1"${more}}]}
`

describe.skipIf(missing)('kinds of services on three hosts', () => {
  let stand: Stand
  let cp: ControlPlane
  let hosts: Host[]
  let clients: Client[]
  const clusterIp = (name: string, family: Family): string =>
    ofFamily(JSON.parse(cp.k(`get service ${name} -o jsonpath={.spec.clusterIPs}`)), family)!
  const at = (h: Host, family: Family) => (family === 'IPv4' ? h.ip : h.ip6)
  /** Whether a client gets an answer; a moment is enough for whoever is there. */
  const reaches = (c: Client, ip: string, port: number) =>
    c.run(['wget', '-q', '-O', '/dev/null', '-T', '1', '-t', '1', `http://${asHost(ip)}:${port}/`])

  beforeAll(async () => {
    stand = await startStand(3, { far: 1, families: ['IPv4', 'IPv6'] })
    cp = stand.cp
    hosts = stand.hosts
    const askers = hosts.map((h) => pod(`asker-${h.name}`, h.name, 'busybox', ', command: [sleep, "3600"]'))
    const services = KINDS.map(({ name, spec }) => ({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name },
      spec: { selector: { app: 'web' }, ipFamilyPolicy: 'RequireDualStack', ...spec },
    }))
    cp.k('apply -f -', { input: pod('web', HOME, 'web') + askers.join('') })
    cp.k('apply -f -', { input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items: services }) })
    cp.k('wait pod --all --for=condition=Ready --timeout=60s')
    const outside = plugIn('client', addressOf(2))
    // Whoever has an external address routes it to some node: here to one without the pod.
    for (const family of BOTH) sh(`ip -n ${outside} route add ${asRange(EXTERNAL[family])} via ${at(hosts[1]!, family)}`)
    const env = { ...process.env, KUBECONFIG: cp.kubeconfig }
    clients = [
      ...hosts.map(
        (h): Client => ({
          name: `a pod on ${h.name}`,
          node: h.name,
          run: (command) => succeeds('kubectl', ['exec', `asker-${h.name}`, '--', ...command], env),
        }),
      ),
      ...hosts.map((h): Client => ({ name: h.name, node: h.name, run: (command) => succeeds('nsenter', h.inside(command)) })),
      { name: 'outside', run: (command) => succeeds('ip', ['netns', 'exec', outside, ...command]) },
    ]
  }, 240_000)
  afterAll(() => stand?.stop(), 60_000)

  /** What each client gets of a service at an address is what it should. */
  const becomes = async (what: string, ip: string, port: number, expected: (c: Client) => boolean, asking = clients) => {
    const wanted = Object.fromEntries(asking.map((c) => [c.name, expected(c)]))
    let last: object = {}
    await eventually(what, async () => {
      const answers = await Promise.all(asking.map(async (c) => [c.name, await reaches(c, ip, port)] as const))
      last = Object.fromEntries(answers)
      return JSON.stringify(last) === JSON.stringify(wanted)
    }).catch(() => expect(last, what).toEqual(wanted))
  }
  const ofKind = (kind: string) => KINDS.filter((k) => k.name.startsWith(kind))
  const inside = () => clients.filter((c) => c.node)

  test.each(EACH)('a cluster address of $family, by internal policy $policy', async ({ family, policy }) => {
    const { name, port } = ofKind('inner').find((k) => k.policy === policy)!
    // Its address is nobody's outside.
    await becomes(name, clusterIp(name, family), port, (c) => policy === 'Cluster' || c.node === HOME, inside())
  })

  // The router between the machines knows nothing of IPv6: those on its two sides do not reach each other's own addresses of it.
  const between = (h: Host, family: Family) => {
    const isFar = h === hosts[2]
    return clients.filter((c) => family === 'IPv4' || (c.node === hosts[2]!.name) === isFar)
  }

  test.each(EACH)('a port of each node at its $family, by external policy $policy', async ({ family, policy }) => {
    const { name, port } = ofKind('node').find((k) => k.policy === policy)!
    // Who asks its own node is inside, wherever the pod is.
    for (const h of hosts)
      await becomes(
        `${name} of ${h.name}`,
        at(h, family),
        port,
        (c) => policy === 'Cluster' || h.name === HOME || c.node === h.name,
        between(h, family),
      )
  })

  test.each(EACH)('a balancer at the $family of nodes, by external policy $policy', async ({ family, policy }) => {
    const { name, port } = ofKind('balancer').find((k) => k.policy === policy)!
    const { ingress } = JSON.parse(cp.k(`get service ${name} -o json`)).status.loadBalancer
    // Inside, the balancer's address is the service, and nobody goes by way of a node.
    const shown = hosts.filter((h) => ingress.some((i: any) => i.ip === at(h, family)))
    expect(shown.length).toBeGreaterThan(0)
    for (const h of shown)
      await becomes(
        `${name} at ${h.name}`,
        at(h, family),
        port,
        (c) => policy === 'Cluster' || h.name === HOME || c.node !== undefined,
        clients.filter((c) => c.node || between(h, family).includes(c)),
      )
  })

  test.each(EACH)('an external address of $family, by external policy $policy', async ({ family, policy }) => {
    const { name, port } = ofKind('external').find((k) => k.policy === policy)!
    await becomes(name, EXTERNAL[family], port, (c) => policy === 'Cluster' || c.node !== undefined)
  })

  test('without endpoints all are refused at once, wherever they ask', async () => {
    cp.k('delete pod web')
    const [node] = ofKind('node')
    const began = Date.now()
    for (const family of BOTH)
      for (const h of hosts) await becomes(`nobody at ${h.name}`, at(h, family), node!.port, () => false, between(h, family))
    expect(Date.now() - began).toBeLessThan(30_000)
  })
})
