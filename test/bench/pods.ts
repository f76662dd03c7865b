// Pod start on a test host: create → Ready against one raw `docker run -d` of the same image on a bridge, alone and twenty at once.
import { execFile } from 'node:child_process'
import { eventually, type Host, rigMissing } from '../rig/hosts.ts'
import { startStand } from '../rig/stand.ts'
import { client, median } from './client.ts'

const ROUNDS = 10
const MANY = 20
const EXITS = 30

const docker = (host: Host, ...args: string[]): Promise<string> =>
  new Promise((resolve, reject) =>
    execFile('docker', args, { env: { ...process.env, DOCKER_HOST: `unix://${host.docker}` } }, (cause, out) =>
      cause ? reject(cause) : resolve(out.trim()),
    ),
  )

async function timed(run: () => Promise<unknown>): Promise<number> {
  const begun = performance.now()
  await run()
  return performance.now() - begun
}

/** Undefined (and why) where no test host can be made. */
export async function measurePods(): Promise<Record<string, number> | string> {
  const missing = rigMissing()
  if (missing) return missing
  const stand = await startStand(1)
  try {
    const { cp } = stand
    const [host] = stand.hosts as [Host]
    await eventually('the service account is there', () => cp.kubectl('get sa default').code === 0)
    // A bridge with a network of its own for the raw runs: the rig's dockerd has none.
    await docker(host, 'network', 'create', '-o', 'com.docker.network.bridge.enable_ip_masquerade=false', 'raw').catch(() => '')
    const token = JSON.parse(cp.k('config view --raw -o json')).users[0].user.token
    const c = client({ url: cp.url, token }, MANY)
    const ready = new Map<string, (at: number) => void>()
    const ended = new Map<string, (at: number) => void>()
    const gone = new Map<string, (at: number) => void>()
    const stop = await c.watch('/api/v1/namespaces/default/pods?watch=1', (text) => {
      const { type, object } = JSON.parse(text)
      const tell = (who: typeof ready) => who.get(object.metadata.name)?.(performance.now())
      if (object?.status?.conditions?.some((x: any) => x.type === 'Ready' && x.status === 'True')) tell(ready)
      if (['Failed', 'Succeeded'].includes(object?.status?.phase)) tell(ended)
      if (type === 'DELETED') tell(gone)
    })
    const heard = (who: typeof ready, name: string) => new Promise<number>((r) => who.set(name, r))
    const start = async (name: string, spec: object = {}, container: object = {}) => {
      const seen = heard(ready, name)
      const web = { name: 'web', image: 'test/web:1', imagePullPolicy: 'IfNotPresent', ...container }
      const body = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name },
        spec: { terminationGracePeriodSeconds: 0, containers: [web], ...spec },
      }
      const r = await c.call('POST', '/api/v1/namespaces/default/pods', JSON.stringify(body))
      if (r.status !== 201) throw new Error(r.text)
      await seen
    }
    const ours: number[] = []
    const raw: number[] = []
    for (let i = 0; i < ROUNDS; i++) {
      ours.push(await timed(() => start(`one-${i}`)))
      raw.push(await timed(() => docker(host, 'run', '-d', '--network', 'raw', '--name', `raw-${i}`, 'test/web:1')))
    }
    for (let i = 0; i < ROUNDS; i++) {
      cp.k(`delete pod one-${i} --grace-period=0 --force`)
      await docker(host, 'rm', '-f', `raw-${i}`)
    }
    await eventually('they are gone', () => host.containers().length === 0)
    const many = await timed(() => Promise.all(Array.from({ length: MANY }, (_, i) => start(`many-${i}`))))
    cp.k('delete pod --all --grace-period=0 --force')
    await eventually('they are gone', () => host.containers().length === 0, 60_000)
    const rawMany = await timed(() =>
      Promise.all(Array.from({ length: MANY }, (_, i) => docker(host, 'run', '-d', '--network', 'raw', '--name', `rm-${i}`, 'test/web:1'))),
    )
    await docker(host, 'rm', '-f', ...Array.from({ length: MANY }, (_, i) => `rm-${i}`))
    const exits: number[] = []
    for (let i = 0; i < EXITS; i++) {
      const name = `exit-${i}`
      await start(name, { restartPolicy: 'Never' })
      const id = await docker(
        host,
        'ps',
        '-q',
        '--filter',
        `label=io.kubernetes.pod.name=${name}`,
        '--filter',
        'label=io.kubernetes.container.name=web',
      )
      const seen = heard(ended, name).then(() => Date.now())
      await docker(host, 'kill', id)
      // When it ended, by Docker: before that it was Docker's time.
      const { FinishedAt } = JSON.parse(await docker(host, 'inspect', '-f', '{{json .State}}', id))
      exits.push((await seen) - Date.parse(FinishedAt))
    }
    const late: number[] = []
    const stubborn = { command: ['sh', '-c', 'trap : TERM; while :; do sleep 0.1; done'] }
    for (let i = 0; i < ROUNDS; i++) {
      await start(`stubborn-${i}`, { terminationGracePeriodSeconds: 1 }, stubborn)
      const seen = heard(gone, `stubborn-${i}`)
      const begun = performance.now()
      await c.call('DELETE', `/api/v1/namespaces/default/pods/stubborn-${i}`)
      late.push((await seen) - begun - 1000)
    }
    stop()
    return {
      'pod create → Ready, ms': median(ours),
      'docker run -d, ms': median(raw),
      'twenty pods Ready, ms': many,
      'twenty docker run -d in parallel, ms': rawMany,
      'exit → status, p99, ms': exits.toSorted((a, b) => a - b).at(-1)!,
      'exit → status, median, ms': median(exits),
      'gone after its grace, median, ms': median(late),
    }
  } finally {
    await stand.stop()
  }
}
