// Kinds of services as a matrix: who reaches which, under which policy. One pod on the first of three hosts, the third behind a router; asked from pods and
// from hosts, where the pod is and where it is not, and from outside.
import { execFile } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ControlPlane } from '../rig/control-plane.ts'
import { addressOf, eventually, type Host, plugIn, sh } from '../rig/hosts.ts'
import { type Stand, standMissing, startStand } from '../rig/stand.ts'

const missing = standMissing()
const HOME = 'h1'
const EXTERNAL = '10.88.0.222'

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
      spec: { type: 'NodePort', externalTrafficPolicy: policy, externalIPs: [EXTERNAL], ports: ports(8200 + i) },
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
  const clusterIp = (name: string) => cp.k(`get service ${name} -o jsonpath={.spec.clusterIP}`)
  /** Whether a client gets an answer; a moment is enough for whoever is there. */
  const reaches = (c: Client, ip: string, port: number) =>
    c.run(['wget', '-q', '-O', '/dev/null', '-T', '1', '-t', '1', `http://${ip}:${port}/`])

  beforeAll(async () => {
    stand = await startStand(3, { far: 1 })
    cp = stand.cp
    hosts = stand.hosts
    const askers = hosts.map((h) => pod(`asker-${h.name}`, h.name, 'busybox', ', command: [sleep, "3600"]'))
    const services = KINDS.map(({ name, spec }) => ({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name },
      spec: { selector: { app: 'web' }, ...spec },
    }))
    cp.k('apply -f -', { input: pod('web', HOME, 'web') + askers.join('') })
    cp.k('apply -f -', { input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items: services }) })
    cp.k('wait pod --all --for=condition=Ready --timeout=60s')
    const outside = plugIn('client', addressOf(2))
    // Whoever has an external address routes it to some node: here to one without the pod.
    sh(`ip -n ${outside} route add ${EXTERNAL}/32 via ${hosts[1]!.ip}`)
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

  test.each(['Cluster', 'Local'] as const)('a cluster address, by internal policy %s', async (policy) => {
    const { name, port } = ofKind('inner').find((k) => k.policy === policy)!
    // Its address is nobody's outside.
    await becomes(name, clusterIp(name), port, (c) => policy === 'Cluster' || c.node === HOME, inside())
  })

  test.each(['Cluster', 'Local'] as const)('a port of each node, by external policy %s', async (policy) => {
    const { name, port } = ofKind('node').find((k) => k.policy === policy)!
    // Who asks its own node is inside, wherever the pod is.
    for (const h of hosts)
      await becomes(`${name} of ${h.name}`, h.ip, port, (c) => policy === 'Cluster' || h.name === HOME || c.node === h.name)
  })

  test.each(['Cluster', 'Local'] as const)('a balancer at the addresses of nodes, by external policy %s', async (policy) => {
    const { name, port } = ofKind('balancer').find((k) => k.policy === policy)!
    const { ingress } = JSON.parse(cp.k(`get service ${name} -o json`)).status.loadBalancer
    // Inside, the balancer's address is the service, and nobody goes by way of a node.
    for (const h of hosts.filter((x) => ingress.some((i: any) => i.ip === x.ip)))
      await becomes(`${name} at ${h.name}`, h.ip, port, (c) => policy === 'Cluster' || h.name === HOME || c.node !== undefined)
  })

  test.each(['Cluster', 'Local'] as const)('an external address, by external policy %s', async (policy) => {
    const { name, port } = ofKind('external').find((k) => k.policy === policy)!
    await becomes(name, EXTERNAL, port, (c) => policy === 'Cluster' || c.node !== undefined)
  })

  test('without endpoints all are refused at once, wherever they ask', async () => {
    cp.k('delete pod web')
    const [node] = ofKind('node')
    const began = Date.now()
    for (const h of hosts) await becomes(`nobody at ${h.name}`, h.ip, node!.port, () => false)
    expect(Date.now() - began).toBeLessThan(30_000)
  })
})
