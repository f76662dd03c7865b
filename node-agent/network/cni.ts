// CNI plugins by exec, per the spec: config on stdin, CNI_* in the environment, JSON back. Our default network is ptp with host-local addresses.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { type Shape, shaperOf } from './bandwidth.ts'
import { exec } from './commands.ts'

const PATHS = ['/opt/cni/bin', '/usr/lib/cni', '/usr/libexec/cni']

const [VERSION, NETWORK] = ['1.0.0', 'kedge']

interface CniResult {
  ips?: { address: string; gateway?: string }[]
}

export interface CniOptions {
  podCidr: string
  /** Where host-local keeps its leases. */
  dataDir: string
  mtu?: number
}

/** The folder with the plugins; undefined when they are not installed. */
export const cniPath = (): string | undefined => PATHS.find((p) => existsSync(`${p}/ptp`))

const config = (o: CniOptions) => ({
  ipMasq: false,
  ...(o.mtu ? { mtu: o.mtu } : {}),
  ipam: { type: 'host-local', ranges: [[{ subnet: o.podCidr }]], dataDir: o.dataDir, routes: [{ dst: '0.0.0.0/0' }] },
})

function run(plugin: 'ptp' | 'bandwidth', command: 'ADD' | 'DEL', id: string, netns: string, network: object): Promise<CniResult> {
  const path = cniPath()
  if (!path) return Promise.reject(new Error(`no CNI plugins in ${PATHS.join(', ')}: install containernetworking-plugins`))
  return new Promise((resolve, reject) => {
    const p = spawn(`${path}/${plugin}`, [], {
      env: {
        CNI_COMMAND: command,
        CNI_CONTAINERID: id,
        CNI_NETNS: netns,
        CNI_IFNAME: 'eth0',
        CNI_PATH: path,
        PATH: process.env.PATH ?? '',
      },
    })
    let out = ''
    let err = ''
    p.stdout.on('data', (d) => (out += d))
    p.stderr.on('data', (d) => (err += d))
    p.on('error', reject)
    p.on('close', (code) => {
      if (code === 0) return resolve(out.trim() ? JSON.parse(out) : {})
      let message = err || out
      try {
        message = JSON.parse(out).msg ?? message
      } catch {
        // Some faults come as plain text.
      }
      reject(new Error(`CNI ${command} by ${plugin} failed: ${message.trim() || `exit status ${code}`}`))
    })
    p.stdin.on('error', () => {})
    p.stdin.end(JSON.stringify({ cniVersion: VERSION, name: NETWORK, type: plugin, ...network }))
  })
}

/** Connects a network namespace, within bounds where there are any; the pod's address without its prefix. */
export async function cniAdd(id: string, netns: string, o: CniOptions, shape?: Shape): Promise<string> {
  const r = await run('ptp', 'ADD', id, netns, config(o))
  if (shape) await run('bandwidth', 'ADD', id, netns, { ...shape, prevResult: { cniVersion: VERSION, ...r } })
  const address = r.ips?.[0]?.address
  if (!address) throw new Error('CNI ADD gave no address')
  return address.split('/')[0]!
}

/** The interface on the host's side that leads to a pod's address. */
async function interfaceOf(ip: string): Promise<string | undefined> {
  const text = await exec('ip', '-4', 'route', 'show', `${ip}/32`).catch(() => '')
  return / dev (veth\S+)/.exec(text)?.[1]
}

/** Gives the address back; idempotent, and works when the namespace is gone already. `ip` where it is known. */
export async function cniDel(id: string, netns: string, o: CniOptions, ip?: string): Promise<void> {
  // Asked before the address can be another's.
  const device = ip && (await interfaceOf(ip))
  await run('ptp', 'DEL', id, netns, config(o))
  const shaper = shaperOf(NETWORK, id)
  if (existsSync(`/sys/class/net/${shaper}`)) await exec('ip', 'link', 'del', shaper).catch(() => {})
  // A runtime that was killed may have lost a process that keeps the namespace, and with it the interface, alive.
  if (device) await exec('ip', 'link', 'del', device).catch(() => {})
}
