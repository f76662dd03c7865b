// The way to pods of nodes that are no neighbours: VXLAN, as routers between the machines know nothing of pods. Every address on it follows from the
// nodes' pod ranges, so nothing is learned, flooded or published: one entry per node says which machine has a range, another how it is called there.
import { createHash } from 'node:crypto'
import { asRange, isIPv6 } from '../../shared/meta/address.ts'
import { exec, together } from './commands.ts'
import type { Way } from './ways.ts'

export const OVERLAY = 'kedge.vxlan'
const ID = '107'
/** The kernel's own port, and that of others who do the same. */
const PORT = '8472'
/** Ethernet, IP, UDP and VXLAN headers around each packet. */
const headers = (address: string): number => (isIPv6(address) ? 70 : 50)

/** Where a node's pods are: its ranges, by the first of which it is known, and the machine's address. */
export interface Peer {
  podCidrs: string[]
  address: string
}

/** The first address of a range, which no pod gets: the machine's own on the overlay. */
export const baseOf = (podCidr: string): string => podCidr.split('/')[0]!

/** The link-layer address of the machine that has these ranges: locally administered, the same wherever it is computed. */
export const macOf = ([podCidr]: readonly string[]): string => {
  const digest = createHash('sha256').update(`kedge ${podCidr}`).digest()
  return ['0e', ...[...digest.subarray(0, 5)].map((b) => b.toString(16).padStart(2, '0'))].join(':')
}

/** What `bridge fdb show` says: the machines' addresses by their link-layer addresses. */
export const forwardingOf = (text: string): Map<string, string> =>
  new Map([...text.matchAll(/^([0-9a-f:]{17}) .*\bdst (\S+)/gm)].map((m) => [m[1]!, m[2]!]))

/** What `ip neigh show` says of one device, but for what machines call each other there by themselves: link-layer addresses by addresses. */
export const neighboursOf = (text: string): Map<string, string> =>
  new Map([...text.matchAll(/^(?!fe80:)(\S+) (?:dev \S+ )?lladdr ([0-9a-f:]{17})/gm)].map((m) => [m[1]!, m[2]!]))

export interface Commands {
  ip: string[]
  bridge: string[]
}

/** What makes one table of entries the other. */
export function entryCommands(
  peers: readonly Peer[],
  forwarding: ReadonlyMap<string, string>,
  neighbours: ReadonlyMap<string, string>,
): Commands {
  const out: Commands = { ip: [], bridge: [] }
  const macs = new Map(peers.map((p) => [macOf(p.podCidrs), p.address]))
  const bases = new Map(peers.flatMap((p) => p.podCidrs.map((range) => [baseOf(range), macOf(p.podCidrs)] as const)))
  for (const [mac, address] of macs)
    if (forwarding.get(mac) !== address) out.bridge.push(`fdb replace ${mac} dev ${OVERLAY} dst ${address} self permanent`)
  for (const mac of forwarding.keys()) if (!macs.has(mac)) out.bridge.push(`fdb del ${mac} dev ${OVERLAY} self`)
  for (const [base, mac] of bases)
    if (neighbours.get(base) !== mac) out.ip.push(`neigh replace ${base} lladdr ${mac} dev ${OVERLAY} nud permanent`)
  for (const base of neighbours.keys()) if (!bases.has(base)) out.ip.push(`neigh del ${base} dev ${OVERLAY}`)
  return out
}

/** The largest packet that the way to an address takes, less what goes around it. */
async function roomOn({ device }: Way, address: string): Promise<string> {
  const mtu = / mtu (\d+)/.exec(await exec('ip', 'link', 'show', 'dev', device))?.[1]
  return String(Number(mtu ?? 1500) - headers(address))
}

/** Makes the device and its entries for these peers; takes it away where there are none. `own` are this machine's ranges, `way` leads to the first peer. */
export async function syncOverlay(own: readonly string[], way: Way | undefined, peers: readonly Peer[]): Promise<void> {
  const there = await exec('ip', '-d', 'link', 'show', 'dev', OVERLAY).catch(() => '')
  if (!peers.length || !way) return void (there && (await removeOverlay()))
  const mtu = await roomOn(way, peers[0]!.address)
  const mac = macOf(own)
  let kept = there !== ''
  // The range of a node that was made anew is another.
  if (kept && !there.includes(mac)) {
    await removeOverlay()
    kept = false
  }
  if (!kept) {
    // It speaks the family of the address that it is made with.
    const local = isIPv6(peers[0]!.address) && way.from ? ['local', way.from] : []
    const vxlan = ['type', 'vxlan', 'id', ID, ...local, 'dstport', PORT, 'nolearning']
    await exec('ip', 'link', 'add', OVERLAY, 'address', mac, 'mtu', mtu, ...vxlan)
  } else if (!there.includes(` mtu ${mtu} `)) await exec('ip', 'link', 'set', 'dev', OVERLAY, 'mtu', mtu)
  for (const range of own) await exec('ip', 'addr', 'replace', asRange(baseOf(range)), 'dev', OVERLAY, ...(isIPv6(range) ? ['nodad'] : []))
  await exec('ip', 'link', 'set', 'dev', OVERLAY, 'up')
  const [forwarding, neighbours] = await Promise.all([
    exec('bridge', 'fdb', 'show', 'dev', OVERLAY),
    exec('ip', 'neigh', 'show', 'dev', OVERLAY),
  ])
  const { ip, bridge } = entryCommands(peers, forwardingOf(forwarding), neighboursOf(neighbours))
  await together('bridge', bridge)
  await together('ip', ip)
}

export const removeOverlay = (): Promise<unknown> => exec('ip', 'link', 'del', 'dev', OVERLAY).catch(() => {})
