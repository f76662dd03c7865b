// How many questions a second the DNS server answers, beside dnsmasq with the same names, by dnsperf (Debian packages dnsmasq-base and dnsperf).
import { execFile, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { Forwarder } from '../../node-agent/network/dns/forwarder.ts'
import { DnsServer } from '../../node-agent/network/dns/server.ts'
import { ClusterZone } from '../../node-agent/network/dns/zone.ts'
import { freePort, temporaryFolder } from '../rig/sqld.ts'
import { median } from './client.ts'

const SERVICES = 1000
const SECONDS = 3
const ROUNDS = 3
/** Per cent. */
const MOST_LOST = 0.1
const HOST = '127.0.0.1'

const addressOf = (i: number) => `10.96.${i >> 8}.${i & 255}`
const nameOf = (i: number) => `s-${i}.default.svc.cluster.local`

/** In a process of its own, as in the daemon. */
async function serve(port: number): Promise<void> {
  const zone = new ClusterZone('cluster.local', ['10.96.0.0/12'])
  for (let i = 0; i < SERVICES; i++)
    zone.service(undefined, { metadata: { namespace: 'default', name: `s-${i}` }, spec: { clusterIP: addressOf(i), ports: [] } })
  const log = { info: () => {}, warn: () => {}, error: () => {} } as never
  const server = new DnsServer(zone, new Forwarder(() => ({ servers: [], stubs: new Map() })), log, () => true)
  await server.listen(HOST, port)
  process.stdout.write('ready\n')
}

/** Questions answered a second. */
const asked = (port: number, questions: string): Promise<number> =>
  new Promise((resolve, reject) =>
    execFile('dnsperf', ['-s', HOST, '-p', String(port), '-d', questions, '-l', String(SECONDS), '-c', '4', '-q', '200'], (cause, out) => {
      const rate = /Queries per second:\s+([\d.]+)/.exec(out)
      const lost = Number(/Queries lost:\s+\d+ \(([\d.]+)%\)/.exec(out)?.[1] ?? 100)
      if (cause || !rate) reject(cause ?? new Error(out))
      // A buffer that is full for a moment is in the nature of datagrams.
      else if (lost > MOST_LOST) reject(new Error(`questions were lost:\n${out}`))
      else resolve(Number(rate[1]))
    }),
  )

/** Ours, dnsmasq's, and the one by the other. */
export async function measureDns(): Promise<Record<string, number>> {
  const folder = temporaryFolder('bench-dns')
  const [own, theirs] = [await freePort(), await freePort()]
  const questions = path.join(folder.path, 'questions')
  const hosts = path.join(folder.path, 'hosts')
  const all = Array.from({ length: SERVICES }, (_, i) => i)
  writeFileSync(questions, all.map((i) => `${nameOf(i)} A\n`).join(''))
  writeFileSync(hosts, all.map((i) => `${addressOf(i)} ${nameOf(i)}\n`).join(''))
  const node = spawn(process.execPath, ['--no-warnings', import.meta.filename, 'serve', String(own)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const mask = [
    '--keep-in-foreground',
    '--no-resolv',
    '--no-hosts',
    `--addn-hosts=${hosts}`,
    `--listen-address=${HOST}`,
    '--bind-interfaces',
    `--port=${theirs}`,
  ]
  const dnsmasq = spawn('dnsmasq', [...mask, '--user=root', '--pid-file=', '--conf-file=/dev/null'], { stdio: 'inherit' })
  try {
    await new Promise((r) => node.stdout.once('data', r))
    await new Promise((r) => setTimeout(r, 500))
    const [a, b]: number[][] = [[], []]
    for (let i = 0; i < ROUNDS; i++) {
      a!.push(await asked(own, questions))
      b!.push(await asked(theirs, questions))
    }
    return { 'DNS, questions/s': median(a!), 'dnsmasq, questions/s': median(b!), 'DNS by dnsmasq': median(a!) / median(b!) }
  } finally {
    node.kill()
    dnsmasq.kill()
    folder.remove()
  }
}

if (process.argv[2] === 'serve') await serve(Number(process.argv[3]))
