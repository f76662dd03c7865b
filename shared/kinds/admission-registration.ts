// admissionregistration.k8s.io: webhooks and policies that have a say in every write, and what they are bound to.
import { compileAdmission, type Scope } from '../cel/admission.ts'
import type { FieldErrors } from '../meta/field-error.ts'
import { dns1035Label, dnsSubdomain, pathSegment, qualifiedName } from '../meta/names.ts'
import type { KObject } from '../meta/object.ts'
import { ageColumn, ageOf, integer, type Kind, nameColumn, plainKind, statusSubresource, text, withStatus } from './kind.ts'
import { validateLabelSelector } from './pod-validation.ts'

export const GROUP = 'admissionregistration.k8s.io'
const OPERATIONS = ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE']
const POLICIES = ['Fail', 'Ignore']
const MATCHES = ['Equivalent', 'Exact']
const SCOPES = ['*', 'Cluster', 'Namespaced']
const ACTIONS = ['Audit', 'Deny', 'Warn']
const REASONS = ['Forbidden', 'Invalid', 'RequestEntityTooLarge']
const REINVOCATIONS = ['IfNeeded', 'Never']
const MAX_CONDITIONS = 64
const MAX_ANNOTATIONS = 20

function oneOf(v: unknown, at: string, supported: readonly string[], e: FieldErrors): void {
  if (v !== undefined && !supported.includes(v as string)) e.notSupported(at, v, supported)
}

function alone(list: string[] | undefined, at: string, what: string, e: FieldErrors): void {
  if (list && list.length > 1 && list.includes('*')) e.invalid(at, list, `if '*' is present, must not specify other ${what}`)
}

function validateResources(list: string[] | undefined, at: string, e: FieldErrors): void {
  if (!list?.length) return void e.required(at)
  const whole = new Set<string>()
  for (const [i, r] of list.entries()) {
    if (!r) {
      e.required(`${at}[${i}]`)
      continue
    }
    const [resource, sub] = r.split('/')
    if (sub === undefined) continue
    for (const wild of [`${resource}/*`, `*/${sub}`])
      if (whole.has(wild)) e.invalid(`${at}[${i}]`, r, `if '${wild}' is present, must not specify ${r}`)
    if (sub === '*' || resource === '*') whole.add(r)
  }
  if (list.length > 1 && list.includes('*/*')) e.invalid(at, list, "if '*/*' is present, must not specify other resources")
  if (list.includes('*') && list.some((r) => r !== '*' && !r.includes('/')))
    e.invalid(at, list, "if '*' is present, must not specify other resources without subresources")
}

function validateRule(r: any, at: string, e: FieldErrors): void {
  if (!r.operations?.length) e.required(`${at}.operations`)
  alone(r.operations, `${at}.operations`, 'operations', e)
  r.operations?.forEach((o: string, i: number) => {
    oneOf(o, `${at}.operations[${i}]`, OPERATIONS, e)
  })
  if (!r.apiGroups?.length) e.required(`${at}.apiGroups`)
  alone(r.apiGroups, `${at}.apiGroups`, 'API groups', e)
  if (!r.apiVersions?.length) e.required(`${at}.apiVersions`)
  alone(r.apiVersions, `${at}.apiVersions`, 'API versions', e)
  r.apiVersions?.forEach((v: string, i: number) => {
    if (!v) e.required(`${at}.apiVersions[${i}]`)
  })
  validateResources(r.resources, `${at}.resources`, e)
  oneOf(r.scope, `${at}.scope`, SCOPES, e)
  const seen = new Set<string>()
  r.resourceNames?.forEach((n: string, i: number) => {
    e.format(`${at}.resourceNames[${i}]`, n, pathSegment(n))
    if (seen.has(n)) e.duplicate(`${at}.resourceNames[${i}]`, n)
    seen.add(n)
  })
}

/** An expression that does not compile, in upstream's words. */
function validateExpression(source: string, at: string, scope: Scope, want: readonly string[], e: FieldErrors): void {
  const { fault } = compileAdmission(source, scope, want)
  if (fault !== undefined) e.invalid(at, source, fault.startsWith('must evaluate') ? fault : `compilation failed: ${fault}`)
}

function validateConditions(list: any[] | undefined, at: string, params: boolean, e: FieldErrors): void {
  if (list && list.length > MAX_CONDITIONS) e.tooMany(at, list.length, MAX_CONDITIONS)
  const seen = new Set<string>()
  list?.forEach((c, i) => {
    const here = `${at}[${i}]`
    if (!c.expression?.trim()) e.required(`${here}.expression`)
    else validateExpression(c.expression, `${here}.expression`, { params }, ['bool'], e)
    if (!c.name) e.required(`${here}.name`)
    else {
      e.format(`${here}.name`, c.name, qualifiedName(c.name))
      if (seen.has(c.name)) e.duplicate(`${here}.name`, c.name)
      seen.add(c.name)
    }
  })
}

function validateSelectors(o: any, at: string, e: FieldErrors): void {
  for (const f of ['namespaceSelector', 'objectSelector']) if (o[f]) validateLabelSelector(o[f], `${at}.${f}`, e)
}

export function validateClient(c: any, at: string, e: FieldErrors): void {
  if (!c || (c.url === undefined) === (c.service === undefined)) return void e.required(at, 'exactly one of url or service is required')
  if (c.url !== undefined) {
    const here = `${at}.url`
    if (!URL.canParse(c.url)) return void e.invalid(here, c.url, 'url must be a valid URL: desired format: https://host[/path]')
    const url = new URL(c.url)
    if (url.protocol !== 'https:')
      e.invalid(here, url.protocol.slice(0, -1), "'https' is the only allowed URL scheme; desired format: https://host[/path]")
    if (url.username || url.password) e.invalid(here, url.username, 'user information is not permitted in the URL')
    if (url.hash) e.invalid(here, url.hash.slice(1), 'fragments are not permitted in the URL')
    if (url.search) e.invalid(here, url.search.slice(1), 'query parameters are not permitted in the URL')
    return
  }
  for (const f of ['name', 'namespace']) if (!c.service[f]) e.required(`${at}.service.${f}`, `service ${f} is required`)
  const { port, path } = c.service
  if (port !== undefined && (port < 1 || port > 65535))
    e.invalid(`${at}.service.port`, port, 'port is not valid: must be between 1 and 65535, inclusive')
  if (path !== undefined && !path.startsWith('/')) e.invalid(`${at}.service.path`, path, "must start with a '/'")
}

export function validateReviewVersions(list: string[] | undefined, at: string, e: FieldErrors): void {
  if (!list?.length) return void e.required(at, 'must specify one of v1, v1beta1')
  const seen = new Set<string>()
  for (const [i, v] of list.entries()) {
    if (seen.has(v)) e.invalid(`${at}[${i}]`, v, 'duplicate version')
    else e.format(`${at}[${i}]`, v, dns1035Label(v))
    seen.add(v)
  }
  if (!seen.has('v1') && !seen.has('v1beta1')) e.invalid(at, list, 'must include at least one of v1, v1beta1')
}

function validateWebhooks(o: KObject, e: FieldErrors): void {
  const seen = new Set<string>()
  o.webhooks?.forEach((w: any, i: number) => {
    const at = `webhooks[${i}]`
    if (!w.name) e.required(`${at}.name`)
    else {
      e.format(`${at}.name`, w.name, dnsSubdomain(w.name))
      if (w.name.split('.').length < 3) e.invalid(`${at}.name`, w.name, 'should be a domain with at least three segments separated by dots')
      if (seen.has(w.name)) e.duplicate(`${at}.name`, w.name)
      seen.add(w.name)
    }
    w.rules?.forEach((r: any, j: number) => {
      validateRule(r, `${at}.rules[${j}]`, e)
    })
    oneOf(w.failurePolicy, `${at}.failurePolicy`, POLICIES, e)
    oneOf(w.matchPolicy, `${at}.matchPolicy`, MATCHES, e)
    oneOf(w.reinvocationPolicy, `${at}.reinvocationPolicy`, REINVOCATIONS, e)
    const effects = ['None', 'NoneOnDryRun']
    if (w.sideEffects === undefined) e.required(`${at}.sideEffects`, `must specify one of ${effects.join(', ')}`)
    else oneOf(w.sideEffects, `${at}.sideEffects`, effects, e)
    if (w.timeoutSeconds > 30 || w.timeoutSeconds < 1)
      e.invalid(`${at}.timeoutSeconds`, w.timeoutSeconds, 'the timeout value must be between 1 and 30 seconds')
    validateSelectors(w, at, e)
    validateClient(w.clientConfig, `${at}.clientConfig`, e)
    validateConditions(w.matchConditions, `${at}.matchConditions`, false, e)
    validateReviewVersions(w.admissionReviewVersions, `${at}.admissionReviewVersions`, e)
  })
}

function defaultMatching(m: any): void {
  m.matchPolicy ??= 'Equivalent'
  m.namespaceSelector ??= {}
  m.objectSelector ??= {}
}

const defaultRules = (rules: any[] | undefined): void => {
  for (const r of rules ?? []) r.scope ??= '*'
}

const webhookKind = (kind: string, plural: string, more: (w: any) => void): Kind =>
  plainKind({
    group: GROUP,
    kind,
    plural,
    categories: ['api-extensions'],
    namespaced: false,
    generation: true,
    type: `V1${kind}`,
    defaults: (o) => {
      for (const w of o.webhooks ?? []) {
        w.failurePolicy ??= 'Fail'
        defaultMatching(w)
        w.timeoutSeconds ??= 10
        defaultRules(w.rules)
        if (w.clientConfig?.service) w.clientConfig.service.port ??= 443
        more(w)
      }
    },
    validate: validateWebhooks,
    columns: [nameColumn, integer('Webhooks', 'How many webhooks there are.'), ageColumn],
    cells: (o, now) => [o.metadata.name, o.webhooks?.length ?? 0, ageOf(o, now)],
  })

export const validatingWebhookConfiguration = webhookKind('ValidatingWebhookConfiguration', 'validatingwebhookconfigurations', () => {})
export const mutatingWebhookConfiguration = webhookKind('MutatingWebhookConfiguration', 'mutatingwebhookconfigurations', (w) => {
  w.reinvocationPolicy ??= 'Never'
})

function validateMatching(m: any, at: string, e: FieldErrors): void {
  oneOf(m.matchPolicy, `${at}.matchPolicy`, MATCHES, e)
  validateSelectors(m, at, e)
  for (const f of ['resourceRules', 'excludeResourceRules'])
    m[f]?.forEach((r: any, i: number) => {
      validateRule(r, `${at}.${f}[${i}]`, e)
    })
}

function validateParamKind(p: any, at: string, e: FieldErrors): void {
  if (!p.apiVersion) e.required(`${at}.apiVersion`)
  else if (p.apiVersion.split('/').length > 2)
    e.invalid(`${at}.apiVersion`, p.apiVersion, `unexpected GroupVersion string: ${p.apiVersion}`)
  if (!p.kind) e.required(`${at}.kind`)
}

/** What both kinds of policies have; `operations` that make no sense for one are refused by it. */
function validatePolicy(o: KObject, e: FieldErrors): Scope {
  const s = o.spec ?? {}
  const params = !!s.paramKind
  oneOf(s.failurePolicy, 'spec.failurePolicy', POLICIES, e)
  if (s.paramKind) validateParamKind(s.paramKind, 'spec.paramKind', e)
  if (!s.matchConstraints) e.required('spec.matchConstraints')
  else {
    validateMatching(s.matchConstraints, 'spec.matchConstraints', e)
    if (!s.matchConstraints.resourceRules?.length) e.required('spec.matchConstraints.resourceRules')
  }
  validateConditions(s.matchConditions, 'spec.matchConditions', params, e)
  const variables: any[] = s.variables ?? []
  variables.forEach((v, i) => {
    const at = `spec.variables[${i}]`
    if (!v.name?.trim()) e.required(`${at}.name`, 'name is not specified')
    else if (!/^[A-Za-z_]\w*$/.test(v.name)) e.invalid(`${at}.name`, v.name, 'must be a valid CEL identifier')
    if (!v.expression?.trim()) e.required(`${at}.expression`, 'expression is not specified')
    else if (/^[A-Za-z_]\w*$/.test(v.name ?? ''))
      validateExpression(v.expression, `${at}.expression`, { params, variables: named(variables.slice(0, i)) }, [], e)
  })
  return { params, variables: named(variables) }
}

/** Variables that expressions can be compiled with. */
const named = (list: any[]): any[] => list.filter((v) => /^[A-Za-z_]\w*$/.test(v.name ?? '') && v.expression)

function validateValidations(o: KObject, scope: Scope, e: FieldErrors): void {
  const { validations = [], auditAnnotations = [] } = o.spec ?? {}
  if (!validations.length && !auditAnnotations.length)
    for (const f of ['validations', 'auditAnnotations'])
      e.required(`spec.${f}`, 'validations or auditAnnotations must contain at least one item')
  validations.forEach((v: any, i: number) => {
    const at = `spec.validations[${i}]`
    if (!v.expression?.trim()) e.required(`${at}.expression`, 'expression is not specified')
    else validateExpression(v.expression, `${at}.expression`, scope, ['bool'], e)
    if (v.messageExpression !== undefined && v.messageExpression !== '')
      if (!v.messageExpression.trim()) e.invalid(`${at}.messageExpression`, v.messageExpression, 'must be non-empty if specified')
      else validateExpression(v.messageExpression, `${at}.messageExpression`, scope, ['string'], e)
    if (v.message && !v.message.trim()) e.invalid(`${at}.message`, v.message, 'must be non-empty if specified')
    else if (/[\n\r]/.test(v.message?.trim() ?? '')) e.invalid(`${at}.message`, v.message, 'must not contain line breaks')
    oneOf(v.reason, `${at}.reason`, REASONS, e)
  })
  if (auditAnnotations.length > MAX_ANNOTATIONS)
    e.invalid('spec.auditAnnotations', auditAnnotations, `must not have more than ${MAX_ANNOTATIONS} auditAnnotations`)
  const seen = new Set<string>()
  auditAnnotations.forEach((a: any, i: number) => {
    const at = `spec.auditAnnotations[${i}]`
    e.format(`${at}.key`, `${o.metadata.name}/${a.key ?? ''}`, qualifiedName(`${o.metadata.name}/${a.key ?? ''}`))
    if (seen.has(a.key)) e.duplicate(`${at}.key`, a.key)
    seen.add(a.key)
    if (!a.valueExpression?.trim()) e.required(`${at}.valueExpression`, 'valueExpression is not specified')
    else validateExpression(a.valueExpression, `${at}.valueExpression`, scope, ['string', 'null'], e)
  })
}

function validateMutation(m: any, at: string, scope: Scope, e: FieldErrors): void {
  const field = m.patchType === 'ApplyConfiguration' ? 'applyConfiguration' : 'jsonPatch'
  const other = field === 'jsonPatch' ? 'applyConfiguration' : 'jsonPatch'
  if (!m.patchType) return void e.required(`${at}.patchType`)
  oneOf(m.patchType, `${at}.patchType`, ['ApplyConfiguration', 'JSONPatch'], e)
  if (m[other]) e.invalid(`${at}.${other}`, '{}', `must not be specified when patchType is ${m.patchType}`)
  if (!m[field]) e.required(`${at}.${field}`, `must be specified when patchType is ${m.patchType}`)
  else if (!m[field].expression?.trim()) e.required(`${at}.${field}.expression`, 'expression is not specified')
  else validateExpression(m[field].expression, `${at}.${field}.expression`, scope, [], e)
}

function validateMutations(o: KObject, scope: Scope, e: FieldErrors): void {
  const { mutations = [], matchConstraints, reinvocationPolicy } = o.spec ?? {}
  if (!mutations.length) e.required('spec.mutations', 'mutations must contain at least one item')
  for (const [i, m] of mutations.entries()) validateMutation(m, `spec.mutations[${i}]`, scope, e)
  if (reinvocationPolicy === undefined) e.required('spec.reinvocationPolicy')
  else oneOf(reinvocationPolicy, 'spec.reinvocationPolicy', REINVOCATIONS, e)
  matchConstraints?.resourceRules?.forEach((r: any, i: number) => {
    r.operations?.forEach((op: string, j: number) => {
      if (op === 'DELETE')
        e.notSupported(
          `spec.matchConstraints.resourceRules[${i}].operations[${j}]`,
          op,
          OPERATIONS.filter((x) => x !== 'DELETE'),
        )
    })
  })
}

function defaultPolicy(o: KObject): void {
  o.spec ??= {}
  o.spec.failurePolicy ??= 'Fail'
  const m = o.spec.matchConstraints
  if (!m) return
  defaultMatching(m)
  defaultRules(m.resourceRules)
  defaultRules(m.excludeResourceRules)
}

const paramKindText = (o: KObject): string => (o.spec?.paramKind ? `${o.spec.paramKind.apiVersion}/${o.spec.paramKind.kind}` : '<unset>')

export const validatingAdmissionPolicy: Kind = plainKind({
  group: GROUP,
  kind: 'ValidatingAdmissionPolicy',
  plural: 'validatingadmissionpolicies',
  categories: ['api-extensions'],
  namespaced: false,
  type: 'V1ValidatingAdmissionPolicy',
  subresources: statusSubresource,
  ...withStatus(),
  defaults: defaultPolicy,
  validate: (o, e) => validateValidations(o, validatePolicy(o, e), e),
  columns: [nameColumn, integer('Validations', 'How many rules there are.'), text('ParamKind', 'What its parameters are.'), ageColumn],
  cells: (o, now) => [o.metadata.name, o.spec?.validations?.length ?? 0, paramKindText(o), ageOf(o, now)],
})

export const mutatingAdmissionPolicy: Kind = plainKind({
  group: GROUP,
  kind: 'MutatingAdmissionPolicy',
  plural: 'mutatingadmissionpolicies',
  categories: ['api-extensions'],
  namespaced: false,
  generation: true,
  type: 'V1MutatingAdmissionPolicy',
  defaults: defaultPolicy,
  validate: (o, e) => validateMutations(o, validatePolicy(o, e), e),
  columns: [nameColumn, integer('Mutations', 'How many changes it makes.'), text('ParamKind', 'What its parameters are.'), ageColumn],
  cells: (o, now) => [o.metadata.name, o.spec?.mutations?.length ?? 0, paramKindText(o), ageOf(o, now)],
})

function validateParamRef(p: any, at: string, e: FieldErrors): void {
  if (p.name) e.format(`${at}.name`, p.name, pathSegment(p.name))
  if (p.name && p.selector) for (const f of ['name', 'selector']) e.forbidden(`${at}.${f}`, 'name and selector are mutually exclusive')
  if (p.selector) validateLabelSelector(p.selector, `${at}.selector`, e)
  if (!p.name && !p.selector) e.required(at, 'one of name or selector must be specified')
  if (!p.parameterNotFoundAction) e.required(`${at}.parameterNotFoundAction`)
  else oneOf(p.parameterNotFoundAction, `${at}.parameterNotFoundAction`, ['Deny', 'Allow'], e)
}

function validateActions(list: string[] | undefined, e: FieldErrors): void {
  const at = 'spec.validationActions'
  if (!list?.length) return void e.required(at, 'at least one validation action is required')
  list.forEach((a, i) => {
    oneOf(a, `${at}[${i}]`, ACTIONS, e)
    if (list.indexOf(a) < i) e.duplicate(`${at}[${i}]`, a)
  })
  if (list.includes('Deny') && list.includes('Warn'))
    e.invalid(
      at,
      list,
      'must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)',
    )
}

function paramText({ spec }: KObject): string {
  const p = spec?.paramRef
  if (p?.name) return `${p.namespace || '*'}/${p.name}`
  return p?.selector ? JSON.stringify(p.selector) : '<unset>'
}

const bindingKind = (kind: string, plural: string, actions: boolean): Kind =>
  plainKind({
    group: GROUP,
    kind,
    plural,
    categories: ['api-extensions'],
    namespaced: false,
    generation: true,
    type: `V1${kind}`,
    defaults: (o) => {
      const m = o.spec?.matchResources
      if (!m) return
      defaultMatching(m)
      defaultRules(m.resourceRules)
      defaultRules(m.excludeResourceRules)
    },
    validate: (o, e) => {
      const s = o.spec ?? {}
      if (!s.policyName) e.required('spec.policyName')
      else e.format('spec.policyName', s.policyName, dnsSubdomain(s.policyName))
      if (s.paramRef) validateParamRef(s.paramRef, 'spec.paramRef', e)
      if (s.matchResources) validateMatching(s.matchResources, 'spec.matchResources', e)
      if (actions) validateActions(s.validationActions, e)
    },
    columns: [
      nameColumn,
      text('PolicyName', 'The policy that is bound.'),
      text('ParamRef', 'What its parameters are taken from.'),
      ageColumn,
    ],
    cells: (o, now) => [o.metadata.name, o.spec?.policyName ?? '', paramText(o), ageOf(o, now)],
  })

export const validatingAdmissionPolicyBinding = bindingKind('ValidatingAdmissionPolicyBinding', 'validatingadmissionpolicybindings', true)
export const mutatingAdmissionPolicyBinding = bindingKind('MutatingAdmissionPolicyBinding', 'mutatingadmissionpolicybindings', false)
