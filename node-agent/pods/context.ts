// What the worker of a pod has around it: the runtime, the daemon's lists, and whom it tells.
import type { Log } from '../log.ts'
import type { Room } from '../plan/resize.ts'
import type { Runtime } from '../runtime/docker.ts'
import type { Referenced } from '../session/objects.ts'
import type { PodVolumes } from '../volumes/volumes.ts'
import type { Devices } from './devices.ts'
import type { EventRecorder } from './events.ts'
import type { Images } from './images.ts'
import type { Refusal } from './leaving.ts'
import type { SandboxOptions } from './sandbox.ts'
import type { StatusWriter } from './status-writer.ts'

export interface WorkerContext {
  runtime: Runtime
  images: Images
  volumes: PodVolumes
  devices: Devices
  status: StatusWriter
  events: EventRecorder
  log: Log
  sandbox: SandboxOptions
  /** Services of a namespace, and `kubernetes`, for the environment. */
  services(namespace: string): any[]
  object(resource: Referenced, namespace: string, name: string): Promise<any>
  hold(uid: string, references: Set<string>): void
  token(pod: any, audience: string | undefined, seconds: number): Promise<string>
  /** When the pod's tokens have to be renewed, ms. */
  tokensDue(uid: string): number
  /** The pod is gone without a trace. */
  finished(uid: string): void
  addressChanged(): void
  /** What the node has for pods, and what pods other than this one have of it. */
  room(uid: string): Room
  /** Why a pod that has not begun may not; undefined when it may. */
  refusal(pod: any): Refusal | undefined
  /** Resolves when what network policies say of the pod holds at this address. */
  policed(pod: any, ips: readonly string[]): Promise<void>
}
