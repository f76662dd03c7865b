// resource.k8s.io: devices that drivers offer, and claims on them.
import type { FieldErrors } from '../meta/field-error.ts'
import { dnsLabel, dnsSubdomain, qualifiedName } from '../meta/names.ts'
import type { KObject } from '../meta/object.ts'
import { equal } from '../schema/field-set.ts'
import { ageColumn, ageOf, type Kind, nameColumn, plainKind, statusSubresource, text, withStatus } from './kind.ts'

const GROUP = 'resource.k8s.io'
const MAX_ITEMS = 32
const MAX_ALTERNATIVES = 8
const MAX_EXPRESSION = 10 * 1024
const MAX_PARAMETERS = 10 * 1024
const MAX_DEVICES = 128
const ONE_OF = 'exactly one of `exactly` or `firstAvailable` is required'

function each(list: any[] | undefined, at: string, max: number, e: FieldErrors, check: (item: any, at: string) => void): void {
  if (list && list.length > max) e.tooMany(at, list.length, max)
  list?.slice(0, max).forEach((item, i) => {
    check(item, `${at}[${i}]`)
  })
}

/** As each(), where no two may be the same by `id`. */
function eachOnce(
  list: any[] | undefined,
  at: string,
  max: number,
  e: FieldErrors,
  id: (item: any) => string,
  check: (item: any, at: string) => void,
): void {
  const seen = new Set<string>()
  each(list, at, max, e, (item, here) => {
    check(item, here)
    if (seen.has(id(item))) e.duplicate(here, id(item))
    seen.add(id(item))
  })
}

function required(value: string | undefined, at: string, format: (v: string) => string[], e: FieldErrors): void {
  if (!value) e.required(at)
  else e.format(at, value, format(value))
}

function validateSelectors(list: any[] | undefined, at: string, e: FieldErrors): void {
  each(list, at, MAX_ITEMS, e, (s, here) => {
    if (!s.cel) return e.required(`${here}.cel`)
    if (!s.cel.expression) e.required(`${here}.cel.expression`)
    else if (s.cel.expression.length > MAX_EXPRESSION) e.tooLong(`${here}.cel.expression`, MAX_EXPRESSION)
  })
}

function validateConfig(c: any, at: string, e: FieldErrors): void {
  if (!c.opaque) return void e.required(`${at}.opaque`)
  required(c.opaque.driver, `${at}.opaque.driver`, dnsSubdomain, e)
  const { parameters } = c.opaque
  if (parameters === undefined || parameters === null) e.required(`${at}.opaque.parameters`)
  else if (typeof parameters !== 'object' || Array.isArray(parameters))
    e.invalid(`${at}.opaque.parameters`, '<value omitted>', 'parameters must be a valid JSON object')
  else if (JSON.stringify(parameters).length > MAX_PARAMETERS) e.tooLong(`${at}.opaque.parameters`, MAX_PARAMETERS)
}

function validateAsked(r: any, at: string, e: FieldErrors): void {
  required(r.deviceClassName, `${at}.deviceClassName`, dnsSubdomain, e)
  validateSelectors(r.selectors, `${at}.selectors`, e)
  if (r.allocationMode === 'All') {
    if (r.count) e.invalid(`${at}.count`, r.count, "must not be specified when allocationMode is 'All'")
  } else if (r.allocationMode === 'ExactCount') {
    if (!(r.count > 0)) e.invalid(`${at}.count`, r.count ?? 0, 'must be greater than zero')
  } else e.notSupported(`${at}.allocationMode`, r.allocationMode, ['All', 'ExactCount'])
}

function validateRequest(r: any, at: string, e: FieldErrors): void {
  required(r.name, `${at}.name`, dnsLabel, e)
  const several = !!r.firstAvailable?.length
  if (!several && !r.exactly) e.required(at, ONE_OF)
  else if (several && r.exactly) e.invalidType(at, `null: ${ONE_OF}, but multiple fields are set`)
  else if (r.exactly) validateAsked(r.exactly, `${at}.exactly`, e)
  else
    eachOnce(
      r.firstAvailable,
      `${at}.firstAvailable`,
      MAX_ALTERNATIVES,
      e,
      (s) => s.name,
      (s, here) => {
        required(s.name, `${here}.name`, dnsLabel, e)
        validateAsked(s, here, e)
      },
    )
}

function validateClaim(spec: any, at: string, e: FieldErrors): void {
  const devices = spec?.devices ?? {}
  const names = new Set<string>()
  for (const r of devices.requests ?? []) {
    names.add(r.name)
    for (const s of r.firstAvailable ?? []) names.add(`${r.name}/${s.name}`)
  }
  const refs = (list: string[] | undefined, here: string) =>
    eachOnce(
      list,
      here,
      MAX_ITEMS,
      e,
      (n) => n,
      (n: string, i) => {
        const detail = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"
        if (!names.has(n)) e.invalid(i, n, detail)
      },
    )
  eachOnce(
    devices.requests,
    `${at}.devices.requests`,
    MAX_ITEMS,
    e,
    (r) => r.name,
    (r, here) => validateRequest(r, here, e),
  )
  each(devices.constraints, `${at}.devices.constraints`, MAX_ITEMS, e, (c, here) => {
    refs(c.requests, `${here}.requests`)
    const attribute = c.matchAttribute ?? c.distinctAttribute
    const field = c.matchAttribute === undefined ? 'distinctAttribute' : 'matchAttribute'
    if (attribute === undefined) e.required(here, 'exactly one of "matchAttribute" or "distinctAttribute" is required')
    else if (!attribute.includes('/')) e.invalid(`${here}.${field}`, attribute, 'must include a domain')
    else e.format(`${here}.${field}`, attribute, qualifiedName(attribute))
  })
  each(devices.config, `${at}.devices.config`, MAX_ITEMS, e, (c, here) => {
    refs(c.requests, `${here}.requests`)
    validateConfig(c, here, e)
  })
}

function defaultClaim(spec: any): void {
  for (const r of spec?.devices?.requests ?? [])
    for (const asked of [r.exactly, ...(r.firstAvailable ?? [])]) {
      if (!asked) continue
      asked.allocationMode ||= 'ExactCount'
      if (asked.allocationMode === 'ExactCount') asked.count ||= 1
    }
}

const immutableSpec = (o: KObject, old: KObject, e: FieldErrors): void => {
  if (!equal(o.spec, old.spec)) e.invalidType('spec', `${JSON.stringify(o.spec)}: field is immutable`)
}

export const deviceClass: Kind = plainKind({
  group: GROUP,
  kind: 'DeviceClass',
  plural: 'deviceclasses',
  namespaced: false,
  type: 'V1DeviceClass',
  generation: true,
  defaults: (o) => {
    o.spec ??= {}
  },
  validate: (o, e) => {
    validateSelectors(o.spec.selectors, 'spec.selectors', e)
    each(o.spec.config, 'spec.config', MAX_ITEMS, e, (c, at) => validateConfig(c, at, e))
    const name = o.spec.extendedResourceName
    if (name !== undefined && (!name.includes('/') || name.includes('kubernetes.io/') || qualifiedName(name).length))
      e.invalid('spec.extendedResourceName', name, 'must be a valid extended resource name')
  },
})

function claimState(o: KObject): string {
  const deleted = !!o.metadata.deletionTimestamp
  const { allocation, reservedFor } = o.status ?? {}
  const states = [deleted && 'deleted', !allocation && !deleted && 'pending', allocation && 'allocated']
  if (allocation && reservedFor?.length) states.push('reserved')
  return states.filter(Boolean).join(',')
}

export const resourceClaim: Kind = plainKind({
  group: GROUP,
  kind: 'ResourceClaim',
  plural: 'resourceclaims',
  namespaced: true,
  type: 'ResourceV1ResourceClaim',
  subresources: statusSubresource,
  ...withStatus(),
  generation: false,
  defaults: (o) => defaultClaim((o.spec ??= {})),
  validateCreate: (o, e) => validateClaim(o.spec, 'spec', e),
  validateUpdate: immutableSpec,
  columns: [nameColumn, text('State', 'A summary of the current state (allocated, pending, reserved, etc.).'), ageColumn],
  cells: (o, now) => [o.metadata.name, claimState(o), ageOf(o, now)],
})

export const resourceClaimTemplate: Kind = plainKind({
  group: GROUP,
  kind: 'ResourceClaimTemplate',
  plural: 'resourceclaimtemplates',
  namespaced: true,
  type: 'V1ResourceClaimTemplate',
  defaults: (o) => {
    o.spec ??= {}
    defaultClaim((o.spec.spec ??= {}))
  },
  validateCreate: (o, e) => validateClaim(o.spec.spec, 'spec.spec', e),
  validateUpdate: immutableSpec,
})

const PLACES = ['nodeName', 'nodeSelector', 'allNodes', 'perDeviceNodeSelection']

export const resourceSlice: Kind = plainKind({
  group: GROUP,
  kind: 'ResourceSlice',
  plural: 'resourceslices',
  namespaced: false,
  type: 'V1ResourceSlice',
  generation: true,
  defaults: (o) => {
    o.spec ??= {}
  },
  validate: (o, e) => {
    const s = o.spec
    required(s.driver, 'spec.driver', dnsSubdomain, e)
    if (!s.pool?.name) e.required('spec.pool.name')
    else for (const part of s.pool.name.split('/')) e.format('spec.pool.name', s.pool.name, dnsSubdomain(part))
    const count = s.pool?.resourceSliceCount ?? 0
    if (count <= 0) e.invalid('spec.pool.resourceSliceCount', count, 'must be greater than zero')
    if (s.pool?.generation < 0) e.invalid('spec.pool.generation', s.pool.generation, 'must be greater than or equal to zero')
    for (const f of ['allNodes', 'perDeviceNodeSelection'])
      if (s[f] === false) e.invalid(`spec.${f}`, false, 'must be either unset or set to true')
    if (s.nodeName === '') e.invalid('spec.nodeName', '', 'must be either unset or set to a non-empty string')
    const set = PLACES.filter((f) => s[f])
    const all = PLACES.map((f) => `\`${f}\``).join(', ')
    if (!set.length) e.required('spec', `exactly one of ${all} is required`)
    else if (set.length > 1)
      e.invalid('spec', `{${set.map((f) => `\`${f}\``).join(', ')}}`, `exactly one of ${all} is required, but multiple fields are set`)
    if (s.sharedCounters && s.devices) e.invalid('spec', '', 'only one of `sharedCounters` or `devices` is allowed')
    const id = (d: any) => d.name
    eachOnce(s.devices, 'spec.devices', MAX_DEVICES, e, id, (d, at) => required(d.name, `${at}.name`, dnsLabel, e))
  },
  validateUpdate: (o, old, e) => {
    const fixed: [string, any, any][] = [
      ['spec.pool.name', o.spec.pool?.name, old.spec.pool?.name],
      ['spec.driver', o.spec.driver, old.spec.driver],
      ['spec.nodeName', o.spec.nodeName, old.spec.nodeName],
    ]
    for (const [at, now, before] of fixed) if (now !== before) e.invalid(at, now, 'field is immutable')
  },
  fields: (o) => ({ 'spec.nodeName': o.spec?.nodeName ?? '', 'spec.driver': o.spec?.driver ?? '' }),
  columns: [
    nameColumn,
    text('Node', 'The node that has the devices.'),
    text('Driver', 'The driver that offers them.'),
    text('Pool', 'The pool that they are part of.'),
    ageColumn,
  ],
  cells: (o, now) => [o.metadata.name, o.spec?.nodeName ?? '', o.spec?.driver ?? '', o.spec?.pool?.name ?? '', ageOf(o, now)],
})
