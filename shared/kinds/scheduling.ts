// PriorityClass: who goes first; RuntimeClass: how containers are run.
import { dnsLabel } from '../meta/names.ts'
import { equal } from '../schema/field-set.ts'
import { ageColumn, ageOf, boolean, integer, type Kind, nameColumn, plainKind, text } from './kind.ts'

const HIGHEST_OF_USERS = 1_000_000_000
/** Those that every cluster has. */
export const systemPriorities: Record<string, number> = {
  'system-cluster-critical': 2_000_000_000,
  'system-node-critical': 2_000_001_000,
}

export const priorityClass: Kind = plainKind({
  group: 'scheduling.k8s.io',
  kind: 'PriorityClass',
  plural: 'priorityclasses',
  shortNames: ['pc'],
  namespaced: false,
  type: 'V1PriorityClass',
  generation: true,
  defaults: (o) => {
    o.value ??= 0
    o.preemptionPolicy ??= 'PreemptLowerPriority'
  },
  validate: (o, e) => {
    const { name } = o.metadata
    if (name?.startsWith('system-')) {
      const known = systemPriorities[name]
      const why =
        known === undefined
          ? `${name} is not a known system priority class`
          : known !== o.value
            ? `value of ${name} PriorityClass must be ${known}`
            : o.globalDefault
              ? `globalDefault of ${name} PriorityClass must be false`
              : ''
      if (why) e.forbidden('metadata.name', `priority class names with 'system-' prefix are reserved for system use only. error: ${why}`)
    } else if (o.value > HIGHEST_OF_USERS) e.forbidden('value', `maximum allowed value of a user defined priority is ${HIGHEST_OF_USERS}`)
    const policies = ['Never', 'PreemptLowerPriority']
    if (!policies.includes(o.preemptionPolicy)) e.notSupported('preemptionPolicy', o.preemptionPolicy, policies)
  },
  validateUpdate: (o, old, e) => {
    if (o.value !== old.value) e.forbidden('value', 'may not be changed in an update.')
    if (o.preemptionPolicy !== old.preemptionPolicy) e.invalid('preemptionPolicy', o.preemptionPolicy, 'field is immutable')
  },
  columns: [
    nameColumn,
    integer('Value', 'The priority that pods of the class have.'),
    boolean('Global-Default', 'Whether pods without a class are of this one.'),
    ageColumn,
    text('PreemptionPolicy', 'Whether they make room for themselves.', 1),
  ],
  cells: (o, now) => [o.metadata.name, o.value ?? 0, o.globalDefault ?? false, ageOf(o, now), o.preemptionPolicy ?? ''],
})

export const runtimeClass: Kind = plainKind({
  group: 'node.k8s.io',
  kind: 'RuntimeClass',
  plural: 'runtimeclasses',
  namespaced: false,
  type: 'V1RuntimeClass',
  validate: (o, e) => {
    if (!o.handler) e.required('handler')
    else e.format('handler', o.handler, dnsLabel(o.handler))
  },
  validateUpdate: (o, old, e) => {
    if (!equal(o.handler, old.handler)) e.invalid('handler', o.handler, 'field is immutable')
  },
  columns: [nameColumn, text('Handler', 'What the node runs them with.'), ageColumn],
  cells: (o, now) => [o.metadata.name, o.handler ?? '', ageOf(o, now)],
})
