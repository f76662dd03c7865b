// Which resource a word means: `po`, `deploy/web`, `deployments.v1.apps`, `all`. From the server's own discovery.
import type { Client } from './client.ts'

export interface Resource {
  group: string
  version: string
  kind: string
  plural: string
  singular: string
  shortNames: string[]
  categories: string[]
  namespaced: boolean
  verbs: string[]
  subresources: string[]
}

const AGGREGATED =
  'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json'

class NoSuchResource extends Error {
  constructor(word: string) {
    super(`the server doesn't have a resource type ${JSON.stringify(word)}`)
  }
}

export const apiVersionOf = (r: { group: string; version: string }): string => (r.group ? `${r.group}/${r.version}` : r.version)
/** `deployment.apps`, as messages have it. */
export const qualified = (r: Resource): string => (r.group ? `${r.singular}.${r.group}` : r.singular)
export const pathOf = (r: Resource, namespace: string | undefined, name?: string, sub?: string): string =>
  [
    r.group ? `/apis/${r.group}/${r.version}` : `/api/${r.version}`,
    ...(r.namespaced && namespace ? ['namespaces', encodeURIComponent(namespace)] : []),
    r.plural,
    ...(name === undefined ? [] : [encodeURIComponent(name)]),
    ...(sub ? [sub] : []),
  ].join('/')

/** A type that no server was asked about: enough of it to print an object. */
export function unasked(o: { apiVersion: string; kind: string }, namespaced = true): Resource {
  const [group, version] = o.apiVersion.includes('/') ? (o.apiVersion.split('/') as [string, string]) : ['', o.apiVersion]
  const none = { plural: '', shortNames: [], categories: [], verbs: [], subresources: [] }
  return { ...none, group, version, kind: o.kind, singular: o.kind.toLowerCase(), namespaced }
}

export class Resources {
  readonly #client: Client
  #all?: Promise<Resource[]>
  constructor(client: Client) {
    this.#client = client
  }

  all(): Promise<Resource[]> {
    this.#all ??= this.#load()
    return this.#all
  }

  /** Each resource in the version that the server prefers for it. */
  async preferred(): Promise<Resource[]> {
    const first = new Map<string, Resource>()
    for (const r of await this.all()) if (!first.has(`${r.plural}.${r.group}`)) first.set(`${r.plural}.${r.group}`, r)
    return [...first.values()]
  }

  /** In the server's order of preference: the core group first. */
  async #load(): Promise<Resource[]> {
    const [core, groups] = await Promise.all([this.#client.get('/api', AGGREGATED), this.#client.get('/apis', AGGREGATED)])
    if (core.kind !== 'APIGroupDiscoveryList') return this.#plain(core, groups)
    return [...core.items, ...(groups.items ?? [])].flatMap((g: any) =>
      g.versions.flatMap((v: any) =>
        v.resources.map(
          (r: any): Resource => ({
            group: r.responseKind?.group || g.metadata.name || '',
            version: v.version,
            kind: r.responseKind?.kind ?? '',
            plural: r.resource,
            singular: r.singularResource || (r.responseKind?.kind ?? '').toLowerCase(),
            shortNames: r.shortNames ?? [],
            categories: r.categories ?? [],
            namespaced: r.scope === 'Namespaced',
            verbs: r.verbs ?? [],
            subresources: (r.subresources ?? []).map((s: any) => s.subresource),
          }),
        ),
      ),
    )
  }

  /** From servers without aggregated discovery. */
  async #plain(core: any, groups: any): Promise<Resource[]> {
    const versions: [group: string, version: string, path: string][] = [
      ...core.versions.map((v: string) => ['', v, `/api/${v}`]),
      ...groups.groups.flatMap((g: any) => g.versions.map((v: any) => [g.name, v.version, `/apis/${v.groupVersion}`])),
    ]
    const lists = await Promise.all(
      versions.map(async ([group, version, path]) => ({ group, version, list: (await this.#client.get(path)).resources as any[] })),
    )
    return lists.flatMap(({ group, version, list }) =>
      list
        .filter((r) => !r.name.includes('/'))
        .map((r) => ({
          group,
          version,
          kind: r.kind,
          plural: r.name,
          singular: r.singularName || r.kind.toLowerCase(),
          shortNames: r.shortNames ?? [],
          categories: r.categories ?? [],
          namespaced: r.namespaced,
          verbs: r.verbs ?? [],
          subresources: list.filter((s) => s.name.startsWith(`${r.name}/`)).map((s) => s.name.slice(r.name.length + 1)),
        })),
    )
  }

  /** `po`, `pods.v1.`, `deployments.apps`, `Deployment.v1.apps`. Throws NoSuchResource. */
  async find(word: string): Promise<Resource> {
    const all = await this.all()
    const lower = word.toLowerCase()
    const named = (r: Resource, name: string) =>
      r.plural === name || r.singular === name || r.kind.toLowerCase() === name || r.shortNames.includes(name)
    const plain =
      all.find((r) => r.plural === lower || r.singular === lower || r.kind.toLowerCase() === lower) ??
      all.find((r) => r.shortNames.includes(lower))
    if (plain) return plain
    const [name, ...rest] = lower.split('.')
    const group = rest.join('.')
    const [version, ...groupOnly] = rest
    const found =
      all.find((r) => named(r, name!) && r.version === version && r.group === groupOnly.join('.')) ??
      all.find((r) => named(r, name!) && (r.group === group || (group && r.group.startsWith(`${group}.`))))
    if (!rest.length || !found) throw new NoSuchResource(word)
    return found
  }

  /** The resource of an object. Throws with kubectl's words. */
  async ofKind(apiVersion: string, kind: string): Promise<Resource> {
    const found = (await this.all()).find((r) => r.kind === kind && apiVersionOf(r) === apiVersion)
    if (found) return found
    throw new NoKind(apiVersion, kind)
  }

  /** Several types, separated by commas; `all` and other categories stand for what is in them. */
  async types(words: string): Promise<Resource[]> {
    const out: Resource[] = []
    for (const word of words.split(',').filter(Boolean)) {
      const category = (await this.preferred()).filter((r) => r.categories.includes(word) && r.verbs.includes('list'))
      for (const r of category.length && !(await this.find(word).catch(() => undefined)) ? category : [await this.find(word)])
        if (!out.includes(r)) out.push(r)
    }
    return out
  }
}

class NoKind extends Error {
  readonly apiVersion: string
  readonly kind: string
  constructor(apiVersion: string, kind: string) {
    super(`no matches for kind ${JSON.stringify(kind)} in version ${JSON.stringify(apiVersion)}`)
    this.apiVersion = apiVersion
    this.kind = kind
  }
}
