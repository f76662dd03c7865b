// The RBAC authorizer: which rules a user holds, cluster-wide and per namespace, from roles and bindings kept in memory.
// The index is rebuilt when a role or binding changes here, and at the latest every five seconds where others may write.

import type { KObject } from '../../shared/meta/object.ts'
import { fromLabelSelector, matches } from '../../shared/meta/selector.ts'
import { has, type Rule, ruleAllows } from '../../shared/rbac.ts'
import type { Clock } from '../ports/clock.ts'
import type { Database, Rider, Row, Statement } from '../ports/database.ts'
import { decodeBody } from '../registry/codec.ts'
import type { Attributes, Identity } from '../registry/context.ts'
import { OneReader } from '../registry/one-reader.ts'

const GROUP = 'rbac.authorization.k8s.io'
export const rbacResources = ['roles', 'clusterroles', 'rolebindings', 'clusterrolebindings'].map((r) => `${r}.${GROUP}`)
const EVERYTHING: Statement = {
  sql: 'SELECT o.resource, l.rv, l.body FROM objects o JOIN log l ON l.rv = o.rv WHERE o.resource IN (?, ?, ?, ?)',
  args: rbacResources,
}

interface Held {
  rules: Rule[]
  /** Empty for what holds cluster-wide. */
  ns: string
}

interface Index {
  bySubject: Map<string, Held[]>
  clusterRoles: Map<string, Rule[]>
}

/** Whether `held` gives everything that `wanted` would (the escalation check). */
export function rulesCover(held: Rule[], wanted: Rule[]): boolean {
  return wanted.every((w) =>
    (w.verbs ?? []).every((verb) => {
      if (w.nonResourceURLs?.length)
        return w.nonResourceURLs.every((u) =>
          held.some(
            (h) =>
              has(h.verbs, verb) &&
              h.nonResourceURLs?.some((x) => x === '*' || x === u || (x.endsWith('*') && u.startsWith(x.slice(0, -1)))),
          ),
        )
      return (w.apiGroups ?? []).every((group) =>
        (w.resources ?? []).every((resource) => {
          const names = w.resourceNames?.length ? w.resourceNames : [undefined]
          return names.every((name) =>
            held.some(
              (h) =>
                has(h.verbs, verb) &&
                has(h.apiGroups, group) &&
                (h.resources?.includes(resource) ||
                  h.resources?.includes('*') ||
                  (resource.includes('/') && h.resources?.includes(`*/${resource.split('/')[1]}`))) &&
                (!h.resourceNames?.length || (name !== undefined && h.resourceNames.includes(name))),
            ),
          )
        }),
      )
    }),
  )
}

/** Rules of a role; an aggregated cluster role has those of every role that its selectors meet, and what stands in it is a copy of them. */
function rulesOf(role: KObject, all: KObject[], seen = new Set<string>()): Rule[] {
  const selectors: any[] = role.aggregationRule?.clusterRoleSelectors ?? []
  if (!selectors.length) return role.rules ?? []
  if (seen.has(role.metadata.name)) return []
  seen.add(role.metadata.name)
  const parts = all.filter((r) => r !== role && selectors.some((s) => matches(fromLabelSelector(s), r.metadata.labels)))
  return parts.flatMap((p) => rulesOf(p, all, seen))
}

function subjectKey(s: any, ns: string): string {
  if (s.kind === 'ServiceAccount') return `u:system:serviceaccount:${s.namespace ?? ns}:${s.name}`
  return s.kind === 'Group' ? `g:${s.name}` : `u:${s.name}`
}

/** What each subject holds, and the rules of each cluster role. */
function buildIndex(roles: KObject[], clusterRoles: KObject[], roleBindings: KObject[], clusterRoleBindings: KObject[]): Index {
  const cluster = new Map(clusterRoles.map((r) => [r.metadata.name, r]))
  const local = new Map(roles.map((r) => [`${r.metadata.namespace}/${r.metadata.name}`, r]))
  const bySubject = new Map<string, Held[]>()
  const add = (binding: KObject, ns: string) => {
    const { kind, name } = binding.roleRef ?? {}
    const role = kind === 'ClusterRole' ? cluster.get(name) : local.get(`${ns}/${name}`)
    if (!role) return
    const held: Held = { rules: kind === 'ClusterRole' ? rulesOf(role, clusterRoles) : (role.rules ?? []), ns }
    for (const s of binding.subjects ?? []) {
      const key = subjectKey(s, ns)
      bySubject.set(key, [...(bySubject.get(key) ?? []), held])
    }
  }
  for (const b of clusterRoleBindings) add(b, '')
  for (const b of roleBindings) add(b, b.metadata.namespace!)
  return { bySubject, clusterRoles: new Map(clusterRoles.map((r) => [r.metadata.name, rulesOf(r, clusterRoles)])) }
}

export class Rbac {
  readonly #database: Database
  readonly #clock: Clock
  readonly #maxAge: number
  #index?: Index
  #loadedAt = 0
  readonly #reader = new OneReader()
  #generation = 0

  /** `maxAge` in ms: Infinity where every write is seen through `changed`. */
  constructor(database: Database, clock: Clock, maxAge: number) {
    this.#database = database
    this.#clock = clock
    this.#maxAge = maxAge
  }

  /** A role or binding changed: the next question reads anew. */
  changed(): void {
    this.#index = undefined
    this.#generation++
  }

  /** What has to be read before `allows` can answer without a round trip of its own; undefined when nothing has to. */
  missing(): Rider | undefined {
    if (this.#fresh()) return undefined
    const generation = this.#generation
    return {
      statements: [EVERYTHING],
      take: async ([rows]) => {
        // A change since the read began may not be in it: then the question reads for itself.
        if (generation === this.#generation) this.#fill(rows!)
      },
    }
  }

  #fresh = (): Index | undefined => (this.#index && this.#clock.now() - this.#loadedAt < this.#maxAge ? this.#index : undefined)

  #fill(rows: Row[]): Index {
    const of = (resource: string) => rows.filter((r) => r[0] === resource).map((r) => decodeBody(r[2] as string, r[1] as number))
    const [roles, clusterRoles, roleBindings, clusterRoleBindings] = rbacResources.map(of)
    this.#loadedAt = this.#clock.now()
    this.#index = buildIndex(roles!, clusterRoles!, roleBindings!, clusterRoleBindings!)
    return this.#index
  }

  async #current(): Promise<Index> {
    let index = this.#fresh()
    if (index) return index
    await this.#reader.until(
      () => !!this.#fresh(),
      async () => {
        index = await this.#load()
      },
    )
    return index ?? this.#fresh() ?? this.#load()
  }

  async #load(): Promise<Index> {
    for (;;) {
      const generation = this.#generation
      const [rows] = await this.#database.read([EVERYTHING])
      // A change during the load may not be in it.
      if (generation === this.#generation) return this.#fill(rows!)
    }
  }

  #held({ bySubject, clusterRoles }: Index, user: Identity): Held[] {
    const out = [...(bySubject.get(`u:${user.username}`) ?? [])]
    for (const g of user.groups) out.push(...(bySubject.get(`g:${g}`) ?? []))
    for (const g of user.grants ?? []) out.push({ rules: clusterRoles.get(g.clusterRole) ?? [], ns: g.namespace ?? '' })
    return out
  }

  async allows(user: Identity, a: Attributes): Promise<boolean> {
    const index = this.#fresh() ?? (await this.#current())
    for (const g of this.#held(index, user)) {
      if (g.ns && (a.path !== undefined || g.ns !== a.namespace)) continue
      for (const rule of g.rules) if (ruleAllows(rule, a)) return true
    }
    return false
  }

  /** Every rule that counts for the user in a namespace. */
  async rulesFor(user: Identity, ns: string | undefined): Promise<Rule[]> {
    return this.#held(await this.#current(), user)
      .filter((g) => !g.ns || g.ns === ns)
      .flatMap((g) => g.rules)
  }
}
