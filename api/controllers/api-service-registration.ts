// Every version that is served here has its APIService, so that whoever looks for an API finds all of them in one place.

import { byVersionPriority, CRD_RESOURCE } from '../../shared/crd/definition.ts'
import { API_SERVICES } from '../../shared/kinds/api-service.ts'
import { isBuiltIn } from '../../shared/kinds/index.ts'
import type { KObject } from '../../shared/meta/object.ts'
import type { Controller, Reader } from '../engine/types.ts'

/** By whom it is kept: of built-in groups from the start, of definitions as they come and go. */
const KEPT = 'kube-aggregator.kubernetes.io/automanaged'

/** In which order groups are preferred, as kube-apiserver has it. */
const groupPriority: Record<string, number> = {
  '': 18_000,
  apps: 17_800,
  'events.k8s.io': 17_750,
  'authentication.k8s.io': 17_700,
  'authorization.k8s.io': 17_600,
  autoscaling: 17_500,
  batch: 17_400,
  'certificates.k8s.io': 17_300,
  'networking.k8s.io': 17_200,
  policy: 17_100,
  'rbac.authorization.k8s.io': 17_000,
  'storage.k8s.io': 16_800,
  'apiextensions.k8s.io': 16_700,
  'admissionregistration.k8s.io': 16_700,
  'scheduling.k8s.io': 16_600,
  'coordination.k8s.io': 16_500,
  'node.k8s.io': 16_300,
  'discovery.k8s.io': 16_200,
  'flowcontrol.apiserver.k8s.io': 16_100,
  'resource.k8s.io': 16_000,
}
const OF_DEFINITIONS = { groupPriorityMinimum: 1000, versionPriority: 100 }

const nameOf = ({ group, version }: { group: string; version: string }): string => `${version}.${group}`

/** A version that is served, with its rank among those of its group. */
function servedAs(reader: Reader, name: string): View['wanted'] {
  const dot = name.indexOf('.')
  const [version, group] = [name.slice(0, dot), name.slice(dot + 1)]
  const versions = [...new Set(reader.kinds.all.filter((k) => k.group === group).map((k) => k.version))].sort(byVersionPriority)
  const rank = versions.indexOf(version)
  return rank < 0 ? undefined : { group, version, rank }
}

interface View {
  wanted?: { group: string; version: string; rank: number }
  there?: KObject
}

export const apiServiceRegistration: Controller<View> = {
  name: 'api-service-registration',
  all: (r) => [...new Set([...r.kinds.groupVersions().map(nameOf), ...r.list(API_SERVICES).map((o) => o.metadata.name)])],
  wakes: {
    [API_SERVICES]: ({ old, new: now }) => (now ? [] : [old!.metadata.name]),
    [CRD_RESOURCE]: ({ old, new: now }) => {
      const { group, versions } = (now ?? old)!.spec
      return [...new Set([...versions, ...(old?.spec.versions ?? [])].map((v: any) => nameOf({ group, version: v.name })))]
    },
  },
  view: (key, reader) => ({ wanted: servedAs(reader, key), there: reader.get(API_SERVICES, '', key) }),
  reconcile: (name, { wanted, there }) => {
    const kept = there?.metadata.labels?.[KEPT]
    if (!wanted) return { writes: kept ? [{ verb: 'delete', resource: API_SERVICES, object: there! }] : [] }
    if (there) return { writes: [] }
    const { group, version, rank } = wanted
    const own = isBuiltIn(group)
    const priority = own
      ? { groupPriorityMinimum: groupPriority[group] ?? 15_000, versionPriority: Math.max(1, 15 - rank) }
      : OF_DEFINITIONS
    const object = {
      metadata: { name, labels: { [KEPT]: own ? 'onstart' : 'true' } },
      spec: { ...(group ? { group } : {}), version, ...priority },
    } as unknown as KObject
    return { writes: [{ verb: 'create', resource: API_SERVICES, object }] }
  },
}
