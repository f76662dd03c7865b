// Which requests a webhook or a policy is asked about: rules on operation and resource, selectors on namespace and object, conditions.

import { compileAdmission, type Scope, variablesValue } from '../../shared/cel/admission.ts'
import { Answers, Authorizer, type Question } from '../../shared/cel/authorizer.ts'
import { CALL_LIMIT, REQUEST_LIMIT } from '../../shared/cel/budget.ts'
import { CelError, type Program } from '../../shared/cel/environment.ts'
import { dynamic } from '../../shared/cel/types.ts'
import { GROUP } from '../../shared/kinds/admission-registration.ts'
import { apiVersionOf } from '../../shared/kinds/index.ts'
import type { KObject } from '../../shared/meta/object.ts'
import { fromLabelSelector, type LabelSelector, matches } from '../../shared/meta/selector.ts'
import { type Identity, userInfo } from '../registry/context.ts'
import type { Request } from './index.ts'

export type Operation = 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT'

/** A request as webhooks and policies see it. */
export interface Ask {
  r: Request
  operation: Operation
  /** With kind and version; what is deleted is the old one alone. */
  object?: any
  oldObject?: any
  namespace?: KObject
}

/** Who may judge others is judged by nobody: a faulty webhook could not be taken away. */
const exempt = (r: Request): boolean => r.kind.group === GROUP

const typed = (r: Request, o: KObject): any => ({ apiVersion: apiVersionOf(r.kind), kind: r.kind.kind, ...o })

/** The request as it is asked about; undefined where nobody is asked. */
export async function askOf(r: Request, operation: Operation): Promise<Ask | undefined> {
  if (exempt(r)) return undefined
  const ns = r.kind.kind === 'Namespace' ? undefined : r.object.metadata.namespace
  const namespace = ns ? await r.env.lookup.get('namespaces', '', ns) : undefined
  const old = operation === 'DELETE' ? r.object : r.old
  return {
    r,
    operation,
    ...(operation === 'DELETE' ? {} : { object: r.asked ?? typed(r, r.object) }),
    ...(old ? { oldObject: typed(r, old) } : {}),
    ...(namespace ? { namespace } : {}),
  }
}

/** The object anew, after somebody changed it. */
export const refreshed = (a: Ask): Ask => ({ ...a, object: typed(a.r, a.r.object) })

const listed = (list: string[] | undefined, value: string): boolean => !!list && (list.includes('*') || list.includes(value))

const subresourceOf = (r: Request): string => (r.part === 'main' ? '' : r.part)

function ruleMatches(a: Ask, rule: any, equivalent: boolean): boolean {
  const { kind, object, env } = a.r
  if (!listed(rule.operations, a.operation) || !listed(rule.apiGroups, kind.group)) return false
  const version =
    listed(rule.apiVersions, kind.version) || (equivalent && env.kinds.versionsOf(kind).some((k) => listed(rule.apiVersions, k.version)))
  if (!version) return false
  const sub = subresourceOf(a.r)
  const resource = (rule.resources ?? []).some((x: string) => {
    const [res, s = ''] = x.split('/')
    if (x === '*') return !sub
    return (res === '*' || res === kind.plural) && (s === '*' ? true : s === sub)
  })
  if (!resource) return false
  if (rule.scope === 'Cluster' && kind.namespaced) return false
  if (rule.scope === 'Namespaced' && !kind.namespaced) return false
  return !rule.resourceNames?.length || rule.resourceNames.includes(object.metadata.name)
}

const met = (selector: LabelSelector | undefined, labels: Record<string, string> | undefined): boolean =>
  !selector || matches(fromLabelSelector(selector), labels)

function selected(a: Ask, m: { namespaceSelector?: LabelSelector; objectSelector?: LabelSelector }): boolean {
  const { r } = a
  const empty = (s?: LabelSelector) => !s || (!Object.keys(s.matchLabels ?? {}).length && !s.matchExpressions?.length)
  if (!empty(m.namespaceSelector)) {
    // A namespace is chosen by its own labels; what lies in none is always chosen.
    const labels = r.kind.kind === 'Namespace' ? r.object.metadata.labels : a.namespace?.metadata.labels
    if ((r.kind.namespaced || r.kind.kind === 'Namespace') && !met(m.namespaceSelector, labels)) return false
  }
  if (empty(m.objectSelector)) return true
  return [a.object, a.oldObject].some((o) => o && met(m.objectSelector, o.metadata?.labels ?? {}))
}

/** Webhooks have their rules beside the selectors. */
export const webhookMatches = (a: Ask, w: any): boolean =>
  (w.rules ?? []).some((x: any) => ruleMatches(a, x, w.matchPolicy !== 'Exact')) && selected(a, w)

/** Policies and bindings: rules may be left out in bindings, and others take requests away again. */
export function resourcesMatch(a: Ask, m: any): boolean {
  if (!m) return true
  const by = (x: any) => ruleMatches(a, x, m.matchPolicy !== 'Exact')
  if ((m.excludeResourceRules ?? []).some(by)) return false
  return (!m.resourceRules?.length || m.resourceRules.some(by)) && selected(a, m)
}

const versionParts = (apiVersion: string) => {
  const [group, version] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion]
  return { group, version }
}
const groupVersion = (kind: { group: string; version: string }) => ({ group: kind.group, version: kind.version })

/** The part of an AdmissionRequest that says who asks for what; `request` in expressions. */
export function requestFacts(a: Ask): any {
  const { kind, object, ctx, options, asked } = a.r
  const sub = subresourceOf(a.r)
  const what = asked ? { ...versionParts(asked.apiVersion), kind: asked.kind } : { ...groupVersion(kind), kind: kind.kind }
  const resource = { ...groupVersion(kind), resource: kind.plural }
  return {
    kind: what,
    resource,
    ...(sub ? { subResource: sub } : {}),
    requestKind: what,
    requestResource: resource,
    ...(sub ? { requestSubResource: sub } : {}),
    name: object.metadata.name ?? '',
    ...(kind.namespaced ? { namespace: object.metadata.namespace } : kind.kind === 'Namespace' ? { namespace: object.metadata.name } : {}),
    operation: a.operation,
    userInfo: userInfo(ctx.user),
    dryRun: !!options.dryRun,
    options: { kind: `${a.operation[0]}${a.operation.slice(1).toLowerCase()}Options`, apiVersion: 'meta.k8s.io/v1' },
  }
}

const MAX_QUESTIONS = 50

/** Runs expressions about one request: what they read is made once, what they cost is counted together. */
export class Evaluation {
  readonly #ask: Ask
  readonly #scope: Scope
  readonly #variables: Record<string, unknown>
  readonly #answers = new Answers()
  #left = REQUEST_LIMIT

  constructor(ask: Ask, scope: Scope = {}, params?: any) {
    this.#ask = ask
    this.#scope = scope
    const { r } = ask
    const lazy: Record<string, () => unknown> = {
      object: () => dynamic(ask.object ?? null),
      oldObject: () => dynamic(ask.oldObject ?? null),
      request: () => dynamic(requestFacts(ask)),
      namespaceObject: () => dynamic(ask.namespace ? { kind: 'Namespace', apiVersion: 'v1', ...ask.namespace } : null),
      params: () => dynamic(params ?? null),
      authorizer: () =>
        new Authorizer(
          this.#answers,
          {},
          {
            group: r.kind.group,
            resource: r.kind.plural,
            ...(subresourceOf(r) ? { subresource: subresourceOf(r) } : {}),
            ...(r.object.metadata.namespace ? { namespace: r.object.metadata.namespace } : {}),
            name: r.object.metadata.name ?? '',
          },
        ),
      variables: () =>
        variablesValue(scope.variables ?? [], (v, earlier) => this.#once(this.#program(v.expression, { ...scope, variables: earlier }))),
    }
    this.#variables = {}
    for (const [name, make] of Object.entries(lazy)) {
      let value: unknown
      let made = false
      Object.defineProperty(this.#variables, name, {
        enumerable: true,
        get: () => {
          if (!made) value = make()
          made = true
          return value
        },
      })
    }
  }

  #program(expression: string, scope: Scope, want?: readonly string[]): Program {
    const { program, fault } = compileAdmission(expression, scope, want)
    if (!program) throw new CelError(`compilation error: ${fault}`)
    return program
  }

  #spent(cost: number): void {
    this.#left -= cost
    const { ctx } = this.#ask.r
    ctx.cost = (ctx.cost ?? 0) + cost
  }

  #once(program: Program): unknown {
    if (this.#left <= 0)
      throw new CelError('validation failed due to running out of cost budget, no further validation rules will be run', true)
    const { value, cost } = program.run(this.#variables, Math.min(CALL_LIMIT, this.#left))
    this.#spent(cost)
    return value
  }

  /** The value of an expression. Throws CelError. */
  async run(expression: string, want?: readonly string[]): Promise<unknown> {
    const program = this.#program(expression, this.#scope, want)
    for (let tries = 0; ; tries++) {
      const before = this.#answers.asked.length
      let failure: unknown
      let value: unknown
      try {
        value = this.#once(program)
      } catch (e) {
        failure = e
        if (e instanceof CelError) this.#spent(e.cost)
      }
      const questions = this.#answers.asked.slice(before)
      if (!questions.length || tries >= MAX_QUESTIONS) {
        if (failure) throw failure
        return value
      }
      for (const q of questions) this.#answers.set(q, await this.#allowed(q))
    }
  }

  #allowed({ serviceAccount: sa, ...attributes }: Question): Promise<boolean> {
    const user: Identity = sa
      ? {
          username: `system:serviceaccount:${sa.namespace}:${sa.name}`,
          groups: ['system:serviceaccounts', `system:serviceaccounts:${sa.namespace}`, 'system:authenticated'],
        }
      : this.#ask.r.ctx.user
    return this.#ask.r.env.allowed(user, attributes)
  }
}

interface Condition {
  name: string
  expression: string
}

/** Whether every condition holds; a false one decides before a failing one. Throws CelError. */
export async function conditionsHold(evaluation: Evaluation, conditions: Condition[] | undefined): Promise<boolean> {
  let failure: unknown
  for (const c of conditions ?? []) {
    try {
      if ((await evaluation.run(c.expression, ['bool'])) !== true) return false
    } catch (e) {
      failure ??= e
    }
  }
  if (failure) throw failure
  return true
}
