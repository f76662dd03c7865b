// The Node object of this machine: made at the first start, its status written when it does not say what is so.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, statfsSync } from 'node:fs'
import { arch, cpus, release, totalmem } from 'node:os'
import path from 'node:path'
import { INGRESS, MANAGED, RESOURCES, VOLUMES_FOLDER, VOLUMES_SIZE } from '../shared/meta/node-annotations.ts'
import { timeString } from '../shared/meta/object.ts'
import { equal } from '../shared/schema/field-set.ts'
import { WIREGUARD } from '../shared/session/wireguard.ts'
import { gitVersion } from '../shared/version.ts'
import type { Log } from './log.ts'
import type { PressureCondition } from './pressure/thresholds.ts'
import type { Api, ApiError } from './session/api.ts'

export interface NodeFacts {
  name: string
  /** Its addresses, its own family's first. */
  ips: readonly string[]
  runtimeVersion: string
  /** Whether the daemon can replace itself. */
  managed: boolean
  /** The folder of its local volumes. */
  volumes: string
  /** Whether it could serve ingresses, or does. */
  ingress?: 'available' | 'serving'
  /** What there is of other resources, by their names. */
  resources: Record<string, string>
  /** Its public key, and where others reach it. */
  wireguard?: string
  /** What it is short of. */
  pressure: ReadonlySet<PressureCondition>
}

const PRESSURE: Record<PressureCondition, [short: string, shortMessage: string, enough: string, enoughMessage: string]> = {
  MemoryPressure: [
    'KubeletHasInsufficientMemory',
    'kubelet has insufficient memory available',
    'KubeletHasSufficientMemory',
    'kubelet has sufficient memory available',
  ],
  DiskPressure: ['KubeletHasDiskPressure', 'kubelet has disk pressure', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'],
  PIDPressure: [
    'KubeletHasInsufficientPID',
    'kubelet has insufficient PID available',
    'KubeletHasSufficientPID',
    'kubelet has sufficient PID available',
  ],
}

const RETRY_MS = 2000
const MAX_RETRY_MS = 30_000

/** Writes reports one after another: of two at once, the one that knew less could be written last. A failed one is tried again. */
export class NodeReporter {
  #wanted = false
  #writing = false
  #closed = false
  readonly #write: () => Promise<void>
  readonly #log: Log

  constructor(write: () => Promise<void>, log: Log) {
    this.#write = write
    this.#log = log
  }

  /** What there is to say has changed: it is written as it stands when its turn comes. */
  report(): void {
    this.#wanted = true
    if (!this.#writing) void this.#run()
  }

  close(): void {
    this.#closed = true
  }

  async #run(): Promise<void> {
    this.#writing = true
    let delay = RETRY_MS
    while (this.#wanted && !this.#closed) {
      this.#wanted = false
      try {
        await this.#write()
        delay = RETRY_MS
      } catch (cause) {
        this.#wanted = true
        this.#log.warn('the node status could not be written; trying again', { cause: (cause as Error).message })
        await new Promise((r) => setTimeout(r, delay))
        delay = Math.min(delay * 2, MAX_RETRY_MS)
      }
    }
    this.#writing = false
  }
}

const read = (file: string) => (existsSync(file) ? readFileSync(file, 'utf8').trim() : '')
const architectures: Record<string, string> = { x64: 'amd64', arm64: 'arm64' }

function osImage(): string {
  return /^PRETTY_NAME="?([^"\n]*)/m.exec(read('/etc/os-release'))?.[1] ?? 'Linux'
}

/** As a quantity. */
function diskSize(at: string): string {
  const disk = statfsSync(at)
  return `${Math.floor((disk.blocks * disk.bsize) / 1024)}Ki`
}

function capacity() {
  return {
    cpu: String(cpus().length),
    memory: `${Math.floor(totalmem() / 1024)}Ki`,
    'ephemeral-storage': diskSize('/'),
    pods: '110',
  }
}

function info(facts: NodeFacts) {
  let machine = read('/etc/machine-id')
  if (!machine)
    try {
      machine = execFileSync('hostid').toString().trim()
    } catch {
      machine = facts.name
    }
  return {
    architecture: architectures[arch()] ?? arch(),
    bootID: read('/proc/sys/kernel/random/boot_id'),
    containerRuntimeVersion: `docker://${facts.runtimeVersion}`,
    kernelVersion: release(),
    kubeProxyVersion: '',
    kubeletVersion: gitVersion,
    machineID: machine,
    operatingSystem: 'linux',
    osImage: osImage(),
    systemUUID: machine,
  }
}

const condition = (type: string, status: string, reason: string, message: string, now: string, before: any[]) => {
  const old = before.find((c) => c.type === type)
  if (old?.status === status && old.reason === reason && old.message === message) return old
  return {
    type,
    status,
    reason,
    message,
    lastHeartbeatTime: now,
    lastTransitionTime: old?.status === status ? old.lastTransitionTime : now,
  }
}

/** Ours as they are now; those that others keep stay. */
function conditions(ready: { ok: boolean; message: string }, pressure: ReadonlySet<PressureCondition>, before: any[]) {
  const now = timeString(Date.now())
  const c = (type: string, status: string, reason: string, message: string) => condition(type, status, reason, message, now, before)
  const own = [
    ...Object.entries(PRESSURE).map(([type, [short, shortMessage, enough, enoughMessage]]) =>
      pressure.has(type as PressureCondition) ? c(type, 'True', short, shortMessage) : c(type, 'False', enough, enoughMessage),
    ),
    c('Ready', ready.ok ? 'True' : 'False', ready.ok ? 'KubeletReady' : 'KubeletNotReady', ready.message),
  ]
  const others = before.filter((b) => !own.some((o) => o.type === b.type))
  return [...others, ...own]
}

/** Whether all that is wanted is there already; what else is there does not matter, but in lists. */
const covers = (have: any, want: any): boolean =>
  want && typeof want === 'object' && !Array.isArray(want)
    ? Object.entries(want).every(([k, v]) => covers(have?.[k], v))
    : equal(have, want)

/** Sets annotations of a node, or with null takes them away. Throws ApiErrors. */
export async function annotateNode(api: Api, name: string, annotations: Record<string, string | null>): Promise<void> {
  await api.call('PATCH', `/api/v1/nodes/${name}`, { metadata: { annotations } }, 'application/merge-patch+json')
}

/**
 * Writes what the Node does not say yet, making it first when there is none: a daemon that comes back to find nothing changed writes nothing.
 * `known` is the Node as the session has told it. Throws ApiErrors.
 */
export async function writeNodeStatus(api: Api, facts: NodeFacts, ready: { ok: boolean; message: string }, known?: any): Promise<void> {
  const at = `/api/v1/nodes/${facts.name}`
  const a = architectures[arch()] ?? arch()
  const labels = {
    'kubernetes.io/hostname': facts.name,
    'kubernetes.io/os': 'linux',
    'kubernetes.io/arch': a,
    'beta.kubernetes.io/os': 'linux',
    'beta.kubernetes.io/arch': a,
  }
  let node = known
  try {
    node ??= await api.call('GET', at)
  } catch (cause) {
    if ((cause as ApiError).code !== 404) throw cause
    node = await api.call('POST', '/api/v1/nodes', {
      kind: 'Node',
      apiVersion: 'v1',
      metadata: { name: facts.name, labels, annotations: { 'volumes.kubernetes.io/controller-managed-attach-detach': 'true' } },
      spec: {},
    })
  }
  // Made by somebody else (a join token with labels, an administrator): what the machine knows of itself is added.
  if (!covers(node.metadata.labels, labels)) await api.call('PATCH', at, { metadata: { labels } }, 'application/merge-patch+json')
  const own = {
    [MANAGED]: facts.managed ? 'true' : null,
    [INGRESS]: facts.ingress ?? null,
    [RESOURCES]: Object.keys(facts.resources).sort().join() || null,
    [WIREGUARD]: facts.wireguard ?? null,
    [VOLUMES_FOLDER]: facts.volumes,
    [VOLUMES_SIZE]: diskSize(path.dirname(facts.volumes)),
  }
  // What this machine no longer has is nought; what others say of it is theirs.
  const before = (node.metadata.annotations?.[RESOURCES] ?? '').split(',').filter(Boolean)
  const amounts = { ...capacity(), ...Object.fromEntries(before.map((name: string) => [name, '0'])), ...facts.resources }
  const status = {
    capacity: amounts,
    allocatable: amounts,
    addresses: [...facts.ips.map((address) => ({ type: 'InternalIP', address })), { type: 'Hostname', address: facts.name }],
    conditions: conditions(ready, facts.pressure, node.status?.conditions ?? []),
    nodeInfo: info(facts),
    daemonEndpoints: { kubeletEndpoint: { Port: 0 } },
  }
  if (!covers(node.status, status)) await api.call('PATCH', `${at}/status`, { status }, 'application/merge-patch+json')
  // After it: which resources were this machine's is known until they are nought.
  const changed = Object.entries(own).filter(([k, v]) => (node.metadata.annotations?.[k] ?? null) !== v)
  if (changed.length) await annotateNode(api, facts.name, Object.fromEntries(changed))
}
