// How RBAC reads a rule. Pure: used for one's own rights, and for those of others.

export interface Rule {
  verbs: string[]
  apiGroups: string[]
  resources: string[]
  resourceNames?: string[]
}

const any = (list: string[] | undefined, ...words: string[]): boolean => !!list?.some((w) => w === '*' || words.includes(w))

/** Whether rules allow a verb on a resource, or on an object of it by its name. */
export function covered(
  rules: readonly Rule[],
  of: { group: string; plural: string },
  q: { verb: string; subresource?: string; name?: string },
): boolean {
  const resource = q.subresource ? `${of.plural}/${q.subresource}` : of.plural
  return rules.some(
    (r) =>
      any(r.verbs, q.verb) &&
      any(r.apiGroups, of.group) &&
      any(r.resources, resource, ...(q.subresource ? [`*/${q.subresource}`] : [])) &&
      (!r.resourceNames?.length || (q.name !== undefined && r.resourceNames.includes(q.name))),
  )
}
