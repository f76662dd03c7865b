// The Node object of this machine: made at the first start, its status written when the session opens and when something changes.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, statfsSync } from 'node:fs'
import { arch, cpus, release, totalmem } from 'node:os'
import { timeString } from '../shared/meta/object.ts'
import type { Api, ApiError } from './session/api.ts'
import { KEDGE_NODE_VERSION } from './version.ts'

export interface NodeFacts {
  name: string
  ip: string
  runtimeVersion: string
}

const read = (file: string) => (existsSync(file) ? readFileSync(file, 'utf8').trim() : '')
const architectures: Record<string, string> = { x64: 'amd64', arm64: 'arm64' }

function osImage(): string {
  return /^PRETTY_NAME="?([^"\n]*)/m.exec(read('/etc/os-release'))?.[1] ?? 'Linux'
}

function capacity() {
  const disk = statfsSync('/')
  return {
    cpu: String(cpus().length),
    memory: `${Math.floor(totalmem() / 1024)}Ki`,
    'ephemeral-storage': `${Math.floor((disk.blocks * disk.bsize) / 1024)}Ki`,
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
    kubeletVersion: KEDGE_NODE_VERSION,
    machineID: machine,
    operatingSystem: 'linux',
    osImage: osImage(),
    systemUUID: machine,
  }
}

const condition = (type: string, status: string, reason: string, message: string, now: string, before: any[]) => {
  const old = before.find((c) => c.type === type)
  return {
    type,
    status,
    reason,
    message,
    lastHeartbeatTime: now,
    lastTransitionTime: old?.status === status ? old.lastTransitionTime : now,
  }
}

function conditions(ready: { ok: boolean; message: string }, before: any[]) {
  const now = timeString(Date.now())
  const c = (type: string, status: string, reason: string, message: string) => condition(type, status, reason, message, now, before)
  return [
    c('MemoryPressure', 'False', 'KubeletHasSufficientMemory', 'kubelet has sufficient memory available'),
    c('DiskPressure', 'False', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'),
    c('PIDPressure', 'False', 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'),
    c('Ready', ready.ok ? 'True' : 'False', ready.ok ? 'KubeletReady' : 'KubeletNotReady', ready.message),
  ]
}

/** Writes the node's status, making the Node first when there is none. Throws ApiErrors. */
export async function writeNodeStatus(api: Api, facts: NodeFacts, ready: { ok: boolean; message: string }): Promise<void> {
  const path = `/api/v1/nodes/${facts.name}`
  const a = architectures[arch()] ?? arch()
  const labels = {
    'kubernetes.io/hostname': facts.name,
    'kubernetes.io/os': 'linux',
    'kubernetes.io/arch': a,
    'beta.kubernetes.io/os': 'linux',
    'beta.kubernetes.io/arch': a,
  }
  let node: any
  try {
    node = await api.call('GET', path)
  } catch (cause) {
    if ((cause as ApiError).code !== 404) throw cause
    node = await api.call('POST', '/api/v1/nodes', {
      kind: 'Node',
      apiVersion: 'v1',
      metadata: { name: facts.name, labels, annotations: { 'volumes.kubernetes.io/controller-managed-attach-detach': 'true' } },
      spec: {},
    })
  }
  const amounts = capacity()
  await api.call(
    'PATCH',
    `${path}/status`,
    {
      status: {
        capacity: amounts,
        allocatable: amounts,
        addresses: [
          { type: 'InternalIP', address: facts.ip },
          { type: 'Hostname', address: facts.name },
        ],
        conditions: conditions(ready, node.status?.conditions ?? []),
        nodeInfo: info(facts),
        daemonEndpoints: { kubeletEndpoint: { Port: 0 } },
      },
    },
    'application/merge-patch+json',
  )
}
