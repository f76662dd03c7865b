// HorizontalPodAutoscaler: stored as autoscaling/v2; v1 is a narrower view of the same objects.
import { dictionary } from '../meta/dictionary.ts'
import type { FieldErrors } from '../meta/field-error.ts'
import type { KObject } from '../meta/object.ts'
import { nanoOf } from '../meta/quantity.ts'
import { ageColumn, ageOf, type Kind, nameColumn, plainKind, statusSubresource, text, withStatus } from './kind.ts'

const sources: Record<string, string> = dictionary({
  ContainerResource: 'containerResource',
  External: 'external',
  Object: 'object',
  Pods: 'pods',
  Resource: 'resource',
})
const MAX_WINDOW = 3600
const MAX_PERIOD = 1800

const rules = {
  scaleUp: {
    stabilizationWindowSeconds: 0,
    selectPolicy: 'Max',
    policies: [
      { type: 'Pods', value: 4, periodSeconds: 15 },
      { type: 'Percent', value: 100, periodSeconds: 15 },
    ],
  },
  scaleDown: { selectPolicy: 'Max', policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }] },
}

function defaults(o: KObject): void {
  o.spec ??= {}
  const s = o.spec
  s.minReplicas ??= 1
  if (!s.metrics?.length)
    s.metrics = [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } }]
  if (s.behavior)
    for (const way of ['scaleUp', 'scaleDown'] as const) s.behavior[way] = { ...structuredClone(rules[way]), ...s.behavior[way] }
}

function validateReference(r: any, at: string, e: FieldErrors): void {
  for (const f of ['kind', 'name']) if (!r?.[f]) e.required(`${at}.${f}`)
}

function validateTarget(t: any, at: string, e: FieldErrors, allowed: string[]): void {
  if (!t?.type) e.required(`${at}.type`, 'must specify a metric target type')
  else if (!['AverageValue', 'Utilization', 'Value'].includes(t.type))
    e.invalid(`${at}.type`, t.type, 'must be either Utilization, Value, or AverageValue')
  if (t?.averageUtilization < 1) e.invalid(`${at}.averageUtilization`, t.averageUtilization, 'must be greater than 0')
  for (const f of ['value', 'averageValue'])
    if (t?.[f] !== undefined && nanoOf(t[f]) <= 0n) e.invalid(`${at}.${f}`, t[f], 'must be positive')
  const given = allowed.filter((f) => t?.[f] !== undefined)
  if (!given.length)
    e.required(`${at}.${allowed[0]}`, `must set ${allowed.length > 1 ? `either ${allowed.join(' or ')}` : `a target ${allowed[0]}`}`)
}

function validateMetric(m: any, at: string, e: FieldErrors): void {
  const types = Object.keys(sources)
  if (!m.type) e.required(`${at}.type`, 'must specify a metric source type')
  const expected = sources[m.type]
  if (!expected) return void e.notSupported(`${at}.type`, m.type ?? '', types)
  if (!m[expected]) e.required(`${at}.${expected}`, 'must populate information for the given metric source')
  for (const f of Object.values(sources))
    if (f !== expected && m[f]) e.forbidden(`${at}.${f}`, 'must populate the given metric source only')
  const s = m[expected]
  if (!s) return
  const here = `${at}.${expected}`
  if (m.type === 'Resource' || m.type === 'ContainerResource') {
    if (!s.name) e.required(`${here}.name`, 'must specify a resource name')
    if (m.type === 'ContainerResource' && !s.container) e.required(`${here}.container`, 'must specify a container name')
    validateTarget(s.target, `${here}.target`, e, ['averageUtilization', 'averageValue'])
    return
  }
  if (!s.metric?.name) e.required(`${here}.metric.name`, 'must specify a metric name')
  if (m.type === 'Object') validateReference(s.describedObject, `${here}.describedObject`, e)
  validateTarget(s.target, `${here}.target`, e, m.type === 'Pods' ? ['averageValue'] : ['value', 'averageValue'])
}

function validateBehavior(b: any, e: FieldErrors): void {
  for (const way of ['scaleUp', 'scaleDown']) {
    const r = b?.[way]
    if (!r) continue
    const at = `spec.behavior.${way}`
    const window = r.stabilizationWindowSeconds
    if (window < 0) e.invalid(`${at}.stabilizationWindowSeconds`, window, 'must be greater than or equal to zero')
    if (window > MAX_WINDOW) e.invalid(`${at}.stabilizationWindowSeconds`, window, `must be less than or equal to ${MAX_WINDOW}`)
    const policies = ['Disabled', 'Max', 'Min']
    if (!policies.includes(r.selectPolicy)) e.notSupported(`${at}.selectPolicy`, r.selectPolicy, policies)
    if (!r.policies?.length) e.required(`${at}.policies`, 'must specify at least one Policy')
    r.policies?.forEach((p: any, i: number) => {
      const here = `${at}.policies[${i}]`
      if (p.type !== 'Pods' && p.type !== 'Percent') e.notSupported(`${here}.type`, p.type ?? '', ['Percent', 'Pods'])
      if (!(p.value > 0)) e.invalid(`${here}.value`, p.value ?? 0, 'must be greater than zero')
      if (!(p.periodSeconds > 0)) e.invalid(`${here}.periodSeconds`, p.periodSeconds ?? 0, 'must be greater than zero')
      if (p.periodSeconds > MAX_PERIOD) e.invalid(`${here}.periodSeconds`, p.periodSeconds, `must be less than or equal to ${MAX_PERIOD}`)
    })
    if (r.tolerance !== undefined && nanoOf(r.tolerance) < 0n)
      e.invalid(`${at}.tolerance`, r.tolerance, 'must be greater than or equal to 0')
  }
}

function validate(o: KObject, e: FieldErrors): void {
  const s = o.spec ?? {}
  if (s.minReplicas < 1) e.invalid('spec.minReplicas', s.minReplicas, 'must be greater than or equal to 1')
  if (!s.maxReplicas) e.required('spec.maxReplicas', 'must be set and greater than 0')
  else if (s.maxReplicas < 0) e.invalid('spec.maxReplicas', s.maxReplicas, 'must be greater than or equal to 1')
  if (s.maxReplicas < s.minReplicas) e.invalid('spec.maxReplicas', s.maxReplicas, 'must be greater than or equal to `minReplicas`')
  validateReference(s.scaleTargetRef, 'spec.scaleTargetRef', e)
  s.metrics?.forEach((m: any, i: number) => {
    validateMetric(m, `spec.metrics[${i}]`, e)
  })
  validateBehavior(s.behavior, e)
}

/** One metric as `CURRENT/TARGET`. */
function metricText(spec: any, status: any): string {
  const field = sources[spec.type]
  const wanted = field ? spec[field]?.target : undefined
  if (!field || !wanted) return '<unknown type>'
  const now = status?.[field]?.current
  const unknown = '<unknown>'
  if (spec.type === 'Resource' || spec.type === 'ContainerResource') {
    const name = spec[field].name
    if (wanted.averageValue !== undefined) return `${name}: ${now?.averageValue ?? unknown}/${wanted.averageValue}`
    const used = now?.averageUtilization
    return `${name}: ${used === undefined ? unknown : `${used}%`}/${wanted.averageUtilization === undefined ? '<auto>' : `${wanted.averageUtilization}%`}`
  }
  if (spec.type === 'Pods') return `${now?.averageValue ?? unknown}/${wanted.averageValue}`
  if (wanted.averageValue !== undefined) return `${now?.averageValue ?? unknown}/${wanted.averageValue} (avg)`
  return `${now?.value ?? unknown}/${wanted.value}`
}

function targets(o: KObject): string {
  const metrics: any[] = o.spec?.metrics ?? []
  if (!metrics.length) return '<none>'
  const shown = metrics.slice(0, 2).map((m, i) => metricText(m, o.status?.currentMetrics?.[i]))
  return metrics.length > 2 ? `${shown.join(', ')} + ${metrics.length - 2} more...` : shown.join(', ')
}

export const horizontalPodAutoscaler: Kind = plainKind({
  group: 'autoscaling',
  version: 'v2',
  kind: 'HorizontalPodAutoscaler',
  plural: 'horizontalpodautoscalers',
  shortNames: ['hpa'],
  categories: ['all'],
  namespaced: true,
  type: 'V2HorizontalPodAutoscaler',
  subresources: statusSubresource,
  ...withStatus(() => ({ desiredReplicas: 0, currentMetrics: null })),
  generation: false,
  defaults,
  validate,
  columns: [
    nameColumn,
    text('Reference', 'What is scaled.'),
    text('Targets', 'What is measured, and what it should be.'),
    text('MinPods', 'The smallest number of pods.'),
    text('MaxPods', 'The largest number of pods.'),
    text('Replicas', 'How many there are.'),
    ageColumn,
  ],
  cells: (o, now) => [
    o.metadata.name,
    `${o.spec?.scaleTargetRef?.kind ?? ''}/${o.spec?.scaleTargetRef?.name ?? ''}`,
    targets(o),
    String(o.spec?.minReplicas ?? '<unset>'),
    String(o.spec?.maxReplicas ?? 0),
    String(o.status?.currentReplicas ?? 0),
    ageOf(o, now),
  ],
})

const isCpu = (m: any): boolean =>
  m.type === 'Resource' && m.resource?.name === 'cpu' && m.resource.target?.averageUtilization !== undefined

/** autoscaling/v1 knows one metric, the processors' load; whatever else the object has stays as it was. */
export const horizontalPodAutoscalerV1: Kind = {
  ...horizontalPodAutoscaler,
  version: 'v1',
  type: 'V1HorizontalPodAutoscaler',
  stored: {
    kind: horizontalPodAutoscaler,
    up: (o, old) => {
      const { targetCPUUtilizationPercentage: target, ...spec } = o.spec ?? {}
      const others = (old?.spec?.metrics ?? []).filter((m: any) => !isCpu(m))
      const cpu = { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: target } } }
      const metrics = [...others, ...(target === undefined ? [] : [cpu])]
      const { currentCPUUtilizationPercentage: _, ...status } = o.status ?? {}
      return {
        ...o,
        spec: { ...spec, ...(metrics.length ? { metrics } : {}), ...(old?.spec?.behavior ? { behavior: old.spec.behavior } : {}) },
        ...(o.status
          ? {
              status: {
                ...status,
                currentMetrics: old?.status?.currentMetrics ?? null,
                ...(old?.status?.conditions ? { conditions: old.status.conditions } : {}),
              },
            }
          : {}),
      }
    },
    down: (o) => {
      const { metrics, behavior: _, ...spec } = o.spec ?? {}
      const { currentMetrics, conditions: __, ...status } = o.status ?? {}
      const target = metrics?.find(isCpu)?.resource.target.averageUtilization
      const used = currentMetrics?.find((m: any) => m.type === 'Resource' && m.resource?.name === 'cpu')?.resource.current
        ?.averageUtilization
      return {
        ...o,
        spec: { ...spec, ...(target === undefined ? {} : { targetCPUUtilizationPercentage: target }) },
        status: { currentReplicas: 0, ...status, ...(used === undefined ? {} : { currentCPUUtilizationPercentage: used }) },
      }
    },
  },
}
