// How fast the scheduler places pods: nodes that are objects only, pods that wait until another scheduler's lease is taken away, and a watch that counts.
// `node test/bench/placing.ts NODES PODS` measures it alone.
import { execFileSync } from 'node:child_process'
import { pathToFileURL } from 'node:url'
import { timeString } from '../../shared/meta/object.ts'
import { ControlPlane } from '../rig/control-plane.ts'
import { client } from './client.ts'

const TOGETHER = 16
const capacity = { cpu: '64', memory: '256Gi', pods: '250', 'ephemeral-storage': '100Gi' }
const LEASES = '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases'
const ZONES = 3
const QUIET = 500

const nodeObject = (i: number) => {
  const now = timeString(Date.now())
  const conditions = [
    { type: 'Ready', status: 'True', reason: 'KubeletReady', message: '', lastTransitionTime: now, lastHeartbeatTime: now },
  ]
  const labels = { 'kubernetes.io/hostname': `n-${i}`, 'topology.kubernetes.io/zone': `zone-${i % ZONES}` }
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: `n-${i}`, labels },
    status: { capacity, allocatable: capacity, conditions },
  }
}

const podObject = (i: number) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: `p-${i}`, labels: { app: 'a' } },
  spec: { containers: [{ name: 'c', image: 'one', resources: { requests: { cpu: '10m', memory: '16Mi' } } }] },
})

/** Pods bound a second, from the first that was to the last. */
export async function placed(nodes: number, pods: number): Promise<number> {
  const cp = await ControlPlane.start('127.0.0.1')
  try {
    const admin = JSON.parse(
      execFileSync('kubectl', ['config', 'view', '--raw', '-o', 'json', '--kubeconfig', cp.kubeconfig], { encoding: 'utf8' }),
    ).users[0].user.token
    const c = client({ url: cp.url, token: admin }, TOGETHER)
    const must = async (method: string, at: string, body?: unknown) => {
      const r = await c.call(method, at, body === undefined ? undefined : JSON.stringify(body))
      if (r.status >= 300) throw new Error(`${method} ${at}: ${r.text}`)
    }
    const many = async (count: number, make: (i: number) => Promise<unknown>) => {
      let next = 0
      await Promise.all(
        Array.from({ length: TOGETHER }, async () => {
          while (next < count) await make(next++)
        }),
      )
    }
    const spec = { holderIdentity: 'bench', leaseDurationSeconds: 3600, renewTime: new Date().toISOString().replace('Z', '000Z') }
    await must('POST', LEASES, { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: 'kube-scheduler' }, spec })
    await many(nodes, (i) => must('POST', '/api/v1/nodes', nodeObject(i)))
    await many(pods, (i) => must('POST', '/api/v1/namespaces/default/pods', podObject(i)))
    // Nodes get ranges, taints and hints: that is another's work, and not to be measured.
    const version = async () => JSON.parse((await c.call('GET', '/api/v1/namespaces?limit=1')).text).metadata.resourceVersion
    for (let before = ''; ; await new Promise((r) => setTimeout(r, QUIET))) {
      const now = await version()
      if (now === before) break
      before = now
    }
    let bound = 0
    let [first, last] = [0, 0]
    const all = Promise.withResolvers<void>()
    const stop = await c.watch('/api/v1/pods?watch=1&fieldSelector=spec.nodeName!%3D&allowWatchBookmarks=false', () => {
      last = performance.now()
      first ||= last
      if (++bound === pods) all.resolve()
    })
    await must('DELETE', `${LEASES}/kube-scheduler`)
    await all.promise
    stop()
    return (pods / (last - first)) * 1000
  } finally {
    await cp.stop()
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]!).href)
  console.log(Math.round(await placed(Number(process.argv[2]), Number(process.argv[3]))), 'pods/s')
