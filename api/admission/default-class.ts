// DefaultStorageClass and DefaultIngressClass: who names no class gets the one that is marked as the default; of several the newest.
import { defaultClasses, storageDefaults } from '../../shared/kinds/storage.ts'
import { forbidden } from '../../shared/status/index.ts'
import { subjectOf } from '../registry/validate.ts'
import type { Step } from './index.ts'

export const defaultStorageClass: Step = {
  name: 'DefaultStorageClass',
  create: async ({ env, kind, object }) => {
    if (kind.kind !== 'PersistentVolumeClaim') return undefined
    if (
      object.spec.storageClassName !== undefined ||
      object.metadata.annotations?.['volume.beta.kubernetes.io/storage-class'] !== undefined
    )
      return undefined
    const [first] = defaultClasses(await env.lookup.list('storageclasses.storage.k8s.io', ''), storageDefaults)
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
    const found = defaultClasses(await env.lookup.list('ingressclasses.networking.k8s.io', ''), [
      'ingressclass.kubernetes.io/is-default-class',
    ])
    if (found.length > 1)
      throw forbidden(subjectOf(kind, object.metadata.name), `${found.length} default IngressClasses were found, only 1 allowed`)
    if (found[0]) object.spec.ingressClassName = found[0].metadata.name
    return undefined
  },
}
