// CustomResourceDefinition: the kind itself, and the kinds that its objects make.

import { validateClient, validateReviewVersions } from '../kinds/admission-registration.ts'
import {
  ageColumn,
  ageOf,
  type Column,
  type Kind,
  nameColumn,
  plainKind,
  since,
  statusSubresource,
  statusVerbs,
  text,
  withStatus,
} from '../kinds/kind.ts'
import type { FieldErrors } from '../meta/field-error.ts'
import { dns1035Label, dnsLabel, dnsSubdomain } from '../meta/names.ts'
import type { KObject } from '../meta/object.ts'
import { find, relaxed } from '../print/jsonpath.ts'
import { decode } from '../schema/decode.ts'
import { schemaOf } from '../schema/types.ts'
import { checkRules, validateRules } from './rules.ts'
import { fillDefaults, isPattern, prune, rootSchema, type Structural, validate } from './structural.ts'

export const CRD_RESOURCE = 'customresourcedefinitions.apiextensions.k8s.io'
export const CLEANUP = 'customresourcecleanup.apiextensions.k8s.io'
const APPROVAL = 'api-approved.kubernetes.io'
const MAX_NODES = 10_000
const COLUMN_TYPES = ['boolean', 'date', 'integer', 'number', 'string']
const TYPES = ['array', 'boolean', 'integer', 'number', 'object', 'string']

const children = (s: Structural): [string, Structural][] => [
  ...Object.entries(s.properties ?? {}).map(([k, v]): [string, Structural] => [`properties[${k}]`, v]),
  ...(s.items && typeof s.items === 'object' ? [['items', s.items] as [string, Structural]] : []),
  ...(s.additionalProperties && typeof s.additionalProperties === 'object'
    ? [['additionalProperties', s.additionalProperties] as [string, Structural]]
    : []),
]

/** The rules of structural schemas; inside allOf, anyOf, oneOf and not they are the author's own affair. */
function validateSchema(root: Structural, at: string, e: FieldErrors): void {
  let nodes = 0
  const visit = (s: Structural, path: string, top: boolean) => {
    if (++nodes > MAX_NODES) return
    if (typeof s !== 'object' || s === null) return e.invalid(path, s, 'must be a schema')
    const open = s['x-kubernetes-preserve-unknown-fields'] || s['x-kubernetes-int-or-string']
    if (!s.type && !open) e.required(`${path}.type`, `must not be empty for ${top ? 'the root' : 'specified object fields'}`)
    else if (s.type && !TYPES.includes(s.type)) e.notSupported(`${path}.type`, s.type, TYPES)
    if (top && s.type && s.type !== 'object') e.invalid(`${path}.type`, s.type, 'must be object at the root')
    if (s.type === 'array' && !s.items) e.required(`${path}.items`, 'must be specified')
    if (s.properties && s.additionalProperties)
      e.forbidden(`${path}.additionalProperties`, 'additionalProperties and properties are mutual exclusive')
    if (s.uniqueItems)
      e.forbidden(`${path}.uniqueItems`, 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic')
    if (s.pattern !== undefined && !isPattern(s.pattern))
      e.invalid(`${path}.pattern`, s.pattern, 'must be a valid regular expression, but isn’t'.replace('’', "'"))
    const listType = s['x-kubernetes-list-type']
    if (listType && !['atomic', 'map', 'set'].includes(listType))
      e.notSupported(`${path}.x-kubernetes-list-type`, listType, ['atomic', 'map', 'set'])
    if (listType === 'map' && !s['x-kubernetes-list-map-keys']?.length)
      e.required(`${path}.x-kubernetes-list-map-keys`, 'must not be empty if x-kubernetes-list-type is map')
    if (s.default !== undefined) {
      const inner = e.fresh()
      validate(s, s.default, `${path}.default`, inner)
      for (const c of inner.causes) e.invalidType(c.field, c.message.replace(/^Invalid value: /, ''))
    }
    for (const [k, c] of children(s)) visit(c, `${path}.${k}`, false)
  }
  visit(root, at, true)
}

function validateNames(o: KObject, e: FieldErrors): void {
  const { group, names = {}, scope } = o.spec ?? {}
  if (!group) e.required('spec.group')
  else {
    e.format('spec.group', group, dnsSubdomain(group))
    if (!group.includes('.')) e.invalid('spec.group', group, 'should be a domain with at least one dot')
  }
  for (const f of ['plural', 'singular', 'listKind', 'kind']) {
    const v = names[f]
    if (!v) e.required(`spec.names.${f}`)
    else e.format(`spec.names.${f}`, v, dns1035Label(f === 'kind' || f === 'listKind' ? v.toLowerCase() : v))
  }
  for (const [i, n] of (names.shortNames ?? []).entries()) e.format(`spec.names.shortNames[${i}]`, n, dns1035Label(n))
  for (const [i, n] of (names.categories ?? []).entries()) e.format(`spec.names.categories[${i}]`, n, dns1035Label(n))
  if (names.kind && names.kind === names.listKind) e.invalid('spec.names.listKind', names.listKind, 'kind and listKind may not be the same')
  if (scope !== 'Namespaced' && scope !== 'Cluster') e.notSupported('spec.scope', scope ?? '', ['Cluster', 'Namespaced'])
  const wanted = `${names.plural ?? ''}.${group ?? ''}`
  if (o.metadata.name && o.metadata.name !== wanted) e.invalid('metadata.name', o.metadata.name, 'must be spec.names.plural+"."+spec.group')
  if (/(^|\.)(k8s|kubernetes)\.io$/.test(group ?? '') && !o.metadata.annotations?.[APPROVAL])
    e.required(
      `metadata.annotations[${APPROVAL}]`,
      'protected groups must have approval annotation "api-approved.kubernetes.io", see https://github.com/kubernetes/enhancements/pull/1111',
    )
}

function validateVersions(o: KObject, e: FieldErrors): void {
  const versions: any[] = o.spec?.versions ?? []
  if (!versions.length) return void e.required('spec.versions', 'must have exactly one version marked as storage version')
  const seen = new Set<string>()
  versions.forEach((v, i) => {
    const at = `spec.versions[${i}]`
    if (!v.name) e.required(`${at}.name`)
    else e.format(`${at}.name`, v.name, dnsLabel(v.name))
    if (seen.has(v.name)) e.invalid('spec.versions', v.name, 'must contain unique version names')
    seen.add(v.name)
    const schema = v.schema?.openAPIV3Schema
    if (!schema) e.required(`${at}.schema.openAPIV3Schema`, 'schemas are required')
    else {
      const known = e.causes.length
      validateSchema(schema, `${at}.schema.openAPIV3Schema`, e)
      if (e.causes.length === known) validateRules(schema, `${at}.schema.openAPIV3Schema`, e)
    }
    v.additionalPrinterColumns?.forEach((c: any, j: number) => {
      const here = `${at}.additionalPrinterColumns[${j}]`
      if (!c.name) e.required(`${here}.name`)
      if (!COLUMN_TYPES.includes(c.type)) e.invalid(`${here}.type`, c.type ?? '', `must be one of ${COLUMN_TYPES.join(',')}`)
      if (!c.jsonPath) e.required(`${here}.jsonPath`)
      else if (!readable(c.jsonPath)) e.invalid(`${here}.jsonPath`, c.jsonPath, 'is an invalid path')
    })
    const scale = v.subresources?.scale
    if (scale)
      for (const f of ['specReplicasPath', 'statusReplicasPath', 'labelSelectorPath']) {
        const root = f === 'specReplicasPath' ? '.spec' : '.status'
        if (scale[f] === undefined && f === 'labelSelectorPath') continue
        if (!scale[f]) e.required(`${at}.subresources.scale.${f}`)
        else if (!scale[f].startsWith(`${root}.`) && !(f === 'labelSelectorPath' && scale[f].startsWith('.spec.')))
          e.invalid(`${at}.subresources.scale.${f}`, scale[f], `should be a json path under ${root}`)
      }
    v.selectableFields?.forEach((f: any, j: number) => {
      if (!/^\.[\w.]+$/.test(f.jsonPath ?? '')) e.invalid(`${at}.selectableFields[${j}].jsonPath`, f.jsonPath ?? '', 'is an invalid path')
    })
  })
  const storage = versions.filter((v) => v.storage)
  if (storage.length !== 1)
    e.invalid(
      'spec.versions',
      versions.map((v) => v.name),
      'must have exactly one version marked as storage version',
    )
  const strategy = o.spec.conversion?.strategy
  const webhook = o.spec.conversion?.webhook
  if (strategy === 'Webhook') {
    if (!webhook?.clientConfig) e.required('spec.conversion.webhook.clientConfig', 'required when strategy is set to Webhook')
    else validateClient(webhook.clientConfig, 'spec.conversion.webhook.clientConfig', e)
    validateReviewVersions(webhook?.conversionReviewVersions, 'spec.conversion.webhook.conversionReviewVersions', e)
  } else if (strategy !== 'None') e.notSupported('spec.conversion.strategy', strategy, ['None', 'Webhook'])
  else if (webhook) e.forbidden('spec.conversion.webhook', 'should not be set when strategy is not set to Webhook')
}

function readable(path: string): boolean {
  try {
    find(relaxed(path), {})
    return true
  } catch {
    return false
  }
}

const conditionOf = (o: KObject, type: string): any => o.status?.conditions?.find((c: any) => c.type === type)

export const customResourceDefinition: Kind = plainKind({
  group: 'apiextensions.k8s.io',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  shortNames: ['crd', 'crds'],
  categories: ['api-extensions'],
  namespaced: false,
  type: 'V1CustomResourceDefinition',
  subresources: statusSubresource,
  ...withStatus(),
  defaults: (o) => {
    o.spec ??= {}
    o.spec.names ??= {}
    const { names } = o.spec
    if (names.kind) {
      names.singular ||= names.kind.toLowerCase()
      names.listKind ||= `${names.kind}List`
    }
    o.spec.conversion ??= { strategy: 'None' }
    const service = o.spec.conversion.webhook?.clientConfig?.service
    if (service) service.port ??= 443
  },
  prepareForCreate: (o) => {
    o.status = {}
    o.metadata.finalizers = [...new Set([...(o.metadata.finalizers ?? []), CLEANUP])]
  },
  validate: (o, e) => {
    validateNames(o, e)
    validateVersions(o, e)
  },
  validateUpdate: (o, old, e) => {
    for (const f of ['group', 'scope']) if (o.spec[f] !== old.spec[f]) e.invalid(`spec.${f}`, o.spec[f], 'field is immutable')
    if (conditionOf(old, 'Established')?.status === 'True')
      for (const f of ['plural', 'kind'])
        if (o.spec.names[f] !== old.spec.names[f]) e.invalid(`spec.names.${f}`, o.spec.names[f], 'field is immutable')
    const names = o.spec.versions.map((v: any) => v.name)
    for (const [i, v] of (old.status?.storedVersions ?? []).entries())
      if (!names.includes(v)) e.invalid(`status.storedVersions[${i}]`, v, 'missing from spec.versions')
  },
  columns: [nameColumn, { ...text('Created At'), type: 'date' }],
  cells: (o) => [o.metadata.name, o.metadata.creationTimestamp ?? ''],
})

function columnsOf(version: any): { columns: Column[]; cells: Kind['cells'] } {
  const asked: any[] = version.additionalPrinterColumns ?? []
  if (!asked.length) return { columns: [nameColumn, ageColumn], cells: (o, now) => [o.metadata.name, ageOf(o, now)] }
  const columns: Column[] = asked.map((c) => ({
    name: c.name,
    type: c.type,
    ...(c.format ? { format: c.format } : {}),
    description: c.description ?? `Custom resource definition column (in JSONPath format): ${c.jsonPath}`,
    ...(c.priority ? { priority: c.priority } : {}),
  }))
  const cell = (c: any, o: KObject, now: number): unknown => {
    let found: unknown[]
    try {
      found = find(relaxed(c.jsonPath), o)
    } catch {
      return null
    }
    const [v] = found
    if (v === undefined || v === null) return null
    if (c.type === 'date') return typeof v === 'string' ? since(v, now) : null
    if (c.type === 'integer' || c.type === 'number') return typeof v === 'number' ? v : Number.isFinite(Number(v)) ? Number(v) : null
    if (c.type === 'boolean') return typeof v === 'boolean' ? v : null
    return typeof v === 'string' ? v : JSON.stringify(v)
  }
  return { columns: [nameColumn, ...columns], cells: (o, now) => [o.metadata.name, ...asked.map((c) => cell(c, o, now))] }
}

/** `.spec.replicas` as its keys. */
const keysOf = (path: string): string[] => path.split('.').filter(Boolean)
const at = (o: any, path: string): any => keysOf(path).reduce((v, k) => v?.[k], o)

function setAt(o: any, path: string, value: unknown): void {
  const keys = keysOf(path)
  let here = o
  for (const k of keys.slice(0, -1)) here = here[k] ??= {}
  here[keys.at(-1)!] = value
}

function hasDefaults(s: Structural): boolean {
  const below = [
    s.items,
    typeof s.additionalProperties === 'object' ? s.additionalProperties : undefined,
    ...Object.values(s.properties ?? {}),
  ]
  return s.default !== undefined || below.some((c) => c && hasDefaults(c as Structural))
}

/** In the order in which upstream tells them of custom resources. */
const customVerbs = ['delete', 'deletecollection', 'get', 'list', 'patch', 'create', 'update', 'watch']

function kindOfVersion(crd: KObject, version: any, stored: Kind | undefined): Kind {
  const { group, scope } = crd.spec
  const names = crd.status?.acceptedNames?.kind ? crd.status.acceptedNames : crd.spec.names
  const structural: Structural = crd.spec.preserveUnknownFields
    ? { ...version.schema?.openAPIV3Schema, 'x-kubernetes-preserve-unknown-fields': true }
    : (version.schema?.openAPIV3Schema ?? {})
  const { metadata: _, apiVersion: __, kind: ___, ...properties } = structural.properties ?? {}
  const own: Structural = { ...structural, properties }
  const { status, scale } = version.subresources ?? {}
  const terminating = !!crd.metadata.deletionTimestamp
  const selectable: string[] = (version.selectableFields ?? []).map((f: any) => f.jsonPath)
  const metadata = schemaOf('V1ObjectMeta')
  const whole = (o: KObject) => ({ apiVersion: `${group}/${version.name}`, kind: names.kind, ...o })
  return {
    group,
    version: version.name,
    kind: names.kind,
    plural: names.plural,
    singular: names.singular ?? names.kind.toLowerCase(),
    ...(names.shortNames?.length ? { shortNames: names.shortNames } : {}),
    ...(names.categories?.length ? { categories: names.categories } : {}),
    namespaced: scope === 'Namespaced',
    type: '',
    schema: rootSchema(structural),
    structural,
    custom: crd.metadata.name,
    ...(version.deprecated ? { deprecation: version.deprecationWarning || `${group}/${version.name} ${names.kind} is deprecated` } : {}),
    verbs: terminating ? customVerbs.filter((v) => v !== 'create') : customVerbs,
    subresources: {
      ...(status ? { status: { verbs: statusVerbs } } : {}),
      ...(scale ? { scale: { kind: 'Scale', group: 'autoscaling', version: 'v1', verbs: statusVerbs } } : {}),
    },
    generation: true,
    ...((crd.metadata.generation ?? 1) > 1 && hasDefaults(own) ? { defaultsOnRead: true } : {}),
    decode: (raw, unknown) => {
      const { apiVersion, kind, metadata: meta, ...rest } = raw
      const known = decode(metadata, meta ?? {}, unknown, 'metadata')
      const pruned = prune(own, rest, unknown) as object
      return { ...pruned, metadata: known } as KObject
    },
    defaults: (o) => {
      const { metadata: meta, ...rest } = o
      fillDefaults(own, rest)
      Object.assign(o, rest)
      o.metadata = meta
    },
    ...(status
      ? {
          prepareForCreate: (o) => {
            delete o.status
          },
          prepareForUpdate: (o, old) => {
            if (old.status === undefined) delete o.status
            else o.status = old.status
          },
        }
      : {}),
    validate: (o, e) => {
      const { metadata: _m, ...rest } = o
      validate({ ...own, required: own.required?.filter((r) => !['metadata', 'apiVersion', 'kind'].includes(r)) }, rest, '', e)
    },
    validateCreate: (o, e) => checkRules(structural, whole(o), undefined, e),
    validateUpdate: (o, old, e) => checkRules(structural, whole(o), whole(old), e),
    ...(selectable.length
      ? { fields: (o) => Object.fromEntries(selectable.map((p) => [p.replace(/^\./, ''), String(at(o, p) ?? '')])) }
      : {}),
    ...columnsOf(version),
    ...(scale
      ? {
          scale: {
            selector: (o) => (scale.labelSelectorPath ? String(at(o, scale.labelSelectorPath) ?? '') : ''),
            replicas: (o) => at(o, scale.specReplicasPath) ?? 0,
            setReplicas: (o, n) => setAt(o, scale.specReplicasPath, n),
            current: (o) => at(o, scale.statusReplicasPath) ?? 0,
          },
        }
      : {}),
    // Without conversion the versions differ in their names alone.
    ...(stored ? { stored: { kind: stored, up: (o) => o, down: (o) => o } } : {}),
  }
}

/** Kubernetes' order: stable before beta before alpha, and the newest first. */
export function byVersionPriority(a: string, b: string): number {
  const rank = (v: string) => {
    const m = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(v)
    if (!m) return [0, 0, 0]
    return [m[2] === undefined ? 3 : m[2] === 'beta' ? 2 : 1, Number(m[1]), Number(m[3] ?? 0)]
  }
  const [x, y] = [rank(a), rank(b)]
  for (const i of [0, 1, 2]) if (x[i] !== y[i]) return y[i]! - x[i]!
  return a < b ? -1 : a > b ? 1 : 0
}

/** The kinds of a definition's served versions, the preferred one first; none before its names are accepted. */
export function kindsOfDefinition(crd: KObject): Kind[] {
  if (conditionOf(crd, 'Established')?.status !== 'True') return []
  const storage = crd.spec.versions.find((v: any) => v.storage)
  const stored = kindOfVersion(crd, storage, undefined)
  const served = crd.spec.versions.filter((v: any) => v.served)
  const { conversion, versions } = crd.spec
  const storedVersions: string[] = crd.status?.storedVersions ?? []
  // What a webhook converts is of its own version all the way to the store. One version that was never stored in another needs none.
  const byWebhook = conversion?.strategy === 'Webhook' && (versions.length > 1 || storedVersions.length > 1)
  const kinds: Kind[] = served.map((v: any) => (v === storage ? stored : kindOfVersion(crd, v, byWebhook ? undefined : stored)))
  if (byWebhook) {
    const { clientConfig, conversionReviewVersions: reviewVersions } = conversion.webhook
    const first = storedVersions[0] ?? storage.name
    for (const k of new Set([...kinds, stored])) k.conversion = { clientConfig, reviewVersions, storage: stored, first }
  }
  return kinds.sort((a: Kind, b: Kind) => byVersionPriority(a.version, b.version))
}
