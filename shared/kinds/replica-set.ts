// ReplicaSet: a number of pods from one template.
import { printSelector } from '../meta/selector.ts'
import { ageColumn, ageOf, allVerbs, integer, type Kind, nameColumn, statusVerbs } from './kind.ts'
import { containerCells, containerColumns, defaultTemplate, validateSelectorUnchanged, validateWorkload } from './workloads.ts'

export const replicaSet: Kind = {
  group: 'apps',
  version: 'v1',
  kind: 'ReplicaSet',
  plural: 'replicasets',
  singular: 'replicaset',
  shortNames: ['rs'],
  categories: ['all'],
  namespaced: true,
  type: 'V1ReplicaSet',
  verbs: allVerbs,
  subresources: { scale: { kind: 'Scale', group: 'autoscaling', version: 'v1', verbs: statusVerbs }, status: { verbs: statusVerbs } },
  generation: true,
  defaults: (o) => {
    o.spec ??= {}
    o.spec.replicas ??= 1
    defaultTemplate(o.spec.template)
  },
  prepareForCreate: (o) => {
    o.status = { replicas: 0 }
  },
  prepareForUpdate: (o, old) => {
    o.status = old.status
  },
  validate: validateWorkload,
  validateUpdate: validateSelectorUnchanged,
  fields: (o) => ({ 'status.replicas': String(o.status?.replicas ?? 0) }),
  columns: [
    nameColumn,
    integer('Desired', 'Number of wanted pods.'),
    integer('Current', 'Number of existing pods.'),
    integer('Ready', 'Number of ready pods.'),
    ageColumn,
    ...containerColumns,
  ],
  cells: (o, now) => [
    o.metadata.name,
    o.spec?.replicas ?? 0,
    o.status?.replicas ?? 0,
    o.status?.readyReplicas ?? 0,
    ageOf(o, now),
    ...containerCells(o),
  ],
  scale: { selector: (o) => printSelector(o.spec?.selector) },
}
