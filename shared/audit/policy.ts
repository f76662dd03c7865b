// Audit policies (audit.k8s.io/v1): of which requests how much is written down. The first rule that matches decides.
import type { Attributes } from '../meta/attributes.ts'

type AuditLevel = 'None' | 'Metadata' | 'Request' | 'RequestResponse'
export type Stage = 'RequestReceived' | 'ResponseStarted' | 'ResponseComplete' | 'Panic'

const LEVELS: readonly string[] = ['None', 'Metadata', 'Request', 'RequestResponse']
const STAGES: readonly string[] = ['RequestReceived', 'ResponseStarted', 'ResponseComplete', 'Panic']

interface Rule {
  level: AuditLevel
  users?: string[]
  userGroups?: string[]
  verbs?: string[]
  resources?: { group?: string; resources?: string[]; resourceNames?: string[] }[]
  namespaces?: string[]
  nonResourceURLs?: string[]
  omitStages?: Stage[]
  omitManagedFields?: boolean
}

export interface AuditPolicy {
  rules: Rule[]
  omitStages?: Stage[]
  omitManagedFields?: boolean
}

/** What a rule is asked about. */
export interface AuditedRequest extends Attributes {
  user: string
  groups: string[]
}

export interface Decision {
  level: AuditLevel
  omitStages: ReadonlySet<Stage>
  omitManagedFields: boolean
}

/** A policy as its file has it. Throws on what is none, by field. */
export function parsePolicy(o: any): AuditPolicy {
  const fail = (why: string): never => {
    throw new Error(`audit policy: ${why}`)
  }
  if (o?.kind !== 'Policy' || !/^audit\.k8s\.io\/v1(beta1)?$/.test(o.apiVersion ?? '')) fail('it must be a Policy of audit.k8s.io/v1')
  if (!Array.isArray(o.rules) || !o.rules.length) fail('rules: at least one is required')
  const stages = (list: unknown, at: string) => {
    for (const s of (list as string[]) ?? [])
      if (!STAGES.includes(s)) fail(`${at}: unsupported value ${JSON.stringify(s)}: it is one of ${STAGES.join(', ')}`)
  }
  stages(o.omitStages, 'omitStages')
  o.rules.forEach((r: any, i: number) => {
    const at = `rules[${i}]`
    if (!LEVELS.includes(r?.level))
      fail(`${at}.level: unsupported value ${JSON.stringify(r?.level ?? '')}: it is one of ${LEVELS.join(', ')}`)
    if (r.nonResourceURLs?.length && (r.resources?.length || r.namespaces?.length))
      fail(`${at}.nonResourceURLs: rules cannot apply to both regular resources and non-resource URLs`)
    stages(r.omitStages, `${at}.omitStages`)
  })
  return o as AuditPolicy
}

const within = (list: string[] | undefined, value: string): boolean => !list?.length || list.includes(value)

function resourceMatches(rule: NonNullable<Rule['resources']>[number], r: AuditedRequest): boolean {
  if ((rule.group ?? '') !== (r.group ?? '')) return false
  if (rule.resourceNames?.length && !rule.resourceNames.includes(r.name ?? '')) return false
  const combined = r.subresource ? `${r.resource}/${r.subresource}` : r.resource!
  const fits = (want: string) =>
    want === '*' || want === combined || (r.subresource ? want === `*/${r.subresource}` || want === `${r.resource}/*` : false)
  return !rule.resources?.length || rule.resources.some(fits)
}

const urlMatches = (want: string, path: string): boolean =>
  want === '*' || want === path || (want.endsWith('*') && path.startsWith(want.slice(0, -1)))

function matches(rule: Rule, r: AuditedRequest): boolean {
  if (!within(rule.users, r.user) || !within(rule.verbs, r.verb)) return false
  if (rule.userGroups?.length && !rule.userGroups.some((g) => r.groups.includes(g))) return false
  if (r.path !== undefined) {
    const { path } = r
    if (rule.nonResourceURLs?.length) return rule.nonResourceURLs.some((u) => urlMatches(u, path))
    return !rule.resources?.length && !rule.namespaces?.length
  }
  if (rule.nonResourceURLs?.length) return false
  if (rule.namespaces?.length && !rule.namespaces.includes(r.namespace ?? '')) return false
  return !rule.resources?.length || rule.resources.some((x) => resourceMatches(x, r))
}

/** What is written of a request; nothing where no rule matches. */
export function decide(policy: AuditPolicy, r: AuditedRequest): Decision {
  const rule = policy.rules.find((x) => matches(x, r))
  return {
    level: rule?.level ?? 'None',
    omitStages: new Set([...(policy.omitStages ?? []), ...(rule?.omitStages ?? [])]),
    omitManagedFields: rule?.omitManagedFields ?? policy.omitManagedFields ?? false,
  }
}
