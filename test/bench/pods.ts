// Pod start on a test host: create → Ready against one raw `docker run -d` of the same image on a bridge, alone and twenty at once.
import { execFile } from 'node:child_process'
import { eventually, type Host, rigMissing } from '../rig/hosts.ts'
import { startStand } from '../rig/stand.ts'
import { client, median } from './client.ts'

const ROUNDS = 10
const MANY = 20

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
    const stop = await c.watch('/api/v1/namespaces/default/pods?watch=1', (text) => {
      const e = JSON.parse(text)
      if (e.object?.status?.conditions?.some((x: any) => x.type === 'Ready' && x.status === 'True'))
        ready.get(e.object.metadata.name)?.(performance.now())
    })
    const start = async (name: string) => {
      const seen = new Promise<number>((r) => ready.set(name, r))
      const body = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name },
        spec: { terminationGracePeriodSeconds: 0, containers: [{ name: 'web', image: 'test/web:1', imagePullPolicy: 'IfNotPresent' }] },
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
    stop()
    return {
      'pod create → Ready, ms': median(ours),
      'docker run -d, ms': median(raw),
      'twenty pods Ready, ms': many,
      'twenty docker run -d in parallel, ms': rawMany,
    }
  } finally {
    await stand.stop()
  }
}
