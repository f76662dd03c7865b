// The API's figures against one server: creates, gets, lists, watch fan-out. A process of its own, `node api.ts URL TOKEN SECONDS`,
// so that the client's speed does not depend on what was measured before; prints JSON.
import { client, median, type Target, throughput } from './client.ts'

const CLIENTS = 16
const NS = 'bench'
const pods = `/api/v1/namespaces/${NS}/pods`

const pod = (name: string, i: number) =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { app: `app-${i % 10}`, tier: 'bench' } },
    spec: {
      nodeName: `bench-node-${i % 20}`,
      automountServiceAccountToken: false,
      containers: [
        {
          name: 'main',
          image: 'nginx:1.25',
          ports: [{ containerPort: 80, name: 'http' }],
          env: [{ name: 'A', value: '1' }],
          resources: { requests: { cpu: '10m', memory: '16Mi' } },
          readinessProbe: { httpGet: { path: '/', port: 'http' } },
        },
      ],
    },
  })

type Figures = Record<string, number>

/** Every figure of a server that holds nothing of ours yet; what was made is deleted at the end. */
async function measureApi(target: Target, seconds: number): Promise<Figures> {
  const c = client(target, CLIENTS)
  const ok = async (method: string, path: string, body?: string, type?: string) => {
    const r = await c.call(method, path, body, type)
    if (r.status >= 400) throw new Error(`${method} ${path}: ${r.status} ${r.text.slice(0, 300)}`)
    return r.text
  }
  const out: Figures = {}
  await c.call('POST', '/api/v1/namespaces', JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NS } }))
  await c.call(
    'POST',
    `/api/v1/namespaces/${NS}/serviceaccounts`,
    JSON.stringify({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } }),
  )
  // Warm: the first thousands of requests compile what the others run.
  const load = (prefix: string) => (i: number) => ok('POST', pods, pod(`${prefix}-${i}`, i).replace('"tier":"bench"', '"tier":"load"'))
  const unload = async () => {
    for (;;) {
      const left = JSON.parse(await ok('GET', `${pods}?labelSelector=tier%3Dload&limit=500`)).items as any[]
      if (!left.length) break
      for (let at = 0; at < left.length; at += CLIENTS)
        await Promise.all(left.slice(at, at + CLIENTS).map((p) => c.call('DELETE', `${pods}/${p.metadata.name}?gracePeriodSeconds=0`)))
    }
  }
  await throughput(CLIENTS, seconds * 1000, load('w'))
  await unload()
  for (let i = 0; i < 1000; i++) await ok('POST', pods, pod(`p-${i}`, i))

  out['pod creates/s'] = await throughput(CLIENTS, seconds * 1000, load('q'))
  await unload()
  out['gets/s'] = await throughput(CLIENTS, seconds * 1000, (i) => ok('GET', `${pods}/p-${i % 1000}`))
  out['lists of 1,000 pods/s'] = await throughput(CLIENTS, seconds * 1000, () => c.drain(pods))
  out['lists by label (100)/s'] = await throughput(CLIENTS, seconds * 500, (i) => c.drain(`${pods}?labelSelector=app%3Dapp-${i % 10}`))
  out['lists by node (50)/s'] = await throughput(CLIENTS, seconds * 500, (i) =>
    c.drain(`${pods}?fieldSelector=spec.nodeName%3Dbench-node-${i % 20}`),
  )
  out['patches/s'] = await throughput(CLIENTS, seconds * 500, (i) =>
    ok('PATCH', `${pods}/p-${i % 1000}`, JSON.stringify({ metadata: { annotations: { n: String(i) } } }), 'application/merge-patch+json'),
  )
  out['watch fan-out to 50, ms'] = await fanOut(c, ok)
  await c.call('DELETE', `/api/v1/namespaces/${NS}`)
  return out
}

/** From sending a write to the moment the median of 50 watchers has its event. */
async function fanOut(c: ReturnType<typeof client>, ok: (method: string, path: string, body?: string) => Promise<string>): Promise<number> {
  const path = `/api/v1/namespaces/${NS}/configmaps`
  let seen: number[] = []
  let all = () => {}
  const stops = await Promise.all(
    Array.from({ length: 50 }, () =>
      c.watch(`${path}?watch=1`, (text) => {
        if (text.includes('"name":"f-') && seen.push(performance.now()) === 50) all()
      }),
    ),
  )
  await new Promise((r) => setTimeout(r, 500))
  const times: number[] = []
  for (let i = 0; i < 200; i++) {
    seen = []
    const everyone = new Promise<void>((resolve) => {
      all = resolve
    })
    const begun = performance.now()
    await ok(
      'POST',
      path,
      JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `f-${i}` }, data: { x: 'y'.repeat(200) } }),
    )
    await everyone
    times.push(median(seen) - begun)
  }
  for (const s of stops) s()
  return median(times)
}

const [url, token, seconds] = process.argv.slice(2) as [string, string, string]
process.stdout.write(JSON.stringify(await measureApi({ url, token }, Number(seconds))), () => process.exit())
