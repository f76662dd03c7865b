// Discovery: groups, versions and resources, in the old form and the aggregated one. All from the kinds table.
import { apiVersionOf } from '../../shared/kinds/index.ts'
import type { Kind } from '../../shared/kinds/kind.ts'
import type { KindTable } from '../../shared/kinds/table.ts'
import type { ForeignVersion } from './aggregation.ts'

const kindsOf = (kinds: KindTable, group: string, version: string) => kinds.all.filter((k) => k.group === group && k.version === version)

const resource = (k: Kind) => ({
  name: k.plural,
  singularName: k.singular,
  namespaced: k.namespaced,
  kind: k.kind,
  verbs: k.verbs,
  ...(k.shortNames ? { shortNames: k.shortNames } : {}),
  ...(k.categories ? { categories: k.categories } : {}),
})

const subresources = (k: Kind) =>
  Object.entries(k.subresources ?? {}).map(([name, s]) => ({
    name: `${k.plural}/${name}`,
    singularName: '',
    namespaced: k.namespaced,
    ...(s.group !== undefined ? { group: s.group, version: s.version } : {}),
    kind: s.kind ?? k.kind,
    verbs: s.verbs,
  }))

/** `/api/v1` and `/apis/G/V`; undefined when the version is not served. */
export function resourceList(kinds: KindTable, group: string, version: string) {
  const served = kindsOf(kinds, group, version)
  if (!served.length) return undefined
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: apiVersionOf({ group, version }),
    resources: served.flatMap((k) => [resource(k), ...subresources(k)]),
  }
}

export const coreVersions = (host: string) => ({
  kind: 'APIVersions',
  versions: ['v1'],
  serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: host }],
})

type Versions = { group: string; version: string }[]

/** `others`: versions that are served elsewhere; here they come after our own. */
export function apiGroup(kinds: KindTable, group: string, others: Versions = []) {
  const versions = [...kinds.groupVersions(), ...others]
    .filter((g) => g.group === group)
    .map((g) => ({ groupVersion: apiVersionOf(g), version: g.version }))
  return versions.length ? { kind: 'APIGroup', apiVersion: 'v1', name: group, versions, preferredVersion: versions[0] } : undefined
}

const groupsOf = (kinds: KindTable, others: Versions): string[] => [
  ...new Set([...kinds.groupVersions(), ...others].map((g) => g.group).filter(Boolean)),
]

export const apiGroupList = (kinds: KindTable, others: Versions) => ({
  kind: 'APIGroupList',
  apiVersion: 'v1',
  groups: groupsOf(kinds, others).map((g) => {
    const { kind: _, apiVersion: __, ...rest } = apiGroup(kinds, g, others)!
    return rest
  }),
})

const responseKind = (group: string, version: string, kind: string) => ({ group, version, kind })

function aggregatedResource(k: Kind) {
  const subs = Object.entries(k.subresources ?? {})
  return {
    resource: k.plural,
    responseKind: responseKind(k.group, k.version, k.kind),
    scope: k.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: k.singular,
    verbs: k.verbs,
    ...(k.shortNames ? { shortNames: k.shortNames } : {}),
    ...(k.categories ? { categories: k.categories } : {}),
    ...(subs.length
      ? {
          subresources: subs.map(([subresource, s]) => ({
            subresource,
            responseKind: responseKind(s.group ?? k.group, s.version ?? k.version, s.kind ?? k.kind),
            verbs: s.verbs,
          })),
        }
      : {}),
  }
}

/** The aggregated form: the core group at /api, all others at /apis. */
export function aggregated(kinds: KindTable, core: boolean, version: 'v2' | 'v2beta1', others: ForeignVersion[]) {
  const names = core ? [''] : groupsOf(kinds, others)
  const versions = kinds.groupVersions()
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items: names.map((group) => ({
      metadata: { name: group, creationTimestamp: null },
      versions: [
        ...versions
          .filter((g) => g.group === group)
          .map((g) => ({
            version: g.version,
            freshness: 'Current',
            resources: kindsOf(kinds, g.group, g.version).map(aggregatedResource),
          })),
        ...others
          .filter((g) => g.group === group)
          .map((g) => ({ version: g.version, freshness: g.fresh ? 'Current' : 'Stale', resources: g.resources })),
      ],
    })),
  }
}

/** Which aggregated version the Accept header asks for, if any. */
export function wantsAggregated(accept: string | undefined): 'v2' | 'v2beta1' | undefined {
  for (const entry of (accept ?? '').split(',')) {
    if (!entry.includes('as=APIGroupDiscoveryList')) {
      if (entry.trim().startsWith('application/json')) return undefined
      continue
    }
    return entry.includes('v=v2beta1') ? 'v2beta1' : 'v2'
  }
  return undefined
}
