// Who reaches whom: in each pod's network a process that answers on ports and tries others', asked all at once. Real packets, no shell in between.
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Host } from './hosts.ts'

/** How long an answer is waited for, ms: what a policy forbids is silence. */
const PATIENCE = 1000

const program = `
const net = require('net')
const tcp = process.argv[1].split(',').map(Number)
const udp = process.argv[2].split(',').map(Number)
for (const port of tcp) net.createServer((s) => { s.on('error', () => {}); s.end('x') }).listen(port)
for (const port of udp) {
  const socket = require('dgram').createSocket('udp6')
  socket.on('message', (m, from) => socket.send(m, from.port, from.address, () => {}))
  socket.bind(port)
}
const overTcp = (ip, port) => new Promise((r) => {
  const s = net.connect({ host: ip, port, timeout: ${PATIENCE} }, () => { r(true); s.destroy() })
  s.on('timeout', () => { r(false); s.destroy() })
  s.on('error', () => r(false))
})
let sourcePort = 20000
const overUdp = (ip, port) => new Promise((r) => {
  const s = require('dgram').createSocket(ip.includes(':') ? 'udp6' : 'udp4')
  // Never one that the kernel may still know a flow of, which goes on under any rule.
  s.bind(sourcePort++)
  const done = (yes) => { clearTimeout(timer); r(yes); s.close() }
  const timer = setTimeout(() => done(false), ${PATIENCE})
  s.once('message', () => done(true))
  s.on('error', () => {})
  s.send('?', port, ip)
})
require('readline').createInterface({ input: process.stdin }).on('line', async (line) => {
  const targets = JSON.parse(line)
  console.log(JSON.stringify(await Promise.all(targets.map(([ip, port, udp]) => (udp ? overUdp : overTcp)(ip, port)))))
})
console.log('ready')
`

export type Target = readonly [ip: string, port: number, udp?: boolean]

export class Prober {
  readonly #child: ChildProcess
  readonly #answers: ((line: string) => void)[] = []

  private constructor(child: ChildProcess) {
    this.#child = child
    createInterface({ input: child.stdout! }).on('line', (line) => this.#answers.shift()?.(line))
  }

  /** In the network of a pod of this host, by its UID. */
  static async in(host: Host, uid: string, tcp: number[], udp: number[]): Promise<Prober> {
    const sandbox = host
      .run(`docker ps -q --filter label=io.kubernetes.pod.uid=${uid} --filter label=io.kubernetes.docker.type=podsandbox`)
      .trim()
      .split('\n')[0]
    const pid = host.run(`docker inspect -f '{{.State.Pid}}' ${sandbox}`).trim()
    const command = ['nsenter', '-t', pid, '-n', process.execPath, '-e', program, tcp.join(), udp.join()]
    const prober = new Prober(spawn('nsenter', host.inside(command), { stdio: ['pipe', 'pipe', 'inherit'] }))
    await new Promise<string>((r) => prober.#answers.push(r))
    return prober
  }

  /** Whether each of them answers. */
  async reaches(targets: readonly Target[]): Promise<boolean[]> {
    const answer = new Promise<string>((r) => this.#answers.push(r))
    this.#child.stdin!.write(`${JSON.stringify(targets)}\n`)
    return JSON.parse(await answer)
  }

  stop(): void {
    this.#child.kill('SIGKILL')
  }
}
