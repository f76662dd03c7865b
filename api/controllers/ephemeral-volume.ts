// Ephemeral volumes: a claim for each, which is the pod's and goes with it.
import { claimOf } from '../../shared/kinds/pod-claims.ts'
import { type KObject, keyOf } from '../../shared/meta/object.ts'
import { type Controller, splitKey, type Write } from '../engine/types.ts'
import { type OwnerKind, ownerReference, told } from './owned.ts'
import { CLAIMS } from './volume-binder.ts'

const kind: OwnerKind = { resource: 'pods', kind: 'Pod', apiVersion: 'v1', component: 'ephemeral-volume-controller' }

interface View {
  pod: KObject
  /** The claims that there are of the names that its volumes need. */
  claims: Map<string, KObject>
}

const volumesOf = (pod: KObject): any[] => (pod.spec.volumes ?? []).filter((v: any) => v.ephemeral)
const claimName = (pod: KObject, v: any): string => claimOf(pod.metadata.name, v)!

export const ephemeralVolume: Controller<View> = {
  name: kind.component,
  all: (r) =>
    r
      .list('pods')
      .filter((p) => volumesOf(p).length)
      .map(keyOf),
  wakes: {
    pods: ({ old, new: now }) => (now && !old && volumesOf(now).length ? [keyOf(now)] : []),
    [CLAIMS]: ({ old, new: now }) => {
      const owner = now ? undefined : old!.metadata.ownerReferences?.find((r) => r.controller && r.kind === 'Pod')
      return owner ? [`${old!.metadata.namespace}/${owner.name}`] : []
    },
  },
  view: (key, reader) => {
    const [ns, name] = splitKey(key)
    const pod = reader.get('pods', ns, name)
    if (!pod || pod.metadata.deletionTimestamp) return undefined
    const claims = new Map<string, KObject>()
    for (const v of volumesOf(pod)) {
      const there = reader.get(CLAIMS, ns, claimName(pod, v))
      if (there) claims.set(there.metadata.name, there)
    }
    return { pod, claims }
  },
  reconcile: (_key, { pod, claims }) => {
    const writes: Write[] = []
    for (const v of volumesOf(pod)) {
      const name = claimName(pod, v)
      const there = claims.get(name)
      if (there) {
        if (there.metadata.ownerReferences?.some((r) => r.controller && r.uid === pod.metadata.uid)) continue
        const message = `PVC ${pod.metadata.namespace}/${name} was not created for pod ${keyOf(pod)} (pod is not owner)`
        writes.push(told(kind, pod, 'Warning', 'EphemeralVolumeClaimConflict', message))
        continue
      }
      const { metadata = {}, spec } = v.ephemeral.volumeClaimTemplate
      writes.push({
        verb: 'create',
        resource: CLAIMS,
        object: {
          metadata: {
            name,
            namespace: pod.metadata.namespace,
            ...(metadata.labels ? { labels: metadata.labels } : {}),
            ...(metadata.annotations ? { annotations: metadata.annotations } : {}),
            ownerReferences: [ownerReference(kind.kind, kind.apiVersion, pod)],
          } as unknown as KObject['metadata'],
          spec,
        },
      })
    }
    return { writes }
  },
}
