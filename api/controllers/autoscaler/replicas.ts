// How many replicas a metric calls for, by kube-controller-manager's rules: what has not been measured speaks against any change. Amounts are thousandths.
import type { Sample } from '../../../shared/autoscaling.ts'
import { condition, isReady } from '../../../shared/meta/conditions.ts'
import type { KObject } from '../../../shared/meta/object.ts'
import { milliOf } from '../../../shared/meta/quantity.ts'

export interface Proposal {
  replicas: number
  /** What there is, as the status shows it. */
  current: { averageUtilization?: number; averageValue?: number; value?: number }
}

/** A metric that could not be judged: `reason` is the condition's. */
export class NoMetric extends Error {
  readonly reason: string
  constructor(reason: string, message: string) {
    super(message)
    this.reason = reason
  }
}

/** By how much a ratio may differ from one before anything is done. */
interface Tolerances {
  up: number
  down: number
}

const INITIAL_CPU = 5 * 60_000
const INITIAL_READINESS = 30_000

const within = (ratio: number, { up, down }: Tolerances): boolean => ratio >= 1 - down && ratio <= 1 + up

interface Groups {
  ready: number
  unready: string[]
  missing: string[]
  ignored: string[]
}

/** Pods that have just started use much and say little; pods that are going do not count. */
function grouped(pods: readonly KObject[], samples: Map<string, Sample>, resource: string, now: number): Groups {
  const out: Groups = { ready: 0, unready: [], missing: [], ignored: [] }
  for (const p of pods) {
    const { name } = p.metadata
    const phase = p.status?.phase
    if (p.metadata.deletionTimestamp || phase === 'Failed') out.ignored.push(name)
    else if (phase === 'Pending') out.unready.push(name)
    else if (!samples.has(name)) out.missing.push(name)
    else if (resource === 'cpu' && starts(p, samples.get(name)!, now)) out.unready.push(name)
    else out.ready++
  }
  return out
}

function starts(p: KObject, sample: Sample, now: number): boolean {
  const ready = condition(p, 'Ready')
  const startedAt = Date.parse(p.status?.startTime ?? '')
  if (!ready || Number.isNaN(startedAt)) return true
  const since = Date.parse(ready.lastTransitionTime)
  if (startedAt + INITIAL_CPU > now) return ready.status === 'False' || sample.at < since + sample.window
  return ready.status === 'False' && startedAt + INITIAL_READINESS > since
}

/** What a pod's containers, or one of them, ask for of a resource. */
function requestOf(p: KObject, resource: string, container: string | undefined): number {
  const sidecars: any[] = (p.spec.initContainers ?? []).filter((c: any) => c.restartPolicy === 'Always')
  let sum = 0
  for (const c of [...(p.spec.containers ?? []), ...sidecars]) {
    if (container !== undefined && c.name !== container) continue
    const asked = c.resources?.requests?.[resource]
    if (asked === undefined)
      throw new NoMetric('FailedGetResourceMetric', `missing request for ${resource} in container ${c.name} of Pod ${p.metadata.name}`)
    sum += milliOf(asked)
  }
  return sum
}

const sum = (values: Iterable<number>): number => {
  let n = 0
  for (const v of values) n += v
  return n
}

interface Judged {
  pods: readonly KObject[]
  samples: Map<string, Sample>
  resource: string
  current: number
  tolerances: Tolerances
  now: number
}

/**
 * The replicas for samples of pods. `ratioOf` says how far the usage of some pods is from the target; `assumed` what a pod counts for that was not
 * measured, when less would be done with it in mind, or more.
 */
function replicasFor(
  { pods, samples, resource, current, tolerances, now }: Judged,
  ratioOf: (used: Map<string, number>) => number,
  assumed: (name: string, shrinking: boolean) => number,
): { replicas: number; used: Map<string, number> } {
  const { ready, unready, missing, ignored } = grouped(pods, samples, resource, now)
  const used = new Map([...samples].map(([name, s]) => [name, s.value]))
  const known = new Set(pods.map((p) => p.metadata.name))
  for (const name of used.keys()) if (!known.has(name)) used.delete(name)
  for (const name of [...ignored, ...unready]) used.delete(name)
  if (!used.size) throw new NoMetric('', 'did not receive metrics for targeted pods (pods might be unready)')
  const measured = new Map(used)
  const ratio = ratioOf(used)
  const withUnready = unready.length > 0 && ratio > 1
  if (!withUnready && !missing.length) return { replicas: within(ratio, tolerances) ? current : Math.ceil(ratio * ready), used: measured }
  if (ratio !== 1) for (const name of missing) used.set(name, assumed(name, ratio < 1))
  if (withUnready) for (const name of unready) used.set(name, 0)
  const again = ratioOf(used)
  const turned = (ratio < 1 && again > 1) || (ratio > 1 && again < 1)
  if (within(again, tolerances) || turned) return { replicas: current, used: measured }
  const replicas = Math.ceil(again * used.size)
  const against = (again < 1 && replicas > current) || (again > 1 && replicas < current)
  return { replicas: against ? current : replicas, used: measured }
}

/** By the share of what the pods ask for, in percent. */
export function byUtilization(j: Judged, target: number, container?: string): Proposal {
  const requests = new Map(j.pods.map((p) => [p.metadata.name, requestOf(p, j.resource, container)]))
  const utilization = (used: Map<string, number>) => {
    const asked = sum([...used.keys()].map((n) => requests.get(n) ?? 0))
    if (!asked) throw new NoMetric('', `no metrics returned matched known pods`)
    return Math.trunc((sum(used.values()) * 100) / asked)
  }
  const { replicas, used } = replicasFor(
    j,
    (u) => utilization(u) / target,
    (name, shrinking) => (shrinking ? ((requests.get(name) ?? 0) * Math.max(100, target)) / 100 : 0),
  )
  return { replicas, current: { averageUtilization: utilization(used), averageValue: Math.trunc(sum(used.values()) / used.size) } }
}

/** By the average over the pods. */
export function byAverage(j: Judged, target: number): Proposal {
  const average = (used: Map<string, number>) => sum(used.values()) / used.size
  const { replicas, used } = replicasFor(
    j,
    (u) => average(u) / target,
    (_name, shrinking) => (shrinking ? target : 0),
  )
  return { replicas, current: { averageValue: Math.trunc(average(used)) } }
}

/** By one value that all pods together bring about. */
export function byValue(value: number, target: number, j: Pick<Judged, 'pods' | 'current' | 'tolerances'>): Proposal {
  const ratio = value / target
  const ready = j.pods.filter((p) => isReady(p) && p.status?.phase === 'Running').length
  let replicas = Math.ceil(ratio)
  if (j.current) replicas = within(ratio, j.tolerances) ? j.current : Math.ceil(ratio * ready)
  return { replicas, current: { value } }
}

/** By a value that is to be shared out evenly. */
export function byShare(value: number, target: number, { current, tolerances }: Pick<Judged, 'current' | 'tolerances'>): Proposal {
  const even = current && within(value / (target * current), tolerances)
  return { replicas: even ? current : Math.ceil(value / target), current: { averageValue: current ? Math.ceil(value / current) : 0 } }
}
