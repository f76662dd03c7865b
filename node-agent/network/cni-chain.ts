// CNI plugins by exec, per the spec (containernetworking/cni SPEC.md 1.0): a list of them one after the other, each with what the one before it made, and
// taken away from the last to the first. Config on stdin, CNI_* in the environment, JSON back.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'

const PATHS = ['/opt/cni/bin', '/usr/lib/cni', '/usr/libexec/cni']
const INTERFACE = 'eth0'

/** What a network's plugins made, as the last of them says it. */
export interface CniResult {
  ips?: { address: string; gateway?: string }[]
}

/** A network, as a file of `/etc/cni/net.d` has it. */
export interface NetworkList {
  cniVersion: string
  name: string
  plugins: { type: string; capabilities?: Record<string, boolean>; [setting: string]: unknown }[]
}

/** A pod's sandbox, as plugins are told of it. An empty namespace is one that has gone. */
export interface Attachment {
  id: string
  netns: string
  pod: { namespace: string; name: string; uid: string }
}

/** The folder with a plugin; undefined when it is not installed. */
export const folderOf = (plugin: string): string | undefined => PATHS.find((p) => existsSync(`${p}/${plugin}`))

/** Throws with the plugin's words. */
function run(plugin: string, command: 'ADD' | 'DEL', { id, netns, pod }: Attachment, config: object): Promise<CniResult> {
  const folder = folderOf(plugin)
  if (!folder) return Promise.reject(new Error(`no CNI plugin ${plugin} in ${PATHS.join(', ')}: install containernetworking-plugins`))
  const args = {
    IgnoreUnknown: '1',
    K8S_POD_NAMESPACE: pod.namespace,
    K8S_POD_NAME: pod.name,
    K8S_POD_UID: pod.uid,
    K8S_POD_INFRA_CONTAINER_ID: id,
  }
  return new Promise((resolve, reject) => {
    const p = spawn(`${folder}/${plugin}`, [], {
      env: {
        CNI_COMMAND: command,
        CNI_CONTAINERID: id,
        CNI_NETNS: netns,
        CNI_IFNAME: INTERFACE,
        CNI_PATH: PATHS.join(':'),
        CNI_ARGS: Object.entries(args)
          .map(([k, v]) => `${k}=${v}`)
          .join(';'),
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
    p.stdin.end(JSON.stringify(config))
  })
}

/** One plugin's part, with what it can make use of. */
function configOf(list: NetworkList, at: number, offered: Record<string, unknown>, before: CniResult | undefined): object {
  const { capabilities = {}, ...own } = list.plugins[at]!
  const wanted = Object.entries(offered).filter(([name]) => capabilities[name])
  return {
    ...own,
    name: list.name,
    cniVersion: list.cniVersion,
    ...(wanted.length ? { runtimeConfig: Object.fromEntries(wanted) } : {}),
    ...(before ? { prevResult: { cniVersion: list.cniVersion, ...before } } : {}),
  }
}

/** Connects a sandbox. `offered` are the arguments that plugins with such a capability get. */
export async function addTo(list: NetworkList, a: Attachment, offered: Record<string, unknown> = {}): Promise<CniResult> {
  let result: CniResult | undefined
  for (const [at, { type }] of list.plugins.entries()) {
    const made = await run(type, 'ADD', a, configOf(list, at, offered, result))
    // A plugin that adds nothing may say nothing.
    result = Object.keys(made).length ? made : result
  }
  return result ?? {}
}

/** Takes a sandbox out again, as often as it is called; `made` is what `addTo` came to. */
export async function removeFrom(list: NetworkList, a: Attachment, made?: CniResult, offered: Record<string, unknown> = {}): Promise<void> {
  for (const [at, { type }] of [...list.plugins.entries()].reverse()) await run(type, 'DEL', a, configOf(list, at, offered, made))
}
