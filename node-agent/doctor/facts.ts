// What the doctor looks at on this machine. Every look is bounded in time, and one that fails is itself a fact.
import { lookup } from 'node:dns/promises'
import { existsSync, readFileSync, statfsSync } from 'node:fs'
import { get } from 'node:https'
import { isIP } from 'node:net'
import path from 'node:path'
import { asRange, cidrContains, parseCidr, rangesIn } from '../../shared/meta/address.ts'
import { hasPlugins } from '../network/cni.ts'
import { exec } from '../network/commands.ts'
import { FORWARD_COMMENT } from '../network/forwarding.ts'
import { haproxyBinary, lastAlert } from '../network/ingress/haproxy.ts'
import { ROUTE_PROTOCOL } from '../network/routes.ts'
import { TABLE } from '../network/service-rules.ts'
import Docker from '../runtime/dockerode.ts'
import { type DaemonState, stateFile } from '../service.ts'
import type { Facts } from './diagnose.ts'

const CONTROLLERS = ['cpu', 'memory', 'pids']
const MAX_PEERS = 8

const read = (file: string): string => (existsSync(file) ? readFileSync(file, 'utf8') : '')
const quietly = (file: string, ...args: string[]): Promise<string | undefined> => exec(file, ...args).catch(() => undefined)
const messageOf = (cause: unknown) => (cause instanceof Error ? cause.message : String(cause))

interface Saved {
  node: string
  server: string
  ca: string
  podCidr: string
  serviceCidr: string
}

async function reach({ server, ca }: Saved): Promise<NonNullable<Facts['reach']>> {
  const url = new URL('/healthz', server)
  const host = url.hostname
  let addresses = [host]
  if (!isIP(host)) {
    try {
      addresses = (await lookup(host, { all: true })).map((a) => a.address)
    } catch (cause) {
      return { host, addresses: [], dnsFault: messageOf(cause) }
    }
  }
  return new Promise((resolve) => {
    const req = get(url, { ...(ca ? { ca } : {}), timeout: 8000 }, (res) => {
      res.resume()
      const theirs = Date.parse(res.headers.date ?? '')
      resolve({ host, addresses, status: res.statusCode ?? 0, ...(theirs ? { skew: (Date.now() - theirs) / 1000 } : {}) })
    })
    req.on('timeout', () => req.destroy(Object.assign(new Error('no answer in 8 s'), { code: 'ETIMEDOUT' })))
    req.on('error', (cause: NodeJS.ErrnoException) =>
      resolve({ host, addresses, fault: cause.message, ...(cause.code ? { code: cause.code } : {}) }),
    )
  })
}

/** Pings with a small and with a full packet that may not be cut up. */
async function pathTo(to: string, ip: string): Promise<Facts['paths']> {
  const device = /dev (\S+)/.exec((await quietly('ip', '-4', 'route', 'get', ip)) ?? '')?.[1]
  if (!device || device === 'lo') return []
  const mtu = Number(read(`/sys/class/net/${device}/mtu`)) || 1500
  const ping = async (size: number) => (await quietly('ping', '-n', '-c', '2', '-W', '1', '-M', 'do', '-s', String(size), ip)) !== undefined
  const small = await ping(56)
  return [{ to, ip, small, full: small && (await ping(mtu - 28)), mtu }]
}

function cgroup(): Facts['cgroup'] {
  const v2 = read('/sys/fs/cgroup/cgroup.controllers')
  if (v2) return { version: 2, missing: CONTROLLERS.filter((c) => !v2.split(/\s+/).includes(c)) }
  const lines = read('/proc/cgroups')
    .split('\n')
    .map((l) => l.split(/\s+/))
  return { version: 1, missing: CONTROLLERS.filter((c) => !lines.some((l) => l[0] === c && l[3] === '1')) }
}

async function docker(socketPath: string): Promise<NonNullable<Facts['docker']>> {
  try {
    const info = await new Docker({ socketPath, timeout: 8000 }).info()
    return { version: info.ServerVersion, driver: info.Driver, liveRestore: info.LiveRestoreEnabled }
  } catch (cause) {
    return { fault: messageOf(cause) }
  }
}

async function nft(): Promise<Facts['nft']> {
  try {
    return { installed: true, table: (await exec('nft', 'list', 'tables')).includes(`table ip ${TABLE}`) }
  } catch (cause) {
    const message = messageOf(cause)
    return { installed: !message.includes('ENOENT'), table: false, fault: message }
  }
}

function proxy(data: string): Facts['proxy'] {
  const fault = lastAlert(path.join(data, 'ingress'))
  return { installed: haproxyBinary() !== undefined, ...(fault ? { fault } : {}) }
}

async function firewalls(): Promise<string[]> {
  const found: string[] = []
  if (/Status: active/.test((await quietly('ufw', 'status')) ?? '')) found.push('ufw')
  if (((await quietly('firewall-cmd', '--state')) ?? '').trim() === 'running') found.push('firewalld')
  return found
}

/** Of `ip route`'s lines those that are not ours and lie over one of the ranges. */
export function overlapping(routes: string, ranges: string[]): string[] {
  return routes.split('\n').filter((line) => {
    const to = /^([\da-f.:]+(?:\/\d+)?) /.exec(line)?.[1]
    const cidr = to && parseCidr(to.includes('/') ? to : asRange(to))
    // Our routes to other nodes' pods, and the ones that CNI makes to pods here.
    if (!cidr || line.includes(`proto ${ROUTE_PROTOCOL}`) || / dev (veth|cni)/.test(line)) return false
    return ranges.map((r) => parseCidr(r)!).some((r) => cidrContains(r, cidr) || cidrContains(cidr, r))
  })
}

export async function collect(data: string, dockerSocket: string): Promise<Facts> {
  const saved: Saved | undefined = existsSync(path.join(data, 'identity.json'))
    ? JSON.parse(read(path.join(data, 'identity.json')))
    : undefined
  const state: DaemonState | undefined = existsSync(stateFile(data)) ? JSON.parse(read(stateFile(data))) : undefined
  const systemd = existsSync('/run/systemd/system')
  const [unitText, reached, routes, routes6, rules] = await Promise.all([
    systemd ? quietly('systemctl', 'show', '-p', 'LoadState', '-p', 'ActiveState', 'kedge-node') : undefined,
    saved ? reach(saved) : undefined,
    quietly('ip', '-4', 'route'),
    quietly('ip', '-6', 'route'),
    quietly('iptables', '-w', '-S', 'FORWARD'),
  ])
  const unit = !systemd
    ? undefined
    : /LoadState=not-found/.test(unitText ?? '')
      ? 'not-found'
      : (/ActiveState=(\S+)/.exec(unitText ?? '')?.[1] ?? 'unknown')
  const peers = [...(routes ?? '').matchAll(new RegExp(`^(\\S+) via (\\S+).* proto ${ROUTE_PROTOCOL}`, 'gm'))].slice(0, MAX_PEERS)
  const [address] = reached?.addresses.filter((a) => isIP(a) === 4) ?? []
  const paths = await Promise.all([
    ...(address ? [pathTo('server', address)] : []),
    ...peers.map(([, range, ip]) => pathTo(`the node of ${range}`, ip!)),
  ])
  const disk = statfsSync(existsSync('/var/lib/docker') ? '/var/lib/docker' : '/')
  return {
    root: process.getuid?.() === 0,
    ...(saved ? { node: saved.node, server: saved.server } : {}),
    ...(state ? { daemon: { ...state, alive: existsSync(`/proc/${state.pid}`) } } : {}),
    ...(unit !== undefined ? { unit } : {}),
    ...(reached ? { reach: reached } : {}),
    paths: paths.flat(),
    cgroup: cgroup(),
    docker: await docker(dockerSocket),
    cni: hasPlugins(),
    nft: await nft(),
    proxy: proxy(data),
    forwarding: read('/proc/sys/net/ipv4/ip_forward').trim() === '1',
    ...(rules === undefined ? {} : { forward: { drops: /^-P FORWARD DROP/m.test(rules), ours: rules.includes(FORWARD_COMMENT) } }),
    firewalls: await firewalls(),
    overlaps: saved ? overlapping(`${routes ?? ''}\n${routes6 ?? ''}`, [...rangesIn(saved.podCidr), ...rangesIn(saved.serviceCidr)]) : [],
    disk: { free: disk.bavail * disk.bsize, freeInodes: disk.files ? disk.ffree / disk.files : 1 },
    memory: Math.floor(Number(/MemAvailable:\s+(\d+)/.exec(read('/proc/meminfo'))?.[1] ?? 0) / 1024),
  }
}
