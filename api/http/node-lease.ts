// The lease of a node whose daemon holds a session: made when it is read. The session is the heartbeat; nothing is written for it.
import type { KObject } from '../../shared/meta/object.ts'
import type { Cluster } from '../cluster.ts'

const NAMESPACE = 'kube-node-lease'
const SECONDS = 40

/** The lease as a kubelet would have renewed it now; undefined when the node is not connected. Stored leases (of foreign kubelets) come first. */
export async function nodeLease(cluster: Cluster, resource: string, ns: string, name: string): Promise<KObject | undefined> {
  if (resource !== 'leases.coordination.k8s.io' || ns !== NAMESPACE || !(await cluster.hub.connected()).includes(name)) return undefined
  const node = await cluster.env.lookup.get('nodes', '', name)
  if (!node) return undefined
  const { uid, creationTimestamp, resourceVersion } = node.metadata
  return {
    kind: 'Lease',
    apiVersion: 'coordination.k8s.io/v1',
    metadata: {
      name,
      namespace: NAMESPACE,
      uid,
      resourceVersion,
      creationTimestamp,
      ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name, uid }],
    },
    spec: {
      holderIdentity: name,
      leaseDurationSeconds: SECONDS,
      renewTime: new Date(cluster.clock.now()).toISOString().replace('Z', '000Z'),
    },
  }
}
