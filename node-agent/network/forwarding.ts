// Lets pod traffic through this machine: forwarding on, and past Docker's or a firewall's default drop where iptables has one.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { FAMILIES, type Family, familyOf, ofFamily, rangesIn } from '../../shared/meta/address.ts'
import type { Log } from '../log.ts'
import { exec, sysctl } from './commands.ts'

/** Whether this machine knows IPv6 at all. */
export const hasIPv6 = (): boolean => existsSync('/proc/net/if_inet6')

export const FORWARD_COMMENT = 'kedge pod traffic'

/** The cluster's: one of each, or one of each family with a comma between them. */
export interface ClusterRanges {
  podCidr: string
  serviceCidr: string
}

const tools: Record<Family, string> = { IPv4: 'iptables', IPv6: 'ip6tables' }

/** By the family's tool: whom it lets through. */
function rules({ podCidr, serviceCidr }: ClusterRanges): [tool: string, rule: string[]][] {
  return FAMILIES.flatMap((family) => {
    const [pods, services] = [ofFamily(rangesIn(podCidr), family), ofFamily(rangesIn(serviceCidr), family)]
    if (!pods) return []
    const all = [
      ['FORWARD', '-s', pods],
      ['FORWARD', '-d', pods],
      // What this daemon itself serves to pods, at addresses of the service range.
      ...(services ? [['INPUT', '-s', pods, '-d', services]] : []),
    ]
    return all.map((r): [string, string[]] => [tools[family], [...r, '-m', 'comment', '--comment', FORWARD_COMMENT, '-j', 'ACCEPT']])
  })
}

/** A machine that forwards believes no routers any more, but by the interfaces that say so: those that did go on. */
function keepRouters(): void {
  const at = 'net/ipv6/conf'
  if (readFileSync(`/proc/sys/${at}/all/forwarding`, 'utf8').trim() === '1') return
  for (const name of readdirSync(`/proc/sys/${at}`))
    if (!['all', 'default', 'lo'].includes(name) && readFileSync(`/proc/sys/${at}/${name}/accept_ra`, 'utf8').trim() === '1')
      sysctl(`${at}/${name}/accept_ra`, '2')
}

function forward6(log: Log): void {
  try {
    keepRouters()
  } catch {
    // Without IPv6 there is nothing to keep.
  }
  if (!sysctl('net/ipv6/conf/all/forwarding', '1'))
    log.warn('net.ipv6.conf.all.forwarding could not be set: pods have no IPv6 beyond this host')
  // An address of a pod's link is nobody else's: it need not be asked around for a second before it is used.
  sysctl('net/ipv6/conf/default/accept_dad', '0')
}

export async function allowForwarding(ranges: ClusterRanges, log: Log): Promise<void> {
  if (!sysctl('net/ipv4/ip_forward', '1')) log.warn('net.ipv4.ip_forward could not be set: pods will reach nothing beyond this host')
  // Bridged traffic is none of ours; loose reverse paths let answers come back over other links.
  sysctl('net/ipv4/conf/all/rp_filter', '0')
  if (rangesIn(ranges.podCidr).some((r) => familyOf(r) === 'IPv6')) forward6(log)
  for (const [tool, rule] of rules(ranges)) {
    try {
      await exec(tool, '-w', '-C', ...rule)
    } catch {
      await exec(tool, '-w', '-I', ...rule).catch(() => {})
    }
  }
}

export async function forbidForwarding(ranges: ClusterRanges): Promise<void> {
  for (const [tool, rule] of rules(ranges)) await exec(tool, '-w', '-D', ...rule).catch(() => {})
}
