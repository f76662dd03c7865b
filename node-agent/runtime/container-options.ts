// A container's spec as Docker's create options. Pure: paths, environment and addresses come in resolved.

import type { ContainerCreateOptions } from 'dockerode'
import { qosClass } from '../../shared/kinds/pod-defaults.ts'
import { milliOf, unitsOf } from '../../shared/meta/quantity.ts'
import { expand } from '../plan/expand.ts'
import type { Bounds } from '../plan/resize.ts'
import { label } from './docker.ts'

/** A device of the host that a container gets. */
export interface HostDevice {
  path: string
  /** Where the container has it. */
  at: string
  readOnly?: boolean
}

export interface ContainerInput {
  pod: any
  container: any
  /** The name by which its image is here. */
  image: string
  restarts: number
  sandboxId: string
  env: Map<string, string>
  /** What is mounted: a path of the host for each of its volumeMounts, in their order. */
  mounts: readonly { path: string; readOnly: boolean }[]
  devices?: readonly HostDevice[]
  /** Files bound over /etc/hosts and /etc/resolv.conf. */
  hosts?: string
  resolvConf?: string
  terminationLog: string
  /** The container whose processes this one sees. */
  targetId?: string
  /** One of Docker's runtimes, other than the usual one. */
  runtime?: string
  /** The cgroup that all of the pod is in. */
  cgroup?: string
  /** What its profiles come to: of Docker's own form. */
  profiles?: string[]
  /** Capabilities that nobody has on this machine. */
  lacked?: readonly string[]
  /** Host memory in bytes, for scores. */
  memory: number
}

export const containerName = (pod: any, name: string, attempt: number): string =>
  `k8s_${name}_${pod.metadata.name}_${pod.metadata.namespace}_${pod.metadata.uid}_${attempt}`

export const podLabels = (pod: any, name: string, type: 'container' | 'podsandbox'): Record<string, string> => ({
  ...(type === 'podsandbox' ? pod.metadata.labels : {}),
  [label.podName]: pod.metadata.name,
  [label.podNamespace]: pod.metadata.namespace,
  [label.podUid]: pod.metadata.uid,
  [label.container]: name,
  [label.type]: type,
})

/** kubelet's qos.GetContainerOOMScoreAdjust, but never negative: that needs a capability that not every host grants. */
function oomScore(pod: any, container: any, memory: number): number {
  const qos = qosClass(pod.spec)
  if (qos === 'Guaranteed') return 0
  if (qos === 'BestEffort') return 1000
  const request = unitsOf(container.resources?.requests?.memory)
  return Math.min(999, Math.max(2, 1000 - Math.floor((1000 * request) / memory)))
}

function binds({ container, mounts }: ContainerInput): string[] {
  return (container.volumeMounts ?? []).map((m: any, i: number) => {
    const { path, readOnly } = mounts[i]!
    const propagation = m.mountPropagation === 'Bidirectional' ? ',rshared' : m.mountPropagation === 'HostToContainer' ? ',rslave' : ''
    return `${path}:${m.mountPath}:${m.readOnly || readOnly ? 'ro' : 'rw'}${propagation}`
  })
}

/** What Docker bounds a container by. */
export function boundsOf(container: any): Bounds {
  const { requests, limits } = container.resources ?? {}
  const cpu = milliOf(limits?.cpu)
  const memory = unitsOf(limits?.memory)
  const shares = requests?.cpu ? milliOf(requests.cpu) : cpu
  return {
    CpuShares: Math.max(2, Math.floor((shares * 1024) / 1000)),
    ...(cpu ? { CpuPeriod: 100_000, CpuQuota: Math.max(1000, cpu * 100) } : {}),
    ...(memory ? { Memory: memory, MemorySwap: memory } : {}),
  }
}

/** Privileged, as far as this machine lets anybody be: all capabilities but those, all devices, and nothing hidden. */
const allBut = (lacked: readonly string[]) => ({
  CapAdd: ['ALL'],
  CapDrop: [...lacked],
  SecurityOpt: ['seccomp=unconfined', 'apparmor=unconfined', 'label=disable'],
  DeviceCgroupRules: ['a *:* rwm'],
  MaskedPaths: [],
  ReadonlyPaths: [],
})
const DEVICES = '/dev:/dev'

function security({ pod, container, profiles = [], lacked = [] }: ContainerInput) {
  const s = { ...pod.spec.securityContext, ...container.securityContext }
  const user = s.runAsUser !== undefined ? `${s.runAsUser}${s.runAsGroup !== undefined ? `:${s.runAsGroup}` : ''}` : undefined
  const groups = [
    ...(pod.spec.securityContext?.supplementalGroups ?? []),
    ...(pod.spec.securityContext?.fsGroup !== undefined ? [pod.spec.securityContext.fsGroup] : []),
  ]
  const options = [...(s.allowPrivilegeEscalation === false ? ['no-new-privileges'] : []), ...profiles]
  if (s.privileged && lacked.length) {
    const host = { ...allBut(lacked), ...(s.readOnlyRootFilesystem ? { ReadonlyRootfs: true } : {}) }
    // It may bring them itself.
    const brings = container.volumeMounts?.some((m: any) => m.mountPath === '/dev')
    return { user, host: { ...host, ...(groups.length ? { GroupAdd: groups.map(String) } : {}) }, binds: brings ? [] : [DEVICES] }
  }
  return {
    user,
    binds: [],
    host: {
      ...(s.privileged ? { Privileged: true } : {}),
      ...(s.readOnlyRootFilesystem ? { ReadonlyRootfs: true } : {}),
      ...(s.capabilities?.add ? { CapAdd: s.capabilities.add } : {}),
      ...(s.capabilities?.drop ? { CapDrop: s.capabilities.drop } : {}),
      ...(options.length ? { SecurityOpt: options } : {}),
      // The kernel's own files as they are, none hidden and none read-only.
      ...(s.procMount === 'Unmasked' ? { MaskedPaths: [], ReadonlyPaths: [] } : {}),
      ...(groups.length ? { GroupAdd: groups.map(String) } : {}),
    },
  }
}

const asDevice = ({ path, at, readOnly }: HostDevice) => ({
  PathOnHost: path,
  PathInContainer: at,
  CgroupPermissions: readOnly ? 'r' : 'rwm',
})

export function containerOptions(input: ContainerInput): ContainerCreateOptions {
  const { pod, container, restarts, sandboxId, env } = input
  const { user, host, binds: more } = security(input)
  const command = container.command?.map((c: string) => expand(c, env))
  const args = container.args?.map((c: string) => expand(c, env))
  return {
    Image: input.image,
    // An image's own command is not used once the pod gives one.
    ...(command ? { Entrypoint: command, Cmd: args ?? [] } : args ? { Cmd: args } : {}),
    Env: [...env].map(([k, v]) => `${k}=${v}`),
    ...(container.workingDir ? { WorkingDir: container.workingDir } : {}),
    ...(user ? { User: user } : {}),
    OpenStdin: !!container.stdin,
    StdinOnce: !!container.stdinOnce,
    Tty: !!container.tty,
    Labels: {
      ...podLabels(pod, container.name, 'container'),
      [label.restarts]: String(restarts),
      'io.kubernetes.container.hash': String(pod.metadata.generation ?? 0),
    },
    HostConfig: {
      ...(input.runtime ? { Runtime: input.runtime } : {}),
      ...(input.cgroup ? { CgroupParent: input.cgroup } : {}),
      NetworkMode: `container:${sandboxId}`,
      IpcMode: pod.spec.hostIPC ? 'host' : `container:${sandboxId}`,
      ...(pod.spec.hostPID
        ? { PidMode: 'host' }
        : input.targetId
          ? { PidMode: `container:${input.targetId}` }
          : pod.spec.shareProcessNamespace
            ? { PidMode: `container:${sandboxId}` }
            : {}),
      Binds: [
        ...more,
        ...binds(input),
        ...(input.hosts ? [`${input.hosts}:/etc/hosts`] : []),
        ...(input.resolvConf ? [`${input.resolvConf}:/etc/resolv.conf`] : []),
        `${input.terminationLog}:${container.terminationMessagePath ?? '/dev/termination-log'}`,
      ],
      ...(input.devices?.length ? { Devices: input.devices.map(asDevice) } : {}),
      LogConfig: { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '5' } },
      OomScoreAdj: oomScore(pod, container, input.memory),
      ...boundsOf(container),
      ...host,
    },
  }
}
