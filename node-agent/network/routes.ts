// Pod ranges: direct routes to other nodes' addresses, and of the own range a word that nobody is there, for addresses whose pod has gone. Only what this daemon added is ever removed: its routes carry a protocol number of their own.
import type { RouteTable } from '../../shared/session/routes.ts'
import type { Log } from '../log.ts'
import { exec, sysctl } from './commands.ts'

export const ROUTE_PROTOCOL = '107'
const RETRY = 2000
/** After every route to a pod that is there. */
const LAST_METRIC = '9999'

export class Routes {
  readonly #log: Log
  readonly #table: RouteTable
  readonly #self: string
  #timer?: ReturnType<typeof setTimeout>

  constructor(self: string, table: RouteTable, log: Log) {
    this.#self = self
    this.#table = table
    this.#log = log
  }

  changed(delay = 20): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#sync().catch((cause) => {
        this.#log.error('routes could not be written; trying again', cause)
        this.changed(RETRY)
      })
    }, delay)
  }

  async #sync(): Promise<void> {
    const wanted = new Map<string, string>()
    const own = new Set<string>()
    for (const [node, [podCidr, address]] of this.#table.entries())
      if (node === this.#self) own.add(podCidr)
      else if (!address.startsWith('127.')) wanted.set(podCidr, address)
    const text = await exec('ip', '-4', 'route', 'show', 'proto', ROUTE_PROTOCOL)
    const current = new Map([...text.matchAll(/^(\S+) via (\S+)/gm)].map((m) => [m[1]!, m[2]!]))
    for (const [cidr, via] of wanted)
      if (current.get(cidr) !== via)
        await exec('ip', 'route', 'replace', cidr, 'via', via, 'proto', ROUTE_PROTOCOL, 'onlink', 'dev', await deviceTo(via))
    for (const cidr of current.keys()) if (!wanted.has(cidr)) await exec('ip', 'route', 'del', cidr, 'proto', ROUTE_PROTOCOL)
    // Who asks for a pod that has gone is told at once, and need not wait for silence to end.
    const refused = new Set([...text.matchAll(/^unreachable (\S+)/gm)].map((m) => m[1]!))
    const last = ['proto', ROUTE_PROTOCOL, 'metric', LAST_METRIC]
    for (const cidr of own) if (!refused.has(cidr)) await exec('ip', 'route', 'replace', 'unreachable', cidr, ...last)
    for (const cidr of refused) if (!own.has(cidr)) await exec('ip', 'route', 'del', 'unreachable', cidr, ...last)
  }

  async remove(): Promise<void> {
    clearTimeout(this.#timer)
    await exec('ip', 'route', 'flush', 'proto', ROUTE_PROTOCOL).catch(() => {})
  }
}

async function deviceTo(ip: string): Promise<string> {
  const m = /dev (\S+)/.exec(await exec('ip', '-4', 'route', 'get', ip))
  if (!m) throw new Error(`no route to ${ip}`)
  return m[1]!
}

export const FORWARD_COMMENT = 'kedge pod traffic'
const rules = (podCidr: string, serviceCidr: string) =>
  [
    ['FORWARD', '-s', podCidr],
    ['FORWARD', '-d', podCidr],
    // What this daemon itself serves to pods, at addresses of the service range.
    ['INPUT', '-s', podCidr, '-d', serviceCidr],
  ].map((r) => [...r, '-m', 'comment', '--comment', FORWARD_COMMENT, '-j', 'ACCEPT'])

/** Lets pod traffic through: forwarding on, and past Docker's or a firewall's default drop where iptables has one. */
export async function allowForwarding(podCidr: string, serviceCidr: string, log: Log): Promise<void> {
  if (!sysctl('net/ipv4/ip_forward', '1')) log.warn('net.ipv4.ip_forward could not be set: pods will reach nothing beyond this host')
  // Bridged traffic is none of ours; loose reverse paths let answers come back over other links.
  sysctl('net/ipv4/conf/all/rp_filter', '0')
  for (const rule of rules(podCidr, serviceCidr)) {
    try {
      await exec('iptables', '-w', '-C', ...rule)
    } catch {
      await exec('iptables', '-w', '-I', ...rule).catch(() => {})
    }
  }
}

export async function forbidForwarding(podCidr: string, serviceCidr: string): Promise<void> {
  for (const rule of rules(podCidr, serviceCidr)) await exec('iptables', '-w', '-D', ...rule).catch(() => {})
}
