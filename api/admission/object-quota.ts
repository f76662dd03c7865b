// A host's bound on how many objects a cluster may hold. Leases and Events of the control plane's own count too: they fill the same database.
import { forbidden } from '../../shared/status/index.ts'
import type { Step } from './index.ts'

export const objectQuota: Step = {
  name: 'ObjectQuota',
  create: async ({ env, kind, object }) => {
    if (env.settings.maxObjects === undefined || !(await env.full())) return undefined
    throw forbidden(
      { group: kind.group, resource: kind.plural, name: object.metadata.name },
      `exceeded quota: the cluster holds the ${env.settings.maxObjects} objects that its account allows`,
    )
  },
}
