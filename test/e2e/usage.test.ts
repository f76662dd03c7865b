// What is in use, as kubectl top, autoscalers and kubelet's own clients see it, held against the cgroups' truth.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ControlPlane } from '../rig/control-plane.ts'
import { eventually, type Host } from '../rig/hosts.ts'
import { type Stand, standMissing, startStand } from '../rig/stand.ts'

const missing = standMissing()
/** How far a measurement may be from the truth. */
const CLOSE = 0.05

/** Burns a fifth of a processor, as its limit has it. */
const BUSY = 200
const deployment = (name: string, command: string, resources: object, replicas = 1) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [
          {
            name: 'c',
            image: 'test/busybox:1',
            command: ['sh', '-c', command],
            resources,
            volumeMounts: [
              { name: 'scratch', mountPath: '/scratch' },
              { name: 'memory', mountPath: '/memory' },
            ],
          },
          { name: 'idle', image: 'test/busybox:1', command: ['sleep', '3600'], resources: { requests: { cpu: '10m' } } },
        ],
        volumes: [
          { name: 'scratch', emptyDir: {} },
          { name: 'memory', emptyDir: { medium: 'Memory', sizeLimit: '64Mi' } },
        ],
      },
    },
  },
})

describe.skipIf(missing)('usage', () => {
  let stand: Stand
  let cp: ControlPlane
  let hosts: Host[]
  const raw = (path: string) => cp.k(`get --raw ${path}`)
  const json = (path: string) => JSON.parse(raw(path))
  const applied = (...items: object[]) => cp.k('apply -f -', { input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }) })
  const podOf = (app: string) => json(`/api/v1/namespaces/default/pods?labelSelector=app%3D${app}`).items[0]
  const milli = (text: string) =>
    text.endsWith('n') ? Number.parseInt(text, 10) / 1e6 : text.endsWith('m') ? Number.parseInt(text, 10) : Number(text) * 1000

  beforeAll(async () => {
    stand = await startStand(2)
    cp = stand.cp
    hosts = stand.hosts
    const burn = 'head -c 8000000 /dev/zero > /scratch/f; head -c 16000000 /dev/zero > /memory/f; while :; do :; done'
    applied(
      deployment('busy', burn, { requests: { cpu: '100m' }, limits: { cpu: `${BUSY}m` } }),
      deployment('calm', 'head -c 4000000 /dev/zero > /scratch/f; sleep 3600', {}),
    )
    for (const d of ['busy', 'calm']) cp.k(`rollout status deployment/${d} --timeout=60s`)
  }, 180_000)
  afterAll(() => stand?.stop(), 60_000)

  test('kubectl top knows nodes, pods and containers', async () => {
    await eventually('pods are measured', () => cp.kubectl('top pod --containers').out.includes('busy-'))
    const lines = cp
      .k('top pod --containers --no-headers')
      .trim()
      .split('\n')
      .map((l) => l.split(/\s+/))
    expect(lines.map(([pod, container]) => `${pod!.split('-')[0]} ${container}`).sort()).toEqual([
      'busy c',
      'busy idle',
      'calm c',
      'calm idle',
    ])
    const nodes = cp
      .k('top node --no-headers')
      .trim()
      .split('\n')
      .map((l) => l.split(/\s+/))
    expect(nodes.map(([name]) => name)).toEqual(['h1', 'h2'])
    expect(nodes.every(([, cpu, share]) => Number.parseInt(cpu!, 10) > 0 && share!.endsWith('%'))).toBe(true)
    expect(cp.k('top pod -l app=calm --no-headers').trim().split('\n')).toHaveLength(1)
    expect(cp.kubectl('top pod nobody').err).toContain('not found')
  })

  test('what is said of a pod is what its cgroup says', async () => {
    const pod = podOf('busy')
    const host = hosts.find((h) => h.name === pod.spec.nodeName)!
    const id = pod.status.containerStatuses.find((s: any) => s.name === 'c').containerID.slice('docker://'.length)
    const read = (controller: string, file: string) =>
      Number(host.run(`cat $(find /sys/fs/cgroup/${controller} -type d -name '*${id}*' | head -1)/${file}`).trim())
    const isOld = host.try('ls /sys/fs/cgroup/cgroup.controllers') === ''
    const nanoseconds = () => (isOld ? read('cpuacct', 'cpuacct.usage') : 0)
    const said = async () => {
      const { containers } = json(`/apis/metrics.k8s.io/v1beta1/namespaces/default/pods/${pod.metadata.name}`)
      return containers.find((c: any) => c.name === 'c').usage
    }
    await said()
    const [before, at] = [nanoseconds(), performance.now()]
    await new Promise((r) => setTimeout(r, 12_000))
    const usage = await said()
    const truth = (nanoseconds() - before) / ((performance.now() - at) * 1000)
    if (isOld) expect(Math.abs(milli(usage.cpu) - truth) / truth, `${usage.cpu}, in truth ${truth}m`).toBeLessThan(CLOSE * 2)
    expect(milli(usage.cpu)).toBeGreaterThan(BUSY * 0.8)
    expect(milli(usage.cpu)).toBeLessThan(BUSY * (1 + CLOSE * 2))
    const memory = isOld ? read('memory', 'memory.usage_in_bytes') : read('', 'memory.current')
    // All but files that the kernel may forget: what was written to the disk is of these.
    expect(Number.parseInt(usage.memory, 10) * 1024).toBeLessThanOrEqual(memory * (1 + CLOSE))
    expect(Number.parseInt(usage.memory, 10) * 1024).toBeGreaterThan(16_000_000)
  }, 60_000)

  test('a node tells it in kubelet’s form, volumes too, by way of its proxy', () => {
    const pod = podOf('busy')
    const at = `/api/v1/nodes/${pod.spec.nodeName}/proxy`
    expect(raw(`${at}/healthz`)).toBe('ok')
    expect(json(`${at}/pods`).items.map((p: any) => p.metadata.name)).toContain(pod.metadata.name)
    const { node, pods } = json(`${at}/stats/summary`)
    expect(node).toMatchObject({
      nodeName: pod.spec.nodeName,
      fs: { capacityBytes: expect.any(Number) },
      memory: { availableBytes: expect.any(Number) },
    })
    const own = pods.find((p: any) => p.podRef.uid === pod.metadata.uid)
    expect(own.containers.map((c: any) => c.name).sort()).toEqual(['c', 'idle'])
    expect(own.network.name).toBe('eth0')
    const volume = (name: string) => own.volume.find((v: any) => v.name === name)
    expect(volume('scratch').usedBytes).toBeGreaterThan(8_000_000)
    expect(volume('scratch').usedBytes).toBeLessThan(9_000_000)
    expect(volume('memory')).toMatchObject({ capacityBytes: 64 << 20 })
    expect(volume('memory').usedBytes).toBeGreaterThan(15_990_000)
    const metrics = raw(`${at}/metrics/resource`)
    expect(metrics).toMatch(
      new RegExp(`container_cpu_usage_seconds_total\\{container="c",namespace="default",pod="${pod.metadata.name}"\\} [\\d.]+ \\d{13}\n`),
    )
    expect(metrics).toContain('# TYPE node_memory_working_set_bytes gauge')
    const cadvisor = raw(`${at}/metrics/cadvisor`)
    expect(cadvisor).toMatch(
      new RegExp(
        `container_memory_working_set_bytes\\{container="c",id="[0-9a-f]{64}",image="test/busybox:1",.*pod="${pod.metadata.name}"\\} \\d+ `,
      ),
    )
    expect(cadvisor).toMatch(
      new RegExp(`container_network_receive_bytes_total\\{container="",.*pod="${pod.metadata.name}",interface="eth0"\\} \\d+ `),
    )
    cp.kubectl(`exec ${pod.metadata.name} -c idle -- nslookup nobody.default.svc.cluster.local`)
    const daemon = raw(`${at}/metrics`)
    expect(daemon).toContain(`kubelet_node_name{node="${pod.spec.nodeName}"} 1`)
    expect(daemon).toMatch(/coredns_dns_responses_total\{rcode="NXDOMAIN"\} [1-9]/)
    expect(cp.kubectl(`get --raw ${at}/nothing`).code).toBe(1)
  })

  test('an autoscaler scales by it, out and back', async () => {
    cp.k('autoscale deployment busy --cpu-percent=50 --min=1 --max=3')
    cp.k('patch hpa busy -p {"spec":{"behavior":{"scaleDown":{"stabilizationWindowSeconds":0}}}}')
    const replicas = () => json('/apis/apps/v1/namespaces/default/deployments/busy').spec.replicas
    await eventually('there are more', () => replicas() === 3, 120_000)
    const calm = [{ op: 'replace', path: '/spec/template/spec/containers/0/command', value: ['sleep', '3600'] }]
    cp.k(`patch deployment busy --type=json -p |${JSON.stringify(calm)}|`)
    await eventually('there is one again', () => replicas() === 1, 180_000)
  }, 330_000)

  test('a node whose daemon is away says nothing, and the others do', async () => {
    hosts[1]!.killDaemon()
    await eventually(
      'the other is left',
      () => cp.k('top node --no-headers').trim().split('\n').length === 1 || cp.kubectl('top node').out.includes('<unknown>'),
    )
    expect(cp.kubectl('get --raw /api/v1/nodes/h2/proxy/healthz').err).toContain('no open session')
    hosts[1]!.startDaemon()
    await eventually('both are there', () => json('/apis/metrics.k8s.io/v1beta1/nodes').items.length === 2, 60_000)
  })
})
