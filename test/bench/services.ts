// The service table: one endpoint's change at 10,000 services against the same at 100, and a connection's first packet through it against one DNAT rule.
// Each in a network of its own, side by side.
import { execFile, execFileSync } from 'node:child_process'
import { connect, createServer } from 'node:net'
import { quietLog } from '../../node-agent/log.ts'
import { ServiceProxy } from '../../node-agent/network/service-proxy.ts'
import { median } from './client.ts'

const CHANGES = 60
const CONNECTIONS = 1500
const ROUNDS = 3
const ENDPOINTS = ['10.244.0.1', '10.244.0.2', '10.244.0.3']
const PORT = 8080
const vip = (i: number) => `10.${96 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`

interface Figures {
  /** ms */
  change?: number
  /** µs */
  connect: number
}

async function connections(to: string): Promise<number> {
  const times: number[] = []
  for (let i = 0; i < CONNECTIONS; i++) {
    const begun = performance.now()
    await new Promise<void>((resolve, reject) => {
      const s = connect({ host: to, port: 80 }, () => {
        times.push(performance.now() - begun)
        s.destroy()
        resolve()
      })
      s.on('error', reject)
    })
  }
  return median(times) * 1000
}

/** In a network of its own: a table for so many services, or one rule. */
async function measure(services: number): Promise<Figures> {
  const ip = (...args: string[]) => execFileSync('ip', args)
  ip('link', 'set', 'lo', 'up')
  for (const e of ENDPOINTS) ip('address', 'add', `${e}/32`, 'dev', 'lo')
  ip('route', 'add', '10.96.0.0/12', 'dev', 'lo')
  const server = createServer((s) => s.on('error', () => {}).end())
  await new Promise<void>((r) => server.listen(PORT, '0.0.0.0', r))
  if (!services) {
    const rule = `table ip one {\n chain output {\n  type nat hook output priority -100;\n  ip daddr ${vip(300)} tcp dport 80 dnat to ${ENDPOINTS[0]}:${PORT}\n }\n}\n`
    execFileSync('nft', ['-f', '-'], { input: rule })
    return { connect: await connections(vip(300)) }
  }
  const endpoints = Array.from({ length: services }, (_, i) => [ENDPOINTS[i % 3]!, ENDPOINTS[(i + 1) % 3]!])
  const key = (i: number) => `default/s${i}`
  const at = (k: string) => Number(k.slice('default/s'.length))
  const proxy = new ServiceProxy(
    { podCidr: '10.244.0.0/16', serviceCidr: '10.96.0.0/12' },
    {
      services: () => endpoints.map((_, i) => key(i)),
      service: (k) => ({
        metadata: { namespace: 'default', name: k.slice('default/'.length) },
        spec: { clusterIP: vip(at(k) + 300), ports: [{ name: 'http', port: 80, protocol: 'TCP' }] },
      }),
      slicesOf: (k) => [
        {
          addressType: 'IPv4',
          ports: [{ name: 'http', port: PORT, protocol: 'TCP' }],
          endpoints: endpoints[at(k)]!.map((a) => ({ addresses: [a], conditions: { ready: true } })),
        },
      ],
      localPods: () => [],
      here: () => ({ node: 'here' }),
    },
    quietLog,
  )
  proxy.allChanged()
  await proxy.idle()
  const times: number[] = []
  for (let n = 0; n < CHANGES; n++) {
    const i = (n * 7919) % services
    endpoints[i] = endpoints[i]!.length === 2 ? [endpoints[i]![0]!] : [endpoints[i]![0]!, ENDPOINTS[n % 3]!]
    const begun = performance.now()
    proxy.changed(key(i))
    await proxy.idle()
    times.push(performance.now() - begun)
  }
  const first = await connections(vip(300))
  proxy.close()
  return { change: median(times), connect: first }
}

const inNetwork = (services: number): Promise<Figures> =>
  new Promise((resolve, reject) =>
    execFile('unshare', ['-n', process.execPath, '--no-warnings', import.meta.filename, String(services)], (cause, out) =>
      cause ? reject(cause) : resolve(JSON.parse(out)),
    ),
  )

export async function measureServices(): Promise<Record<string, number> | string> {
  if (process.getuid?.() !== 0) return 'networks of their own need root'
  const rounds: [Figures, Figures, Figures][] = []
  for (let i = 0; i < ROUNDS; i++) rounds.push([await inNetwork(0), await inNetwork(100), await inNetwork(10_000)])
  const of = (pick: (r: [Figures, Figures, Figures]) => number) => median(rounds.map(pick))
  const [small, large] = [of(([, s]) => s.change!), of(([, , l]) => l.change!)]
  const [rule, table] = [of(([r]) => r.connect), of(([, , l]) => l.connect)]
  return {
    'one endpoint changes, of 100, ms': small,
    'one endpoint changes, of 10,000, ms': large,
    'the one against the other': large / small,
    'connection by one DNAT rule, µs': rule,
    'connection by the table, µs': table,
    'table against rule': table / rule,
  }
}

if (process.argv[1] === import.meta.filename) {
  console.log(JSON.stringify(await measure(Number(process.argv[2]))))
  process.exit(0)
}
