// PersistentVolumeClaimResize: only claims whose class says so may ask for more than they have.
import { classOf } from '../../shared/kinds/claim.ts'
import { nanoOf } from '../../shared/meta/quantity.ts'
import { forbidden } from '../../shared/status/index.ts'
import { subjectOf } from '../registry/validate.ts'
import type { Step } from './index.ts'

export const claimResize: Step = {
  name: 'PersistentVolumeClaimResize',
  update: async ({ env, kind, object, old, part }) => {
    if (kind.kind !== 'PersistentVolumeClaim' || part !== 'main' || !old) return undefined
    const wanted = (o: typeof object) => nanoOf(o.spec?.resources?.requests?.storage)
    if (wanted(object) <= wanted(old)) return undefined
    const name = classOf(object)
    const classes = name ? await env.lookup.list('storageclasses.storage.k8s.io', '') : []
    if (!classes.find((c) => c.metadata.name === name)?.allowVolumeExpansion)
      throw forbidden(
        subjectOf(kind, object.metadata.name),
        'only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize',
      )
    return undefined
  },
}
