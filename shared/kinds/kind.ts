// What a kind is: names, scope, defaults, validation, strategy and columns. One file per kind fills this record; index.ts lists them.
// Pure: anything that needs other objects or I/O is admission (api/admission).

import type { Structural } from '../crd/structural.ts'
import { humanDuration } from '../meta/duration.ts'
import type { FieldErrors } from '../meta/field-error.ts'
import type { KObject } from '../meta/object.ts'
import { type Schema, schemaOf } from '../schema/types.ts'

export interface Column {
  name: string
  type: 'string' | 'integer' | 'number' | 'boolean' | 'date'
  format?: string
  description: string
  /** 0 shows always, 1 only with `-o wide`. */
  priority?: number
}

interface Subresource {
  /** Kind in the body, as Scale or Eviction; the parent's where absent. */
  kind?: string
  group?: string
  version?: string
  verbs: string[]
  part?: Part
}

/** A subresource with the object's own body that may change one part of it. */
interface Part {
  /** Takes what it may change from `asked`; the rest of `next` is as it was. */
  take: (next: KObject, asked: KObject) => void
  /** Instead of the kind's own rules for updates. */
  validate?: (o: KObject, old: KObject, errors: FieldErrors) => void
}

export interface Kind {
  group: string
  version: string
  kind: string
  plural: string
  singular: string
  shortNames?: string[]
  categories?: string[]
  namespaced: boolean
  /** Name of the generated type. */
  type: string
  verbs: string[]
  subresources?: Record<string, Subresource>
  /** Reviews and the like: created, answered, never stored. */
  virtual?: boolean
  /** Checks metadata.name; DNS subdomain where absent. */
  nameFormat?: (name: string) => string[]
  /** A change of anything but metadata and status moves metadata.generation. */
  generation?: boolean
  /** Fills what the client left out. Changes its argument, a freshly decoded object. */
  defaults?: (o: KObject) => void
  /** Strategy: what a client may not set at creation is reset here. */
  prepareForCreate?: (o: KObject) => void
  /** What follows from the rest of a new object, once admission has changed it. */
  settle?: (o: KObject) => void
  /** Strategy of a main-resource update: what only a subresource may change is taken from `old`. */
  prepareForUpdate?: (o: KObject, old: KObject) => void
  validate?: (o: KObject, errors: FieldErrors) => void
  validateCreate?: (o: KObject, errors: FieldErrors) => void
  validateUpdate?: (o: KObject, old: KObject, errors: FieldErrors) => void
  /** Selectable fields beyond metadata.name and metadata.namespace. */
  fields?: (o: KObject) => Record<string, string>
  /** Columns after Name and before nothing: Age is listed by the kind where it has one. */
  columns: Column[]
  /** Cells in the order of `columns`; `now` in ms since the epoch. */
  cells: (o: KObject, now: number) => unknown[]
  /** For the scale subresource; spec.replicas and status.replicas where it does not say otherwise. */
  scale?: {
    selector: (o: KObject) => string
    replicas?: (o: KObject) => number
    setReplicas?: (o: KObject, n: number) => void
    current?: (o: KObject) => number
  }
  /** Of custom resources: the definition's name, its schema as written, and as apply merges by it. */
  custom?: string
  structural?: Structural
  schema?: Schema
  /** Instead of decoding by the type: from a client's JSON, with the paths of what was pruned. */
  decode?: (raw: any, unknown: string[]) => KObject
  /** Told with every answer. */
  deprecation?: string
  /** This is another version of a kind that is stored. `up` makes the stored object of this one's, keeping of `old` what this version does not know; `down` the reverse. */
  stored?: {
    kind: Kind
    up: (o: KObject, old?: KObject) => KObject
    down: (o: KObject) => KObject
    /** The stored name of a selectable field. */
    field?: (name: string) => string
  }
  /** Versions of it that a webhook makes of each other: whom to call, the kind that is stored, and the version of what says of itself nothing. */
  conversion?: { clientConfig: any; reviewVersions: string[]; storage: Kind; first: string }
  /** Its schema has changed, and has defaults: what was stored before gets those that came since when it is read. */
  defaultsOnRead?: boolean
  /** Deletion answers with the object instead of a Status. */
  deleteReturnsObject?: boolean
  /** Seconds that a deletion may wait for the object's agents; absent: objects go at once. */
  gracePeriod?: (o: KObject, asked: number | undefined) => number
}

/** How the kind's objects merge and are owned, field by field. */
export const schemaOfKind = (k: Kind): Schema => k.schema ?? schemaOf(k.type)

export const allVerbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch']
export const statusVerbs = ['get', 'patch', 'update']

const described = (name: string, type: Column['type'], description: string, extra: Partial<Column> = {}): Column => ({
  name,
  type,
  description,
  ...extra,
})
export const nameColumn: Column = described('Name', 'string', 'Name must be unique within a namespace.', { format: 'name' })
export const ageColumn: Column = described('Age', 'string', 'Time since the object was created, by the server clock.')
export const text = (name: string, description = name, priority = 0): Column =>
  described(name, 'string', description, priority ? { priority } : {})
export const boolean = (name: string, description = name, priority = 0): Column =>
  described(name, 'boolean', description, priority ? { priority } : {})
export const integer = (name: string, description = name, priority = 0): Column =>
  described(name, 'integer', description, priority ? { priority } : {})

/** The strategy of kinds whose status is somebody else's to write: it begins as told, and only its subresource changes it. */
export const withStatus = (
  initial: (o: KObject) => any = () => ({}),
): Pick<Kind, 'prepareForCreate' | 'prepareForUpdate' | 'generation'> => ({
  generation: true,
  prepareForCreate: (o) => {
    o.status = initial(o)
  },
  prepareForUpdate: (o, old) => {
    if (old.status === undefined) delete o.status
    else o.status = old.status
  },
})

/** What a proxy passes on, by the verbs that rights name. */
const proxyVerbs = ['create', 'delete', 'get', 'patch', 'update']
export const proxySubresource = (kind: string): Kind['subresources'] => ({ proxy: { kind, verbs: proxyVerbs } })

export const statusSubresource = { status: { verbs: statusVerbs } }
export const scaleSubresource = { scale: { kind: 'Scale', group: 'autoscaling', version: 'v1', verbs: statusVerbs } }

/** Refuses negative numbers at these paths of `at`. */
export function notNegative(e: FieldErrors, at: string, o: any, ...names: string[]): void {
  for (const n of names) if (o?.[n] < 0) e.invalid(`${at}.${n}`, o[n], 'must be greater than or equal to 0')
}

/** A kind with neither spec rules nor special columns. */
export function plainKind(k: Partial<Kind> & Pick<Kind, 'group' | 'kind' | 'plural' | 'type' | 'namespaced'>): Kind {
  return {
    version: 'v1',
    singular: k.kind.toLowerCase(),
    verbs: allVerbs,
    columns: [nameColumn, ageColumn],
    cells: (o, now) => [o.metadata.name, ageOf(o, now)],
    ...k,
  }
}

export const since = (time: string | undefined, now: number): string => (time ? humanDuration(now - Date.parse(time)) : '<unknown>')
export const ageOf = (o: KObject, now: number): string => since(o.metadata.creationTimestamp, now)
