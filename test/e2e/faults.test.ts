// Faults under churn: what runs the node side is killed at random while workloads come, change and go. Afterwards what is wanted and what is there agree,
// on every host; nothing is left of what has gone, and no container has been started anew without a cause.
// KEDGE_FAULT_SECONDS says for how long, KEDGE_SEED which faults.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { seeded } from '../api/generate.ts'
import type { ControlPlane } from '../rig/control-plane.ts'
import { eventually, type Host } from '../rig/hosts.ts'
import { Registry } from '../rig/registry.ts'
import { type Stand, standMissing, startStand } from '../rig/stand.ts'

const missing = standMissing()
const SECONDS = Number(process.env.KEDGE_FAULT_SECONDS ?? 60)
const SEED = Number(process.env.KEDGE_SEED ?? (process.env.CI ? 3 : Date.now() % 100_000))
/** How long a host may take to see that its tables are gone, ms. */
const SEEN = 60_000
/** By how much a clock is wrong at most, s. */
const CLOCK_OFF = 3000
/** Between two faults, and between two changes, ms. */
const FAULT_EVERY = 4000
const CHANGE_EVERY = 700

const deployment = (name: string, replicas: number, version = 1, more = '') => `---
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec:
      terminationGracePeriodSeconds: 1
      ${more}
      containers:
      - {name: web, image: "test/web:${version}", ports: [{containerPort: 8080}], readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}}
---
apiVersion: v1
kind: Service
metadata: {name: ${name}}
spec: {selector: {app: ${name}}, ports: [{port: 80, targetPort: 8080}]}
`
const configured = 'volumes: [{name: c, configMap: {name: kube-root-ca.crt}}, {name: e, emptyDir: {medium: Memory}}]'
const pod = (name: string, image: string) => `---
apiVersion: v1
kind: Pod
metadata: {name: ${name}, labels: {app: short}}
spec: {terminationGracePeriodSeconds: 0, restartPolicy: Never, containers: [{name: c, image: "${image}", imagePullPolicy: ${image.startsWith('test/') ? 'IfNotPresent' : 'Always'}, command: [sh, -c, "sleep 3"]}]}
`

describe.skipIf(missing)('faults under churn', () => {
  let stand: Stand
  let cp: ControlPlane
  let registry: Registry
  /** An image that is asked for each time. */
  let remote: string
  const random = seeded(SEED)
  // Of its own, that how fast changes go decides no fault.
  const randomChange = seeded(SEED + 1)
  const pick = <T>(list: readonly T[], by = random): T => list[Math.floor(by() * list.length)]!
  /** Starts of containers that a fault was the cause of, by host. */
  const causes = new Map<string, number>()
  const told: string[] = []

  const pods = (): any[] => JSON.parse(cp.k('get pods -A -o json')).items
  const pause = (ms: number) => new Promise((r) => setTimeout(r, ms))

  const faults: Record<string, (h: Host) => Promise<void> | void> = {
    'the daemon is killed': async (h) => {
      h.killDaemon()
      await pause(random() * 2000)
      h.startDaemon()
    },
    'the tables are flushed': (h) => void h.try('nft flush ruleset'),
    'the proxy is killed': (h) => void h.try('pkill -9 -x haproxy'),
    'dockerd is killed': async (h) => {
      // When it comes back it ends what ran without it.
      causes.set(h.name, (causes.get(h.name) ?? 0) + 1)
      await h.killDocker()
      await pause(random() * 2000)
      await h.startDocker()
    },
    'a container is killed': (h) => {
      causes.set(h.name, (causes.get(h.name) ?? 0) + 1)
      const [id] = h.containers('--filter label=io.kubernetes.container.name=web')
      if (id) h.try(`docker kill ${id}`)
    },
    'a sandbox is killed': (h) => {
      causes.set(h.name, (causes.get(h.name) ?? 0) + 1)
      const [id] = h.containers('--filter label=io.kubernetes.docker.type=podsandbox')
      if (id) h.try(`docker kill ${id}`)
    },
    'the cable is pulled': async (h) => {
      h.cut()
      await pause(1000 + random() * 3000)
      h.mend()
    },
    'the line is thin': async (h) => {
      h.slow('512kbit')
      await pause(2000)
      h.slow(undefined)
    },
    'the registry is away': async () => {
      await registry.close()
      await pause(1000 + random() * 3000)
      await registry.open()
    },
    'runc is killed': async (h) => {
      // It lives for moments: whatever it does in this second is cut short.
      for (let i = 0; i < 20; i++) {
        h.try('pkill -9 -x runc')
        await pause(50)
      }
    },
    'the disk is full': async (h) => {
      h.fillDisk()
      await pause(1000 + random() * 3000)
      h.freeDisk()
    },
    'the clock jumps': (h) => h.setClock(Math.round((random() * 2 - 1) * CLOCK_OFF)),
    'the control plane is killed': async () => {
      await cp.kill()
      await pause(random() * 1500)
      await cp.start()
    },
  }

  beforeAll(async () => {
    stand = await startStand(3, { far: 1, disk: '2G', ownClocks: true })
    cp = stand.cp
    registry = await Registry.start(new URL(cp.url).hostname)
    remote = registry.take(stand.hosts[0]!, 'test/busybox:1', 'busybox:1')
    for (const h of stand.hosts)
      h.run(`docker --config ${h.folder}/data login -u ${registry.user} -p ${registry.password} ${registry.host}`)
    cp.k('apply -f -', { input: deployment('steady', 6, 1, configured) + deployment('moving', 2) })
    cp.k('create ingress steady --rule=steady.test/*=steady:80')
    for (const d of ['steady', 'moving']) cp.k(`rollout status deployment/${d} --timeout=60s`)
  }, 180_000)
  afterAll(async () => {
    await registry?.stop()
    await stand?.stop()
  }, 60_000)

  test(`for ${SECONDS} s, by seed ${SEED}`, { timeout: (SECONDS + 240) * 1000 }, async () => {
    const end = Date.now() + SECONDS * 1000
    let serial = 0
    const changes = [
      () => cp.kubectl('apply -f -', { input: pod(`short-${serial}`, serial++ % 3 ? 'test/busybox:1' : remote) }),
      () => cp.kubectl('delete pod -l app=short --field-selector=status.phase!=Running --wait=false'),
      () => cp.kubectl(`scale deployment/moving --replicas=${1 + Math.floor(randomChange() * 5)}`),
      () => cp.kubectl(`set image deployment/moving web=test/web:${1 + Math.floor(randomChange() * 3)}`),
      () => cp.kubectl('delete pod -l app=moving --wait=false'),
    ]
    const churn = (async () => {
      while (Date.now() < end) {
        // While the control plane is away it is refused: that is what churn meets.
        pick(changes, randomChange)()
        await pause(CHANGE_EVERY)
      }
    })()
    while (Date.now() < end) {
      const [name, fault] = pick(Object.entries(faults))
      const host = pick(stand.hosts)
      told.push(`${name} (${host.name})`)
      await fault(host)
      await pause(FAULT_EVERY * random())
    }
    await churn
    console.log(`${told.length} faults, ${serial} short pods; seed ${SEED}: ${told.join(', ')}`)
    cp.k('delete pod -l app=short --wait=false')
    cp.k('scale deployment/moving --replicas=3')
    for (const d of ['steady', 'moving']) cp.k(`rollout status deployment/${d} --timeout=120s`)
    await eventually('only what is wanted is there', () => pods().length === 9, 90_000)
  })

  test('what is wanted and what is there agree, and nothing is left of what has gone', async () => {
    const api = pods()
    for (const h of stand.hosts) {
      const uids = api
        .filter((p) => p.spec.nodeName === h.name)
        .map((p) => p.metadata.uid)
        .sort()
      const lines = (command: string) => h.try(command).split('\n').filter(Boolean).sort()
      const uidLabel = `{{.Label "io.kubernetes.pod.uid"}}`
      const state = () => ({
        sandboxes: lines(`docker ps --filter label=io.kubernetes.docker.type=podsandbox --format '${uidLabel}'`),
        containers: lines(`docker ps --filter label=io.kubernetes.docker.type=container --format '${uidLabel}'`),
        anyOf: [...new Set(lines(`docker ps -a --format '${uidLabel}'`))],
        interfaces: lines("ip -o link show type veth | grep -v ': eth0'").length,
        addresses: lines(`ls ${h.folder}/data/cni/*/ 2>/dev/null | grep -E '^10\\.'`).length,
        cgroups: lines(`find /sys/fs/cgroup/*/kedge-${h.name}/kubepods -name 'pod*' -printf '%f\\n' | sort -u`),
        folders: lines(`ls ${h.folder}/data/pods`),
        mounts: [...new Set(lines(`grep -o '${h.folder}/data/pods/[^/ ]*' /proc/mounts`).map((m) => m.split('/').at(-1)))],
        logs: lines('ls /var/log/pods')
          .map((d) => d.split('_').at(-1)!)
          .sort(),
      })
      const wanted = {
        sandboxes: uids,
        containers: uids,
        anyOf: uids,
        interfaces: uids.length,
        addresses: uids.length,
        cgroups: uids.map((uid) => `pod${uid}`),
        folders: uids,
        mounts: expect.toSatisfy((m: string[]) => m.every((uid) => uids.includes(uid))),
        logs: uids,
      }
      let last: unknown
      await eventually(`${h.name} is as it should be`, () => {
        last = state()
        try {
          expect(last).toEqual(wanted)
          return true
        } catch {
          return false
        }
      }).catch(() => expect(last).toEqual(wanted))
    }
  })

  test('each host reaches each service, and the ingress answers', async () => {
    const ip = (name: string) => JSON.parse(cp.k(`get service ${name} -o json`)).spec.clusterIP
    for (const h of stand.hosts) {
      for (const name of ['steady', 'moving'])
        await eventually(`${h.name} reaches ${name}`, () => h.try(`wget -q -O - -T 2 -t 1 http://${ip(name)}/`).startsWith(name), SEEN)
      await eventually(`${h.name} serves the ingress`, () =>
        h.try(`wget -q -O - -T 2 -t 1 --header=Host:steady.test http://${h.ip}/`).startsWith('steady'),
      )
    }
  })

  test('no container was started anew without a cause', () => {
    for (const p of pods().filter((x) => x.metadata.labels.app === 'steady')) {
      const { restartCount } = p.status.containerStatuses[0]
      expect(restartCount, `${p.metadata.name} on ${p.spec.nodeName}; ${told.join(', ')}`).toBeLessThanOrEqual(
        causes.get(p.spec.nodeName) ?? 0,
      )
    }
  })
})
