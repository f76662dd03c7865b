// ResourceQuota: how much a namespace may hold; LimitRange: what one object in it may ask for, and what it asks for when it says nothing.
import type { FieldErrors } from '../meta/field-error.ts'
import { qualifiedName } from '../meta/names.ts'
import type { KObject } from '../meta/object.ts'
import { nanoOf } from '../meta/quantity.ts'
import { equal } from '../schema/field-set.ts'
import { ageColumn, ageOf, type Kind, nameColumn, plainKind, statusSubresource, text, withStatus } from './kind.ts'

const SCOPES = [
  'BestEffort',
  'CrossNamespacePodAffinity',
  'NotBestEffort',
  'NotTerminating',
  'PriorityClass',
  'Terminating',
  'VolumeAttributesClass',
]
const counts = new Set([
  'pods',
  'services',
  'replicationcontrollers',
  'resourcequotas',
  'secrets',
  'configmaps',
  'persistentvolumeclaims',
  'services.nodeports',
  'services.loadbalancers',
])
const amounts = new Set([
  'cpu',
  'memory',
  'ephemeral-storage',
  'requests.cpu',
  'requests.memory',
  'requests.storage',
  'requests.ephemeral-storage',
  'limits.cpu',
  'limits.memory',
  'limits.ephemeral-storage',
])

function validateQuotaName(name: string, at: string, e: FieldErrors): void {
  e.format(at, name, qualifiedName(name))
  if (!name.includes('/') && !counts.has(name) && !amounts.has(name) && !/^(requests\.)?hugepages-/.test(name))
    e.invalid(at, name, 'must be a standard resource for quota')
}

function validateScopes(o: KObject, e: FieldErrors): void {
  const scopes: string[] = o.spec?.scopes ?? []
  scopes.forEach((s) => {
    if (!SCOPES.includes(s)) e.invalid('spec.scopes', scopes, 'unsupported scope')
  })
  for (const [a, b] of [
    ['BestEffort', 'NotBestEffort'],
    ['Terminating', 'NotTerminating'],
  ])
    if (scopes.includes(a!) && scopes.includes(b!)) e.invalid('spec.scopes', scopes, 'conflicting scopes')
  o.spec?.scopeSelector?.matchExpressions?.forEach((r: any) => {
    const at = 'spec.scopeSelector.matchExpressions'
    if (!SCOPES.includes(r.scopeName)) e.invalid(`${at}.scopeName`, r.scopeName ?? '', 'unsupported scope')
    const operators = ['DoesNotExist', 'Exists', 'In', 'NotIn']
    if (!operators.includes(r.operator)) e.invalid(`${at}.operator`, r.operator ?? '', 'not a valid selector operator')
    const listed = r.operator === 'In' || r.operator === 'NotIn'
    if (listed && !r.values?.length)
      e.required(`${at}.values`, "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector")
    if (!listed && r.values?.length)
      e.invalid(`${at}.values`, r.values, "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector")
  })
}

const order = (names: string[]): string[] => names.sort()

const line = (o: KObject, limits: boolean): string =>
  order(Object.keys(o.status?.hard ?? {}))
    .filter((r) => r.startsWith('limits.') === limits)
    .map((r) => `${r}: ${o.status.used?.[r] ?? '0'}/${o.status.hard[r]}`)
    .join(', ')

export const resourceQuota: Kind = plainKind({
  group: '',
  kind: 'ResourceQuota',
  plural: 'resourcequotas',
  shortNames: ['quota'],
  namespaced: true,
  type: 'V1ResourceQuota',
  subresources: statusSubresource,
  ...withStatus(),
  generation: false,
  defaults: (o) => {
    o.spec ??= {}
  },
  validate: (o, e) => {
    for (const [name, value] of Object.entries<string>(o.spec?.hard ?? {})) {
      validateQuotaName(name, `spec.hard[${name}]`, e)
      if (nanoOf(value) < 0n) e.invalid(`spec.hard[${name}]`, value, 'must be greater than or equal to 0')
      if (counts.has(name) && nanoOf(value) % 1_000_000_000n !== 0n) e.invalid(`spec.hard[${name}]`, value, 'must be an integer')
    }
    validateScopes(o, e)
  },
  validateUpdate: (o, old, e) => {
    const set = (x: KObject) => [...(x.spec?.scopes ?? [])].sort()
    if (!equal(set(o), set(old))) e.invalid('spec.scopes', o.spec?.scopes ?? [], 'field is immutable')
  },
  columns: [
    nameColumn,
    text('Request', 'Request represents a minimum amount of cpu/memory that a container may consume.'),
    text('Limit', 'Limits control the maximum amount of cpu/memory that a container may use independent of contention on the node.'),
    ageColumn,
  ],
  cells: (o, now) => [o.metadata.name, line(o, false), line(o, true), ageOf(o, now)],
})

/** What a container item leaves out follows from its maximum and minimum. */
function defaultItem(l: any): void {
  if (l.type !== 'Container') return
  l.default ??= {}
  l.defaultRequest ??= {}
  for (const [k, v] of Object.entries(l.max ?? {})) l.default[k] ??= v
  for (const [k, v] of Object.entries(l.default)) l.defaultRequest[k] ??= v
  for (const [k, v] of Object.entries(l.min ?? {})) l.defaultRequest[k] ??= v
  for (const f of ['default', 'defaultRequest']) if (!Object.keys(l[f]).length) delete l[f]
}

function validateItem(l: any, at: string, e: FieldErrors): void {
  const lists = ['max', 'min', 'default', 'defaultRequest', 'maxLimitRequestRatio']
  for (const f of lists) for (const k of Object.keys(l[f] ?? {})) e.format(`${at}.${f}[${k}]`, k, qualifiedName(k))
  if (l.type === 'Pod')
    for (const f of ['default', 'defaultRequest'])
      if (Object.keys(l[f] ?? {}).length) e.forbidden(`${at}.${f}`, "may not be specified when `type` is 'Pod'")
  if (l.type === 'PersistentVolumeClaim' && l.min?.storage === undefined && l.max?.storage === undefined)
    e.required(`${at}.limits`, 'either minimum or maximum storage value is required, but neither was provided')
  const above = (low: string, high: string, field: string, name: [string, string]) => {
    for (const k of Object.keys(l[low] ?? {}).filter((x) => l[high]?.[x] !== undefined))
      if (nanoOf(l[low][k]) > nanoOf(l[high][k]))
        e.invalid(`${at}.${field}[${k}]`, l[field][k], `${name[0]} value ${l[low][k]} is greater than ${name[1]} value ${l[high][k]}`)
  }
  above('min', 'max', 'min', ['min', 'max'])
  if (l.type === 'Pod') return
  above('min', 'defaultRequest', 'defaultRequest', ['min', 'default request'])
  above('defaultRequest', 'max', 'defaultRequest', ['default request', 'max'])
  above('defaultRequest', 'default', 'defaultRequest', ['default request', 'default limit'])
  above('min', 'default', 'default', ['min', 'default'])
  above('default', 'max', 'default', ['default', 'max'])
  for (const [k, v] of Object.entries<string>(l.maxLimitRequestRatio ?? {}))
    if (nanoOf(v) < 1_000_000_000n) e.invalid(`${at}.maxLimitRequestRatio[${k}]`, v, `ratio ${v} is less than 1`)
}

export const limitRange: Kind = plainKind({
  group: '',
  kind: 'LimitRange',
  plural: 'limitranges',
  shortNames: ['limits'],
  namespaced: true,
  type: 'V1LimitRange',
  defaults: (o) => {
    o.spec ??= {}
    o.spec.limits?.forEach(defaultItem)
  },
  validate: (o, e) => {
    const seen = new Set<string>()
    o.spec?.limits?.forEach((l: any, i: number) => {
      const at = `spec.limits[${i}]`
      if (!l.type) e.required(`${at}.type`)
      else if (seen.has(l.type)) e.duplicate(`${at}.type`, l.type)
      seen.add(l.type)
      validateItem(l, at, e)
    })
  },
  columns: [nameColumn, { ...ageColumn, name: 'Created At', type: 'date' }],
  cells: (o) => [o.metadata.name, o.metadata.creationTimestamp ?? ''],
})
