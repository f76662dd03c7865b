// ServiceAccount: an identity for pods; tokens come from its `token` subresource.
import { ageColumn, ageOf, nameColumn, plainKind, text } from './kind.ts'

export const serviceAccount = plainKind({
  group: '',
  kind: 'ServiceAccount',
  plural: 'serviceaccounts',
  shortNames: ['sa'],
  namespaced: true,
  type: 'V1ServiceAccount',
  subresources: { token: { kind: 'TokenRequest', group: 'authentication.k8s.io', version: 'v1', verbs: ['create'] } },
  columns: [nameColumn, text('Secrets', 'How many secrets the account lists.'), ageColumn],
  cells: (o, now) => [o.metadata.name, o.secrets?.length ?? 0, ageOf(o, now)],
  deleteReturnsObject: true,
})
