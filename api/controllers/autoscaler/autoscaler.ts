// HorizontalPodAutoscaler: every fifteen seconds, as many replicas as its metrics call for. Measuring and scaling are tasks; what comes of them is decided
// here, purely.

import { MEASURE, type Measured, type Measurement, SCALE } from '../../../shared/autoscaling.ts'
import { type KObject, keyOf, timeString } from '../../../shared/meta/object.ts'
import { milliOf, nanoOf, quantityText } from '../../../shared/meta/quantity.ts'
import { fromLabelSelector, matches, parseLabelSelector, type Selector } from '../../../shared/meta/selector.ts'
import { equal } from '../../../shared/schema/field-set.ts'
import { type Controller, type Result, splitKey, type Write } from '../../engine/types.ts'
import { withCondition } from '../pods.ts'
import { noPast, type Past, remembering, settle } from './behavior.ts'
import { byAverage, byShare, byUtilization, byValue, NoMetric, type Proposal } from './replicas.ts'

const RESOURCE = 'horizontalpodautoscalers.autoscaling'
const NAME = 'horizontal-pod-autoscaler'
const EVERY = 15_000
const TOLERANCE = 0.1

interface Memory {
  past: Past
  /** When what was decided upon last had been measured. */
  decided: number
}

interface View {
  hpa: KObject
  pods: readonly KObject[]
  answer?: { at: number; value: unknown }
  memory?: Memory
}

const quantity = (milli: number): string => quantityText(BigInt(Math.trunc(milli)) * 1_000_000n, false)
const reasons: Record<string, string> = {
  Resource: 'FailedGetResourceMetric',
  ContainerResource: 'FailedGetContainerResourceMetric',
  Pods: 'FailedGetPodsMetric',
  Object: 'FailedGetObjectMetric',
  External: 'FailedGetExternalMetric',
}
const field = (type: string): string => type[0]!.toLowerCase() + type.slice(1)

/** What a metric is called in events. */
function nameOf(type: string, source: any): string {
  if (type === 'Resource')
    return `${source.name} resource ${source.target.averageUtilization === undefined ? '' : 'utilization (percentage of request)'}`.trim()
  if (type === 'ContainerResource')
    return `${source.name} container resource ${source.target.averageUtilization === undefined ? 'of' : 'utilization (percentage of request) of'} container ${source.container}`
  const what = { Pods: 'pods metric', External: 'external metric' }[type] ?? `${source.describedObject?.kind} metric`
  return `${what} ${source.metric.name}${type === 'External' ? selectorText(source.metric.selector) : ''}`
}
const selectorText = (s: any): string => (s ? `(${JSON.stringify(s)})` : '')

class Sync {
  readonly writes: Write[] = []
  conditions: any[]
  currentMetrics: any[] | null = null
  readonly hpa: KObject
  readonly now: number
  readonly #view: View

  constructor(view: View, now: number) {
    this.#view = view
    this.hpa = view.hpa
    this.now = now
    this.conditions = view.hpa.status?.conditions ?? []
  }

  set(type: string, status: 'True' | 'False', reason: string, message: string): void {
    this.conditions = withCondition(this.conditions, { type, status, reason, message }, timeString(this.now))
  }
  tell(type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.writes.push({ verb: 'event', about: { resource: RESOURCE, object: this.hpa }, type, reason, message, component: NAME })
  }
  status(more: object): void {
    const { hpa } = this
    const status = { ...hpa.status, ...more, currentMetrics: this.currentMetrics, conditions: this.conditions }
    if (!equal(status, hpa.status)) this.writes.push({ verb: 'update', resource: RESOURCE, object: { ...hpa, status }, part: 'status' })
  }

  /** What one metric calls for. Throws NoMetric. */
  propose(metric: any, measured: Measured, specReplicas: number, statusReplicas: number, pods: readonly KObject[]): Proposal {
    const source = metric[field(metric.type)]
    const { target } = source
    if ('error' in measured) throw new NoMetric(reasons[metric.type]!, measured.error)
    const behavior = this.hpa.spec.behavior ?? {}
    const tolerance = (way: string) => (behavior[way]?.tolerance === undefined ? TOLERANCE : Number(nanoOf(behavior[way].tolerance)) / 1e9)
    const tolerances = { up: tolerance('scaleUp'), down: tolerance('scaleDown') }
    if ('samples' in measured) {
      const judged = {
        pods,
        samples: new Map(measured.samples),
        resource: metric.type === 'Pods' ? '' : source.name,
        current: specReplicas,
        tolerances,
        now: this.now,
      }
      return target.averageUtilization === undefined
        ? byAverage(judged, milliOf(target.averageValue))
        : byUtilization(judged, target.averageUtilization, source.container)
    }
    return target.value === undefined
      ? byShare(measured.value, milliOf(target.averageValue), { current: statusReplicas, tolerances })
      : byValue(measured.value, milliOf(target.value), { pods, current: specReplicas, tolerances })
  }

  /** The largest proposal of all metrics, and where it comes from; undefined where they do not allow a decision. */
  judge(
    { metrics }: Measurement,
    specReplicas: number,
    statusReplicas: number,
    pods: readonly KObject[],
  ): { replicas: number; from: string } | undefined {
    let best: { replicas: number; from: string } | undefined
    let fault: NoMetric | undefined
    let faults = 0
    const specs: any[] = this.hpa.spec.metrics ?? []
    this.currentMetrics = specs.flatMap((metric, i) => {
      const at = field(metric.type)
      const source = metric[at]
      try {
        const { replicas, current } = this.propose(
          metric,
          metrics[i] ?? { error: 'it was not measured' },
          specReplicas,
          statusReplicas,
          pods,
        )
        if (!best || replicas > best.replicas) best = { replicas, from: nameOf(metric.type, source) }
        const { target: _, ...rest } = source
        const shown = {
          ...(current.averageUtilization === undefined ? {} : { averageUtilization: current.averageUtilization }),
          ...(current.averageValue === undefined ? {} : { averageValue: quantity(current.averageValue) }),
          ...(current.value === undefined ? {} : { value: quantity(current.value) }),
        }
        return [{ type: metric.type, [at]: { ...rest, current: shown } }]
      } catch (e) {
        if (!(e instanceof NoMetric)) throw e
        faults++
        fault ??= new NoMetric(e.reason || reasons[metric.type]!, e.message)
        return []
      }
    })
    // What is not known must not make less of it.
    if (fault && (faults >= specs.length || (best?.replicas ?? 0) < specReplicas)) {
      const message = `the HPA was unable to compute the replica count: ${fault.message}`
      this.set('ScalingActive', 'False', fault.reason, message)
      this.tell('Warning', fault.reason, fault.message)
      this.tell(
        'Warning',
        'FailedComputeMetricsReplicas',
        `invalid metrics (${faults} invalid out of ${specs.length}), first error is: ${fault.message}`,
      )
      return undefined
    }
    if (best)
      this.set('ScalingActive', 'True', 'ValidMetricFound', `the HPA was able to successfully calculate a replica count from ${best.from}`)
    return best
  }

  run(measurement: Measurement, past: Past): Past {
    const { hpa, now } = this
    const { scale } = measurement
    if ('error' in scale) {
      this.set('AbleToScale', 'False', 'FailedGetScale', `the HPA controller was unable to get the target's current scale: ${scale.error}`)
      this.tell('Warning', 'FailedGetScale', scale.error)
      this.status({})
      return past
    }
    this.set('AbleToScale', 'True', 'SucceededGetScale', "the HPA controller was able to get the target's current scale")
    const specReplicas: number = scale.object.spec?.replicas ?? 0
    const statusReplicas: number = scale.object.status?.replicas ?? 0
    const { minReplicas = 1, maxReplicas } = hpa.spec
    const selector = selectorOf(scale.object)
    if (!selector) {
      this.set('ScalingActive', 'False', 'InvalidSelector', "the HPA target's scale is missing a selector")
      this.tell('Warning', 'SelectorRequired', 'selector is required')
      this.status({ currentReplicas: statusReplicas })
      return past
    }
    const pods = this.#view.pods.filter((p) => matches(selector, p.metadata.labels))
    let next = past
    let desired = specReplicas
    let reason = ''
    if (specReplicas === 0 && minReplicas !== 0)
      this.set('ScalingActive', 'False', 'ScalingDisabled', 'scaling is disabled since the replica count of the target is zero')
    else if (specReplicas > maxReplicas) {
      desired = maxReplicas
      reason = 'Current number of replicas above Spec.MaxReplicas'
    } else if (specReplicas < minReplicas) {
      desired = minReplicas
      reason = 'Current number of replicas below Spec.MinReplicas'
    } else {
      const judged = this.judge(measurement, specReplicas, statusReplicas, pods)
      if (!judged) {
        this.status({ currentReplicas: statusReplicas, desiredReplicas: specReplicas })
        return past
      }
      next = remembering(past, now, judged.replicas)
      const { replicas, able, limited } = settle(hpa, specReplicas, judged.replicas, past, now)
      this.set('AbleToScale', 'True', ...(able ?? (['ReadyForNewScale', 'recommended size matches current size'] as const)))
      this.set('ScalingLimited', ...limited)
      desired = replicas
      reason = replicas > specReplicas ? `${judged.from} above target` : 'All metrics below target'
    }
    const scaled = desired !== specReplicas
    if (scaled) {
      const wanted = { ...scale.object, spec: { ...scale.object.spec, replicas: desired } }
      this.writes.push({ verb: 'task', task: SCALE, object: { ...hpa, scale: { path: scale.path, object: wanted } } as KObject })
      this.tell('Normal', 'SuccessfulRescale', `New size: ${desired}; reason: ${reason}`)
      this.set('AbleToScale', 'True', 'SucceededRescale', `the HPA controller was able to update the target scale to ${desired}`)
      next = { ...next, done: [...next.done, { at: now, change: desired - specReplicas }] }
    }
    this.status({ currentReplicas: statusReplicas, desiredReplicas: desired, ...(scaled ? { lastScaleTime: timeString(now) } : {}) })
    return next
  }
}

/** A scale says by text which pods are meant. */
function selectorOf(scale: any): Selector | undefined {
  const text = scale.status?.selector
  if (typeof text === 'string' && text) return parseLabelSelector(text)
  return text && typeof text === 'object' ? fromLabelSelector({ matchLabels: text }) : undefined
}

function reconcile(_key: string, view: View, now: number): Result {
  const { answer, memory, hpa } = view
  const due = (answer?.at ?? 0) + EVERY
  if (!answer || due <= now) return { writes: [{ verb: 'task', task: MEASURE, object: hpa }], requeueAt: now }
  if (memory?.decided === answer.at) return { writes: [], requeueAt: due }
  const sync = new Sync(view, now)
  const past = sync.run(answer.value as Measurement, memory?.past ?? noPast)
  return { writes: sync.writes, memory: { past, decided: answer.at } satisfies Memory, requeueAt: due }
}

export const horizontalPodAutoscaler: Controller<View> = {
  name: NAME,
  all: (r) => r.list(RESOURCE).map(keyOf),
  wakes: { [RESOURCE]: ({ old, new: now }) => (now && !equal(old?.spec, now.spec) ? [keyOf(now)] : []) },
  view: (key, reader) => {
    const [ns, name] = splitKey(key)
    const hpa = reader.get(RESOURCE, ns, name)
    if (!hpa || hpa.metadata.deletionTimestamp) return undefined
    const answer = reader.answer(NAME, key)
    const memory = reader.memory(NAME, key) as Memory | undefined
    return { hpa, pods: reader.list('pods', ns), ...(answer ? { answer } : {}), ...(memory ? { memory } : {}) }
  },
  reconcile,
}
