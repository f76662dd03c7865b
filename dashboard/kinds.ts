// The kinds that the cluster serves, as discovery tells them, and where their objects are. A kind is named by its resource: `pods`, `deployments.apps`.
import { signal } from '@preact/signals'
import { call } from './client.ts'

export interface Kind {
  /** `deployments.apps`. */
  resource: string
  group: string
  version: string
  plural: string
  kind: string
  singular: string
  shortNames: string[]
  namespaced: boolean
  verbs: string[]
  subresources: string[]
}

export const kinds = signal<ReadonlyMap<string, Kind>>(new Map())

const DISCOVERY = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'

const ofVersion = (group: string, v: any): Kind[] =>
  (v.resources ?? [])
    .filter((r: any) => r.responseKind)
    .map((r: any) => ({
      resource: group ? `${r.resource}.${group}` : r.resource,
      group,
      version: v.version,
      plural: r.resource,
      kind: r.responseKind.kind,
      singular: r.singularResource || r.responseKind.kind.toLowerCase(),
      shortNames: r.shortNames ?? [],
      namespaced: r.scope === 'Namespaced',
      verbs: r.verbs ?? [],
      subresources: (r.subresources ?? []).map((s: any) => s.subresource),
    }))

/** Reads what there is; each kind in the version that the server prefers. */
export async function loadKinds(): Promise<void> {
  const [core, others] = await Promise.all([call('GET', '/api', { accept: DISCOVERY }), call('GET', '/apis', { accept: DISCOVERY })])
  const found = new Map<string, Kind>()
  for (const group of [...core.items, ...others.items])
    for (const version of group.versions)
      for (const kind of ofVersion(group.metadata?.name ?? '', version)) if (!found.has(kind.resource)) found.set(kind.resource, kind)
  kinds.value = found
}

export const kindOf = (resource: string): Kind | undefined => kinds.value.get(resource)

/** The kind of an object, by its apiVersion and kind. */
export function kindOfObject(apiVersion: string, kind: string): Kind | undefined {
  const group = apiVersion.includes('/') ? apiVersion.split('/')[0]! : ''
  for (const k of kinds.value.values()) if (k.kind === kind && k.group === group) return k
  return undefined
}

/** Where its objects are: of a namespace, or of all where that is empty; one by its name, and a part of it. */
export function pathOf(k: Kind, namespace = '', name?: string, subresource?: string): string {
  const root = k.group ? `/apis/${k.group}/${k.version}` : `/api/${k.version}`
  const ns = k.namespaced && namespace ? `/namespaces/${encodeURIComponent(namespace)}` : ''
  const one = name === undefined ? '' : `/${encodeURIComponent(name)}`
  return `${root}${ns}/${k.plural}${one}${subresource ? `/${subresource}` : ''}`
}
