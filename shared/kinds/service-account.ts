// ServiceAccount: an identity for pods; tokens come from its `token` subresource.
import { ageColumn, ageOf, nameColumn, plainKind } from './kind.ts'

export const serviceAccount = plainKind({
  group: '',
  kind: 'ServiceAccount',
  plural: 'serviceaccounts',
  shortNames: ['sa'],
  namespaced: true,
  type: 'V1ServiceAccount',
  subresources: { token: { kind: 'TokenRequest', group: 'authentication.k8s.io', version: 'v1', verbs: ['create'] } },
  columns: [nameColumn, { ...ageColumn }],
  cells: (o, now) => [o.metadata.name, ageOf(o, now)],
  deleteReturnsObject: true,
})
