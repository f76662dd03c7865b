// The authorizer: system:masters, then the Node authorizer, then RBAC. One answer for requests, reviews and escalation checks.

import type { Rule } from '../../shared/rbac.ts'
import { forbidden, StatusError } from '../../shared/status/index.ts'
import type { Rider } from '../ports/database.ts'
import type { Attributes, Identity } from '../registry/context.ts'
import { type NodeGraph, nodeAllows } from './node-authorizer.ts'
import { type Rbac, rulesCover } from './rbac.ts'

const everything: Rule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
]

export class Authorizer {
  readonly #rbac: Rbac
  readonly #graph: NodeGraph
  constructor(rbac: Rbac, graph: NodeGraph) {
    this.#rbac = rbac
    this.#graph = graph
  }

  async allows(user: Identity, a: Attributes): Promise<boolean> {
    if (user.groups.includes('system:masters')) return true
    if (user.groups.includes('system:nodes') && (await nodeAllows(this.#graph, user, a))) return true
    return this.#rbac.allows(user, a)
  }

  async rulesFor(user: Identity, ns: string | undefined): Promise<Rule[]> {
    return user.groups.includes('system:masters') ? everything : this.#rbac.rulesFor(user, ns)
  }

  async covers(user: Identity, ns: string | undefined, rules: Rule[]): Promise<boolean> {
    return rulesCover(await this.rulesFor(user, ns), rules)
  }

  /**
   * The same as `require` for a request that is going to read anyway: where rights must be read first, they ride along, and the refusal comes from
   * the ride. Undefined when the answer was yes already.
   */
  async requireRiding(user: Identity, a: Attributes): Promise<Rider | undefined> {
    // Nodes' rights hang on what their pods refer to, which is read by name.
    const simple = !user.groups.includes('system:masters') && !user.groups.includes('system:nodes')
    const missing = simple ? this.#rbac.missing() : undefined
    if (!missing) {
      await this.require(user, a)
      return undefined
    }
    return {
      statements: missing.statements,
      take: async (rows) => {
        await missing.take(rows)
        await this.require(user, a)
      },
    }
  }

  /** Throws 403 with kube-apiserver's words. */
  async require(user: Identity, a: Attributes): Promise<void> {
    if (await this.allows(user, a)) return
    const who = `User ${JSON.stringify(user.username)}`
    if (a.path !== undefined)
      throw new StatusError(403, 'Forbidden', `forbidden: ${who} cannot ${a.verb} path ${JSON.stringify(a.path)}`, {})
    const resource = a.subresource ? `${a.resource}/${a.subresource}` : a.resource
    const where = a.namespace ? `in the namespace ${JSON.stringify(a.namespace)}` : 'at the cluster scope'
    throw forbidden(
      { group: a.group ?? '', resource: a.resource!, name: a.name },
      `${who} cannot ${a.verb} resource ${JSON.stringify(resource)} in API group ${JSON.stringify(a.group ?? '')} ${where}`,
    )
  }
}
