// The Node authorizer: what a node may do beyond RBAC. It reads what its pods reference and writes its own status, pods and events.
// Which pods are its own is the Node's graph: kept by whoever holds the pods (the hub's cluster cache).

import type { Referenced } from '../../shared/kinds/pod-references.ts'
import { LOG_COUNTERS } from '../../shared/logs.ts'
import { nodeOf } from '../admission/node-restriction.ts'
import type { Attributes, Identity } from '../registry/context.ts'

/**
 * Asked whether a pod bound to the node refers to the object; to a volume, by way of its claim; to a secret, also by way of a volume, or an ingress that all
 * nodes serve. An attachment is its node's.
 */
export interface NodeGraph {
  references(
    node: string,
    resource: Referenced | 'persistentvolumes' | 'volumeattachments.storage.k8s.io',
    ns: string,
    name: string,
  ): Promise<boolean>
}

const readAll = new Set([
  'services',
  'nodes',
  'endpoints',
  'endpointslices.discovery.k8s.io',
  'networkpolicies.networking.k8s.io',
  'ingresses.networking.k8s.io',
  'ingressclasses.networking.k8s.io',
  'runtimeclasses.node.k8s.io',
  'csidrivers.storage.k8s.io',
  LOG_COUNTERS,
])
const reads = ['get', 'list', 'watch']

/** Of what its pods refer to: it reads, and says how large their claims have become. */
const mayOf = (resource: string, a: Attributes): boolean =>
  a.subresource
    ? resource === 'persistentvolumeclaims' && a.subresource === 'status' && ['update', 'patch'].includes(a.verb)
    : reads.includes(a.verb)

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
        (!a.subresource && (a.verb === 'delete' || a.verb === 'create'))
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
    case 'csinodes.storage.k8s.io':
      return ['get', 'create', 'update', 'patch', 'delete'].includes(a.verb) && (a.name === node || a.name === undefined)
    case 'volumeattachments.storage.k8s.io':
    case 'secrets':
    case 'configmaps':
    case 'persistentvolumeclaims':
    case 'persistentvolumes':
      // Which of them, and what of it, is NodeRestriction's to say.
      if (resource === 'persistentvolumes' && a.verb === 'patch' && !a.subresource) return true
      // What every host needs to serve names.
      if (resource === 'configmaps' && reads.includes(a.verb) && a.namespace === 'kube-system' && a.name === 'kube-dns') return true
      return mayOf(resource, a) && !!a.name && graph.references(node, resource, a.namespace ?? '', a.name)
    case 'serviceaccounts':
      return a.subresource === 'token' && a.verb === 'create' && graph.references(node, resource, a.namespace ?? '', a.name ?? '')
    default:
      return resource.endsWith('reviews.authentication.k8s.io') || resource.endsWith('reviews.authorization.k8s.io')
        ? a.verb === 'create'
        : false
  }
}
