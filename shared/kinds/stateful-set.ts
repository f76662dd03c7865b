// StatefulSet: pods with stable names and volumes of their own.
import { dnsLabel } from '../meta/names.ts'
import { printSelector } from '../meta/selector.ts'
import { equal } from '../schema/field-set.ts'
import { defaultClaim } from './claim.ts'
import {
  ageColumn,
  ageOf,
  type Kind,
  nameColumn,
  notNegative,
  plainKind,
  scaleSubresource,
  statusSubresource,
  text,
  withStatus,
} from './kind.ts'
import { containerCells, containerColumns, defaultTemplate, scaledValue, validateShare, validateWorkload } from './workloads.ts'

const mutable = [
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
]

export const statefulSet: Kind = plainKind({
  group: 'apps',
  kind: 'StatefulSet',
  plural: 'statefulsets',
  shortNames: ['sts'],
  categories: ['all'],
  namespaced: true,
  type: 'V1StatefulSet',
  nameFormat: dnsLabel,
  subresources: { ...scaleSubresource, ...statusSubresource },
  ...withStatus(() => ({ replicas: 0, availableReplicas: 0 })),
  defaults: (o) => {
    o.spec ??= {}
    const s = o.spec
    s.replicas ??= 1
    s.revisionHistoryLimit ??= 10
    s.podManagementPolicy ||= 'OrderedReady'
    s.updateStrategy ??= {}
    if (!s.updateStrategy.type) {
      s.updateStrategy.type = 'RollingUpdate'
      s.updateStrategy.rollingUpdate ??= {}
    }
    if (s.updateStrategy.type === 'RollingUpdate' && s.updateStrategy.rollingUpdate) s.updateStrategy.rollingUpdate.partition ??= 0
    s.persistentVolumeClaimRetentionPolicy ??= {}
    s.persistentVolumeClaimRetentionPolicy.whenDeleted ||= 'Retain'
    s.persistentVolumeClaimRetentionPolicy.whenScaled ||= 'Retain'
    for (const c of s.volumeClaimTemplates ?? []) {
      c.apiVersion ??= 'v1'
      c.kind ??= 'PersistentVolumeClaim'
      defaultClaim(c)
    }
    defaultTemplate(s.template)
  },
  validate: (o, e) => {
    const s = o.spec ?? {}
    // Their volumes come with the pods: the template may mount them.
    const claims = (s.volumeClaimTemplates ?? []).map((c: any) => c.metadata?.name)
    const template = s.template && {
      ...s.template,
      spec: {
        ...s.template.spec,
        subdomain: undefined,
        hostname: undefined,
        volumes: [
          ...claims.map((name: string) => ({ name, persistentVolumeClaim: { claimName: name } })),
          ...(s.template.spec?.volumes ?? []).filter((v: any) => !claims.includes(v.name)),
        ],
      },
    }
    validateWorkload({ ...o, spec: { ...s, template } }, e, 'statefulset', 'StatefulSet')
    if (!['OrderedReady', 'Parallel'].includes(s.podManagementPolicy))
      e.invalid('spec.podManagementPolicy', s.podManagementPolicy, "must be 'OrderedReady' or 'Parallel'")
    const { type, rollingUpdate } = s.updateStrategy ?? {}
    if (type === 'OnDelete') {
      if (rollingUpdate) e.invalid('spec.updateStrategy.rollingUpdate', rollingUpdate, "only allowed for updateStrategy 'RollingUpdate'")
    } else if (type !== 'RollingUpdate') e.invalid('spec.updateStrategy', s.updateStrategy, "must be 'RollingUpdate' or 'OnDelete'")
    else if (rollingUpdate) {
      const at = 'spec.updateStrategy.rollingUpdate'
      notNegative(e, at, rollingUpdate, 'partition')
      if (rollingUpdate.maxUnavailable !== undefined) {
        validateShare(rollingUpdate.maxUnavailable, `${at}.maxUnavailable`, e, true)
        if (scaledValue(rollingUpdate.maxUnavailable, 100, true) === 0)
          e.invalid(`${at}.maxUnavailable`, rollingUpdate.maxUnavailable, 'cannot be 0')
      }
    }
    const retention = s.persistentVolumeClaimRetentionPolicy ?? {}
    for (const when of ['whenDeleted', 'whenScaled'])
      if (!['Retain', 'Delete'].includes(retention[when]))
        e.notSupported(`spec.persistentVolumeClaimRetentionPolicy.${when}`, retention[when], ['Delete', 'Retain'])
    notNegative(e, 'spec', s, 'minReadySeconds')
    notNegative(e, 'spec.ordinals', s.ordinals, 'start')
  },
  validateCreate: (o, e) => {
    if (o.spec?.serviceName) e.format('spec.serviceName', o.spec.serviceName, dnsLabel(o.spec.serviceName))
  },
  validateUpdate: (o, old, e) => {
    const fixed = (spec: any) => ({ ...spec, ...Object.fromEntries(mutable.map((f) => [f, undefined])) })
    if (!equal(fixed(o.spec), fixed(old.spec)))
      e.forbidden(
        'spec',
        "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
      )
  },
  columns: [nameColumn, text('Ready', 'Number of the pod with ready state'), ageColumn, ...containerColumns.slice(0, 2)],
  cells: (o, now) => [
    o.metadata.name,
    `${o.status?.readyReplicas ?? 0}/${o.spec?.replicas ?? 0}`,
    ageOf(o, now),
    ...containerCells(o).slice(0, 2),
  ],
  scale: { selector: (o) => printSelector(o.spec?.selector) },
})
