// A host that describes its own network: pods are connected by it, and all that the daemon does for pods holds there too.
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ControlPlane } from '../rig/control-plane.ts'
import { eventually, type Host } from '../rig/hosts.ts'
import { type Stand, standMissing, startStand } from '../rig/stand.ts'

const missing = standMissing()

const network = {
  cniVersion: '1.0.0',
  name: 'theirs',
  plugins: [
    {
      type: 'bridge',
      bridge: 'theirs0',
      isGateway: true,
      hairpinMode: true,
      ipam: { type: 'host-local', ranges: [[{ subnet: '10.244.77.0/24' }]], routes: [{ dst: '0.0.0.0/0' }] },
    },
    { type: 'bandwidth', capabilities: { bandwidth: true } },
    { type: 'tuning', mtu: 1400 },
  ],
}
const pod = (name: string, image: string, more = '', annotations = '') => `---
apiVersion: v1
kind: Pod
metadata: {name: ${name}, labels: {app: ${name}}, annotations: {${annotations}}}
spec: {terminationGracePeriodSeconds: 1, containers: [{name: c, image: "test/${image}:1"${more}}]}
`
const service = `---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
`
const policy = (from: string) => `---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web}
spec: {podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: {matchLabels: {app: ${from}}}}]}]}
`

describe.skipIf(missing)('a host with a network of its own', () => {
  let stand: Stand
  let cp: ControlPlane
  let host: Host
  const folderOf = (h: Host) => path.join(h.folder, 'net.d')
  const answers = (url: string) => cp.kubectl(`exec asker -- timeout 3 wget -q -O /dev/null ${url}`).code === 0
  const ip = (name: string) => cp.k(`get pod ${name} -o jsonpath={.status.podIP}`)

  beforeAll(async () => {
    const nodeFlags = (h: Host) => {
      mkdirSync(folderOf(h), { recursive: true })
      writeFileSync(path.join(folderOf(h), '10-theirs.conflist'), JSON.stringify(network))
      return ['--pod-network', 'cni', '--cni-conf-dir', folderOf(h)]
    }
    stand = await startStand(1, { nodeFlags })
    cp = stand.cp
    host = stand.hosts[0]!
    const asker = pod('asker', 'busybox', ', command: [sleep, "3600"]', 'kubernetes.io/egress-bandwidth: 10M')
    cp.k('apply -f -', { input: pod('web', 'web') + asker + service })
    cp.k('wait pod --all --for=condition=Ready --timeout=60s')
  }, 180_000)
  afterAll(() => stand?.stop(), 60_000)

  test('pods have addresses of it, and what each of its plugins does', () => {
    for (const name of ['web', 'asker']) expect(ip(name)).toMatch(/^10\.244\.77\./)
    expect(cp.k('exec asker -- cat /sys/class/net/eth0/mtu').trim()).toBe('1400')
    expect(host.run('ip -o link show type ifb').trim().split('\n')).toHaveLength(1)
    expect(host.run('ip -4 route show proto 107')).toBe('')
  })

  test('services, names and policies hold there', async () => {
    await eventually('by address', () => answers(`http://${ip('web')}:8080/`))
    await eventually('by name', () => answers('http://web/'))
    cp.k('apply -f -', { input: policy('nobody') })
    await eventually('nobody gets in', () => !answers(`http://${ip('web')}:8080/`))
    cp.k('apply -f -', { input: policy('asker') })
    await eventually('the asker does', () => answers(`http://${ip('web')}:8080/`))
    cp.k('delete networkpolicy web')
  })

  test('what pods had is given back, after a restart of the daemon too', async () => {
    host.killDaemon()
    host.startDaemon()
    cp.k('delete pod --all')
    const leases = () => host.try('ls /var/lib/cni/networks/theirs | grep ^10').trim()
    await eventually('no address is taken', () => leases() === '')
    expect(host.run('ip -o link show type veth | grep -vc eth0 || true').trim()).toBe('0')
  })

  test('while nothing is described the node says so', async () => {
    host.run(`rm ${folderOf(host)}/10-theirs.conflist`)
    host.killDaemon()
    host.startDaemon()
    const ready = () => JSON.parse(cp.k('get node h1 -o json')).status.conditions.find((c: any) => c.type === 'Ready')
    await eventually('it is not Ready', () => ready().status === 'False')
    expect(ready().message).toContain('no network is described in')
  })
})
