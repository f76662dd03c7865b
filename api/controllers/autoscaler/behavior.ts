// How fast replicas may change: what was wanted lately holds back, and policies limit steps. Rules and words are kube-controller-manager's.

/** What an autoscaler remembers of the last hour; lost at a restart, as upstream's is. */
export interface Past {
  /** What the metrics called for, and when, ms. */
  wanted: readonly { at: number; replicas: number }[]
  /** What was done: how many more or fewer. */
  done: readonly { at: number; change: number }[]
}
export const noPast: Past = { wanted: [], done: [] }

const DOWN_WINDOW = 300
const LONGEST = 3600_000
const MOST_KEPT = 1000

interface Verdict {
  replicas: number
  able?: readonly [reason: string, message: string]
  limited: readonly [status: 'True' | 'False', reason: string, message: string]
}

/** What the past says besides, with what is wanted now. */
export const remembering = ({ wanted, done }: Past, now: number, replicas: number): Past => ({
  wanted: [...wanted.filter((w) => w.at > now - LONGEST), { at: now, replicas }].slice(-MOST_KEPT),
  done: done.filter((d) => d.at > now - LONGEST),
})

/** Not less than anything that was wanted within the window for going down, not more than the least of that for going up. */
function stabilized(current: number, wanted: number, { spec }: { spec?: any }, past: Past, now: number): number {
  const seconds = (way: string, fallback: number) => (spec.behavior?.[way]?.stabilizationWindowSeconds ?? fallback) * 1000
  const since = (ms: number) => past.wanted.filter((w) => w.at > now - ms).map((w) => w.replicas)
  const lowest = Math.min(wanted, ...since(seconds('scaleUp', 0)))
  const highest = Math.max(wanted, ...since(seconds('scaleDown', DOWN_WINDOW)))
  return Math.min(Math.max(current, lowest), highest)
}

/** How far the policies of one direction let the replicas go. */
function limitOf(rules: any, current: number, past: Past, now: number, up: boolean): number {
  if (rules?.selectPolicy === 'Disabled') return current
  const limits = (rules?.policies ?? []).map(({ type, value, periodSeconds }: any) => {
    const changes = past.done.filter((d) => d.at > now - periodSeconds * 1000)
    const start = current - changes.reduce((n, d) => n + d.change, 0)
    if (type === 'Pods') return up ? start + value : start - value
    return up ? Math.ceil(start * (1 + value / 100)) : Math.trunc(start * (1 - value / 100))
  })
  if (!limits.length) return up ? Number.POSITIVE_INFINITY : 0
  const widest = (rules.selectPolicy ?? 'Max') === 'Max'
  return widest === up ? Math.max(...limits) : Math.min(...limits)
}

const DEFAULT_UP = (current: number) => Math.max(2 * current, 4)

/** The replicas that there are to be, and why not those that are wanted. */
export function settle(hpa: { spec?: any }, current: number, wanted: number, past: Past, now: number): Verdict {
  const { minReplicas = 1, maxReplicas, behavior } = hpa.spec
  const steady = stabilized(current, wanted, hpa, past, now)
  const able =
    steady === wanted
      ? undefined
      : steady > wanted
        ? ([
            'ScaleDownStabilized',
            'recent recommendations were higher than current one, applying the highest recent recommendation',
          ] as const)
        : (['ScaleUpStabilized', 'recent recommendations were lower than current one, applying the lowest recent recommendation'] as const)
  const verdict = (replicas: number, ...limited: Verdict['limited']): Verdict => ({ replicas, limited, ...(able ? { able } : {}) })
  if (steady > current) {
    const limit = Math.max(current, behavior ? limitOf(behavior.scaleUp, current, past, now, true) : DEFAULT_UP(current))
    if (Math.min(limit, maxReplicas) < steady)
      return limit < maxReplicas
        ? verdict(limit, 'True', 'ScaleUpLimit', 'the desired replica count is increasing faster than the maximum scale rate')
        : verdict(maxReplicas, 'True', 'TooManyReplicas', 'the desired replica count is more than the maximum replica count')
  } else if (steady < current) {
    const limit = Math.min(current, behavior ? limitOf(behavior.scaleDown, current, past, now, false) : 0)
    if (Math.max(limit, minReplicas) > steady)
      return limit > minReplicas
        ? verdict(limit, 'True', 'ScaleDownLimit', 'the desired replica count is decreasing faster than the maximum scale rate')
        : verdict(minReplicas, 'True', 'TooFewReplicas', 'the desired replica count is less than the minimum replica count')
  }
  if (steady > maxReplicas)
    return verdict(maxReplicas, 'True', 'TooManyReplicas', 'the desired replica count is more than the maximum replica count')
  if (steady < minReplicas)
    return verdict(minReplicas, 'True', 'TooFewReplicas', 'the desired replica count is less than the minimum replica count')
  return verdict(steady, 'False', 'DesiredWithinRange', 'the desired count is within the acceptable range')
}
