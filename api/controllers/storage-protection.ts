// Claims and volumes that are deleted stay while they are used: a claim by pods, a volume by the claim that it is bound to.

import { storageProtection } from '../../shared/kinds/claim.ts'
import { claimsOf } from '../../shared/kinds/pod-claims.ts'
import type { KObject } from '../../shared/meta/object.ts'
import { type Controller, splitKey } from '../engine/types.ts'
import { CLAIMS, VOLUMES } from './volume-binder.ts'

/** A pod that has ended uses nothing; nor does one that no node was given, once it is deleted. */
const uses = (pod: KObject): boolean =>
  !['Succeeded', 'Failed'].includes(pod.status?.phase) && !(pod.metadata.deletionTimestamp && !pod.spec?.nodeName)

interface View {
  object: KObject
  used: boolean
}

/** A controller that takes the finalizer of `kind` from what is deleted and unused. */
const protection = (
  name: string,
  resource: string,
  kind: string,
  rest: Pick<Controller<View>, 'wakes'> & { used: (o: KObject, pods: (ns: string) => readonly KObject[]) => boolean },
): Controller<View> => {
  const finalizer = storageProtection[kind]!
  const waiting = (o: KObject | undefined) => !!o?.metadata.deletionTimestamp && !!o.metadata.finalizers?.includes(finalizer)
  const keyOf = ({ metadata }: KObject) => `${metadata.namespace ?? ''}/${metadata.name}`
  return {
    name,
    all: (r) => r.list(resource).filter(waiting).map(keyOf),
    wakes: { ...rest.wakes, [resource]: ({ new: now }) => (waiting(now) ? [keyOf(now!)] : []) },
    view: (key, reader) => {
      const object = reader.get(resource, ...splitKey(key))
      return object && waiting(object) ? { object, used: rest.used(object, (ns) => reader.list('pods', ns)) } : undefined
    },
    reconcile: (_key, { object, used }) => {
      if (used) return { writes: [] }
      const finalizers = object.metadata.finalizers!.filter((f) => f !== finalizer)
      return { writes: [{ verb: 'update', resource, object: { ...object, metadata: { ...object.metadata, finalizers } } }] }
    },
  }
}

export const claimProtection = protection('pvc-protection', CLAIMS, 'PersistentVolumeClaim', {
  wakes: {
    pods: ({ old, new: now }) => {
      const pod = now ?? old!
      return now && uses(now) ? [] : claimsOf(pod.metadata.name, pod.spec).map((c) => `${pod.metadata.namespace}/${c}`)
    },
  },
  used: ({ metadata }, pods) => pods(metadata.namespace!).some((p) => uses(p) && claimsOf(p.metadata.name, p.spec).includes(metadata.name)),
})

export const volumeProtection = protection('pv-protection', VOLUMES, 'PersistentVolume', {
  wakes: {},
  used: (o) => o.status?.phase === 'Bound',
})
