// Deployment: rolling update by default, a quarter over and a quarter under the wanted number.
import type { FieldErrors } from '../meta/field-error.ts'
import { printSelector } from '../meta/selector.ts'
import { ageColumn, ageOf, allVerbs, integer, type Kind, nameColumn, statusVerbs, text } from './kind.ts'
import {
  containerCells,
  containerColumns,
  defaultTemplate,
  scaledValue,
  validateSelectorUnchanged,
  validateShare,
  validateWorkload,
} from './workloads.ts'

function validateStrategy(strategy: any, e: FieldErrors) {
  const { type, rollingUpdate } = strategy
  if (type !== 'Recreate' && type !== 'RollingUpdate') {
    e.notSupported('spec.strategy.type', type, ['Recreate', 'RollingUpdate'])
    return
  }
  if (type === 'Recreate' && rollingUpdate)
    e.forbidden('spec.strategy.rollingUpdate', "may not be specified when strategy `type` is 'Recreate'")
  if (type !== 'RollingUpdate' || !rollingUpdate) return
  validateShare(rollingUpdate.maxUnavailable, 'spec.strategy.rollingUpdate.maxUnavailable', e, true)
  validateShare(rollingUpdate.maxSurge, 'spec.strategy.rollingUpdate.maxSurge', e, false)
  if (scaledValue(rollingUpdate.maxUnavailable, 100, true) === 0 && scaledValue(rollingUpdate.maxSurge, 100, true) === 0)
    e.invalid('spec.strategy.rollingUpdate.maxUnavailable', rollingUpdate.maxUnavailable, 'may not be 0 when `maxSurge` is 0')
}

export const deployment: Kind = {
  group: 'apps',
  version: 'v1',
  kind: 'Deployment',
  plural: 'deployments',
  singular: 'deployment',
  shortNames: ['deploy'],
  categories: ['all'],
  namespaced: true,
  type: 'V1Deployment',
  verbs: allVerbs,
  subresources: { scale: { kind: 'Scale', group: 'autoscaling', version: 'v1', verbs: statusVerbs }, status: { verbs: statusVerbs } },
  generation: true,
  defaults: (o) => {
    o.spec ??= {}
    const s = o.spec
    s.replicas ??= 1
    s.revisionHistoryLimit ??= 10
    s.progressDeadlineSeconds ??= 600
    s.strategy ??= {}
    s.strategy.type ||= 'RollingUpdate'
    if (s.strategy.type === 'RollingUpdate') {
      s.strategy.rollingUpdate ??= {}
      s.strategy.rollingUpdate.maxUnavailable ??= '25%'
      s.strategy.rollingUpdate.maxSurge ??= '25%'
    }
    defaultTemplate(s.template)
  },
  prepareForCreate: (o) => {
    o.status = {}
  },
  prepareForUpdate: (o, old) => {
    o.status = old.status
  },
  validate: (o, e) => {
    validateWorkload(o, e)
    const s = o.spec ?? {}
    validateStrategy(s.strategy ?? {}, e)
    for (const f of ['minReadySeconds', 'revisionHistoryLimit', 'progressDeadlineSeconds'])
      if (s[f] < 0) e.invalid(`spec.${f}`, s[f], 'must be greater than or equal to 0')
    if (s.progressDeadlineSeconds <= (s.minReadySeconds ?? 0))
      e.invalid('spec.progressDeadlineSeconds', s.progressDeadlineSeconds, 'must be greater than minReadySeconds')
  },
  validateUpdate: validateSelectorUnchanged,
  columns: [
    nameColumn,
    text('Ready', 'Number of ready pods out of those wanted.'),
    integer('Up-to-date', 'Number of pods with the newest template.'),
    integer('Available', 'Number of pods ready for at least minReadySeconds.'),
    ageColumn,
    ...containerColumns,
  ],
  cells: (o, now) => [
    o.metadata.name,
    `${o.status?.readyReplicas ?? 0}/${o.spec?.replicas ?? 0}`,
    o.status?.updatedReplicas ?? 0,
    o.status?.availableReplicas ?? 0,
    ageOf(o, now),
    ...containerCells(o),
  ],
  scale: { selector: (o) => printSelector(o.spec?.selector) },
}
