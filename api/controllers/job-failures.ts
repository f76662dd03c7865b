// What a failed pod means for its Job: counted, ignored, the end of its index, or of everything (podFailurePolicy).
import { condition } from '../../shared/meta/conditions.ts'
import type { KObject } from '../../shared/meta/object.ts'

export type Verdict = { action: 'Count' | 'Ignore' | 'FailIndex' } | { action: 'FailJob'; message: string }

function exitRule(rule: any, pod: KObject): { container: string; code: number } | undefined {
  const { containerName, operator, values } = rule.onExitCodes
  for (const c of [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])]) {
    const code: number | undefined = c.state?.terminated?.exitCode
    if (!code || (containerName !== undefined && c.name !== containerName)) continue
    if (values.includes(code) === (operator === 'In')) return { container: c.name, code }
  }
  return undefined
}

/** The first rule that matches decides. */
export function verdictOn(job: KObject, pod: KObject): Verdict {
  const where = `${pod.metadata.namespace}/${pod.metadata.name}`
  for (const [i, rule] of (job.spec.podFailurePolicy?.rules ?? []).entries()) {
    let why: string | undefined
    if (rule.onExitCodes) {
      const exit = exitRule(rule, pod)
      if (exit) why = `Container ${exit.container} for pod ${where} failed with exit code ${exit.code}`
    } else {
      const met = rule.onPodConditions?.find((r: any) =>
        pod.status?.conditions?.some((c: any) => c.type === r.type && c.status === (r.status ?? 'True')),
      )
      if (met) why = `Pod ${where} has condition ${met.type}`
    }
    if (why === undefined) continue
    return rule.action === 'FailJob'
      ? { action: 'FailJob', message: `${why} matching ${rule.action} rule at index ${i}` }
      : { action: rule.action }
  }
  return { action: 'Count' }
}

/** When a pod ended, ms. */
function endOf(pod: KObject): number {
  const ends = (pod.status?.containerStatuses ?? []).map((c: any) => Date.parse(c.state?.terminated?.finishedAt ?? '') || 0)
  const gone = Date.parse(pod.metadata.deletionTimestamp ?? '') || 0
  const ready = Date.parse(condition(pod, 'Ready')?.lastTransitionTime ?? '') || 0
  return Math.max(0, ...ends) || gone || ready || Date.parse(pod.metadata.creationTimestamp)
}

const FIRST = 10_000
const LONGEST = 10 * 60_000

/** Until when the next pod has to wait, ms: longer with every failure since the last success. */
export function backoffUntil(failed: readonly KObject[], succeeded: readonly KObject[]): number {
  const since = Math.max(0, ...succeeded.map(endOf))
  const ends = failed.map(endOf).filter((t) => t >= since)
  if (!ends.length) return 0
  return Math.max(...ends) + Math.min(LONGEST, FIRST * 2 ** (ends.length - 1))
}
