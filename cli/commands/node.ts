// kedge node: the node daemon in the foreground, what the installer asks of it, and the machines of a cluster.
import { existsSync, readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { startDaemon } from '../../node-agent/daemon.ts'
import { runDoctor } from '../../node-agent/doctor/doctor.ts'
import { quietLog, stderrLog } from '../../node-agent/log.ts'
import { POD_NETWORKS, type PodNetwork } from '../../node-agent/network/routes.ts'
import { WIREGUARD_PORT } from '../../node-agent/network/wireguard.ts'
import { DEFAULT_HARD, parseSoftThresholds, parseThresholds } from '../../node-agent/pressure/thresholds.ts'
import { type DaemonState, stateFile } from '../../node-agent/service.ts'
import { openIdentity } from '../../node-agent/session/identity.ts'
import { isMachineStopping } from '../../node-agent/shutdown.ts'
import { familyOf, parseCidr, printed } from '../../shared/meta/address.ts'
import { canonicalQuantity, unitsOf } from '../../shared/meta/quantity.ts'
import { isEndpoint } from '../../shared/session/wireguard.ts'
import { type Flag, parseFlags } from '../flags.ts'
import { duration } from '../kube/flags.ts'
import { nodeCommands, runNodeCommand } from '../machines.ts'
import { launcher } from '../processes.ts'

const about = `Runs the node daemon: joins with a token once, then keeps this machine doing what the control plane wants.

On this machine:
  kedge node join             join, and no more: install.sh starts the daemon as a service
  kedge node wait             wait until this machine's node is Ready
  kedge node doctor           look for what is wrong here; --bundle FILE gathers it without secrets
  kedge node purge            take containers, rules and routes away, while the daemon is stopped
For the cluster that KUBECONFIG names:
  kedge node ls               list its machines
  kedge node cordon NAME      let no new pod start there
  kedge node uncordon NAME    let them again
  kedge node drain NAME       and have those that are there go elsewhere; its flags: kedge drain --help
  kedge node upgrade          bring all daemons to the control plane's version, one at a time (--version V, or NAME alone)
  kedge node rm NAME          remove it: its key opens nothing any more`

const flags: Record<string, Flag> = {
  server: { type: 'string', value: 'URL', about: 'the control plane' },
  token: { type: 'string', value: 'TOKEN', about: 'a join token; needed once' },
  'ca-file': { type: 'string', value: 'FILE', about: "the server's CA; a join token usually carries its hash" },
  name: { type: 'string', value: 'NAME', about: "the node's name", default: hostname().toLowerCase() },
  'node-ip': { type: 'string', value: 'IP[,IP]', about: 'the address that other nodes reach this one by, or one of each family' },
  'pod-network': {
    type: 'string',
    value: 'auto|vxlan|wireguard|cni',
    about:
      'how pods of other machines are reached: auto wraps packets for those behind a router alone, cni leaves it to the host; the same on all machines',
    default: 'auto',
  },
  'cni-conf-dir': {
    type: 'string',
    value: 'DIR',
    about: 'with --pod-network cni: where the host describes its network',
    default: '/etc/cni/net.d',
  },
  'wireguard-endpoint': {
    type: 'string',
    value: 'HOST[:PORT]',
    about: 'where other machines reach this one by WireGuard (UDP); without it this machine dials out alone',
  },
  data: { type: 'string', value: 'DIR', about: 'where keys, volumes and state live', default: '/var/lib/kedge' },
  'docker-socket': { type: 'string', value: 'PATH', about: "Docker's socket", default: '/var/run/docker.sock' },
  'nodeport-addresses': {
    type: 'string',
    value: 'RANGES',
    about: 'where node ports are answered, of the addresses of this machine, as 192.0.2.0/24,198.51.100.7/32; everywhere by default',
  },
  'cgroup-root': {
    type: 'string',
    value: 'PATH',
    about: "the cgroup that pods' cgroups lie in, where they are plain folders",
    default: '/',
  },
  'pod-manifest-path': {
    type: 'string',
    value: 'DIR',
    about: 'manifests of pods that this machine runs by itself; DATA/manifests by default',
  },
  'eviction-hard': { type: 'string', value: 'LIST', about: 'when pods are sent away, as memory.available<100Mi', default: DEFAULT_HARD },
  'eviction-soft': { type: 'string', value: 'LIST', about: 'when they are if it lasts, as memory.available<300Mi' },
  'eviction-soft-grace-period': { type: 'string', value: 'LIST', about: 'how long it may last, as memory.available=1m30s' },
  'eviction-max-pod-grace-period': {
    type: 'string',
    value: 'SECONDS',
    about: 'how long containers then have to end, at most',
    default: '0',
  },
  'eviction-pressure-transition-period': {
    type: 'string',
    value: 'SECONDS',
    about: 'how long the node says so afterwards',
    default: '300',
  },
  'image-gc-high-threshold': { type: 'string', value: 'PERCENT', about: 'how full the disk is when unused images go', default: '85' },
  'image-gc-low-threshold': { type: 'string', value: 'PERCENT', about: 'and how full it may stay', default: '80' },
  'shutdown-grace-period': {
    type: 'string',
    value: 'SECONDS',
    about: 'how long pods have when the machine goes down; 0: they end with it',
    default: '30',
  },
  'shutdown-grace-period-critical-pods': {
    type: 'string',
    value: 'SECONDS',
    about: 'of it, those that others depend on, which end last',
    default: '10',
  },
  'log-keep': {
    type: 'string',
    value: 'TIME',
    about: 'how long what containers said is kept after they are gone; 0 for not at all',
    default: '24h',
  },
  'log-keep-size': { type: 'string', value: 'SIZE', about: 'and how much of it at most', default: '512Mi' },
  timeout: { type: 'string', value: 'SECONDS', about: 'with wait: how long', default: '30' },
  bundle: { type: 'string', value: 'FILE', about: 'with doctor: write a .tar.gz to send to somebody' },
  version: { type: 'string', value: 'VERSION', about: "with upgrade: this one instead of the control plane's" },
}

/** A flag's number, in its bounds. */
function numberOf(v: Record<string, any>, flag: string, most: number): number {
  const n = Number(v[flag])
  if (!(n >= 0 && n <= most)) throw new Error(`--${flag} is a number from 0 to ${most}, not ${JSON.stringify(v[flag])}`)
  return n
}

/** `signal=1m30s,…` in ms. */
const gracesOf = (text: string): Map<string, number> =>
  new Map(
    text
      .split(',')
      .filter(Boolean)
      .map((part) => {
        const [signal = '', time = ''] = part.trim().split('=')
        const ms = duration(time)
        if (ms === undefined || ms <= 0)
          throw new Error(`--eviction-soft-grace-period: ${JSON.stringify(part)} is no grace: write it as memory.available=1m30s`)
        return [signal, ms]
      }),
  )

const pressureOf = (v: Record<string, any>) => ({
  thresholds: [
    ...parseThresholds(v['eviction-hard']),
    ...parseSoftThresholds(v['eviction-soft'] ?? '', gracesOf(v['eviction-soft-grace-period'] ?? '')),
  ],
  softGrace: numberOf(v, 'eviction-max-pod-grace-period', 3600),
  transition: numberOf(v, 'eviction-pressure-transition-period', 86_400) * 1000,
  images: { high: numberOf(v, 'image-gc-high-threshold', 100), low: numberOf(v, 'image-gc-low-threshold', 100) },
})

function logsOf(v: Record<string, any>): { age: number; size: number } {
  const age = v['log-keep'] === '0' ? 0 : duration(v['log-keep'])
  if (age === undefined || age < 0) throw new Error(`--log-keep is a time as 24h, not ${JSON.stringify(v['log-keep'])}`)
  const size = canonicalQuantity(v['log-keep-size']) !== undefined ? unitsOf(v['log-keep-size']) : Number.NaN
  if (!(size >= 0)) throw new Error(`--log-keep-size is a size as 512Mi, not ${JSON.stringify(v['log-keep-size'])}`)
  return { age, size }
}

function podNetworkOf(text: string): PodNetwork {
  const found = POD_NETWORKS.find((n) => n === text)
  if (!found) throw new Error(`--pod-network is ${POD_NETWORKS.join(' or ')}, not ${JSON.stringify(text)}`)
  return found
}

function rangesOf(text: string): string[] {
  const all = text.split(',').map((r) => r.trim())
  const wrong = all.find((r) => !parseCidr(r))
  if (wrong !== undefined) throw new Error(`--nodeport-addresses: ${JSON.stringify(wrong)} is no range, as 192.0.2.0/24 or 2001:db8::/64`)
  return all
}

/** One, or one of each family. */
function addressesOf(text: string): string[] {
  const all = text.split(',').map((a) => printed(a.trim()))
  const families = new Set(all.map((a) => a && familyOf(a)))
  if (all.includes(undefined) || families.size < all.length)
    throw new Error(`--node-ip is an address, or one of IPv4 and one of IPv6 with a comma between, not ${JSON.stringify(text)}`)
  return all as string[]
}

/** With a port, and one that others can be told of. */
function endpointOf(text: string): string {
  const whole = /:\d+$/.test(text) && !/^[0-9a-f:]+:[0-9a-f]*:\d+$/i.test(text) ? text : `${text}:${WIREGUARD_PORT}`
  if (!isEndpoint(whole))
    throw new Error(`--wireguard-endpoint is HOST or HOST:PORT (an IPv6 address in brackets), not ${JSON.stringify(text)}`)
  return whole
}

const options = (v: Record<string, any>) => ({
  data: v.data,
  name: v.name,
  dockerSocket: v['docker-socket'],
  log: stderrLog,
  dialer: [launcher, 'dial'],
  pressure: pressureOf(v),
  logs: logsOf(v),
  podNetwork: podNetworkOf(v['pod-network']),
  cgroupRoot: v['cgroup-root'],
  cniConfDir: v['cni-conf-dir'],
  ...(v['nodeport-addresses'] ? { nodePortAddresses: rangesOf(v['nodeport-addresses']) } : {}),
  ...(v['wireguard-endpoint'] ? { wireguardEndpoint: endpointOf(v['wireguard-endpoint']) } : {}),
  shutdownGrace: {
    all: numberOf(v, 'shutdown-grace-period', 3600),
    critical: numberOf(v, 'shutdown-grace-period-critical-pods', 3600),
  },
  ...(v['pod-manifest-path'] ? { staticPods: v['pod-manifest-path'] } : {}),
  ...(v.server ? { server: v.server } : {}),
  ...(v.token ? { token: v.token } : {}),
  ...(v['ca-file'] ? { caFile: v['ca-file'] } : {}),
  ...(v['node-ip'] ? { nodeIps: addressesOf(v['node-ip']) } : {}),
})

/** Until SIGTERM, SIGINT, or until the daemon wants to be started anew. */
async function runDaemon(v: Record<string, any>): Promise<never> {
  let restart = () => {}
  const ended = new Promise<'told' | 'restart'>((resolve) => {
    restart = () => resolve('restart')
    // Told once more, a service still ends well; whoever sits before it may press Ctrl-C twice.
    process.on('SIGTERM', () => resolve('told'))
    process.once('SIGINT', () => resolve('told'))
  })
  const installed = process.env.KEDGE_LIB
  const daemon = await startDaemon({ ...options(v), restart, ...(installed ? { installed } : {}) })
  if ((await ended) === 'told' && (await isMachineStopping())) await daemon.shutDown()
  await daemon.close()
  process.exit(0)
}

/** Whether the node of this machine is Ready before the time is up. */
async function waitReady(data: string, seconds: number): Promise<boolean> {
  let last = 'the daemon has not started'
  for (const end = Date.now() + seconds * 1000; Date.now() < end; await sleep(200)) {
    if (!existsSync(stateFile(data))) continue
    const state: DaemonState = JSON.parse(readFileSync(stateFile(data), 'utf8'))
    if (state.ready && state.connected && existsSync(`/proc/${state.pid}`)) {
      process.stdout.write(`node ${state.node} is Ready, with kedge ${state.version}\n`)
      return true
    }
    last = state.connected ? state.message : `no session to ${state.server}`
  }
  process.stderr.write(`error: the node is not Ready: ${last}\n`)
  return false
}

/** The same as the commands of these names. */
const asKubectl: Record<string, () => Promise<{ run(argv: string[]): Promise<number> }>> = {
  cordon: () => import('./cordon.ts'),
  uncordon: () => import('./uncordon.ts'),
  drain: () => import('./drain.ts'),
}

export async function run(args: string[]): Promise<number | undefined> {
  const same = asKubectl[args[0] ?? '']
  if (same) return (await same()).run(args.slice(1))
  const parsed = parseFlags('node [SUBCOMMAND]', about, flags, args)
  if (!parsed) return 0
  const { values: v, positionals } = parsed
  const [what, name] = positionals
  switch (what) {
    case undefined:
      return runDaemon(v)
    case 'join': {
      const identity = await openIdentity({ ...options(v), keep: true })
      process.stdout.write(`this machine is node ${identity.node} of ${identity.server}\n`)
      return 0
    }
    case 'wait':
      return (await waitReady(v.data, Number(v.timeout))) ? 0 : 1
    case 'purge': {
      const daemon = await startDaemon({ ...options(v), log: quietLog, offline: true })
      await daemon.purge()
      process.stdout.write('containers, rules and routes removed\n')
      process.exit(0)
      break
    }
    case 'doctor':
      return runDoctor({ data: v.data, dockerSocket: v['docker-socket'], ...(v.bundle ? { bundle: v.bundle } : {}) })
    default:
      if (nodeCommands.includes(what)) return runNodeCommand(what, name, v)
      throw new Error(`unknown subcommand ${JSON.stringify(what)}: see kedge node --help`)
  }
}
