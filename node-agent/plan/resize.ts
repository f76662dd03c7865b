// More or less processor and memory for containers that run. What a pod asks for and what it has been granted are two things: the node grants what it has
// room for, and says why it does not. Pure.
import { milliOf, unitsOf } from '../../shared/meta/quantity.ts'
import { equal } from '../../shared/schema/field-set.ts'

/** As in a container's spec. */
export interface Resources {
  requests?: Record<string, string>
  limits?: Record<string, string>
}
/** By the container's name. */
export type Granted = ReadonlyMap<string, Resources>

/** What the node has for pods, and what its other pods have of it: thousandths of a processor, and bytes. */
export interface Room {
  capacity: { cpu: number; memory: number }
  used: { cpu: number; memory: number }
}

export interface ResizePending {
  reason: 'Infeasible' | 'Deferred'
  message: string
}

const resizable = ({ spec }: any): any[] => [
  ...(spec.initContainers ?? []).filter((c: any) => c.restartPolicy === 'Always'),
  ...spec.containers,
]

/** What the pod's containers were granted: what their status says, or what they came with. */
export function grantedOf(pod: any): Map<string, Resources> {
  const statuses = [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])]
  return new Map(
    resizable(pod).map((c) => {
      const known = statuses.find((s: any) => s.name === c.name)
      if (!known?.allocatedResources) return [c.name, c.resources ?? {}]
      return [
        c.name,
        { ...c.resources, requests: known.allocatedResources, ...(known.resources?.limits ? { limits: known.resources.limits } : {}) },
      ]
    }),
  )
}

/** The pod with what it was granted in place of what it asks for. */
export function asGranted(pod: any, granted: Granted): any {
  const of = (c: any) => (granted.has(c.name) ? { ...c, resources: granted.get(c.name) } : c)
  const { initContainers, containers } = pod.spec
  return {
    ...pod,
    spec: { ...pod.spec, containers: containers.map(of), ...(initContainers ? { initContainers: initContainers.map(of) } : {}) },
  }
}

/** What a pod has been promised on its node. */
export function promised(pod: any, granted: Granted): { cpu: number; memory: number } {
  const sum = { cpu: milliOf(pod.spec.overhead?.cpu), memory: unitsOf(pod.spec.overhead?.memory) }
  for (const c of resizable(pod)) {
    const requests = (granted.get(c.name) ?? c.resources)?.requests
    sum.cpu += milliOf(requests?.cpu)
    sum.memory += unitsOf(requests?.memory)
  }
  return sum
}

/** What the pod gets of what it asks for: all of it, or what it had and why. */
export function decide(pod: any, before: Granted, room: () => Room): { granted: Granted; pending?: ResizePending } {
  const wanted = new Map<string, Resources>(resizable(pod).map((c) => [c.name, c.resources ?? {}]))
  if ([...wanted].every(([name, r]) => equal(before.get(name) ?? {}, r))) return { granted: before }
  const [now, old] = [promised(pod, wanted), promised(pod, before)]
  const { capacity, used } = room()
  for (const resource of ['cpu', 'memory'] as const) {
    if (now[resource] <= old[resource]) continue
    if (now[resource] > capacity[resource]) {
      const message = `Node didn't have enough capacity: ${resource}, requested: ${now[resource]}, capacity: ${capacity[resource]}`
      return { granted: before, pending: { reason: 'Infeasible', message } }
    }
    if (now[resource] + used[resource] > capacity[resource]) {
      const message = `Node didn't have enough resource: ${resource}, requested: ${now[resource]}, used: ${used[resource]}, capacity: ${capacity[resource]}`
      return { granted: before, pending: { reason: 'Deferred', message } }
    }
  }
  return { granted: wanted }
}

/** What a container is bounded by, as Docker takes it. */
export interface Bounds {
  CpuShares: number
  CpuPeriod?: number
  CpuQuota?: number
  /** Bytes. */
  Memory?: number
  MemorySwap?: number
}

/** What has to happen to a container that runs with other bounds than it should. */
export function resizeStep(container: any, has: Bounds | undefined, should: Bounds): 'update' | 'restart' | undefined {
  if (!has) return undefined
  const cpu = has.CpuShares !== should.CpuShares || (has.CpuQuota ?? 0) !== (should.CpuQuota ?? 0)
  const memory = (has.Memory ?? 0) !== (should.Memory ?? 0)
  if (!cpu && !memory) return undefined
  const restarts = (resource: string) =>
    container.resizePolicy?.some((p: any) => p.resourceName === resource && p.restartPolicy === 'RestartContainer')
  return (cpu && restarts('cpu')) || (memory && restarts('memory')) ? 'restart' : 'update'
}
