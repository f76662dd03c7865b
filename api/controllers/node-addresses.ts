// Where machines are reached from outside: the addresses that load balancers and ingresses show.
import { isReady } from '../../shared/meta/conditions.ts'
import type { KObject } from '../../shared/meta/object.ts'

const EXCLUDED = 'node.kubernetes.io/exclude-from-external-load-balancers'
/** A status does not grow with the cluster. */
const MOST = 16

function addressOf(node: KObject): string | undefined {
  const all: any[] = node.status?.addresses ?? []
  const isIPv4 = (a: any) => !a.address.includes(':')
  return (all.find((a) => a.type === 'ExternalIP' && isIPv4(a)) ?? all.find((a) => a.type === 'InternalIP' && isIPv4(a)))?.address
}

/** The address of a node that may be shown; undefined where it is not ready, or left out. */
export const reachedAt = (node: KObject | undefined): string | undefined =>
  node && isReady(node) && !node.metadata.deletionTimestamp && node.metadata.labels?.[EXCLUDED] === undefined ? addressOf(node) : undefined

/** Those of these nodes, in the order of their names. */
export const addressesOf = (nodes: readonly KObject[], isWanted: (address: string) => boolean = () => true): string[] => {
  const all = nodes.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1)).flatMap((n) => reachedAt(n) ?? [])
  return [...new Set(all.filter(isWanted))].slice(0, MOST)
}
