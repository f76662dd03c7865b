// The rules that schemas carry (x-kubernetes-validations): compiled once, asked about every object that is written.
import type { Environment } from '@marcbachmann/cel-js'
import { Optional } from '@marcbachmann/cel-js'
import { CALL_LIMIT, REQUEST_LIMIT } from '../cel/budget.ts'
import { type CelError, compile, newEnvironment, type Program } from '../cel/environment.ts'
import { type Declared, Types } from '../cel/types.ts'
import type { FieldErrors } from '../meta/field-error.ts'
import { equal } from '../schema/field-set.ts'
import type { Structural } from './structural.ts'

const MAX_MESSAGE = 5 * 1024
const REASONS = ['FieldValueInvalid', 'FieldValueForbidden', 'FieldValueRequired', 'FieldValueDuplicate']

/** A rule as the definition has it. */
interface Rule {
  rule: string
  message?: string
  messageExpression?: string
  reason?: string
  fieldPath?: string
  optionalOldSelf?: boolean
}

interface Compiled {
  rule: Rule
  program?: Program
  message?: Program
  /** Why it does not compile: definitions of other hands, stored before their rules were looked at. */
  fault?: string
  transition: boolean
}

/** The part of a schema under which there are rules. */
interface Node {
  schema: Structural
  self?: Declared
  rules: Compiled[]
  properties: Map<string, Node>
  additional?: Node
  items?: Node
}

const rulesOf = (s: Structural): Rule[] => (s as any)['x-kubernetes-validations'] ?? []

function compileRule(types: Types, self: Declared, rule: Rule): Compiled {
  const env = newEnvironment(types.env).registerVariable('self', self.type)
  env.registerVariable('oldSelf', rule.optionalOldSelf ? `optional<${self.type}>` : self.type)
  try {
    const program = compile(env, rule.rule, ['bool'])
    const message = rule.messageExpression === undefined ? undefined : compile(env, rule.messageExpression, ['string'])
    return { rule, program, ...(message ? { message } : {}), transition: program.reads.has('oldSelf') }
  } catch (e) {
    return { rule, fault: (e as CelError).message, transition: false }
  }
}

function build(types: Types, s: Structural, root: boolean): Node | undefined {
  const own = rulesOf(s)
  const properties = new Map<string, Node>()
  for (const [name, child] of Object.entries(s.properties ?? {})) {
    const made = build(types, child, false)
    if (made) properties.set(name, made)
  }
  const items = s.items && build(types, s.items, false)
  const additional = typeof s.additionalProperties === 'object' ? build(types, s.additionalProperties, false) : undefined
  if (!own.length && !properties.size && !items && !additional) return undefined
  const self = own.length ? types.declare({ ...s, nullable: false }, root) : undefined
  return {
    schema: s,
    ...(self ? { self } : {}),
    rules: self ? own.map((r) => compileRule(types, self, r)) : [],
    properties,
    ...(items ? { items } : {}),
    ...(additional ? { additional } : {}),
  }
}

const built = new WeakMap<Structural, Node | 'none'>()

/** The rules of a kind's schema; compiled when they are first wanted. */
function treeOf(s: Structural): Node | undefined {
  let found = built.get(s)
  if (!found) {
    found = build(new Types(newEnvironment()), s, true) ?? 'none'
    built.set(s, found)
  }
  return found === 'none' ? undefined : found
}

const isObject = (v: unknown): v is Record<string, any> => typeof v === 'object' && v !== null && !Array.isArray(v)
const child = (path: string, name: string): string => (path === '<nil>' ? name : `${path}.${name}`)

class Check {
  left = REQUEST_LIMIT
  readonly e: FieldErrors
  constructor(e: FieldErrors) {
    this.e = e
  }

  /** False when there is nothing left to spend. */
  node(n: Node, path: string, value: unknown, old: unknown): boolean {
    if (value === null || value === undefined) return true
    if (n.rules.length && !this.#rules(n, path, value, old)) return false
    if (Array.isArray(value)) {
      if (!n.items) return true
      const before = matching(n.schema, old)
      return value.every((x, i) => this.node(n.items!, `${path}[${i}]`, x, before(x)))
    }
    if (!isObject(value)) return true
    const was = isObject(old) ? old : undefined
    for (const k of Object.keys(value)) {
      const before = was && Object.hasOwn(was, k) ? was[k] : undefined
      const property = n.properties.get(k)
      if (property && !this.node(property, child(path, k), value[k], before)) return false
      if (n.additional && !property && !this.node(n.additional, `${path}[${k}]`, value[k], before)) return false
    }
    return true
  }

  #rules(n: Node, path: string, value: any, old: any): boolean {
    const self = n.self!.convert(value)
    const oldSelf = old === undefined || old === null ? undefined : n.self!.convert(old)
    for (const c of n.rules) if (!this.#rule(c, n, path, value, old, self, oldSelf)) return false
    return true
  }

  #rule(c: Compiled, n: Node, path: string, value: any, old: any, self: unknown, oldSelf: unknown): boolean {
    const { rule } = c
    const type = n.schema.type ?? ''
    const text = (rule.message || rule.rule).trim()
    if (!c.program) {
      this.e.invalid(path, type, `rule compile error: ${c.fault}`)
      return true
    }
    if (c.transition && oldSelf === undefined && !rule.optionalOldSelf) return true
    if (this.left <= 0) return this.#over(path, type)
    const variables = {
      self,
      oldSelf: rule.optionalOldSelf ? (oldSelf === undefined ? Optional.none() : Optional.of(oldSelf as any)) : oldSelf,
    }
    let holds: unknown
    try {
      const done = c.program.run(variables, CALL_LIMIT)
      this.left -= done.cost
      holds = done.value
    } catch (error) {
      const { message, exhausted, cost } = error as CelError
      this.left -= cost
      if (exhausted) {
        const why = `no further validation rules will be run due to call cost exceeds limit for rule: ${text}`
        this.e.invalid(path, type, `'${message}': ${why}`)
        return false
      }
      const overload = 'call arguments did not match a supported operator, function or macro signature for rule'
      this.e.invalid(
        path,
        type,
        /no (such|matching) overload/.test(message) ? `'${message}': ${overload}: ${text}` : `${message} evaluating rule: ${text}`,
      )
      return true
    }
    if (this.left < 0) return this.#over(path, type)
    if (holds === true) return true
    const at = rule.fieldPath ? (path === '<nil>' ? rule.fieldPath.replace(/^\./, '') : `${path}${rule.fieldPath}`) : path
    const detail = this.#message(c, variables) ?? (rule.message ? text : `failed rule: ${text}`)
    // What was wrong already and stays as it was does not hold up other changes.
    if (!c.transition && old !== undefined && equal(old, value)) this.e.warnings.push(`${at}: ${detail}`)
    else this.#say(at, n.schema, rule.reason, value, detail)
    return true
  }

  #say(at: string, s: Structural, reason: string | undefined, value: unknown, detail: string): void {
    if (reason === 'FieldValueForbidden') this.e.forbidden(at, detail)
    else if (reason === 'FieldValueRequired') this.e.required(at, detail)
    else if (reason === 'FieldValueDuplicate') this.e.duplicate(at, value)
    else if (s.type === 'object' || s.type === 'array') this.e.invalidType(at, detail)
    else this.e.invalid(at, value, detail)
  }

  #message(c: Compiled, variables: Record<string, unknown>): string | undefined {
    if (!c.message) return undefined
    try {
      const { value, cost } = c.message.run(variables, Math.min(CALL_LIMIT, Math.max(1, this.left)))
      this.left -= cost
      const text = typeof value === 'string' ? value.trim() : ''
      return text && text.length <= MAX_MESSAGE && !text.includes('\n') ? text : undefined
    } catch {
      // The rule's own words stand in.
      return undefined
    }
  }

  #over(path: string, type: string): false {
    this.e.invalid(path, type, 'validation failed due to running out of cost budget, no further validation rules will be run')
    return false
  }
}

/** Which element of the old list a new one is: lists by key alone can tell. */
function matching(s: Structural, old: unknown): (x: any) => unknown {
  const keys = s['x-kubernetes-list-map-keys']
  if (s['x-kubernetes-list-type'] !== 'map' || !keys || !Array.isArray(old)) return () => undefined
  return (x) => old.find((o) => keys.every((k) => equal(o?.[k], x?.[k])))
}

const BLOCKING = new Set(['FieldValueRequired', 'FieldValueNotSupported', 'FieldValueTooLong', 'FieldValueTooMany'])

/** Adds what the rules have against an object, unless what is known to be wrong with it keeps them from looking. */
export function checkRules(s: Structural, o: any, old: any, e: FieldErrors): void {
  const tree = treeOf(s)
  if (!tree) return
  if (!e.causes.some((c) => BLOCKING.has(c.reason) || c.message.includes('must be of type'))) {
    const check = new Check(e)
    check.node(tree, '<nil>', o, old)
    e.cost += REQUEST_LIMIT - check.left
    return
  }
  e.invalid(
    '<nil>',
    null,
    'some validation rules were not checked because the object was invalid; correct the existing errors to complete validation',
  )
}

/** What is wrong with the rules of a schema themselves, for whoever writes the definition. */
export function validateRules(root: Structural, at: string, e: FieldErrors): void {
  const types = new Types(newEnvironment() as Environment)
  const visit = (s: Structural, path: string, top: boolean, correlatable: boolean) => {
    const own = rulesOf(s)
    const self = own.length ? types.declare({ ...s, nullable: false }, top) : undefined
    for (const [i, rule] of own.entries()) {
      const here = `${path}.x-kubernetes-validations[${i}]`
      if (!rule.rule?.trim()) {
        e.required(`${here}.rule`, 'rule is not specified')
        continue
      }
      if (rule.message !== undefined && /\n/.test(rule.message.trim()))
        e.invalid(`${here}.message`, rule.message, 'message must not contain line breaks')
      if (rule.message !== undefined && !rule.message.trim())
        e.invalid(`${here}.message`, rule.message, 'message must be non-empty if specified')
      if (/\n/.test(rule.rule.trim()) && !rule.message && !rule.messageExpression)
        e.required(`${here}.message`, 'message must be specified if rule contains line breaks')
      if (rule.reason !== undefined && !REASONS.includes(rule.reason)) e.notSupported(`${here}.reason`, rule.reason, [...REASONS].sort())
      if (!self) {
        e.invalid(`${here}.rule`, rule, 'x-kubernetes-validations is not supported where the schema does not say what is there')
        continue
      }
      const made = compileRule(types, self, { ...rule, rule: rule.rule })
      if (made.fault !== undefined) {
        const inMessage = compileRule(types, self, { ...rule, messageExpression: undefined as any }).fault === undefined
        const detail = made.fault.startsWith('must evaluate') ? made.fault : `compilation failed: ${made.fault}`
        if (inMessage) e.invalid(`${here}.messageExpression`, rule, `messageExpression compilation failed: ${made.fault}`)
        else e.invalid(`${here}.rule`, rule, detail.replace('must evaluate to bool', 'must evaluate to a bool'))
      } else if (made.transition && !correlatable && !rule.optionalOldSelf)
        e.invalid(`${here}.rule`, rule.rule, 'oldSelf cannot be used on the uncorrelatable portion of the schema')
    }
    for (const [k, c] of Object.entries(s.properties ?? {})) visit(c, `${path}.properties[${k}]`, false, correlatable)
    if (s.items) visit(s.items, `${path}.items`, false, correlatable && s['x-kubernetes-list-type'] === 'map')
    if (typeof s.additionalProperties === 'object') visit(s.additionalProperties, `${path}.additionalProperties`, false, correlatable)
  }
  visit(root, at, true, true)
}
