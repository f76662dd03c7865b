// The start of one container of a pod: its image, its environment and profiles, the container itself, and its hook.
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import path from 'node:path'
import { ConfigError } from '../plan/expand.ts'
import { newest } from '../plan/plan.ts'
import { lackedHere } from '../runtime/capabilities.ts'
import { containerName, containerOptions } from '../runtime/container-options.ts'
import type { Observed, Runtime } from '../runtime/docker.ts'
import { podFolder, type VolumePlaces } from '../volumes/volumes.ts'
import { checkUser, containerEnvironment } from './container-environment.ts'
import type { WorkerContext } from './context.ts'
import { ImageError, type Puller } from './images.ts'
import { configOf } from './keyring.ts'
import { linkLogs } from './log-links.ts'
import type { Sandbox } from './sandbox.ts'
import { securityProfiles } from './security-profiles.ts'

const ERROR_RETRY = 2000
const CONFIG_RETRY = 5000
/** Until what ErrImagePull said is shown as the back-off that follows it, ms. */
const PULL_SHOWN = 1000
const PULL_RETRY = 10_000
const LEAST_RETRY = 100

/** The machine's size, for limits that a container does not set. */
export const machineSize = () => ({ cpu: String(cpus().length), memory: String(totalmem()) })

export interface Starting {
  context: WorkerContext
  pod: any
  sandbox: Sandbox
  volumes: VolumePlaces
  observed(): Observed[]
  event(type: 'Normal' | 'Warning', reason: string, message: string, container: string): void
  /** It is there, and about to run for the first or another time. */
  created(name: string): void
  running(name: string): void
  /** Runs a hook to its end; a message when it failed. */
  postStart(hook: any, container: any, id: string): Promise<string | undefined>
  stop(o: Observed): Promise<void>
}

/** Why it does not run: what its status says, and when it may be tried again, ms. */
export interface Waits {
  reason: string
  message: string
  retry: number
}

/** Undefined when it runs. Throws what nobody expected. */
export async function startContainer(s: Starting, container: any, restarts: number): Promise<Waits | undefined> {
  const { runtime } = s.context
  const { name } = container
  const event = (type: 'Normal' | 'Warning', reason: string, message: string) => s.event(type, reason, message, name)
  let options: Parameters<Runtime['create']>[1]
  try {
    options = await optionsOf(s, container, restarts)
  } catch (cause) {
    return waitsFor(s, container, cause)
  }
  const full = containerName(s.pod, name, restarts)
  let id: string
  try {
    // An attempt that a crash cut short left its name behind.
    for (const o of s.observed()) if (!o.sandbox && o.name === name && o.state === 'created') await runtime.remove(o.id)
    id = await runtime.create(full, options)
  } catch (cause) {
    const { statusCode, message } = cause as { statusCode?: number; message: string }
    if (statusCode === 409) await freeName(runtime, full)
    event('Warning', 'Failed', `Error: ${message}`)
    return { reason: 'CreateContainerError', message, retry: ERROR_RETRY }
  }
  event('Normal', 'Created', `Created container: ${name}`)
  s.created(name)
  let started: Observed | undefined
  try {
    started = await runtime.startContainer(id)
  } catch (cause) {
    const { message } = cause as Error
    event('Warning', 'Failed', `Error: failed to start container ${JSON.stringify(name)}: ${message}`)
    return { reason: 'RunContainerError', message, retry: ERROR_RETRY }
  }
  s.running(name)
  event('Normal', 'Started', `Started container ${name}`)
  linkLogs(s.pod, name, restarts, id, started?.logPath)
  const hook = container.lifecycle?.postStart
  if (hook && started?.state === 'running') {
    const failed = await s.postStart(hook, container, started.id)
    if (failed) {
      event('Warning', 'FailedPostStartHook', failed)
      await s.stop(started)
    }
  }
  return undefined
}

class TargetMissing extends Error {}

/** Everything that the container is made of, once all of it is there. Throws ImageError, ConfigError and TargetMissing while it is not. */
async function optionsOf(s: Starting, container: any, restarts: number): Promise<Parameters<Runtime['create']>[1]> {
  const { context, pod, sandbox } = s
  const { name } = container
  const puller = await pulling(context, pod, (type, reason, message) => s.event(type, reason, message, name))
  const image = await context.images.ensure(container.image, container.imagePullPolicy, puller)
  const env = await containerEnvironment(pod, container, {
    object: context.object,
    services: context.services,
    addresses: { podIPs: sandbox.ips, hostIPs: context.sandbox.hostIPs },
    node: machineSize(),
  })
  const { paths, env: ofDevices } = context.devices.of(pod.metadata.uid, name)
  for (const [k, v] of Object.entries(ofDevices)) env.set(k, v)
  await checkUser(context.runtime, pod, container, image)
  const profiles = securityProfiles(pod, container)
  const target = container.targetContainerName ? newest(s.observed(), container.targetContainerName) : undefined
  if (container.targetContainerName && target?.state !== 'running')
    throw new TargetMissing(`unable to find target container ${JSON.stringify(container.targetContainerName)}`)
  const folder = path.join(podFolder(context.sandbox.data, pod.metadata.uid), 'containers', name)
  mkdirSync(folder, { recursive: true })
  const terminationLog = path.join(folder, `termination-${restarts}`)
  writeFileSync(terminationLog, '', { mode: 0o666 })
  return containerOptions({
    pod,
    container,
    image,
    restarts,
    sandboxId: sandbox.id,
    env,
    devices: [...paths.map((p) => ({ path: p, at: p })), ...context.volumes.devicesOf(container, s.volumes)],
    mounts: await context.volumes.mountsOf(pod, container, s.volumes, env),
    ...(sandbox.hosts ? { hosts: sandbox.hosts } : {}),
    ...(sandbox.resolvConf ? { resolvConf: sandbox.resolvConf } : {}),
    terminationLog,
    profiles,
    memory: totalmem(),
    lacked: lackedHere(),
    ...(sandbox.runtime ? { runtime: sandbox.runtime } : {}),
    ...(sandbox.cgroup ? { cgroup: sandbox.cgroup } : {}),
    ...(target ? { targetId: target.id } : {}),
  })
}

/** What the status says of what was thrown; throws what is no reason to wait. */
function waitsFor(s: Starting, container: any, cause: unknown): Waits {
  const { message } = cause as Error
  if (cause instanceof TargetMissing) return { reason: 'CreateContainerError', message, retry: ERROR_RETRY }
  if (cause instanceof ConfigError) {
    s.event('Warning', 'Failed', `Error: ${message}`, container.name)
    return { reason: 'CreateContainerConfigError', message, retry: CONFIG_RETRY }
  }
  if (!(cause instanceof ImageError)) throw cause
  return imageWaits(s.context, s.pod, cause)
}

/** What the status says while an image is not here. */
export function imageWaits(context: WorkerContext, pod: any, { reason, message, image }: ImageError): Waits {
  // Shown as ErrImagePull first, then as the back-off that follows.
  if (reason === 'ErrImagePull') return { reason, message, retry: PULL_SHOWN }
  const at = context.images.retryAt(pod.metadata.uid, image) ?? performance.now() + PULL_RETRY
  return { reason, message, retry: Math.max(LEAST_RETRY, at - performance.now()) }
}

/** Who pulls for a pod: with the credentials of its Secrets, those that are there. */
export async function pulling(context: WorkerContext, { metadata, spec }: any, event: Puller['event']): Promise<Puller> {
  const secrets = (spec.imagePullSecrets ?? []).map((r: any) => context.object('secrets', metadata.namespace, r.name))
  return { pod: metadata.uid, configs: (await Promise.all(secrets)).flatMap(configOf), event }
}

async function freeName(runtime: Runtime, name: string): Promise<void> {
  const list = await runtime.docker.listContainers({ all: true, filters: { name: [`^/${name}$`] } as never })
  for (const c of list) await runtime.remove(c.Id)
}
