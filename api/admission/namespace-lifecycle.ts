// NamespaceLifecycle: the namespaces that the cluster itself stands on cannot be deleted. That content only enters live ones is the store's guard.
import { forbidden } from '../../shared/status/index.ts'
import { subjectOf } from '../registry/validate.ts'
import type { Step } from './index.ts'

const immortal = ['default', 'kube-system', 'kube-public']

export const namespaceLifecycle: Step = {
  name: 'NamespaceLifecycle',
  delete: ({ kind, object }) => {
    if (kind.kind === 'Namespace' && immortal.includes(object.metadata.name))
      throw forbidden(subjectOf(kind, object.metadata.name), 'this namespace may not be deleted')
  },
}
