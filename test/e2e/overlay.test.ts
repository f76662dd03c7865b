// A cluster over several networks: machines behind a router that knows nothing of pods. Neighbours speak directly, the others over VXLAN.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ControlPlane } from '../rig/control-plane.ts'
import { eventually, type Host } from '../rig/hosts.ts'
import { type Stand, standMissing, startStand } from '../rig/stand.ts'

const missing = standMissing()
const NODE_PORT = 30_808
/** Ethernet's, and what is left of it inside VXLAN; headers of IPv4 and ICMP. */
const [LAN_MTU, OVERLAY_MTU, HEADERS] = [1500, 1450, 28]
const BIG = 20_000_000

const pod = (name: string, node: string, image: string, command = '') => `---
apiVersion: v1
kind: Pod
metadata: {name: ${name}, labels: {app: ${name.split('-')[0]}}}
spec:
  nodeName: ${node}
  terminationGracePeriodSeconds: 0
  containers: [{name: c, image: "${image}"${command}}]
`
const service = (more: string) => `---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: NodePort, selector: {app: web}, ports: [{port: 80, targetPort: 8080, nodePort: ${NODE_PORT}}]${more}}
`
const policy = (from: string) => `---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web}
spec: {podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: {matchLabels: {app: ${from}}}}]}]}
`

describe.skipIf(missing)('machines behind a router', () => {
  let stand: Stand
  let cp: ControlPlane
  let near: Host
  let neighbour: Host
  let far: Host
  const ip = (name: string): string => cp.k(`get pod ${name} -o jsonpath={.status.podIP}`)
  const inPod = (name: string, command: string) => cp.kubectl(`exec ${name} -- ${command}`)
  const answers = (name: string, url: string): boolean => inPod(name, `timeout 3 wget -q -O /dev/null ${url}`).code === 0
  const hostAsks = (h: Host, url: string): boolean => h.try(`curl -s -o /dev/null -m 3 -w %{http_code} ${url}`) === '200'

  beforeAll(async () => {
    stand = await startStand(3, { far: 1 })
    cp = stand.cp
    ;[near, neighbour, far] = stand.hosts as [Host, Host, Host]
    const serving = `, command: [sh, -c, "mkdir /d; head -c ${BIG} /dev/zero > /d/big; exec httpd -f -p 9000 -h /d"]`
    const askers = [near, neighbour, far].map((h) => pod(`asker-${h.name}`, h.name, 'test/busybox:1', serving))
    cp.k('apply -f -', { input: askers.join('') + pod('web-1', far.name, 'test/web:1') + service('') })
    cp.k('wait pod --all --for=condition=Ready --timeout=60s')
  }, 180_000)
  afterAll(() => stand?.stop(), 60_000)

  test('only who is behind the router is reached over the overlay', async () => {
    const routes = (h: Host) => h.run('ip -4 route show proto 107')
    await eventually('all routes are there', () => [near, neighbour, far].every((h) => routes(h).match(/ via /g)?.length === 2))
    expect(routes(near).match(/kedge\.vxlan/g)).toHaveLength(1)
    expect(routes(near)).toContain(`via ${neighbour.ip} dev eth0`)
    expect(routes(far).match(/kedge\.vxlan/g)).toHaveLength(2)
  })

  test.each(['near', 'neighbour', 'far'] as const)('pods and services, asked from a pod and from the host: %s', async (which) => {
    const h = { near, neighbour, far }[which]
    await eventually('pod from pod', () => answers(`asker-${h.name}`, `http://${ip('web-1')}:8080/`))
    await eventually('service from pod', () => answers(`asker-${h.name}`, 'http://web/'))
    await eventually('pod from host', () => hostAsks(h, `http://${ip('web-1')}:8080/`))
    const address = cp.k('get service web -o jsonpath={.spec.clusterIP}')
    await eventually('service from host', () => hostAsks(h, `http://${address}/`))
    for (const at of [near, neighbour, far]) await eventually(`port of ${at.name}`, () => hostAsks(h, `http://${at.ip}:${NODE_PORT}/`))
  })

  test('the other way round', async () => {
    cp.k('apply -f -', { input: pod('here-1', near.name, 'test/web:1') })
    cp.k('wait pod here-1 --for=condition=Ready --timeout=60s')
    await eventually('from far', () => answers(`asker-${far.name}`, `http://${ip('here-1')}:8080/`))
    await eventually('from the far host', () => hostAsks(far, `http://${ip('here-1')}:8080/`))
  })

  test('packets are as large as their path takes, and whoever sends larger ones is told', () => {
    const ping = (to: Host, mtu: number) => inPod(`asker-${near.name}`, `ping -c 1 -W 2 -s ${mtu - HEADERS} ${ip(`asker-${to.name}`)}`).code
    expect(ping(neighbour, LAN_MTU)).toBe(0)
    expect(ping(far, OVERLAY_MTU)).toBe(0)
    for (const h of [near, far]) expect(h.run('cat /sys/class/net/kedge.vxlan/mtu').trim()).toBe(String(OVERLAY_MTU))
    // Pods begin with their own links' size; TCP forbids to cut its packets up.
    expect(inPod(`asker-${near.name}`, 'cat /sys/class/net/eth0/mtu').out.trim()).toBe(String(LAN_MTU))
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const)
      expect(
        inPod(`asker-${from.name}`, `wget -q -T 20 -t 10 --retry-connrefused -O /dev/null http://${ip(`asker-${to.name}`)}:9000/big`),
      ).toMatchObject({ code: 0 })
  })

  test('policies know pods on the other side', async () => {
    cp.k('apply -f -', { input: policy('nobody') })
    await eventually('nobody gets in', () => !answers(`asker-${near.name}`, `http://${ip('web-1')}:8080/`))
    cp.k('apply -f -', { input: policy('asker') })
    await eventually('askers do', () => answers(`asker-${near.name}`, `http://${ip('web-1')}:8080/`))
    cp.k('delete networkpolicy web')
  })

  test('traffic goes on while daemons are away, and a device that somebody took away is made anew with them', async () => {
    for (const h of [near, far]) h.killDaemon()
    expect(answers(`asker-${near.name}`, `http://${ip('web-1')}:8080/`) || hostAsks(near, `http://${ip('web-1')}:8080/`)).toBe(true)
    near.run('ip link del kedge.vxlan')
    for (const h of [near, far]) h.startDaemon()
    await eventually('it is back', () => hostAsks(near, `http://${ip('web-1')}:8080/`), 60_000)
  })

  test('routes and the device that somebody took away come back by themselves', async () => {
    near.run('ip route flush proto 107; ip link del kedge.vxlan')
    expect(hostAsks(near, `http://${ip('web-1')}:8080/`)).toBe(false)
    await eventually('they are back', () => hostAsks(near, `http://${ip('web-1')}:8080/`), 60_000)
    expect(near.run('ip -4 route show proto 107')).toContain(`via ${neighbour.ip} dev eth0`)
  }, 90_000)

  test('when the last one behind a router has gone, so has the overlay', async () => {
    far.killDaemon()
    cp.k(`delete node ${far.name}`)
    await eventually('no device', () => near.try('ip link show kedge.vxlan') === '' && !near.run('ip -4 route').includes('kedge.vxlan'))
    expect(near.run('ip -4 route show proto 107')).toContain(`via ${neighbour.ip} dev eth0`)
  })
})
