// Lease: who leads, until when.
import { ageColumn, ageOf, nameColumn, plainKind, text } from './kind.ts'

export const lease = plainKind({
  group: 'coordination.k8s.io',
  kind: 'Lease',
  plural: 'leases',
  namespaced: true,
  type: 'V1Lease',
  validate: (o, e) => {
    const { leaseDurationSeconds, leaseTransitions } = o.spec ?? {}
    if (leaseDurationSeconds !== undefined && leaseDurationSeconds <= 0)
      e.invalid('spec.leaseDurationSeconds', leaseDurationSeconds, 'must be greater than 0')
    if (leaseTransitions < 0) e.invalid('spec.leaseTransitions', leaseTransitions, 'must be greater than or equal to 0')
  },
  columns: [nameColumn, text('Holder', 'Who holds the lease.'), ageColumn],
  cells: (o, now) => [o.metadata.name, o.spec?.holderIdentity ?? '', ageOf(o, now)],
})
