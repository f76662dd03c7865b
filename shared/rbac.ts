// How RBAC reads a rule: for the authorizer, and for whoever shows what somebody may do. Pure.

/** A rule of a role, or of a SelfSubjectRulesReview. */
export interface Rule {
  verbs: string[]
  apiGroups?: string[]
  resources?: string[]
  resourceNames?: string[]
  nonResourceURLs?: string[]
}

/** What is asked for: a path, or a resource by its plural. */
interface Asked {
  verb: string
  path?: string | undefined
  group?: string | undefined
  resource?: string | undefined
  subresource?: string | undefined
  name?: string | undefined
}

export const has = (list: string[] | undefined, value: string): boolean => !!list && (list.includes('*') || list.includes(value))

function resourceMatches(rule: Rule, resource: string, subresource?: string): boolean {
  if (!rule.resources) return false
  const whole = subresource ? `${resource}/${subresource}` : resource
  return rule.resources.some((r) => r === '*' || r === whole || (!!subresource && r === `*/${subresource}`))
}

/** Whether one rule allows what is asked. */
export function ruleAllows(rule: Rule, a: Asked): boolean {
  if (!has(rule.verbs, a.verb)) return false
  if (a.path !== undefined)
    return !!rule.nonResourceURLs?.some((u) => u === '*' || u === a.path || (u.endsWith('*') && a.path!.startsWith(u.slice(0, -1))))
  return (
    has(rule.apiGroups, a.group ?? '') &&
    resourceMatches(rule, a.resource!, a.subresource) &&
    (!rule.resourceNames?.length || (a.name !== undefined && rule.resourceNames.includes(a.name)))
  )
}
