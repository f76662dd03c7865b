// Where machines are reached from outside: the addresses that load balancers and ingresses show.
import { FAMILIES, ofFamily } from '../../shared/meta/address.ts'
import { isReady } from '../../shared/meta/conditions.ts'
import type { KObject } from '../../shared/meta/object.ts'

const EXCLUDED = 'node.kubernetes.io/exclude-from-external-load-balancers'
/** A status does not grow with the cluster. */
const MOST = 16

/** One of each family. */
function ownOf(node: KObject): string[] {
  const all: any[] = node.status?.addresses ?? []
  const known = ['ExternalIP', 'InternalIP'].flatMap((type) => all.filter((a) => a.type === type).map((a) => a.address as string))
  return FAMILIES.flatMap((family) => ofFamily(known, family) ?? [])
}

/** The addresses of a node that may be shown; none where it is not ready, or left out. */
export const reachedAt = (node: KObject | undefined): string[] =>
  node && isReady(node) && !node.metadata.deletionTimestamp && node.metadata.labels?.[EXCLUDED] === undefined ? ownOf(node) : []

/** Those of these nodes, in the order of their names. */
export const addressesOf = (nodes: readonly KObject[], isWanted: (address: string) => boolean = () => true): string[] => {
  const all = nodes.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1)).flatMap(reachedAt)
  return [...new Set(all.filter(isWanted))].slice(0, MOST)
}
