// The Node authorizer: what a node may do beyond RBAC. It reads what its pods reference and writes its own status, pods and events.
// Which pods are its own is the Node's graph: kept by whoever holds the pods (the hub's cluster cache).

import { claimsOf } from '../../shared/kinds/pod-claims.ts'
import { nodeOf } from '../admission/node-restriction.ts'
import type { Attributes, Identity } from '../registry/context.ts'

type Referenced = 'secrets' | 'configmaps' | 'serviceaccounts' | 'persistentvolumeclaims'

/** Asked whether a pod bound to the node refers to the object; to a volume, by way of its claim. */
export interface NodeGraph {
  references(node: string, resource: Referenced | 'persistentvolumes', ns: string, name: string): Promise<boolean>
}

const readAll = new Set(['services', 'nodes', 'endpoints', 'endpointslices.discovery.k8s.io', 'networkpolicies.networking.k8s.io'])
const reads = ['get', 'list', 'watch']

/** True when the node may; false says nothing, RBAC is asked next. */
export async function nodeAllows(graph: NodeGraph, user: Identity, a: Attributes): Promise<boolean> {
  const node = nodeOf(user)
  if (!node || a.path !== undefined || !a.resource) return false
  const resource = a.group ? `${a.resource}.${a.group}` : a.resource
  if (readAll.has(resource) && reads.includes(a.verb)) return true
  switch (resource) {
    case 'nodes':
      return ['create', 'update', 'patch'].includes(a.verb) && (a.name === node || a.name === undefined)
    case 'pods':
      // What a node may write is narrowed to its own pods by NodeRestriction.
      return (
        reads.includes(a.verb) ||
        (a.subresource === 'status' && ['update', 'patch'].includes(a.verb)) ||
        (!a.subresource && a.verb === 'delete')
      )
    case 'events':
    case 'events.events.k8s.io':
      return ['create', 'update', 'patch'].includes(a.verb)
    case 'leases.coordination.k8s.io':
      return (
        a.namespace === 'kube-node-lease' &&
        ['get', 'create', 'update', 'patch'].includes(a.verb) &&
        (a.name === node || a.name === undefined)
      )
    case 'secrets':
    case 'configmaps':
    case 'persistentvolumeclaims':
    case 'persistentvolumes':
      // Which of them, and what of it, is NodeRestriction's to say.
      if (resource === 'persistentvolumes' && a.verb === 'patch' && !a.subresource) return true
      // What every host needs to serve names.
      if (resource === 'configmaps' && reads.includes(a.verb) && a.namespace === 'kube-system' && a.name === 'kube-dns') return true
      return !a.subresource && reads.includes(a.verb) && !!a.name && graph.references(node, resource, a.namespace ?? '', a.name)
    case 'serviceaccounts':
      return a.subresource === 'token' && a.verb === 'create' && graph.references(node, resource, a.namespace ?? '', a.name ?? '')
    default:
      return resource.endsWith('reviews.authentication.k8s.io') || resource.endsWith('reviews.authorization.k8s.io')
        ? a.verb === 'create'
        : false
  }
}

/** Names that the spec of a pod refers to, for the graph. */
export function referencesOf(spec: any, pod = ''): Record<Referenced, Set<string>> {
  const secrets = new Set<string>()
  const configmaps = new Set<string>()
  const add = (set: Set<string>, name: unknown) => typeof name === 'string' && name && set.add(name)
  for (const s of spec?.imagePullSecrets ?? []) add(secrets, s.name)
  for (const c of [...(spec?.initContainers ?? []), ...(spec?.containers ?? []), ...(spec?.ephemeralContainers ?? [])]) {
    for (const e of c.env ?? []) {
      add(secrets, e.valueFrom?.secretKeyRef?.name)
      add(configmaps, e.valueFrom?.configMapKeyRef?.name)
    }
    for (const e of c.envFrom ?? []) {
      add(secrets, e.secretRef?.name)
      add(configmaps, e.configMapRef?.name)
    }
  }
  for (const v of spec?.volumes ?? [])
    for (const source of [v, ...(v.projected?.sources ?? [])]) {
      add(secrets, source.secret?.secretName ?? source.secret?.name)
      add(configmaps, source.configMap?.name)
    }
  const serviceaccounts = new Set<string>([spec?.serviceAccountName ?? 'default'])
  return { secrets, configmaps, serviceaccounts, persistentvolumeclaims: new Set(claimsOf(pod, spec)) }
}
