// DaemonSet: one pod of a template on every node that fits.
import { printSelector } from '../meta/selector.ts'
import { equal } from '../schema/field-set.ts'
import { ageColumn, ageOf, integer, type Kind, nameColumn, notNegative, plainKind, statusSubresource, text, withStatus } from './kind.ts'
import {
  containerCells,
  containerColumns,
  defaultTemplate,
  scaledValue,
  validateSelectorUnchanged,
  validateShare,
  validateWorkload,
} from './workloads.ts'

const GENERATION = 'deprecated.daemonset.template.generation'
const status = withStatus(() => ({ currentNumberScheduled: 0, desiredNumberScheduled: 0, numberMisscheduled: 0, numberReady: 0 }))

export const daemonSet: Kind = plainKind({
  group: 'apps',
  kind: 'DaemonSet',
  plural: 'daemonsets',
  shortNames: ['ds'],
  categories: ['all'],
  namespaced: true,
  type: 'V1DaemonSet',
  subresources: statusSubresource,
  ...status,
  prepareForCreate: (o) => {
    status.prepareForCreate!(o)
    o.metadata.annotations = { ...o.metadata.annotations, [GENERATION]: '1' }
  },
  prepareForUpdate: (o, old) => {
    status.prepareForUpdate!(o, old)
    const before = old.metadata.annotations?.[GENERATION]
    const changed = !equal(o.spec?.template, old.spec?.template)
    const now = before === undefined ? undefined : String(Number(before) + (changed ? 1 : 0))
    if (now !== undefined) o.metadata.annotations = { ...o.metadata.annotations, [GENERATION]: now }
  },
  defaults: (o) => {
    o.spec ??= {}
    const s = o.spec
    s.updateStrategy ??= {}
    s.updateStrategy.type ||= 'RollingUpdate'
    if (s.updateStrategy.type === 'RollingUpdate') {
      s.updateStrategy.rollingUpdate ??= {}
      s.updateStrategy.rollingUpdate.maxUnavailable ??= 1
      s.updateStrategy.rollingUpdate.maxSurge ??= 0
    }
    s.revisionHistoryLimit ??= 10
    defaultTemplate(s.template)
  },
  validate: (o, e) => {
    validateWorkload(o, e, 'daemonset', 'DaemonSet')
    notNegative(e, 'spec', o.spec, 'minReadySeconds', 'revisionHistoryLimit')
    const { type, rollingUpdate } = o.spec?.updateStrategy ?? {}
    if (type === 'OnDelete') return
    if (type !== 'RollingUpdate') return e.notSupported('spec.updateStrategy.type', type, ['OnDelete', 'RollingUpdate'])
    const at = 'spec.updateStrategy.rollingUpdate'
    if (!rollingUpdate) return e.required(at)
    validateShare(rollingUpdate.maxUnavailable, `${at}.maxUnavailable`, e, true)
    validateShare(rollingUpdate.maxSurge, `${at}.maxSurge`, e, true)
    const [down, over] = [scaledValue(rollingUpdate.maxUnavailable, 100, true), scaledValue(rollingUpdate.maxSurge, 100, true)]
    if (down && over) e.invalid(`${at}.maxSurge`, rollingUpdate.maxSurge, 'may not be set when maxUnavailable is non-zero')
    else if (!down && !over) e.required(`${at}.maxUnavailable`, 'cannot be 0 when maxSurge is 0')
  },
  validateUpdate: validateSelectorUnchanged,
  columns: [
    nameColumn,
    integer('Desired', 'Number of nodes that should run the pod.'),
    integer('Current', 'Number of nodes that run it and should.'),
    integer('Ready', 'Number of nodes where it is ready.'),
    integer('Up-to-date', 'Number of nodes with the newest template.'),
    integer('Available', 'Number of nodes where it has been ready long enough.'),
    text('Node Selector', 'Labels of the nodes that should run it.'),
    ageColumn,
    ...containerColumns,
  ],
  cells: (o, now) => [
    o.metadata.name,
    o.status?.desiredNumberScheduled ?? 0,
    o.status?.currentNumberScheduled ?? 0,
    o.status?.numberReady ?? 0,
    o.status?.updatedNumberScheduled ?? 0,
    o.status?.numberAvailable ?? 0,
    printSelector({ matchLabels: o.spec?.template?.spec?.nodeSelector ?? {} }),
    ageOf(o, now),
    ...containerCells(o),
  ],
})
