// Metrics of objects, as kube-state-metrics has them: of each kind a list of what is said of one object. Pure.
import type { KObject } from '../../../shared/meta/object.ts'
import { nanoOf } from '../../../shared/meta/quantity.ts'

export type Labels = Record<string, string>
type Said = readonly [labels: Labels, value: number]

export interface Metric {
  name: string
  help: string
  type: 'gauge' | 'counter'
  /** What it says of an object, beside the labels that all metrics of the kind have. */
  of(o: KObject): Said[]
}

/** The metrics of one resource. */
export interface ObjectMetrics {
  resource: string
  /** The labels of all of them. */
  labels(o: KObject): Labels
  metrics: readonly Metric[]
}

/** A text as a label; what is absent is empty. */
export const text = (value: unknown): string => (value === undefined || value === null ? '' : String(value))

/** One number, where there is one. */
export const number = (name: string, help: string, of: (o: KObject) => unknown, type: Metric['type'] = 'gauge'): Metric => ({
  name,
  help,
  type,
  of: (o) => {
    const value = of(o)
    return typeof value === 'number' ? [[{}, value]] : typeof value === 'boolean' ? [[{}, Number(value)]] : []
  },
})

/** Seconds since 1970 of a time that an object has. */
export const time = (name: string, help: string, of: (o: KObject) => string | undefined): Metric =>
  number(name, help, (o) => {
    const at = of(o)
    return at === undefined || at === null ? undefined : Date.parse(at) / 1000
  })

/** Labels that say it, with the value 1; none where `of` has none. */
export const info = (name: string, help: string, of: (o: KObject) => Labels | Labels[] | undefined): Metric => ({
  name,
  help,
  type: 'gauge',
  of: (o) => [of(o) ?? []].flat().map((labels) => [labels, 1] as const),
})

export const several = (name: string, help: string, of: (o: KObject) => Said[], type: Metric['type'] = 'gauge'): Metric => ({
  name,
  help,
  type,
  of,
})

/** Of what something may be, 1 for what it is, and 0 for all else. */
export const oneOf = (label: string, all: readonly string[], is: string | undefined): Said[] =>
  all.map((value) => [{ [label]: value }, Number(value === is)] as const)

/** Conditions, each for every status that it could have. */
export const conditions = (o: KObject, more: (c: any) => Labels = () => ({})): Said[] =>
  (o.status?.conditions ?? []).flatMap((c: any) =>
    ['true', 'false', 'unknown'].map(
      (status) => [{ condition: text(c.type), status, ...more(c) }, Number(status === text(c.status).toLowerCase())] as const,
    ),
  )

export const amount = (quantity: string | undefined): number => Number(nanoOf(quantity)) / 1e9

/** As a label may be called. */
const labelled = (name: string): string => name.replaceAll(/[^a-zA-Z0-9_]/g, '_')

/** Resources with their units: CPU in cores, what is stored in bytes, all else as it is counted. */
export const resources = (list: Record<string, string> | undefined, more: Labels = {}): Said[] =>
  Object.entries(list ?? {}).map(([name, quantity]) => {
    const unit = name === 'cpu' ? 'core' : /^(memory|storage|ephemeral-storage|hugepages-.*)$/.test(name) ? 'byte' : 'integer'
    return [{ ...more, resource: labelled(name), unit }, amount(quantity)] as const
  })

export const owners = (name: string, help: string): Metric =>
  info(name, help, (o) =>
    (o.metadata.ownerReferences ?? []).map((r) => ({
      owner_kind: r.kind,
      owner_name: r.name,
      owner_is_controller: String(!!r.controller),
    })),
  )

export const created = (kind: string): Metric =>
  time(`kube_${kind}_created`, 'Unix creation timestamp', (o) => o.metadata.creationTimestamp)

export const generation = (kind: string): Metric =>
  number(
    `kube_${kind}_metadata_generation`,
    'Sequence number representing a specific generation of the desired state.',
    (o) => o.metadata.generation,
  )

export const version = (kind: string): Metric =>
  number(`kube_${kind}_metadata_resource_version`, 'Resource version representing a specific version of the object.', (o) =>
    Number(o.metadata.resourceVersion),
  )

/** The labels of what has a namespace, and of what has none. */
export const namespaced =
  (kind: string) =>
  (o: KObject): Labels => ({ namespace: text(o.metadata.namespace), [kind]: o.metadata.name })
export const named =
  (kind: string) =>
  (o: KObject): Labels => ({ [kind]: o.metadata.name })
