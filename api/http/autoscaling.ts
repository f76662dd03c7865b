// What autoscalers need beyond the engine's view: the scale of anything that has one, and metrics, from whoever serves them.
import { MEASURE, type Measured, type Measurement, SCALE, type Scale } from '../../shared/autoscaling.ts'
import { groupOf } from '../../shared/kinds/index.ts'
import type { KindTable } from '../../shared/kinds/table.ts'
import type { KObject } from '../../shared/meta/object.ts'
import { nanoOf } from '../../shared/meta/quantity.ts'
import { printSelector } from '../../shared/meta/selector.ts'
import type { Identity } from '../registry/context.ts'
import { type Call, pathOf } from './call.ts'

const identity: Identity = {
  username: 'system:serviceaccount:kube-system:horizontal-pod-autoscaler',
  groups: ['system:serviceaccounts', 'system:serviceaccounts:kube-system', 'system:masters', 'system:authenticated'],
}
const USAGE = '/apis/metrics.k8s.io/v1beta1'
const CUSTOM = ['/apis/custom.metrics.k8s.io/v1beta2', '/apis/custom.metrics.k8s.io/v1beta1']
const EXTERNAL = '/apis/external.metrics.k8s.io/v1beta1'
const DEFAULT_WINDOW = 60_000

const milli = (quantity: string | undefined): number => Number(nanoOf(quantity)) / 1e6
/** `30s`, `1m0s`: ms. */
const duration = (text: string | undefined): number =>
  [...(text ?? '').matchAll(/([\d.]+)(h|m(?!s)|s|ms)/g)].reduce(
    (n, [, v, unit]) => n + Number(v) * { h: 3600e3, m: 60e3, s: 1e3, ms: 1 }[unit!]!,
    0,
  )
const part = encodeURIComponent

export function autoscalingTasks({ env: { kinds } }: { env: { kinds: KindTable } }, call: Call) {
  /** The answer's body. Throws errors with its message. */
  const get = async (path: string) => {
    const { code, body } = await call(identity, 'GET', path)
    if (code >= 300) throw Object.assign(new Error(body?.message ?? `${path}: ${code}`), { code })
    return body
  }

  async function scaleOf(hpa: KObject): Promise<Scale | { error: string }> {
    const { scaleTargetRef: ref } = hpa.spec
    const kind = kinds.byName(groupOf(ref.apiVersion ?? ''), ref.kind)
    if (!kind) return { error: `no matches for kind "${ref.kind}" in group "${groupOf(ref.apiVersion ?? '')}"` }
    const path = `${pathOf(kind, hpa.metadata.namespace!, ref.name)}/scale`
    return get(path).then(
      (object) => ({ path, object }),
      (e: Error) => ({ error: e.message }),
    )
  }

  const query = (selectors: Record<string, string | undefined>): string => {
    const given = Object.entries(selectors).filter(([, v]) => v)
    return given.length ? `?${given.map(([k, v]) => `${k}=${part(v!)}`).join('&')}` : ''
  }
  const text = (selector: any): string | undefined => (selector ? printSelector(selector) : undefined)

  /** Usage of a resource, by pod. */
  async function usage(ns: string, resource: string, container: string | undefined, labelSelector: string): Promise<Measured> {
    const { items } = await get(`${USAGE}/namespaces/${part(ns)}/pods${query({ labelSelector })}`)
    if (!items?.length) throw new Error(`unable to get metrics for resource ${resource}: no metrics returned from resource metrics API`)
    const samples = items.flatMap((m: any) => {
      const containers: any[] = (m.containers ?? []).filter((c: any) => container === undefined || c.name === container)
      // What one container does not tell, the pod does not.
      if (!containers.length || containers.some((c) => c.usage?.[resource] === undefined)) return []
      const value = containers.reduce((n, c) => n + milli(c.usage[resource]), 0)
      return [[m.metadata.name, { value, at: Date.parse(m.timestamp), window: duration(m.window) || DEFAULT_WINDOW }]]
    })
    return { samples }
  }

  /** Of the newest version that there is. */
  async function custom(rest: string): Promise<any[]> {
    let last: unknown
    for (const base of CUSTOM)
      try {
        const { items } = await get(base + rest)
        if (!items?.length) throw new Error('no metrics returned from custom metrics API')
        return items
      } catch (e) {
        last = e
        if ((e as { code?: number }).code !== 404) throw e
      }
    throw last
  }

  async function ofObject(ns: string, source: any): Promise<Measured> {
    const { describedObject: o, metric } = source
    const kind = kinds.byName(groupOf(o.apiVersion ?? ''), o.kind)
    if (!kind) throw new Error(`no matches for kind "${o.kind}"`)
    const resource = kind.group ? `${kind.plural}.${kind.group}` : kind.plural
    const where =
      kind.plural === 'namespaces'
        ? `/namespaces/${part(o.name)}/metrics`
        : `${kind.namespaced ? `/namespaces/${part(ns)}` : ''}/${resource}/${part(o.name)}`
    const items = await custom(`${where}/${part(metric.name)}${query({ metricLabelSelector: text(metric.selector) })}`)
    return { value: milli(items[0].value) }
  }

  async function measure(ns: string, metric: any, labelSelector: string): Promise<Measured> {
    switch (metric.type) {
      case 'Resource':
        return usage(ns, metric.resource.name, undefined, labelSelector)
      case 'ContainerResource':
        return usage(ns, metric.containerResource.name, metric.containerResource.container, labelSelector)
      case 'Pods': {
        const { name, selector } = metric.pods.metric
        const items = await custom(
          `/namespaces/${part(ns)}/pods/*/${part(name)}${query({ labelSelector, metricLabelSelector: text(selector) })}`,
        )
        const sample = (i: any) => ({
          value: milli(i.value),
          at: Date.parse(i.timestamp),
          window: (i.windowSeconds ?? i.window ?? 0) * 1000 || DEFAULT_WINDOW,
        })
        return { samples: items.map((i) => [i.describedObject.name, sample(i)]) }
      }
      case 'Object':
        return ofObject(ns, metric.object)
      default: {
        const { name, selector } = metric.external.metric
        const { items } = await get(`${EXTERNAL}/namespaces/${part(ns)}/${part(name)}${query({ labelSelector: text(selector) })}`)
        if (!items?.length) throw new Error('no metrics returned from external metrics API')
        return { value: items.reduce((n: number, i: any) => n + milli(i.value), 0) }
      }
    }
  }

  return {
    [MEASURE]: async (hpa: KObject): Promise<Measurement> => {
      const scale = await scaleOf(hpa)
      if ('error' in scale) return { scale, metrics: [] }
      const selector = scale.object.status?.selector ?? ''
      const metrics = (hpa.spec.metrics ?? []).map((m: any) =>
        measure(hpa.metadata.namespace!, m, selector).catch((e: Error): Measured => ({ error: e.message })),
      )
      return { scale, metrics: await Promise.all(metrics) }
    },
    /** The object carries the scale to be written, with the version that it was read at. */
    [SCALE]: async (hpa: KObject): Promise<void> => {
      const { path, object } = (hpa as KObject & { scale: Scale }).scale
      const { code, body } = await call(identity, 'PUT', path, object)
      if (code >= 300) throw Object.assign(new Error(body?.message ?? `${path}: ${code}`), { code })
    },
  }
}
