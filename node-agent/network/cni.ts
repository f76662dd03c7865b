// How a pod's sandbox is connected: by our own network, ptp with host-local addresses of the node's range, or by the one that the host's files describe.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { asRange, isIPv6 } from '../../shared/meta/address.ts'
import { type Shape, shaperOf } from './bandwidth.ts'
import { type Attachment, addTo, type CniResult, folderOf, type NetworkList, removeFrom } from './cni-chain.ts'
import { exec } from './commands.ts'

const [VERSION, NETWORK] = ['1.0.0', 'kedge']

export interface Connected {
  /** The pod's addresses, without their prefixes: at least one. */
  ips: string[]
  /** What the plugins made, where they want to see it again. */
  made?: CniResult
}

export interface PodNetworking {
  /** What a sandbox's kernel has to be told before it is connected. */
  sysctls?(): Record<string, string>
  /** Within bounds, where there are any. Throws with the plugins' words. */
  add(a: Attachment, shape?: Shape): Promise<Connected>
  /** Gives the address back; idempotent, and works when the namespace is gone already. `was` is what is known of what `add` came to. */
  remove(a: Attachment, was?: Connected): Promise<void>
  /** Why no pod can be connected; undefined when they can. */
  problem(): string | undefined
}

function connected(result: CniResult): string[] {
  const ips = (result.ips ?? []).map(({ address }) => address.split('/')[0]!)
  if (!ips.length) throw new Error('CNI ADD gave no address')
  return ips
}

/** The interface on the host's side that leads to a pod's address. */
async function interfaceOf(ip: string): Promise<string | undefined> {
  const text = await exec('ip', isIPv6(ip) ? '-6' : '-4', 'route', 'show', asRange(ip)).catch(() => '')
  return / dev (veth\S+)/.exec(text)?.[1]
}

/** Whether the plugins are installed that our own network is made of. */
export const hasPlugins = (): boolean => folderOf('ptp') !== undefined

const everywhere = (range: string): string => (isIPv6(range) ? '::/0' : '0.0.0.0/0')

/** Our own. `ranges` are the node's, and throws while there are none; `dataDir` is where host-local keeps its leases. */
export function ownNetworking(ranges: () => readonly string[], dataDir: string): PodNetworking {
  const list = (shape?: Shape): NetworkList => ({
    cniVersion: VERSION,
    name: NETWORK,
    plugins: [
      {
        type: 'ptp',
        ipMasq: false,
        ipam: {
          type: 'host-local',
          ranges: ranges().map((subnet) => [{ subnet }]),
          dataDir,
          routes: ranges().map((r) => ({ dst: everywhere(r) })),
        },
      },
      ...(shape ? [{ type: 'bandwidth', ...shape }] : []),
    ],
  })
  return {
    // Whose an address is, is known: the plugin would wait for a second until nobody else says that it has it.
    sysctls: (): Record<string, string> => (ranges().some(isIPv6) ? { 'net.ipv6.conf.default.accept_dad': '0' } : {}),
    add: async (a, shape) => ({ ips: connected(await addTo(list(shape), a)) }),
    remove: async (a, was) => {
      // Asked before the address can be another's.
      const device = was && (await interfaceOf(was.ips[0]!))
      await removeFrom(list(), a)
      const shaper = shaperOf(NETWORK, a.id)
      if (existsSync(`/sys/class/net/${shaper}`)) await exec('ip', 'link', 'del', shaper).catch(() => {})
      // A runtime that was killed may have lost a process that keeps the namespace, and with it the interface, alive.
      if (device) await exec('ip', 'link', 'del', device).catch(() => {})
    },
    problem: () => (hasPlugins() ? undefined : 'container runtime network not ready: no CNI plugins'),
  }
}

/** The first network that a folder describes, by the names of its files. Throws with what is wrong. */
export function readNetwork(folder: string): NetworkList {
  const files = existsSync(folder)
    ? readdirSync(folder)
        .filter((f) => /\.(conflist|conf|json)$/.test(f))
        .sort()
    : []
  for (const file of files) {
    const at = path.join(folder, file)
    let found: any
    try {
      found = JSON.parse(readFileSync(at, 'utf8'))
    } catch (cause) {
      throw new Error(`${at}: ${(cause as Error).message}`)
    }
    const plugins = found.plugins ?? (found.type ? [found] : undefined)
    const isWell = typeof found.name === 'string' && plugins?.length && plugins.every((p: any) => /^[\w.-]+$/.test(p?.type ?? ''))
    if (!isWell) throw new Error(`${at} describes no network`)
    return { cniVersion: found.cniVersion ?? '0.2.0', name: found.name, plugins }
  }
  throw new Error(`no network is described in ${folder}`)
}

/** The host's, by the first of the folder's files, as it is when a pod comes or goes. */
export function hostNetworking(folder: string): PodNetworking {
  const offered = (shape?: Shape) => (shape ? { bandwidth: shape } : {})
  return {
    add: async (a, shape) => {
      const made = await addTo(readNetwork(folder), a, offered(shape))
      return { ips: connected(made), made }
    },
    remove: (a, was) => removeFrom(readNetwork(folder), a, was?.made),
    problem: () => {
      try {
        const missing = readNetwork(folder).plugins.find((p) => !folderOf(p.type))
        return missing && `container runtime network not ready: no CNI plugin ${missing.type}`
      } catch (cause) {
        return `container runtime network not ready: ${(cause as Error).message}`
      }
    },
  }
}
