// DefaultStorageClass and DefaultIngressClass: who names no class gets the one that is marked as the default; of several the newest.
import type { KObject } from '../../shared/meta/object.ts'
import { forbidden } from '../../shared/status/index.ts'
import { subjectOf } from '../registry/validate.ts'
import type { Step } from './index.ts'

const marked = (classes: KObject[], ...annotations: string[]): KObject[] =>
  classes
    .filter((c) => annotations.some((a) => c.metadata.annotations?.[a] === 'true'))
    .sort((a, b) =>
      a.metadata.creationTimestamp > b.metadata.creationTimestamp
        ? -1
        : a.metadata.creationTimestamp < b.metadata.creationTimestamp
          ? 1
          : a.metadata.name < b.metadata.name
            ? -1
            : 1,
    )

export const defaultStorageClass: Step = {
  name: 'DefaultStorageClass',
  create: async ({ env, kind, object }) => {
    if (kind.kind !== 'PersistentVolumeClaim') return undefined
    if (
      object.spec.storageClassName !== undefined ||
      object.metadata.annotations?.['volume.beta.kubernetes.io/storage-class'] !== undefined
    )
      return undefined
    const [first] = marked(
      await env.lookup.list('storageclasses.storage.k8s.io', ''),
      'storageclass.kubernetes.io/is-default-class',
      'storageclass.beta.kubernetes.io/is-default-class',
    )
    if (first) object.spec.storageClassName = first.metadata.name
    return undefined
  },
}

export const defaultIngressClass: Step = {
  name: 'DefaultIngressClass',
  create: async ({ env, kind, object }) => {
    if (kind.kind !== 'Ingress') return undefined
    if (object.spec.ingressClassName !== undefined || object.metadata.annotations?.['kubernetes.io/ingress.class'] !== undefined)
      return undefined
    const found = marked(await env.lookup.list('ingressclasses.networking.k8s.io', ''), 'ingressclass.kubernetes.io/is-default-class')
    if (found.length > 1)
      throw forbidden(subjectOf(kind, object.metadata.name), `${found.length} default IngressClasses were found, only 1 allowed`)
    if (found[0]) object.spec.ingressClassName = found[0].metadata.name
    return undefined
  },
}
