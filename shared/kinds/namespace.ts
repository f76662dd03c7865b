// Namespace: the `kubernetes` finalizer in its spec keeps it until its contents are gone.
import { dnsLabel } from '../meta/names.ts'
import { ageColumn, ageOf, allVerbs, type Kind, nameColumn, statusVerbs, text } from './kind.ts'

export const namespace: Kind = {
  group: '',
  version: 'v1',
  kind: 'Namespace',
  plural: 'namespaces',
  singular: 'namespace',
  shortNames: ['ns'],
  namespaced: false,
  type: 'V1Namespace',
  verbs: allVerbs.filter((v) => v !== 'deletecollection'),
  subresources: { finalize: { verbs: ['update'] }, status: { verbs: statusVerbs } },
  nameFormat: dnsLabel,
  defaults: (o) => {
    o.metadata.labels = { ...o.metadata.labels, 'kubernetes.io/metadata.name': o.metadata.name }
  },
  prepareForCreate: (o) => {
    o.spec = {
      ...o.spec,
      finalizers: o.spec?.finalizers?.includes('kubernetes') ? o.spec.finalizers : [...(o.spec?.finalizers ?? []), 'kubernetes'],
    }
    o.status = { phase: 'Active' }
  },
  prepareForUpdate: (o, old) => {
    o.spec = old.spec
    o.status = old.status
  },
  fields: (o) => ({ 'status.phase': o.status?.phase ?? '' }),
  columns: [nameColumn, text('Status', 'The status of the namespace.'), ageColumn],
  cells: (o, now) => [o.metadata.name, o.status?.phase ?? '', ageOf(o, now)],
  deleteReturnsObject: true,
  gracePeriod: () => 0,
}
