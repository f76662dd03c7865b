// Workloads with real containers on real nodes: members that keep their data, daemons that follow the nodes, jobs that count, drains that respect budgets.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isReady } from '../../shared/meta/conditions.ts'
import { eventually } from '../rig/hosts.ts'
import { nodesReady } from '../rig/ready.ts'
import { type Stand, standMissing, startStand } from '../rig/stand.ts'

const missing = standMissing()

/** Storage by hand: a folder on each host for a member. */
const volume = (n: number, host: string) => `
apiVersion: v1
kind: PersistentVolume
metadata: {name: redis-${n}}
spec:
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteOnce]
  storageClassName: by-hand
  hostPath: {path: /var/log/redis-${n}, type: DirectoryOrCreate}
  nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [${host}]}]}]}}
---`

const redis = `
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: by-hand}
provisioner: kubernetes.io/no-provisioner
volumeBindingMode: WaitForFirstConsumer
---
${volume(0, 'h1')}
${volume(1, 'h2')}
${volume(2, 'h1')}
apiVersion: v1
kind: Service
metadata: {name: redis}
spec: {clusterIP: None, selector: {app: redis}, ports: [{port: 6379}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: redis}
spec:
  serviceName: redis
  replicas: 3
  selector: {matchLabels: {app: redis}}
  template:
    metadata: {labels: {app: redis}}
    spec:
      terminationGracePeriodSeconds: 5
      containers:
      - name: redis
        image: test/redis:1
        imagePullPolicy: IfNotPresent
        command: [redis-server, --protected-mode, "no", --dir, /data, --appendonly, "yes", --appendfsync, always]
        readinessProbe: {tcpSocket: {port: 6379}, periodSeconds: 1}
        volumeMounts: [{name: data, mountPath: /data}]
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {storageClassName: by-hand, accessModes: [ReadWriteOnce], resources: {requests: {storage: 500Mi}}}
`

const agent = `
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: a, image: "test/busybox:1", imagePullPolicy: IfNotPresent, command: [sleep, "36000"]}]
`

const job = `
apiVersion: batch/v1
kind: Job
metadata: {name: fifty}
spec:
  completions: 50
  parallelism: 10
  backoffLimit: 100
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 1
      containers: [{name: c, image: "test/busybox:1", imagePullPolicy: IfNotPresent, command: [sh, -c, "sleep 0.5"]}]
`

const guarded = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: guarded}
spec:
  replicas: 4
  selector: {matchLabels: {app: guarded}}
  template:
    metadata: {labels: {app: guarded}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: web
        image: test/web:1
        imagePullPolicy: IfNotPresent
        readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: guarded}
spec: {minAvailable: 3, selector: {matchLabels: {app: guarded}}}
`

describe.skipIf(missing)('workloads', () => {
  let stand: Stand
  const k = (args: string, input?: string) => stand.cp.k(args, input === undefined ? {} : { input })
  const json = (args: string) => JSON.parse(k(`${args} -o json`))
  const pods = (app: string): any[] => json(`get pods -l app=${app}`).items

  beforeAll(async () => {
    stand = await startStand(3, { joining: 2 })
  })
  afterAll(() => stand?.stop())

  test('members of a stateful set keep their data, whatever dies', async () => {
    k('apply -f -', redis)
    k('rollout status statefulset/redis --timeout=90s')
    const where = Object.fromEntries(pods('redis').map((p) => [p.metadata.name, p.spec.nodeName]))
    // The first two volumes that fit are taken; each member runs where its volume is.
    for (const c of json('get pvc').items) {
      const member = c.metadata.name.replace('data-', '')
      const { spec } = json(`get pv ${c.spec.volumeName}`)
      expect(spec.nodeAffinity.required.nodeSelectorTerms[0].matchExpressions[0].values).toEqual([where[member]])
    }
    for (const n of [0, 1, 2]) k(`exec redis-${n} -- redis-cli set member redis-${n}`)
    k('delete pod redis-1 --grace-period=0 --force')
    stand.hosts[0]!.killDaemon()
    k('delete pod redis-2 --wait=false')
    stand.hosts[0]!.startDaemon()
    await eventually(
      'all are back',
      () => {
        const all = pods('redis')
        return all.length === 3 && all.every((p) => isReady(p) && !p.metadata.deletionTimestamp)
      },
      90_000,
    )
    for (const n of [0, 1, 2]) expect(k(`exec redis-${n} -- redis-cli get member`).trim()).toBe(`redis-${n}`)
    k('delete statefulset redis')
    await eventually('they are gone', () => pods('redis').length === 0, 60_000)
    expect(json('get pvc').items).toHaveLength(3)
  })

  test('a daemon set follows the nodes that come and go', async () => {
    k('apply -f -', agent)
    k('rollout status daemonset/agent --timeout=60s')
    expect(
      pods('agent')
        .map((p) => p.spec.nodeName)
        .sort(),
    ).toEqual(['h1', 'h2'])
    const third = stand.hosts[2]!
    third.startDaemon(stand.cp.url, stand.cp.joinToken())
    await nodesReady(stand.cp, stand.hosts)
    await eventually('it has its pod', () => pods('agent').some((p) => p.spec.nodeName === 'h3' && isReady(p)), 60_000)
    third.killDaemon()
    k('delete node h3')
    await eventually(
      'its pod has gone with it',
      () => pods('agent').every((p) => p.spec.nodeName !== 'h3') && json('get daemonset agent').status.desiredNumberScheduled === 2,
      90_000,
    )
    k('delete daemonset agent')
  })

  test('a job of fifty counts exactly, while its pods and the control plane are killed', async () => {
    k('apply -f -', job)
    const status = () => json('get job fifty').status
    const killed = new Set<string>()
    for (const done of [8, 20, 32]) {
      await eventually('it goes on', () => (status().succeeded ?? 0) >= done, 120_000)
      const running = json('get pods -l job-name=fifty --field-selector=status.phase=Running').items
      for (const p of running.slice(0, 2)) {
        killed.add(p.metadata.name)
        k(`delete pod ${p.metadata.name} --wait=false`)
      }
      if (done !== 20) continue
      await stand.cp.kill()
      await stand.cp.start()
    }
    k('wait job/fifty --for=condition=Complete --timeout=180s')
    const { succeeded, failed = 0 } = status()
    expect(succeeded).toBe(50)
    // A killed pod is one that failed, or had ended before it was; it is no more there to tell.
    const all = json('get pods -l job-name=fifty').items
    const left = all.filter((p: any) => p.status.phase === 'Succeeded').length
    expect(50 - left + failed).toBe(killed.size)
    expect(all.filter((p: any) => p.metadata.finalizers?.length)).toEqual([])
    k('delete job fifty')
  })

  test('a drain goes no faster than the budget lets it', async () => {
    k('apply -f -', guarded)
    k('rollout status deployment/guarded --timeout=60s')
    await eventually('the budget knows', () => json('get pdb guarded').status.disruptionsAllowed === 1)
    let fewest = 4
    let over = false
    const watching = (async () => {
      while (!over) {
        fewest = Math.min(fewest, pods('guarded').filter((p) => isReady(p) && !p.metadata.deletionTimestamp).length)
        await new Promise((r) => setTimeout(r, 100))
      }
    })()
    const drain = ['drain', 'h1', '--ignore-daemonsets', '--delete-emptydir-data', '--force', '--timeout=120s']
    await promisify(execFile)('kubectl', drain, { env: { ...process.env, KUBECONFIG: stand.cp.kubeconfig } }).finally(() => {
      over = true
    })
    await watching
    expect(fewest).toBeGreaterThanOrEqual(3)
    expect(pods('guarded').filter((p) => p.spec.nodeName === 'h1' && !p.metadata.deletionTimestamp)).toEqual([])
    k('uncordon h1')
  })
})
