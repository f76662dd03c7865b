// Machines that nobody reaches: one that is reached, and two that dial out from behind a router which translates their addresses. Pods reach each other all
// the same, encrypted, by way of the third where need be.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ofFamily } from '../../shared/meta/address.ts'
import type { ControlPlane } from '../rig/control-plane.ts'
import { eventually, type Host, quietly } from '../rig/hosts.ts'
import { type Stand, standMissing, startStand } from '../rig/stand.ts'

const noTools = quietly('command -v wg').trim() ? undefined : 'WireGuard needs wireguard-tools'
const missing = standMissing() ?? noTools
if (noTools && process.env.CI === 'true') throw new Error(noTools)
if (noTools) console.warn(`machines that nobody reaches are not tested: ${noTools}`)

const BIG = 20_000_000

const pod = (name: string, node: string, command = '') => `---
apiVersion: v1
kind: Pod
metadata: {name: ${name}, labels: {app: ${name.split('-')[0]}}}
spec: {nodeName: ${node}, terminationGracePeriodSeconds: 0, containers: [{name: c, image: "test/${command ? 'busybox' : 'web'}:1"${command}}]}
`
const service = (name: string, node: string) => `---
apiVersion: v1
kind: Service
metadata: {name: ${name}}
spec: {selector: {app: ${node}}, ports: [{port: 80, targetPort: 8080}]}
`
const policy = (from: string) => `---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web}
spec: {podSelector: {}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {matchLabels: {app: ${from}}}}]}]}
`

describe.skipIf(missing)('machines that nobody reaches', () => {
  let stand: Stand
  let cp: ControlPlane
  let hosts: Host[]
  let reached: Host
  let hidden: Host
  let other: Host
  const ip = (name: string): string => cp.k(`get pod ${name} -o jsonpath={.status.podIP}`)
  const answers = (from: Host, url: string): boolean =>
    cp.kubectl(`exec asker-${from.name} -- timeout 5 wget -q -O /dev/null ${url}`).code === 0
  const hostAsks = (h: Host, url: string): boolean => h.try(`curl -s -o /dev/null -m 5 -w %{http_code} ${url}`) === '200'
  const all = (what: string, ask: (from: Host, to: Host) => boolean) =>
    Promise.all(
      hosts.flatMap((from) => hosts.map((to) => eventually(`${what}, from ${from.name} to ${to.name}`, () => ask(from, to), 60_000))),
    )

  beforeAll(async () => {
    const nodeFlags = (h: Host) => ['--pod-network', 'wireguard', ...(h.name === 'h1' ? ['--wireguard-endpoint', h.ip] : [])]
    stand = await startStand(3, { far: 2, hidden: true, nodeFlags, families: ['IPv4', 'IPv6'] })
    cp = stand.cp
    hosts = stand.hosts
    ;[reached, hidden, other] = hosts as [Host, Host, Host]
    const serving = `, command: [sh, -c, "mkdir /d; head -c ${BIG} /dev/zero > /d/big; exec httpd -f -p 9000 -h /d"]`
    const pods = hosts.map((h) => pod(`${h.name}-web`, h.name) + service(h.name, h.name) + pod(`asker-${h.name}`, h.name, serving))
    cp.k('apply -f -', { input: pods.join('') })
    cp.k('wait pod --all --for=condition=Ready --timeout=60s')
  }, 240_000)
  afterAll(() => stand?.stop(), 60_000)

  test('without tunnels nobody reaches them', () => {
    expect(reached.try(`ping -c 1 -W 1 ${hidden.ip} || curl -m 2 ${hidden.ip}`)).toBe('')
    expect(reached.run('wg show kedge.wg endpoints').trim().split('\n')).toHaveLength(2)
    expect(hidden.run('wg show kedge.wg endpoints').trim().split('\n')).toHaveLength(1)
  })

  test('pods reach pods and services of all machines, from pods and from hosts', async () => {
    await all('pod from pod', (from, to) => answers(from, `http://${ip(`${to.name}-web`)}:8080/`))
    await all('service from pod', (from, to) => answers(from, `http://${to.name}/`))
    const six = (name: string): string =>
      ofFamily(
        JSON.parse(cp.k(`get pod ${name} -o json`)).status.podIPs.map((i: any) => i.ip),
        'IPv6',
      )!
    await all('pod from pod over IPv6', (from, to) => answers(from, `http://[${six(`${to.name}-web`)}]:8080/`))
    await all('pod from host', (from, to) => hostAsks(from, `http://${ip(`${to.name}-web`)}:8080/`))
  })

  test('much goes through, both ways, and by way of the third', () => {
    for (const [from, to] of [
      [reached, hidden],
      [hidden, reached],
      [hidden, other],
    ] as const)
      expect(
        cp.kubectl(`exec asker-${from.name} -- wget -q -T 30 -t 5 -O /dev/null http://${ip(`asker-${to.name}`)}:9000/big`, {
          timeout: 120_000,
        }),
      ).toMatchObject({ code: 0 })
  })

  test('policies know who it is, wherever it comes from', async () => {
    cp.k('apply -f -', { input: policy('nobody') })
    await eventually('nobody gets in', () => !answers(other, `http://${ip(`${hidden.name}-web`)}:8080/`))
    cp.k('apply -f -', { input: policy('asker') })
    await eventually('askers do', () => answers(other, `http://${ip(`${hidden.name}-web`)}:8080/`))
    cp.k('delete networkpolicy web')
  })

  test('tunnels stay while daemons are away, and come back when somebody takes them away', async () => {
    const url = `http://${ip(`${other.name}-web`)}:8080/`
    for (const h of hosts) h.killDaemon()
    expect(hostAsks(hidden, url)).toBe(true)
    for (const h of hosts) h.startDaemon()
    hidden.run('ip link del kedge.wg')
    await eventually('it is back', () => hostAsks(hidden, url), 90_000)
  }, 150_000)

  test('a node that goes takes its tunnel with it', async () => {
    other.killDaemon()
    cp.k(`delete node ${other.name}`)
    await eventually('one tunnel is left', () => reached.run('wg show kedge.wg peers').trim().split('\n').length === 1)
  })
})
