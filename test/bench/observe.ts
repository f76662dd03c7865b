// `npm run bench:observe`: what it costs the control plane to be observed, at rest and while much happens. Nodes are simulated (test/bench/agents.ts);
// KEDGE_OBSERVE=100 says how many, each with ten pods.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { ControlPlane } from '../rig/control-plane.ts'
import { eventually } from '../rig/hosts.ts'
import { client } from './client.ts'
import { memory, processorTime } from './processes.ts'

const nodes = Number(process.env.KEDGE_OBSERVE ?? 100)
const pods = 10 * nodes
const DEPLOYMENT = '/apis/apps/v1/namespaces/default/deployments/a'
const PATIENCE = 5 * 60_000
/** As Prometheus asks where nobody says otherwise for clusters, s. */
const INTERVAL = 15
const SCRAPES = 20
const ASKED = ['/metrics', '/metrics/objects']

async function measure(): Promise<Record<string, number>> {
  const out: Record<string, number> = { nodes, pods }
  const cp = await ControlPlane.start('127.0.0.1')
  const agents: ChildProcess[] = []
  try {
    const { token } = JSON.parse(cp.k('create --raw /kedge/v1/tokens -f -', { input: JSON.stringify({ uses: nodes }) }))
    const view = ['config', 'view', '--raw', '-o', 'json', '--kubeconfig', cp.kubeconfig]
    const admin = JSON.parse(execFileSync('kubectl', view, { encoding: 'utf8' })).users[0].user.token
    const c = client({ url: cp.url, token: admin }, 4)
    const folder = path.join(cp.folder.path, 'nodes')
    mkdirSync(folder)
    const program = ['--no-warnings', path.join(import.meta.dirname, 'agents.ts')]
    const child = spawn(process.execPath, [...program, cp.url, path.join(cp.folder.path, 'ca.crt'), folder, token, '0', String(nodes)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    agents.push(child)
    await new Promise((r) => child.stdout!.once('data', r))
    const settled = () =>
      eventually(
        `${pods} replicas`,
        async () => {
          const { metadata, status } = JSON.parse((await c.call('GET', DEPLOYMENT)).text)
          const all = [status.replicas, status.updatedReplicas, status.availableReplicas].every((n) => n === pods)
          return all && status.observedGeneration === metadata.generation
        },
        PATIENCE,
      )
    const container = { name: 'c', image: 'one', resources: { requests: { cpu: '10m', memory: '16Mi' } } }
    const template = { metadata: { labels: { app: 'a' } }, spec: { containers: [container] } }
    const spec = { replicas: pods, selector: { matchLabels: { app: 'a' } }, template }
    await c.call(
      'POST',
      '/apis/apps/v1/namespaces/default/deployments',
      JSON.stringify({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'a' }, spec }),
    )
    await settled()

    /** What the database was asked so far. */
    const statements = async (): Promise<number> => {
      const { text } = await c.call('GET', '/metrics')
      return [...text.matchAll(/^kedge_database_statements_total\{.*\} (\d+)$/gm)].reduce((n, m) => n + Number(m[1]), 0)
    }
    const ofAsking = -((await statements()) - (await statements()))
    const before = memory(cp.pid)
    let cost = 0
    for (const at of ASKED) {
      const asked = await statements()
      const begun = processorTime(cp.pid)
      let bytes = 0
      for (let i = 0; i < SCRAPES; i++) bytes = (await c.call('GET', at)).text.length
      const seconds = (processorTime(cp.pid) - begun) / SCRAPES
      out[`${at}: processor, ms`] = seconds * 1000
      out[`${at}: KB`] = bytes / 1024
      out[`${at}: statements`] = ((await statements()) - asked - ofAsking) / SCRAPES
      cost += seconds
    }
    out[`asked every ${INTERVAL} s, % of a processor`] = (100 * cost) / INTERVAL
    out['memory that this takes, MB'] = memory(cp.pid) - before

    const update = async (image: string): Promise<number> => {
      const begun = performance.now()
      const patch = [{ op: 'replace', path: '/spec/template/spec/containers/0/image', value: image }]
      await c.call('PATCH', DEPLOYMENT, JSON.stringify(patch), 'application/json-patch+json')
      await settled()
      return (performance.now() - begun) / 1000
    }
    // By turns, so that neither has the warmer process.
    const [alone, observed]: number[][] = [[], []]
    for (let i = 0; i < 3; i++) {
      alone!.push(await update(`alone-${i}`))
      const timer = setInterval(() => void Promise.all(ASKED.map((at) => c.call('GET', at))), INTERVAL * 1000)
      for (const at of ASKED) void c.call('GET', at)
      observed!.push(await update(`observed-${i}`))
      clearInterval(timer)
    }
    const median = (list: number[]) => list.toSorted((a, b) => a - b)[1]!
    out['rolling update, s'] = median(alone!)
    out['rolling update while observed, s'] = median(observed!)
    out['the one against the other'] = median(observed!) / median(alone!)
    return out
  } finally {
    for (const a of agents) a.kill('SIGKILL')
    await cp.stop()
  }
}

for (const [name, value] of Object.entries(await measure()))
  console.log(name.padEnd(48), value >= 100 ? Math.round(value) : value.toFixed(2))
process.exit(0)
