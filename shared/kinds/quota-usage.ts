// What an object counts for in a ResourceQuota, and which quotas it counts in (pkg/quota/v1/evaluator/core).
import type { KObject } from '../meta/object.ts'
import { qosClass } from './pod-defaults.ts'
import { type Amounts, amountOf, amountText, podAmounts } from './pod-resources.ts'

/** Resources whose plain name is counted beside `count/NAME`. */
const plain = new Set(['configmaps', 'persistentvolumeclaims', 'pods', 'replicationcontrollers', 'resourcequotas', 'secrets', 'services'])
const CLASS = '.storageclass.storage.k8s.io/'

export const usageTexts = (names: string[], used: Amounts): Record<string, string> =>
  Object.fromEntries(names.map((n) => [n, amountText(n, used[n] ?? 0)]))

/** By quota name what a list of requests and limits comes to. */
function computeUsage(requests: Amounts, limits: Amounts): Amounts {
  const out: Amounts = {}
  for (const r of ['cpu', 'memory', 'ephemeral-storage']) {
    if (requests[r] !== undefined) out[r] = out[`requests.${r}`] = requests[r]
    if (limits[r] !== undefined) out[`limits.${r}`] = limits[r]
  }
  for (const [r, v] of Object.entries(requests)) {
    if (r.startsWith('hugepages-')) out[r] = v
    if (r.startsWith('hugepages-') || r.includes('/')) out[`requests.${r}`] = v
  }
  return out
}

/** Pods that have ended, or should be gone by now, use nothing. */
function counts(pod: KObject, now: number): boolean {
  if (pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded') return false
  const { deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata
  return !deletionTimestamp || now <= Date.parse(deletionTimestamp) + (deletionGracePeriodSeconds ?? 0) * 1000
}

/** What the object counts for, by quota name. `resource` is its stored name. */
export function usageOf(resource: string, o: KObject, now: number): Amounts {
  const out: Amounts = { [`count/${resource}`]: 1 }
  switch (resource) {
    case 'pods':
      return counts(o, now) ? { ...out, pods: 1, ...computeUsage(podAmounts(o.spec, 'requests'), podAmounts(o.spec, 'limits')) } : out
    case 'services': {
      const { type, ports = [], allocateLoadBalancerNodePorts } = o.spec ?? {}
      const balanced = type === 'LoadBalancer'
      const nodePorts =
        type === 'NodePort' || (balanced && allocateLoadBalancerNodePorts !== false)
          ? ports.length
          : balanced
            ? ports.filter((p: any) => p.nodePort).length
            : 0
      return {
        ...out,
        services: 1,
        'services.nodeports': nodePorts,
        'services.loadbalancers': balanced ? 1 : 0,
      }
    }
    case 'persistentvolumeclaims': {
      const storage = amountOf('storage', o.spec?.resources?.requests?.storage)
      const name = o.metadata.annotations?.['volume.beta.kubernetes.io/storage-class'] ?? o.spec?.storageClassName
      return {
        ...out,
        persistentvolumeclaims: 1,
        'requests.storage': storage,
        ...(name ? { [`${name}${CLASS}persistentvolumeclaims`]: 1, [`${name}${CLASS}requests.storage`]: storage } : {}),
      }
    }
    default:
      return plain.has(resource) ? { ...out, [resource]: 1 } : out
  }
}

const crossNamespace = (spec: any): boolean =>
  ['podAffinity', 'podAntiAffinity'].some((k) => {
    const a = spec.affinity?.[k] ?? {}
    const terms = [
      ...(a.requiredDuringSchedulingIgnoredDuringExecution ?? []),
      ...(a.preferredDuringSchedulingIgnoredDuringExecution ?? []).map((p: any) => p.podAffinityTerm),
    ]
    return terms.some((t: any) => t?.namespaces?.length || t?.namespaceSelector)
  })

function meets(r: { scopeName: string; operator: string; values?: string[] }, resource: string, o: KObject): boolean {
  const chosen = (value: string | undefined): boolean =>
    r.operator === 'Exists'
      ? !!value
      : r.operator === 'DoesNotExist'
        ? !value
        : r.operator === 'In'
          ? !!value && !!r.values?.includes(value)
          : !value || !r.values?.includes(value)
  if (r.scopeName === 'VolumeAttributesClass') return resource === 'persistentvolumeclaims' && chosen(o.spec?.volumeAttributesClassName)
  if (resource !== 'pods') return false
  switch (r.scopeName) {
    case 'Terminating':
      return (o.spec?.activeDeadlineSeconds ?? -1) >= 0
    case 'NotTerminating':
      return (o.spec?.activeDeadlineSeconds ?? -1) < 0
    case 'BestEffort':
      return qosClass(o.spec) === 'BestEffort'
    case 'NotBestEffort':
      return qosClass(o.spec) !== 'BestEffort'
    case 'PriorityClass':
      return chosen(o.spec?.priorityClassName)
    case 'CrossNamespacePodAffinity':
      return crossNamespace(o.spec ?? {})
    default:
      return false
  }
}

/** Whether the object is in the quota's scopes. */
export function inScope(quota: KObject, resource: string, o: KObject): boolean {
  const scopes = [
    ...(quota.spec?.scopes ?? []).map((scopeName: string) => ({ scopeName, operator: 'Exists' })),
    ...(quota.spec?.scopeSelector?.matchExpressions ?? []),
  ]
  return scopes.every((s: any) => meets(s, resource, o))
}

const computed = ['cpu', 'memory', 'requests.cpu', 'requests.memory', 'limits.cpu', 'limits.memory']

/** What each container of a pod has to say since the quota counts it: `limits.cpu for: a,b`; undefined when all is said. */
export function missingRequests(quota: KObject, pod: KObject): string | undefined {
  if (pod.spec?.resources) return undefined
  const required = computed.filter((r) => quota.spec?.hard?.[r] !== undefined)
  const missing = new Map<string, string[]>()
  for (const c of [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])]) {
    const one = { containers: [c] }
    const said = computeUsage(podAmounts(one, 'requests'), podAmounts(one, 'limits'))
    for (const r of required) if (said[r] === undefined) missing.set(r, [...(missing.get(r) ?? []), c.name])
  }
  if (!missing.size) return undefined
  return [...missing.keys()]
    .sort()
    .map((r) => `${r} for: ${[...new Set(missing.get(r))].sort().join(',')}`)
    .join('; ')
}

/** The stored resources of which a quota may count objects. */
export function countedResources(quota: KObject): string[] {
  const out = new Set<string>()
  for (const name of Object.keys(quota.spec?.hard ?? {})) {
    if (name.startsWith('count/')) out.add(name.slice(6))
    else if (name.includes(CLASS) || name === 'requests.storage') out.add('persistentvolumeclaims')
    else if (name.startsWith('services')) out.add('services')
    else if (plain.has(name)) out.add(name)
    else out.add('pods')
  }
  return [...out]
}
