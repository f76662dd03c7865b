// `authorizer` in expressions: may somebody do something? The answers are somebody else's to give, so an expression that asks is run, its
// questions are answered, and it is run again.
import type { Environment } from '@marcbachmann/cel-js'
import type { Attributes } from '../meta/attributes.ts'
import { addFunctions, addType } from './libraries/library.ts'

/** What is asked, as the authorizer knows it. */
export interface Question extends Attributes {
  /** Instead of who makes the request. */
  serviceAccount?: { namespace: string; name: string }
}

class Unanswered extends Error {}

/** Answers by question; what has none is noted. */
export class Answers {
  readonly #known = new Map<string, boolean>()
  readonly asked: Question[] = []

  set(q: Question, allowed: boolean): void {
    this.#known.set(JSON.stringify(q), allowed)
  }

  get(q: Question): boolean {
    const known = this.#known.get(JSON.stringify(q))
    if (known !== undefined) return known
    this.asked.push(q)
    throw new Unanswered('not answered yet')
  }
}

class Step {
  readonly answers: Answers
  readonly asks: Partial<Question>
  constructor(answers: Answers, asks: Partial<Question>) {
    this.answers = answers
    this.asks = asks
  }
  equals(other: unknown): boolean {
    return this === other
  }
  with<T extends Step>(this: Step, Type: new (answers: Answers, asks: Partial<Question>) => T, more: Partial<Question>): T {
    return new Type(this.answers, { ...this.asks, ...more })
  }
}
class Path extends Step {}
class Group extends Step {}
class Resource extends Step {}
class Decision extends Step {}

/** The value of `authorizer`. */
export class Authorizer extends Step {
  readonly requestResource: Resource
  constructor(answers: Answers, asks: Partial<Question>, request: Partial<Question> = {}) {
    super(answers, asks)
    this.requestResource = new Resource(answers, request)
  }
}

const allowed = (d: Decision): boolean => d.answers.get(d.asks as Question)

export function declareAuthorizer(env: Environment): void {
  const name = (what: string) => `kubernetes.authorization.${what}`
  const [A, P, G, R, D] = ['Authorizer', 'PathCheck', 'GroupCheck', 'ResourceCheck', 'Decision'].map(name)
  addType(env, P!, Path)
  addType(env, G!, Group)
  addType(env, R!, Resource)
  addType(env, D!, Decision)
  env.registerType(A!, { ctor: Authorizer as any, fields: { requestResource: R! } })
  addFunctions(env, {
    [`${A}.path(string): ${P}`]: (a: Step, path: string) => a.with(Path, { path }),
    [`${A}.group(string): ${G}`]: (a: Step, group: string) => a.with(Group, { group }),
    [`${A}.serviceAccount(string, string): ${A}`]: (a: Authorizer, namespace: string, sa: string) =>
      new Authorizer(
        a.answers,
        { serviceAccount: { namespace, name: sa } },
        { ...a.requestResource.asks, serviceAccount: { namespace, name: sa } },
      ),
    [`${G}.resource(string): ${R}`]: (g: Step, resource: string) => g.with(Resource, { resource }),
    [`${R}.subresource(string): ${R}`]: (r: Step, subresource: string) => r.with(Resource, { subresource }),
    [`${R}.namespace(string): ${R}`]: (r: Step, namespace: string) => r.with(Resource, { namespace }),
    [`${R}.name(string): ${R}`]: (r: Step, n: string) => r.with(Resource, { name: n }),
    // Rights here do not look at selectors: with or without, the answer is the same.
    [`${R}.fieldSelector(string): ${R}`]: (r: Step) => r,
    [`${R}.labelSelector(string): ${R}`]: (r: Step) => r,
    [`${P}.check(string): ${D}`]: (p: Step, verb: string) => p.with(Decision, { verb }),
    [`${R}.check(string): ${D}`]: (r: Step, verb: string) => r.with(Decision, { verb }),
    [`${D}.allowed(): bool`]: allowed,
    [`${D}.errored(): bool`]: () => false,
    [`${D}.error(): string`]: () => '',
    [`${D}.reason(): string`]: (d: Decision) => (allowed(d) ? 'RBAC' : ''),
  })
  env.registerVariable('authorizer', A!)
}
