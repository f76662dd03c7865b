// Who else may do a controller's work: a kube-scheduler or kube-controller-manager that holds its lease has it, and ours rests as long.
import type { Change, Reader } from './types.ts'

const LEASES = 'leases.coordination.k8s.io'
const NAMESPACE = 'kube-system'
/** On a lease: the controllers that its holder runs, by our names and with commas between them. All, where it says nothing. */
const ONLY = 'kedge.dev/controllers'

/** Until when somebody else does this work, ms; 0 when nobody does. */
export function takenUntil(controller: { name: string; upstream?: string }, reader: Reader): number {
  const lease = controller.upstream ? reader.get(LEASES, NAMESPACE, controller.upstream) : undefined
  if (!lease?.spec?.holderIdentity) return 0
  const only = lease.metadata.annotations?.[ONLY]
  if (only && !only.split(',').some((n: string) => n.trim() === controller.name)) return 0
  return (Date.parse(lease.spec.renewTime ?? '') || 0) + (lease.spec.leaseDurationSeconds ?? 0) * 1000
}

/** The program whose lease has changed hands, or gone. */
export function handedOver({ resource, old, new: now }: Change): string | undefined {
  if (resource !== LEASES || old?.metadata.namespace !== NAMESPACE) return undefined
  return old.spec?.holderIdentity !== now?.spec?.holderIdentity ? old.metadata.name : undefined
}
