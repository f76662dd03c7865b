// ReplicationController, the ancestor of ReplicaSet, and PodTemplate, a template on its own.
import { printSelector } from '../meta/selector.ts'
import {
  ageColumn,
  ageOf,
  integer,
  type Kind,
  nameColumn,
  notNegative,
  plainKind,
  scaleSubresource,
  statusSubresource,
  text,
  withStatus,
} from './kind.ts'
import { validateLabels, validatePodSpec } from './pod-validation.ts'
import { containerCells, containerColumns, defaultTemplate, goMap } from './workloads.ts'

const equalities = (selector: Record<string, string> | undefined) => ({ matchLabels: selector ?? {} })

export const replicationController: Kind = plainKind({
  group: '',
  kind: 'ReplicationController',
  plural: 'replicationcontrollers',
  shortNames: ['rc'],
  categories: ['all'],
  namespaced: true,
  type: 'V1ReplicationController',
  subresources: { ...scaleSubresource, ...statusSubresource },
  ...withStatus(() => ({ replicas: 0 })),
  defaults: (o) => {
    o.spec ??= {}
    const labels = o.spec.template?.metadata?.labels
    if (labels && !Object.keys(o.spec.selector ?? {}).length) o.spec.selector = { ...labels }
    if (labels && !Object.keys(o.metadata.labels ?? {}).length) o.metadata.labels = { ...labels }
    o.spec.replicas ??= 1
    defaultTemplate(o.spec.template)
  },
  validate: (o, e) => {
    const { selector, template, replicas } = o.spec ?? {}
    notNegative(e, 'spec', o.spec, 'minReadySeconds')
    if (!Object.keys(selector ?? {}).length) e.required('spec.selector')
    if (replicas < 0) e.invalid('spec.replicas', replicas, 'must be greater than or equal to 0')
    if (!template) return e.required('spec.template')
    const labels = template.metadata?.labels
    if (Object.keys(selector ?? {}).length && !Object.entries(selector).every(([k, v]) => labels?.[k] === v))
      e.invalidType('spec.template.metadata.labels', `${goMap(labels)}: \`selector\` does not match template \`labels\``)
    validateLabels(labels, 'spec.template.metadata.labels', e)
    validatePodSpec(template.spec ?? {}, 'spec.template.spec', e)
    const policy = template.spec?.restartPolicy
    if (policy !== 'Always') e.notSupported('spec.template.spec.restartPolicy', policy, ['Always'])
    if (template.spec?.activeDeadlineSeconds !== undefined)
      e.forbidden('spec.template.spec.activeDeadlineSeconds', 'activeDeadlineSeconds in ReplicationController is not Supported')
  },
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
    ...containerCells(o).slice(0, 2),
    printSelector(equalities(o.spec?.selector)),
  ],
  scale: { selector: (o) => printSelector(equalities(o.spec?.selector)) },
})

export const podTemplate: Kind = plainKind({
  group: '',
  kind: 'PodTemplate',
  plural: 'podtemplates',
  namespaced: true,
  type: 'V1PodTemplate',
  generation: true,
  defaults: (o) => {
    o.template ??= {}
    defaultTemplate(o.template)
  },
  validate: (o, e) => {
    validateLabels(o.template.metadata?.labels, 'template.metadata.labels', e)
    validatePodSpec(o.template.spec ?? {}, 'template.spec', e)
  },
  columns: [
    nameColumn,
    text('Containers', 'Names of each container in the template.'),
    text('Images', 'Images referenced by each container in the template.'),
    text('Pod Labels', 'The labels for the pod template.'),
  ],
  cells: (o) => [
    o.metadata.name,
    ...containerCells({ ...o, spec: { template: o.template } }).slice(0, 2),
    printSelector(equalities(o.template?.metadata?.labels)),
  ],
})
