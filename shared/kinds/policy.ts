// PodDisruptionBudget: how many pods of a kind may be taken away at a time.
import { ageColumn, ageOf, integer, type Kind, nameColumn, plainKind, statusSubresource, text, withStatus } from './kind.ts'
import { validateLabelSelector } from './pod-validation.ts'
import { validateShare } from './workloads.ts'

export const podDisruptionBudget: Kind = plainKind({
  group: 'policy',
  kind: 'PodDisruptionBudget',
  plural: 'poddisruptionbudgets',
  shortNames: ['pdb'],
  namespaced: true,
  type: 'V1PodDisruptionBudget',
  subresources: statusSubresource,
  ...withStatus(() => ({ currentHealthy: 0, desiredHealthy: 0, disruptionsAllowed: 0, expectedPods: 0 })),
  defaults: (o) => {
    o.spec ??= {}
  },
  validate: (o, e) => {
    const s = o.spec ?? {}
    if (s.minAvailable !== undefined && s.maxUnavailable !== undefined)
      e.invalid('spec', s, 'minAvailable and maxUnavailable cannot be both set')
    validateShare(s.minAvailable, 'spec.minAvailable', e, true)
    validateShare(s.maxUnavailable, 'spec.maxUnavailable', e, true)
    validateLabelSelector(s.selector, 'spec.selector', e)
    const policies = ['AlwaysAllow', 'IfHealthyBudget']
    if (s.unhealthyPodEvictionPolicy !== undefined && !policies.includes(s.unhealthyPodEvictionPolicy))
      e.notSupported('spec.unhealthyPodEvictionPolicy', s.unhealthyPodEvictionPolicy, policies)
  },
  columns: [
    nameColumn,
    text('Min Available', 'The minimum number of pods that must be available.'),
    text('Max Unavailable', 'The maximum number of pods that may be unavailable.'),
    integer('Allowed Disruptions', 'Calculated number of pods that may be disrupted at this time.'),
    ageColumn,
  ],
  cells: (o, now) => [
    o.metadata.name,
    String(o.spec?.minAvailable ?? 'N/A'),
    String(o.spec?.maxUnavailable ?? 'N/A'),
    o.status?.disruptionsAllowed ?? 0,
    ageOf(o, now),
  ],
})
