// Who has to go first when a node is short of something, in kubelet's order, and what is said of it.
import { unitsOf } from '../../shared/meta/quantity.ts'
import { isStatic } from '../../shared/meta/static-pods.ts'
import { amountText, leastOf, resourceOf, type Signals, type Threshold } from './thresholds.ts'

/** What a pod has of the resource in question: bytes, inodes or processes, by container, and beside them (its volumes). */
export interface PodUsage {
  pod: any
  containers: ReadonlyMap<string, number>
  beside: number
}

const SYSTEM_CRITICAL = 2_000_000_000

/** Pods without which the cluster does not work are never sent away. */
export const isCritical = (pod: any): boolean => (pod.spec.priority ?? 0) >= SYSTEM_CRITICAL || isStatic(pod)

const total = (u: PodUsage) => [...u.containers.values()].reduce((a, b) => a + b, u.beside)

/** What a container asked for; inodes and processes cannot be asked for. */
const requested = (container: any, resource: string) => unitsOf(container?.resources?.requests?.[resource])
const asked = ({ pod }: PodUsage, resource: string) =>
  pod.spec.containers.reduce((sum: number, c: any) => sum + requested(c, resource), unitsOf(pod.spec.overhead?.[resource]))

/** Those who may go, who goes first first: who has more than was asked for, then by priority, then by how much more. */
export function ranked(usages: readonly PodUsage[], resource: ReturnType<typeof resourceOf>): PodUsage[] {
  const over = (u: PodUsage) => total(u) - asked(u, resource)
  const priority = (u: PodUsage) => u.pod.spec.priority ?? 0
  const exceeds = (u: PodUsage) => (resource === 'pids' ? 0 : over(u) > 0 ? 1 : 0)
  return usages
    .filter(({ pod }) => !isCritical(pod))
    .toSorted((a, b) => exceeds(b) - exceeds(a) || priority(a) - priority(b) || over(b) - over(a))
}

/** Why a pod went, in kubelet's words. */
export function evictionMessage(u: PodUsage, threshold: Threshold, signals: Signals): string {
  const resource = resourceOf(threshold.signal)
  const text = (n: number) => amountText(n, resource)
  const limits = `Threshold quantity: ${text(leastOf(threshold, signals))}, available: ${text(signals[threshold.signal].available)}. `
  const consumers = u.pod.spec.containers.flatMap((c: any) => {
    const used = u.containers.get(c.name) ?? 0
    const request = requested(c, resource)
    if (used <= request || resource === 'inodes' || resource === 'pids') return []
    return `Container ${c.name} was using ${text(used)}, request is ${text(request)}, has larger consumption of ${resource}. `
  })
  return `The node was low on resource: ${resource}. ${limits}${consumers.join('')}`
}
