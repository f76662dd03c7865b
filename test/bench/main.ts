// `npm run bench`: raw libSQL and our API side by side in one run, and pod starts against raw Docker. KEDGE_BENCH_PEER=URL,TOKEN adds another API server.
import { execFile, spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { launcher } from '../../cli/processes.ts'
import { freePort, temporaryFolder } from '../rig/sqld.ts'
import { client, type Target } from './client.ts'
import { measureDatabase } from './database.ts'
import { measurePods } from './pods.ts'

const seconds = Number(process.env.KEDGE_BENCH_SECONDS ?? 4)

const rss = (pid: number) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024

type Figures = Record<string, number>

const measureApi = ({ url, token }: Target): Promise<Figures> =>
  new Promise((resolve, reject) =>
    execFile(process.execPath, ['--no-warnings', path.join(import.meta.dirname, 'api.ts'), url, token, String(seconds)], (cause, out) =>
      cause ? reject(cause) : resolve(JSON.parse(out)),
    ),
  )

async function ours(): Promise<Figures> {
  const folder = temporaryFolder('bench-serve')
  const port = await freePort()
  const url = `https://127.0.0.1:${port}`
  const tokens = path.join(folder.path, 'tokens.csv')
  writeFileSync(tokens, 'bench,bench,bench,system:masters\n')
  const serve = () =>
    spawn(launcher, ['serve', '--data', folder.path, '--listen', `127.0.0.1:${port}`, '--token-file', tokens], { stdio: 'ignore' })
  const untilReady = async () => {
    const begun = performance.now()
    const c = client({ url, token: 'bench' }, 1)
    for (;;) {
      const ok = await c.call('GET', '/readyz').then(
        (r) => r.status === 200,
        () => false,
      )
      if (ok) return performance.now() - begun
      await new Promise((r) => setTimeout(r, 5))
    }
  }
  const end = (child: ReturnType<typeof serve>) => {
    const exited = new Promise((r) => child.once('exit', r))
    child.kill('SIGTERM')
    return exited
  }
  let child = serve()
  await untilReady()
  await end(child)
  child = serve()
  const start = await untilReady()
  try {
    const idle = rss(child.pid!)
    const figures = await measureApi({ url, token: 'bench' })
    return { ...figures, 'start to ready, ms': start, 'memory idle, MB': idle, 'memory after the load, MB': rss(child.pid!) }
  } finally {
    await end(child)
    folder.remove()
  }
}

/** kube-apiserver 1.20 with etcd on a machine like this one, https, 16 clients. */
const reference: Figures = {
  'pod creates/s': 1384,
  'gets/s': 3829,
  'lists of 1,000 pods/s': 33,
  'watch fan-out to 50, ms': 3.4,
  'start to ready, ms': 3300,
  'memory after the load, MB': 920,
}

const print = (n: number | undefined) => (n === undefined ? '' : n >= 100 ? Math.round(n).toLocaleString('en') : n.toFixed(1))

const database = await measureDatabase(seconds)
const here = await ours()
const peerSetting = process.env.KEDGE_BENCH_PEER
const [peerUrl, peerToken] = peerSetting?.split(',') ?? []
const peer = peerUrl ? await measureApi({ url: peerUrl, token: peerToken ?? '' }) : undefined
console.log(
  `${'figure'.padEnd(38)}${'kedge'.padStart(12)}${peer ? 'peer'.padStart(12) : ''}${'kube 1.20'.padStart(12)}${'ratio'.padStart(9)}`,
)
for (const [name, value] of Object.entries(database)) console.log(`${name.padEnd(38)}${print(value).padStart(12)}`)
for (const [name, value] of Object.entries(here)) {
  const other = peer?.[name] ?? reference[name]
  console.log(
    `${name.padEnd(38)}${print(value).padStart(12)}${peer ? print(peer[name]).padStart(12) : ''}${print(reference[name]).padStart(12)}${(other ? `${(value / other).toFixed(2)}×` : '').padStart(9)}`,
  )
}
const pods = await measurePods()
if (typeof pods === 'string') console.log(`pod starts were not measured: ${pods}`)
else {
  for (const [name, value] of Object.entries(pods)) console.log(`${name.padEnd(38)}${print(value).padStart(12)}`)
  console.log(
    `one pod against docker run -d: ${(pods['pod create → Ready, ms']! / pods['docker run -d, ms']!).toFixed(2)}×, twenty: ${(pods['twenty pods Ready, ms']! / pods['twenty docker run -d in parallel, ms']!).toFixed(2)}×`,
  )
}
