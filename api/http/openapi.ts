// OpenAPI v3, one document per group version, made from the kinds table and the generated structure: what kubectl explain and validation read.

import type { Structural } from '../../shared/crd/structural.ts'
import { apiVersionOf } from '../../shared/kinds/index.ts'
import type { Kind } from '../../shared/kinds/kind.ts'
import type { KindTable } from '../../shared/kinds/table.ts'
import { hash32 } from '../../shared/meta/hash.ts'
import type { KObject } from '../../shared/meta/object.ts'
import descriptions from '../../shared/schema/generated/descriptions.json' with { type: 'json' }
import { ownDescriptions } from '../../shared/schema/own-types.ts'
import { type Schema, schemaOf } from '../../shared/schema/types.ts'

const about: Record<string, Record<string, string>> = { ...descriptions, ...ownDescriptions }
const metaTypes =
  /^V1(ObjectMeta|ListMeta|LabelSelector|LabelSelectorRequirement|OwnerReference|ManagedFieldsEntry|Status|StatusDetails|StatusCause|DeleteOptions|Preconditions|Condition)$/

const shortName = (type: string) => type.replace(/^[A-Z][a-z]+(?=V\d)/, '').replace(/^V\d+(beta\d+)?/, '')
const componentName = (type: string, group: string, version: string) =>
  metaTypes.test(type)
    ? `io.k8s.apimachinery.pkg.apis.meta.v1.${shortName(type)}`
    : `io.k8s.api.${group.split('.')[0] || 'core'}.${version}.${shortName(type)}`

type Json = Record<string, any>

/** `com.example.v1.Widget` */
const customName = (k: Kind) => `${k.group.split('.').reverse().join('.')}.${k.version}.${k.kind}`
const identity: Json = {
  apiVersion: { type: 'string', description: about.V1Pod?.apiVersion ?? '' },
  kind: { type: 'string', description: about.V1Pod?.kind ?? '' },
}

class Document {
  readonly schemas: Record<string, Json> = {}
  readonly #group: string
  readonly #version: string
  constructor(group: string, version: string) {
    this.#group = group
    this.#version = version
  }

  ref(type: string): Json {
    const name = componentName(type, this.#group, this.#version)
    if (!this.schemas[name]) {
      this.schemas[name] = {}
      this.schemas[name] = this.#object(schemaOf(type))
    }
    return { $ref: `#/components/schemas/${name}` }
  }

  /** A custom kind's schema is published as its definition has it. */
  custom(k: Kind): Json {
    const name = customName(k)
    const meta = { description: 'Standard object metadata.', allOf: [this.ref('V1ObjectMeta')] }
    const { properties, ...rest } = (k.structural ?? {}) as Structural & Json
    this.schemas[name] = {
      ...rest,
      type: 'object',
      properties: { ...identity, ...properties, metadata: meta },
    }
    return { $ref: `#/components/schemas/${name}` }
  }

  #object(s: Schema): Json {
    const texts = about[s.name!] ?? {}
    const properties: Json = {}
    for (const [key, child] of Object.entries(s.properties!)) properties[key] = { ...this.#value(child, texts[key]) }
    return {
      description: texts[''] ?? '',
      type: 'object',
      ...(Object.keys(properties).length ? { properties } : {}),
      ...(s.required?.size ? { required: [...s.required] } : {}),
      ...(s.atomic ? { 'x-kubernetes-map-type': 'atomic' } : {}),
    }
  }

  #value(s: Schema, description?: string): Json {
    const d = description ? { description } : {}
    switch (s.type) {
      case 'object':
        return { ...d, allOf: [this.ref(s.name!)], default: {} }
      case 'map':
        return {
          ...d,
          type: 'object',
          additionalProperties: this.#value(s.items!),
          ...(s.atomic ? { 'x-kubernetes-map-type': 'atomic' } : {}),
        }
      case 'array':
        return {
          ...d,
          type: 'array',
          items: this.#value(s.items!),
          'x-kubernetes-list-type': s.listKeys === 'set' ? 'set' : s.listKeys ? 'map' : 'atomic',
          ...(Array.isArray(s.listKeys) ? { 'x-kubernetes-list-map-keys': s.listKeys } : {}),
          ...(s.mergeKey
            ? { 'x-kubernetes-patch-strategy': 'merge', ...(s.mergeKey === 'set' ? {} : { 'x-kubernetes-patch-merge-key': s.mergeKey }) }
            : {}),
        }
      case 'integer':
        return { ...d, type: 'integer', format: s.format }
      case 'number':
        return { ...d, type: 'number', format: 'double' }
      case 'boolean':
        return { ...d, type: 'boolean' }
      case 'time':
      case 'micro-time':
        return { ...d, type: 'string', format: 'date-time' }
      case 'bytes':
        return { ...d, type: 'string', format: 'byte' }
      case 'int-or-string':
        return { ...d, 'x-kubernetes-int-or-string': true, oneOf: [{ type: 'integer' }, { type: 'string' }], format: 'int-or-string' }
      case 'quantity':
        return { ...d, oneOf: [{ type: 'string' }, { type: 'number' }] }
      case 'any':
        return { ...d, 'x-kubernetes-preserve-unknown-fields': true }
      default:
        return { ...d, type: 'string' }
    }
  }
}

const query = (name: string, description: string) => ({ name, in: 'query', description, schema: { type: 'string', uniqueItems: true } })
const writeParameters = [
  query('dryRun', 'When present, indicates that modifications should not be persisted.'),
  query('fieldManager', 'fieldManager is a name associated with the actor or entity that is making these changes.'),
  query('fieldValidation', 'fieldValidation instructs the server on how to handle objects with unknown or duplicate fields.'),
]
/** The last of them is for built-in kinds alone: kubectl chooses by this list. */
const patchTypes = [
  'application/apply-patch+yaml',
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
]

function operation(k: Kind, action: string, ref: Json, parameters: Json[] = [], bodyTypes?: string[]): Json {
  return {
    operationId: `${action}${k.namespaced ? 'Namespaced' : ''}${k.kind}`,
    ...(parameters.length ? { parameters } : {}),
    ...(bodyTypes ? { requestBody: { content: Object.fromEntries(bodyTypes.map((t) => [t, { schema: ref }])) } } : {}),
    responses: { '200': { description: 'OK', content: { 'application/json': { schema: ref } } } },
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': { group: k.group, version: k.version, kind: k.kind },
  }
}

function pathsOf(k: Kind, base: string, ref: Json): Json {
  const collection = `${base}${k.namespaced ? '/namespaces/{namespace}' : ''}/${k.plural}`
  const item: Json = {}
  const list: Json = {}
  if (k.verbs.includes('list')) list.get = operation(k, 'list', ref)
  if (k.verbs.includes('create')) list.post = operation(k, 'post', ref, writeParameters, ['application/json', 'application/yaml'])
  if (k.verbs.includes('get')) item.get = operation(k, 'get', ref)
  if (k.verbs.includes('update')) item.put = operation(k, 'put', ref, writeParameters, ['application/json', 'application/yaml'])
  if (k.verbs.includes('patch'))
    item.patch = operation(
      k,
      'patch',
      ref,
      [...writeParameters, query('force', 'Force is going to "force" Apply requests.')],
      k.custom ? patchTypes.slice(0, -1) : patchTypes,
    )
  if (k.verbs.includes('delete')) item.delete = operation(k, 'delete', ref)
  return { [collection]: list, ...(Object.keys(item).length ? { [`${collection}/{name}`]: item } : {}) }
}

const builtIn = new Map<string, string>()
const ofTables = new WeakMap<KindTable, { generation: number; texts: Map<string, string> }>()

/** What has been made of a table; of built-in groups there is one for all. */
function cacheOf(kinds: KindTable, custom: boolean): Map<string, string> {
  if (!custom) return builtIn
  const known = ofTables.get(kinds)
  if (known?.generation === kinds.generation) return known.texts
  const texts = new Map<string, string>()
  ofTables.set(kinds, { generation: kinds.generation, texts })
  return texts
}

/** The document of a group version as JSON text; undefined when it is not served. */
export function openapiV3(kinds: KindTable, group: string, version: string): string | undefined {
  const id = apiVersionOf({ group, version })
  const served = kinds.all.filter((k) => k.group === group && k.version === version)
  if (!served.length) return undefined
  const cache = cacheOf(
    kinds,
    served.some((k) => k.custom),
  )
  const known = cache.get(id)
  if (known) return known
  const document = new Document(group, version)
  const base = group ? `/apis/${group}/${version}` : `/api/${version}`
  const paths: Json = {}
  for (const k of served) {
    const ref = k.custom ? document.custom(k) : document.ref(k.type)
    const component = document.schemas[k.custom ? customName(k) : componentName(k.type, group, version)]!
    component['x-kubernetes-group-version-kind'] = [{ group, version, kind: k.kind }]
    Object.assign(paths, pathsOf(k, base, ref))
  }
  const text = JSON.stringify({
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: 'v1.36.0' },
    paths,
    components: { schemas: document.schemas },
  })
  cache.set(id, text)
  return text
}

/** The index that /openapi/v3 answers with. The hash lets clients keep what they have. */
export function openapiIndex(kinds: KindTable, build: string, others: KObject[]) {
  const at = (path: string, hash: string) => [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` }]
  const own = kinds.groupVersions().map((g) => {
    const custom = kinds.all.some((k) => k.custom && k.group === g.group && k.version === g.version)
    const text = custom ? `-${hash32(openapiV3(kinds, g.group, g.version)!).toString(16)}` : ''
    return at(g.group ? `apis/${g.group}/${g.version}` : `api/${g.version}`, `${build}${text}`)
  })
  // What aggregated servers publish is theirs to change: the hash moves with their registration alone.
  const theirs = others.map(({ spec, metadata }) => at(`apis/${spec.group}/${spec.version}`, `${metadata.uid}-${metadata.resourceVersion}`))
  return { paths: Object.fromEntries([...own, ...theirs]) }
}

/** The v2 document's JSON, from the same components: definitions only, for clients that merge by them. */
export function openapiV2(kinds: KindTable): string {
  const definitions: Json = {}
  for (const g of kinds.groupVersions())
    Object.assign(
      definitions,
      JSON.parse(openapiV3(kinds, g.group, g.version)!.replaceAll('#/components/schemas/', '#/definitions/')).components.schemas,
    )
  return JSON.stringify({ swagger: '2.0', info: { title: 'Kubernetes', version: 'v1.36.0' }, paths: {}, definitions })
}

/**
 * The v2 document in gnostic's protobuf, which kubectl up to 1.29 insists on: swagger and info alone. Without definitions kubectl merges built-in
 * kinds by its own structs, as it does for every kind that a document does not name.
 */
export function openapiV2Protobuf(): Uint8Array {
  const text = new TextEncoder()
  const field = (n: number, bytes: Uint8Array) => [(n << 3) | 2, bytes.length, ...bytes]
  const info = Uint8Array.from([...field(1, text.encode('Kubernetes')), ...field(2, text.encode('v1.36.0'))])
  return Uint8Array.from([...field(1, text.encode('2.0')), ...field(2, info)])
}
