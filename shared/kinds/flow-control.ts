// flowcontrol.apiserver.k8s.io: which requests wait for which others when the API is busy.
import { dictionary } from '../meta/dictionary.ts'
import type { FieldErrors } from '../meta/field-error.ts'
import { dnsLabel, dnsSubdomain } from '../meta/names.ts'
import type { KObject } from '../meta/object.ts'
import { ageColumn, ageOf, type Kind, nameColumn, plainKind, statusSubresource, text, withStatus } from './kind.ts'

export const FLOW_CONTROL = 'flowcontrol.apiserver.k8s.io'
const MAX_PRECEDENCE = 10_000
const DEFAULT_PRECEDENCE = 1000
const MAX_QUEUES = 10_000_000
const MAX_HASH_BITS = 60
const VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'proxy', 'update', 'watch']
const EXEMPT = 'exempt'

/** A list that is `*` alone, or of what is supported. */
function validateVerbs(list: string[] | undefined, at: string, e: FieldErrors): void {
  if (!list?.length) return void e.required(at, 'verbs must contain at least one value')
  if (list.includes('*')) {
    if (list.length > 1) e.invalid(at, list, "if '*' is present, must not specify other verbs")
  } else if (list.some((v) => !VERBS.includes(v))) e.notSupported(at, list, VERBS)
}

function validateList(list: string[] | undefined, at: string, missing: string, others: string, e: FieldErrors): void {
  if (!list?.length) e.required(at, missing)
  else if (list.length > 1 && list.includes('*')) e.invalid(at, list, `if '*' is present, must not specify other ${others}`)
}

function pathFault(path: string): string | undefined {
  if (!path) return 'must not be empty'
  if (path === '/') return undefined
  if (!path.startsWith('/')) return 'must start with slash'
  if (path.includes(' ')) return 'must not contain white-space'
  if (path.includes('//')) return 'must not contain double slash'
  const stars = path.split('*').length - 1
  return stars > 1 || (stars === 1 && !path.endsWith('/*')) ? 'wildcard can only do suffix matching' : undefined
}

const subjectFields: Record<string, string> = dictionary({ User: 'user', Group: 'group', ServiceAccount: 'serviceAccount' })

function validateSubject(s: any, at: string, e: FieldErrors): void {
  const own = subjectFields[s.kind]
  if (!own) return void e.notSupported(`${at}.kind`, s.kind ?? '', Object.keys(subjectFields).sort())
  for (const [kind, f] of Object.entries(subjectFields))
    if (f !== own && s[f] !== undefined) e.forbidden(`${at}.${f}`, `${f} is forbidden when subject kind is not '${kind}'`)
  const value = s[own]
  if (value === undefined) return void e.required(`${at}.${own}`, `${own} is required when subject kind is '${s.kind}'`)
  if (!value.name) e.required(`${at}.${own}.name`)
  if (s.kind !== 'ServiceAccount') return
  if (value.name && value.name !== '*') e.format(`${at}.${own}.name`, value.name, dnsSubdomain(value.name))
  if (!value.namespace) e.required(`${at}.${own}.namespace`, 'must specify namespace for service account')
  else e.format(`${at}.${own}.namespace`, value.namespace, dnsLabel(value.namespace))
}

function validateRule(r: any, at: string, e: FieldErrors): void {
  if (!r.subjects?.length) e.required(`${at}.subjects`, 'subjects must contain at least one value')
  r.subjects?.forEach((s: any, i: number) => {
    validateSubject(s, `${at}.subjects[${i}]`, e)
  })
  if (!r.resourceRules?.length && !r.nonResourceRules?.length)
    e.required(at, 'at least one of resourceRules and nonResourceRules has to be non-empty')
  r.resourceRules?.forEach((rule: any, i: number) => {
    const here = `${at}.resourceRules[${i}]`
    validateVerbs(rule.verbs, `${here}.verbs`, e)
    validateList(rule.apiGroups, `${here}.apiGroups`, 'resource rules must supply at least one api group', 'api groups', e)
    validateList(rule.resources, `${here}.resources`, 'resource rules must supply at least one resource', 'resources', e)
    const missing = 'resource rules that are not cluster scoped must supply at least one namespace'
    if (rule.namespaces?.length || !rule.clusterScope) validateList(rule.namespaces, `${here}.namespaces`, missing, 'namespaces', e)
    rule.namespaces?.forEach((ns: string, j: number) => {
      if (ns === '*') return
      const faults = dnsLabel(ns).map((m) => `each member of this list must be '*' or a DNS-1123 label; ${m}`)
      e.format(`${here}.namespaces[${j}]`, ns, faults)
    })
  })
  r.nonResourceRules?.forEach((rule: any, i: number) => {
    const here = `${at}.nonResourceRules[${i}]`
    validateVerbs(rule.verbs, `${here}.verbs`, e)
    const urls = 'nonResourceURLs must contain at least one value'
    validateList(rule.nonResourceURLs, `${here}.nonResourceURLs`, urls, 'non-resource URLs', e)
    if (!rule.nonResourceURLs?.includes('*'))
      rule.nonResourceURLs?.forEach((path: string, j: number) => {
        const fault = pathFault(path)
        if (fault) e.invalid(`${here}.nonResourceURLs[${j}]`, path, fault)
      })
  })
}

function validateConditions(o: KObject, e: FieldErrors): void {
  const seen = new Set<string>()
  o.status?.conditions?.forEach((c: any, i: number) => {
    const at = `status.conditions[${i}].type`
    if (!c.type) e.required(at)
    if (seen.has(c.type)) e.duplicate(at, c.type)
    seen.add(c.type)
  })
}

export const flowSchema: Kind = plainKind({
  group: FLOW_CONTROL,
  kind: 'FlowSchema',
  plural: 'flowschemas',
  namespaced: false,
  type: 'V1FlowSchema',
  subresources: statusSubresource,
  ...withStatus(),
  defaults: (o) => {
    o.spec ??= {}
    o.spec.matchingPrecedence ||= DEFAULT_PRECEDENCE
    o.spec.priorityLevelConfiguration ??= {}
  },
  validate: (o, e) => {
    const s = o.spec
    const at = 'spec.matchingPrecedence'
    const n = s.matchingPrecedence
    if (n <= 0) e.invalid(at, n, 'must be a positive value')
    if (n > MAX_PRECEDENCE) e.invalid(at, n, `must not be greater than ${MAX_PRECEDENCE}`)
    if (n === 1 && o.metadata.name !== EXEMPT) e.invalid(at, n, "only the schema named 'exempt' may have matchingPrecedence 1")
    const methods = ['ByNamespace', 'ByUser']
    if (s.distinguisherMethod && !methods.includes(s.distinguisherMethod.type))
      e.notSupported('spec.distinguisherMethod.type', s.distinguisherMethod.type ?? '', methods)
    const { name } = s.priorityLevelConfiguration
    if (!name) e.required('spec.priorityLevelConfiguration.name', 'must reference a priority level')
    else e.format('spec.priorityLevelConfiguration.name', name, dnsSubdomain(name))
    s.rules?.forEach((r: any, i: number) => {
      validateRule(r, `spec.rules[${i}]`, e)
    })
    validateConditions(o, e)
  },
  columns: [
    nameColumn,
    text('PriorityLevel', 'Whose share its requests have.'),
    text('MatchingPrecedence', 'The lowest of those that match a request takes it.'),
    text('DistinguisherMethod', 'What makes flows of its requests.'),
    ageColumn,
    text('MissingPL', 'references a broken or non-existent PriorityLevelConfiguration'),
  ],
  cells: (o, now) => [
    o.metadata.name,
    o.spec?.priorityLevelConfiguration?.name ?? '',
    o.spec?.matchingPrecedence ?? 0,
    o.spec?.distinguisherMethod?.type ?? '<none>',
    ageOf(o, now),
    o.status?.conditions?.find((c: any) => c.type === 'Dangling')?.status ?? '?',
  ],
})

/** Bits that it takes to tell apart all hands of so many queues. */
function entropyBits(queues: number, hand: number): number {
  let ways = 1
  for (let i = 0; i < hand; i++) ways *= queues - i
  return Math.ceil(Math.log2(ways))
}

function validateResponse(r: any, at: string, e: FieldErrors): void {
  if (r?.type === 'Reject') {
    if (r.queuing) e.forbidden(`${at}.queuing`, 'must be nil if limited.limitResponse.type is not Limited')
    return
  }
  if (r?.type !== 'Queue') return void e.notSupported(`${at}.type`, r?.type ?? '', ['Queue', 'Reject'])
  const q = r.queuing
  if (!q) return void e.required(`${at}.queuing`, 'must not be empty if limited.limitResponse.type is Limited')
  const positive = (f: string) => {
    if (q[f] > 0) return true
    e.invalid(`${at}.queuing.${f}`, q[f], 'must be positive')
    return false
  }
  positive('queueLengthLimit')
  if (positive('queues') && q.queues > MAX_QUEUES) e.invalid(`${at}.queuing.queues`, q.queues, `must not be greater than ${MAX_QUEUES}`)
  if (!positive('handSize')) return
  const here = `${at}.queuing.handSize`
  if (q.handSize > q.queues) return void e.invalid(here, q.handSize, `should not be greater than queues (${q.queues})`)
  if (entropyBits(q.queues, q.handSize) > MAX_HASH_BITS) {
    const detail = `required entropy bits of deckSize ${q.queues} and handSize ${q.handSize} should not be greater than ${MAX_HASH_BITS}`
    e.invalid(here, q.handSize, detail)
  }
}

function validateShares(s: any, at: string, e: FieldErrors): void {
  if (s.nominalConcurrencyShares < 0)
    e.invalid(`${at}.nominalConcurrencyShares`, s.nominalConcurrencyShares, 'must be a non-negative integer')
  if (s.lendablePercent < 0 || s.lendablePercent > 100)
    e.invalid(`${at}.lendablePercent`, s.lendablePercent, 'must be between 0 and 100, inclusive')
  if (s.borrowingLimitPercent < 0)
    e.invalid(`${at}.borrowingLimitPercent`, s.borrowingLimitPercent, 'if specified, must be a non-negative integer')
}

export const priorityLevelConfiguration: Kind = plainKind({
  group: FLOW_CONTROL,
  kind: 'PriorityLevelConfiguration',
  plural: 'prioritylevelconfigurations',
  namespaced: false,
  type: 'V1PriorityLevelConfiguration',
  subresources: statusSubresource,
  ...withStatus(),
  defaults: (o) => {
    o.spec ??= {}
    const { limited, exempt } = o.spec
    if (exempt) {
      exempt.nominalConcurrencyShares ??= 0
      exempt.lendablePercent ??= 0
    }
    if (limited) {
      limited.nominalConcurrencyShares ??= 30
      limited.lendablePercent ??= 0
      const queuing = limited.limitResponse?.queuing
      if (queuing) {
        queuing.handSize ||= 8
        queuing.queues ||= 64
        queuing.queueLengthLimit ||= 50
      }
    }
  },
  validate: (o, e) => {
    const s = o.spec
    if ((o.metadata.name === EXEMPT) !== (s.type === 'Exempt'))
      e.invalid('spec.type', s.type ?? '', "must be 'Exempt' if and only if `name` is 'exempt'")
    if (s.type === 'Exempt') {
      if (s.limited) e.forbidden('spec.limited', 'must be nil if the type is not Limited')
      if (s.exempt) validateShares(s.exempt, 'spec.exempt', e)
    } else if (s.type === 'Limited') {
      if (s.exempt) e.forbidden('spec.exempt', 'must be nil if the type is Limited')
      if (!s.limited) e.required('spec.limited', 'must not be empty when type is Limited')
      else {
        validateShares(s.limited, 'spec.limited', e)
        validateResponse(s.limited.limitResponse, 'spec.limited.limitResponse', e)
      }
    } else e.notSupported('spec.type', s.type ?? '', ['Exempt', 'Limited'])
    validateConditions(o, e)
  },
  columns: [
    nameColumn,
    text('Type', 'Whether its requests are limited.'),
    text('NominalConcurrencyShares', 'Its share of the requests that are served at once.'),
    text('Queues', 'How many queues its flows are dealt to.'),
    text('HandSize', 'How many of them a flow may choose from.'),
    text('QueueLengthLimit', 'How many requests may wait in one.'),
    ageColumn,
  ],
  cells: (o, now) => {
    const { limited, type } = o.spec ?? {}
    const queuing = limited?.limitResponse?.queuing
    const of = (v: unknown) => v ?? '<none>'
    const numbers = [limited?.nominalConcurrencyShares, queuing?.queues, queuing?.handSize, queuing?.queueLengthLimit]
    return [o.metadata.name, type ?? '', ...numbers.map(of), ageOf(o, now)]
  },
})
