// NodeAffinity: nodeSelector and required terms filter, preferred terms score.
import type { KObject } from '../../../shared/meta/object.ts'
import type { FilterPlugin, ScorePlugin } from './types.ts'

function requirementMet(r: any, labels: Record<string, string>): boolean {
  const value = labels[r.key]
  switch (r.operator) {
    case 'In':
      return value !== undefined && !!r.values?.includes(value)
    case 'NotIn':
      return value === undefined || !r.values?.includes(value)
    case 'Exists':
      return value !== undefined
    case 'DoesNotExist':
      return value === undefined
    case 'Gt':
      return value !== undefined && Number(value) > Number(r.values?.[0])
    case 'Lt':
      return value !== undefined && Number(value) < Number(r.values?.[0])
    default:
      return false
  }
}

/** A term matches when all it says is true; an empty one never does. */
export function termMatches(term: any, node: KObject): boolean {
  const expressions: any[] = term.matchExpressions ?? []
  const fields: any[] = term.matchFields ?? []
  if (!expressions.length && !fields.length) return false
  return (
    expressions.every((r) => requirementMet(r, node.metadata.labels ?? {})) &&
    fields.every((r) => requirementMet(r, { 'metadata.name': node.metadata.name }))
  )
}

const REQUIRED = 'requiredDuringSchedulingIgnoredDuringExecution'
const PREFERRED = 'preferredDuringSchedulingIgnoredDuringExecution'

const anyTerm = (affinity: any, node: KObject): boolean => {
  const terms: any[] | undefined = affinity?.[REQUIRED]?.nodeSelectorTerms
  return !terms || terms.some((t) => termMatches(t, node))
}

/** The only nodes that a pod can go to, where it says their names; as DaemonSets' pods do. */
export function namedNodes(pod: KObject): string[] | undefined {
  const terms: any[] | undefined = pod.spec.affinity?.nodeAffinity?.[REQUIRED]?.nodeSelectorTerms
  const names = terms?.map(
    (t) => t.matchFields?.find((f: any) => f.key === 'metadata.name' && f.operator === 'In')?.values as string[] | undefined,
  )
  return names?.every((n) => n) ? [...new Set(names.flat() as string[])] : undefined
}

export const nodeAffinity: FilterPlugin & ScorePlugin = {
  name: 'NodeAffinity',
  local: true,
  weight: 2,
  concerns: (pod, { args }) => !!(pod.spec.nodeSelector || pod.spec.affinity?.nodeAffinity || args.addedAffinity),
  filter: (pod, { node }, { args }) => {
    if (!anyTerm(args.addedAffinity, node))
      return { reasons: ["node(s) didn't match scheduler-enforced node affinity"], unresolvable: true }
    const selector: Record<string, string> = pod.spec.nodeSelector ?? {}
    const met =
      Object.entries(selector).every(([k, v]) => node.metadata.labels?.[k] === v) && anyTerm(pod.spec.affinity?.nodeAffinity, node)
    return met ? undefined : { reasons: ["node(s) didn't match Pod's node affinity/selector"], unresolvable: true }
  },
  score: (pod, { node }, { args }) => {
    const preferred: any[] = [...(pod.spec.affinity?.nodeAffinity?.[PREFERRED] ?? []), ...(args.addedAffinity?.[PREFERRED] ?? [])]
    return preferred.reduce((n, p) => n + (termMatches(p.preference, node) ? p.weight : 0), 0)
  },
  normalize: (scores) => {
    const max = Math.max(...scores)
    return scores.map((s) => (max ? (s * 100) / max : 0))
  },
}
