// Node: readiness comes from its session; the spec's taints and unschedulable flag steer the scheduler.

import { familyOf, parseCidr } from '../meta/address.ts'
import { condition } from '../meta/conditions.ts'
import type { KObject } from '../meta/object.ts'
import { ageColumn, ageOf, allVerbs, type Kind, nameColumn, proxySubresource, statusVerbs, text } from './kind.ts'
import { validateLabels } from './pod-validation.ts'

const emptyInfo = Object.fromEntries(
  [
    'architecture',
    'bootID',
    'containerRuntimeVersion',
    'kernelVersion',
    'kubeProxyVersion',
    'kubeletVersion',
    'machineID',
    'operatingSystem',
    'osImage',
    'systemUUID',
  ].map((k) => [k, '']),
)
const ROLE = 'node-role.kubernetes.io/'

function statusOf(o: KObject): string {
  const ready = condition(o, 'Ready')
  const parts = [ready ? (ready.status === 'True' ? 'Ready' : 'NotReady') : 'Unknown']
  if (o.spec?.unschedulable) parts.push('SchedulingDisabled')
  return parts.join(',')
}

export const node: Kind = {
  group: '',
  version: 'v1',
  kind: 'Node',
  plural: 'nodes',
  singular: 'node',
  shortNames: ['no'],
  namespaced: false,
  type: 'V1Node',
  verbs: allVerbs,
  subresources: { ...proxySubresource('NodeProxyOptions'), status: { verbs: statusVerbs } },
  defaults: (o) => {
    o.spec ??= {}
    if (o.spec.podCIDR && !o.spec.podCIDRs) o.spec.podCIDRs = [o.spec.podCIDR]
    o.status ??= {}
    if (o.status.capacity) o.status.allocatable ??= { ...o.status.capacity }
    o.status.daemonEndpoints ??= { kubeletEndpoint: { Port: 0 } }
    o.status.nodeInfo ??= emptyInfo
  },
  prepareForUpdate: (o, old) => {
    o.status = old.status
  },
  validate: (o, e) => {
    const ranges: string[] = o.spec?.podCIDRs ?? []
    if (ranges.length > 2 || new Set(ranges.map(familyOf)).size < ranges.length)
      e.invalid('spec.podCIDRs', ranges, 'may specify no more than one CIDR for each IP family')
    o.spec?.podCIDRs?.forEach((c: string, i: number) => {
      if (!parseCidr(c)) e.invalid(`spec.podCIDRs[${i}]`, c, 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)')
    })
    o.spec.taints?.forEach((t: any, i: number) => {
      validateLabels({ [t.key ?? '']: t.value ?? '' }, `spec.taints[${i}]`, e)
      if (!['NoSchedule', 'PreferNoSchedule', 'NoExecute'].includes(t.effect))
        e.notSupported(`spec.taints[${i}].effect`, t.effect ?? '', ['NoSchedule', 'PreferNoSchedule', 'NoExecute'])
    })
  },
  validateUpdate: (o, old, e) => {
    if (old.spec?.podCIDR && o.spec?.podCIDR !== old.spec.podCIDR)
      e.forbidden('spec.podCIDRs', 'node updates may not change podCIDR except from "" to valid')
    if (old.spec?.providerID && o.spec?.providerID !== old.spec.providerID)
      e.forbidden('spec.providerID', 'node updates may not change providerID except from "" to valid')
  },
  fields: (o) => ({ 'spec.unschedulable': String(!!o.spec?.unschedulable) }),
  columns: [
    nameColumn,
    text('Status', 'The status of the node.'),
    text('Roles', 'The roles of the node.'),
    ageColumn,
    text('Version', 'Version of the daemon on the node.'),
    text('Internal-IP', 'Address inside the cluster.', 1),
    text('External-IP', 'Address outside the cluster.', 1),
    text('OS-Image', 'Operating system of the node.', 1),
    text('Kernel-Version', 'Kernel of the node.', 1),
    text('Container-Runtime', 'Container runtime of the node.', 1),
  ],
  cells: (o, now) => {
    const labels = o.metadata.labels ?? {}
    const roles = Object.keys(labels)
      .filter((k) => k.startsWith(ROLE) && k.length > ROLE.length)
      .map((k) => k.slice(ROLE.length))
      .sort()
    const address = (type: string) => o.status?.addresses?.find((a: any) => a.type === type)?.address || '<none>'
    const info = o.status?.nodeInfo ?? {}
    return [
      o.metadata.name,
      statusOf(o),
      roles.join(',') || '<none>',
      ageOf(o, now),
      info.kubeletVersion ?? '',
      address('InternalIP'),
      address('ExternalIP'),
      info.osImage || '<unknown>',
      info.kernelVersion || '<unknown>',
      info.containerRuntimeVersion || '<unknown>',
    ]
  },
}
