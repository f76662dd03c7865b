// `npm run bench:scale`: how the control plane bears many nodes. They are simulated, with real sessions and no containers (test/bench/agents.ts).
// KEDGE_SCALE=10,100,1000 chooses the numbers of nodes, KEDGE_SCALE_PODS how many pods there are for each of them; KEDGE_SCALE_PLATFORM=workers
// measures workerd, and what the Worker's heap holds.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { ControlPlane } from '../rig/control-plane.ts'
import { eventually } from '../rig/hosts.ts'
import { temporaryFolder } from '../rig/sqld.ts'
import { client } from './client.ts'
import { placed } from './placing.ts'
import { memory, processorTime } from './processes.ts'
import { heapProbe } from './worker-heap.ts'

const sizes = (process.env.KEDGE_SCALE ?? '10,100,1000').split(',').map(Number)
const perNode = Number(process.env.KEDGE_SCALE_PODS ?? 10)
/** Pods that are placed by the scheduler alone, for its rate. */
const MOST_PLACED = 5000
/** How long nodes may be silent. */
const GRACE_S = 20
const platform = process.env.KEDGE_SCALE_PLATFORM ?? 'node'
const PATIENCE = 10 * 60_000
const DEPLOYMENT = '/apis/apps/v1/namespaces/default/deployments/a'

const children = (pid: number): number[] => {
  const direct = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
  return direct.flatMap((c) => [c, ...children(c)])
}
/** Of the process that serves, MB. */
const rss = (pid: number): number => {
  const workerd = children(pid).filter((c) => readFileSync(`/proc/${c}/comm`, 'utf8').trim() === 'workerd')
  return platform === 'workers' ? Math.max(...workerd.map(memory)) : memory(pid)
}
async function measure(nodes: number): Promise<Record<string, number>> {
  const pods = nodes * perNode
  const out: Record<string, number> = { nodes, pods }
  const tools = temporaryFolder('probe')
  const probe = platform === 'workers' ? await heapProbe(tools.path) : undefined
  const flags = ['--node-monitor-grace-period', String(GRACE_S), '--platform', platform]
  const cp = await ControlPlane.start('127.0.0.1', flags, probe?.env)
  const agents: ChildProcess[] = []
  try {
    const caFile = path.join(cp.folder.path, 'ca.crt')
    const { token } = JSON.parse(cp.k('create --raw /kedge/v1/tokens -f -', { input: JSON.stringify({ uses: nodes }) }))
    const admin = JSON.parse(
      execFileSync('kubectl', ['config', 'view', '--raw', '-o', 'json', '--kubeconfig', cp.kubeconfig], { encoding: 'utf8' }),
    ).users[0].user.token
    const c = client({ url: cp.url, token: admin }, 4)
    out['memory empty, MB'] = rss(cp.pid)
    const get = async (at: string) => JSON.parse((await c.call('GET', at)).text)
    const timed = async (what: string, run: () => Promise<unknown>): Promise<number> => {
      const begun = performance.now()
      await run()
      const seconds = (performance.now() - begun) / 1000
      out[what] = seconds
      return seconds
    }
    const settled = (replicas: number) =>
      eventually(
        `${replicas} replicas`,
        async () => {
          const { metadata, spec, status } = await get(DEPLOYMENT)
          const all = [status.replicas, status.updatedReplicas, status.availableReplicas].every((n) => (n ?? 0) === replicas)
          return all && spec.replicas === replicas && status.observedGeneration === metadata.generation
        },
        PATIENCE,
      )

    const folder = path.join(cp.folder.path, 'nodes')
    mkdirSync(folder)
    const join = async (first: number, count: number) => {
      const program = ['--no-warnings', path.join(import.meta.dirname, 'agents.ts')]
      const child = spawn(process.execPath, [...program, cp.url, caFile, folder, token, String(first), String(count)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      agents.push(child)
      await new Promise((r) => child.stdout!.once('data', r))
    }
    // A tenth of them is of another process, which is killed later.
    const lost = Math.max(1, Math.floor(nodes / 10))
    await timed('nodes joined, s', () => Promise.all([join(0, nodes - lost), join(nodes - lost, lost)]))
    const body = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'a' },
      spec: {
        replicas: pods,
        selector: { matchLabels: { app: 'a' } },
        strategy: { rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
        template: {
          metadata: { labels: { app: 'a' } },
          spec: { containers: [{ name: 'c', image: 'one', resources: { requests: { cpu: '10m', memory: '16Mi' } } }] },
        },
      },
    }
    const heap = await probe?.watched()
    const ready = await timed('all ready, s', async () => {
      const r = await c.call('POST', '/apis/apps/v1/namespaces/default/deployments', JSON.stringify(body))
      if (r.status !== 201) throw new Error(r.text)
      await settled(pods)
    })
    out['pods/s to ready'] = pods / ready
    await timed('rolling update, s', async () => {
      const patch = [{ op: 'replace', path: '/spec/template/spec/containers/0/image', value: 'two' }]
      await c.call('PATCH', DEPLOYMENT, JSON.stringify(patch), 'application/json-patch+json')
      await settled(pods)
    })
    out['memory, MB'] = rss(cp.pid)
    if (probe && heap) {
      out['heap at most, MB'] = heap()
      out['heap, MB'] = await probe.used()
    }
    const [before, at] = [processorTime(cp.pid), performance.now()]
    await new Promise((r) => setTimeout(r, 5000))
    out['processor at rest, %'] = ((processorTime(cp.pid) - before) * 100_000) / (performance.now() - at)
    out['memory per 1000 pods, MB'] = (out['memory, MB']! - out['memory empty, MB']!) / (pods / 1000)
    await cp.kill()
    await timed('restart to all well, s', async () => {
      await cp.start()
      const patch = JSON.stringify({ spec: { replicas: pods + 1 } })
      await eventually(
        'it takes writes',
        async () => (await c.call('PATCH', DEPLOYMENT, patch, 'application/merge-patch+json')).status === 200,
      )
      await settled(pods + 1)
    })
    // A tenth of the nodes goes at once: seen, then taken out of the cluster, and their pods made anew on others.
    const before100 = await get(DEPLOYMENT)
    agents[1]!.kill('SIGKILL')
    const unseen = await timed('loss seen, s', () =>
      eventually(
        'fewer are available',
        async () => (await get(DEPLOYMENT)).status.availableReplicas <= before100.spec.replicas - lost,
        PATIENCE,
      ),
    )
    out['loss seen, s'] = Math.max(0, unseen - GRACE_S)
    await timed('a tenth replaced, s', async () => {
      for (let i = nodes - lost; i < nodes; i++) await c.call('DELETE', `/api/v1/nodes/sim-${i}`)
      await settled(before100.spec.replicas)
    })
    return out
  } finally {
    for (const a of agents) a.kill('SIGKILL')
    await cp.stop()
    tools.remove()
  }
}

const columns: Record<string, number>[] = []
for (const n of sizes) {
  const column = await measure(n)
  if (platform === 'node') column['pods/s placed'] = await placed(n, Math.min(n * perNode, MOST_PLACED))
  columns.push(column)
  // What was measured is not lost when a larger one fails.
  console.error(JSON.stringify(column))
}
for (const name of Object.keys(columns[0]!))
  console.log(
    name.padEnd(26),
    ...columns.map((c) => (c[name]! >= 100 ? Math.round(c[name]!).toString() : c[name]!.toFixed(1)).padStart(10)),
  )
