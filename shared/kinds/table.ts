// The kinds that one cluster serves: those that are built in, and those that its definitions make.
import { byVersionPriority, kindsOfDefinition } from '../crd/definition.ts'
import type { KObject } from '../meta/object.ts'
import { apiVersionOf, kindByName, kindByResource, kindOfResource, kinds, resourceOf } from './index.ts'
import type { Kind } from './kind.ts'

/** In which version a kind's objects are stored. */
export const storedKindOf = (k: Kind): Kind => k.stored?.kind ?? k.conversion?.storage ?? k

export class KindTable {
  /** Served besides those that always are. */
  readonly #more: readonly Kind[]
  readonly #definitions = new Map<string, { rv: number; kinds: Kind[] }>()
  #custom: Kind[] = []
  #byResource = new Map<string, Kind>()
  #byName = new Map<string, Kind>()
  #ofResource = new Map<string, Kind>()
  /** Moves with every change: what was made of the table before is stale then. */
  generation = 0

  constructor(more: readonly Kind[] = []) {
    this.#more = more
    this.#changed()
  }

  /** A definition as it is now; an older state than the one known is nothing new. */
  set(crd: KObject): void {
    const rv = Number(crd.metadata.resourceVersion ?? 0)
    const known = this.#definitions.get(crd.metadata.name)
    if (known && known.rv >= rv) return
    this.#definitions.set(crd.metadata.name, { rv, kinds: kindsOfDefinition(crd) })
    this.#changed()
  }

  /** A definition that went at a version; one that was made after it stays. */
  delete(name: string, rv = Number.POSITIVE_INFINITY): void {
    if ((this.#definitions.get(name)?.rv ?? rv) < rv && this.#definitions.delete(name)) this.#changed()
  }

  /** Only these are left. */
  keep(names: ReadonlySet<string>): void {
    for (const name of [...this.#definitions.keys()]) if (!names.has(name)) this.delete(name)
  }

  #changed(): void {
    this.generation++
    this.#custom = [...this.#definitions.values()].flatMap((d) => d.kinds)
    this.#byResource = new Map([...this.#more, ...this.#custom].map((k) => [`${k.group}/${k.version}/${k.plural}`, k]))
    const stored = this.#custom.map(storedKindOf)
    this.#byName = new Map(stored.map((k) => [`${k.group}/${k.kind}`, k]))
    this.#ofResource = new Map(stored.map((k) => [resourceOf(k), k]))
  }

  get all(): readonly Kind[] {
    return this.#custom.length || this.#more.length ? [...kinds, ...this.#more, ...this.#custom] : kinds
  }
  byResource = (group: string, version: string, plural: string): Kind | undefined =>
    kindByResource(group, version, plural) ?? this.#byResource.get(`${group}/${version}/${plural}`)
  /** The stored version. */
  byName = (group: string, kind: string): Kind | undefined => kindByName(group, kind) ?? this.#byName.get(`${group}/${kind}`)
  /** The kind behind a stored resource name. */
  ofResource = (resource: string): Kind | undefined => kindOfResource(resource) ?? this.#ofResource.get(resource)

  /** The versions in which a kind's objects are served. */
  versionsOf(kind: Kind): Kind[] {
    const resource = resourceOf(kind)
    return this.all.filter((k) => resourceOf(k) === resource)
  }

  /** Served groups with their versions, the preferred one first. */
  groupVersions(): { group: string; version: string }[] {
    const seen = new Map(this.all.map((k) => [apiVersionOf(k), { group: k.group, version: k.version }]))
    const groups = [...new Set([...seen.values()].map((g) => g.group))]
    return groups.flatMap((group) =>
      [...seen.values()].filter((g) => g.group === group).sort((a, b) => byVersionPriority(a.version, b.version)),
    )
  }
}
