// The way to pods of nodes anywhere: WireGuard, for machines that may dial out and no more. Of two nodes one has to be reachable; where neither is, a third
// that is stands between. Keys and endpoints come with the table of routes, addresses follow from the pod ranges.
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { asRange } from '../../shared/meta/address.ts'
import type { WireGuardPeer } from '../../shared/session/wireguard.ts'
import { exec } from './commands.ts'
import { baseOf } from './overlay.ts'

export const WIREGUARD_DEVICE = 'kedge.wg'
export const WIREGUARD_PORT = 51_820
/** So that whatever translates addresses on the way does not forget a node that dials out, s. */
const KEEPALIVE = 25
const UNIT = 'kedge-wireguard'
const SYSTEMD = '/run/systemd/system'
/** How long the device may take to be there, in tenths of a second. */
const PATIENCE = 50

export interface WireGuardNode extends WireGuardPeer {
  name: string
  podCidrs: string[]
}

/** A peer as the kernel has it. */
export interface Tunnel {
  key: string
  endpoint?: string
  /** Ranges that are behind it. */
  ranges: string[]
}

const weight = (text: string) => createHash('sha256').update(text).digest('hex')

/** Who stands between two nodes that do not reach each other; the same for both of them, and not the same for all. */
export function between(a: string, b: string, all: readonly WireGuardNode[]): WireGuardNode | undefined {
  const pair = [a, b].sort().join(' ')
  const able = all.filter((n) => n.endpoint !== undefined && n.ready)
  return able.toSorted((x, y) => (weight(`${pair} ${x.name}`) < weight(`${pair} ${y.name}`) ? -1 : 1))[0]
}

/** The tunnels of a node, and the ranges that it does not reach. */
export function tunnels(
  self: { name: string; endpoint?: string },
  all: readonly WireGuardNode[],
): { tunnels: Tunnel[]; unreached: string[] } {
  const out = new Map<string, Tunnel>()
  const unreached: string[] = []
  const others = all.filter((n) => n.name !== self.name)
  const tunnelTo = (n: WireGuardNode): Tunnel => {
    const known = out.get(n.key) ?? { key: n.key, ranges: [], ...(n.endpoint === undefined ? {} : { endpoint: n.endpoint }) }
    out.set(n.key, known)
    return known
  }
  for (const n of others) if (n.endpoint !== undefined || self.endpoint !== undefined) tunnelTo(n).ranges.push(...n.podCidrs)
  for (const n of others) {
    if (n.endpoint !== undefined || self.endpoint !== undefined) continue
    const third = between(self.name, n.name, others)
    if (third) tunnelTo(third).ranges.push(...n.podCidrs)
    else unreached.push(...n.podCidrs)
  }
  return { tunnels: [...out.values()], unreached }
}

/** For `wg syncconf`. */
export function configuration(privateKey: string, port: number, dialsOut: boolean, list: readonly Tunnel[]): string {
  const peers = list.flatMap(({ key, endpoint, ranges }) => [
    '[Peer]',
    `PublicKey = ${key}`,
    `AllowedIPs = ${ranges.toSorted().join(', ')}`,
    ...(endpoint === undefined ? [] : [`Endpoint = ${endpoint}`]),
    ...(dialsOut ? [`PersistentKeepalive = ${KEEPALIVE}`] : []),
  ])
  return ['[Interface]', `PrivateKey = ${privateKey}`, `ListenPort = ${port}`, ...peers, ''].join('\n')
}

/** This machine's keys, base64, made when they are first asked for. */
export function wireguardKeys(file: string): { privateKey: string; publicKey: string } {
  const pem = existsSync(file)
    ? readFileSync(file, 'utf8')
    : (generateKeyPairSync('x25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string)
  if (!existsSync(file)) writeFileSync(file, pem, { mode: 0o600 })
  const key = createPrivateKey(pem)
  const base64 = (text: string | undefined) => Buffer.from(text ?? '', 'base64url').toString('base64')
  return { privateKey: base64(key.export({ format: 'jwk' }).d), publicKey: base64(createPublicKey(key).export({ format: 'jwk' }).x) }
}

const isThere = () => existsSync(`/sys/class/net/${WIREGUARD_DEVICE}`)

/** The kernel's own, or a process that does the same where it has none; that one outlives the daemon. */
async function makeDevice(): Promise<void> {
  try {
    return void (await exec('ip', 'link', 'add', WIREGUARD_DEVICE, 'type', 'wireguard'))
  } catch (cause) {
    if (!/not supported|Unknown device type/i.test((cause as Error).message)) throw cause
  }
  try {
    if (existsSync(SYSTEMD)) {
      await exec('systemctl', 'stop', UNIT).catch(() => {})
      await exec('systemd-run', '--quiet', '--collect', `--unit=${UNIT}`, 'wireguard-go', '-f', WIREGUARD_DEVICE)
    } else await exec('wireguard-go', WIREGUARD_DEVICE)
  } catch (cause) {
    throw new Error(`this kernel has no WireGuard, and wireguard-go does not start: ${(cause as Error).message}`)
  }
  for (let i = 0; !isThere(); i++) {
    if (i >= PATIENCE) throw new Error('wireguard-go makes no device')
    await new Promise((r) => setTimeout(r, 100))
  }
}

/** Makes the device and brings it to these tunnels, without cutting those that stay. */
export async function syncWireGuard(file: string, own: readonly string[], configured: string): Promise<void> {
  if (!isThere()) await makeDevice()
  writeFileSync(file, configured, { mode: 0o600 })
  await exec('wg', 'syncconf', WIREGUARD_DEVICE, file).catch((cause) => {
    throw new Error(/ENOENT/.test(cause.message) ? 'there is no `wg`: install wireguard-tools' : cause.message)
  })
  for (const range of own) await exec('ip', 'addr', 'replace', asRange(baseOf(range)), 'dev', WIREGUARD_DEVICE)
  await exec('ip', 'link', 'set', 'dev', WIREGUARD_DEVICE, 'up')
}

export const removeWireGuard = (): Promise<unknown> => exec('ip', 'link', 'del', 'dev', WIREGUARD_DEVICE).catch(() => {})
