// Downward API: fields and resources of a pod as text. Pure.
import { milliOf, nanoOf, unitsOf } from '../../shared/meta/quantity.ts'

/** Each its own family's first; none while the pod has no network. */
export interface PodAddresses {
  podIPs: readonly string[]
  hostIPs: readonly string[]
}

const map = (o: Record<string, string> | undefined) =>
  Object.entries(o ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([k, v]) => `${k}=${JSON.stringify(v)}`)
    .join('\n')

/** The value behind a fieldPath, empty when there is none. */
export function podField(pod: any, path: string, at: PodAddresses): string {
  const keyed = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path)
  if (keyed) return pod.metadata[keyed[1]!]?.[keyed[2]!] ?? ''
  switch (path) {
    case 'metadata.name':
    case 'metadata.namespace':
    case 'metadata.uid':
      return pod.metadata[path.slice(9)] ?? ''
    case 'metadata.labels':
      return map(pod.metadata.labels)
    case 'metadata.annotations':
      return map(pod.metadata.annotations)
    case 'spec.nodeName':
      return pod.spec.nodeName ?? ''
    case 'spec.serviceAccountName':
      return pod.spec.serviceAccountName ?? ''
    case 'status.hostIP':
      return at.hostIPs[0] ?? ''
    case 'status.hostIPs':
      return at.hostIPs.join()
    case 'status.podIP':
      return at.podIPs[0] ?? ''
    case 'status.podIPs':
      return at.podIPs.join()
    default:
      return ''
  }
}

/** A resourceFieldRef: limits fall back to what the node has; the divisor rounds up. */
export function resourceField(container: any, ref: any, node: { cpu: string; memory: string }): string {
  const [list, name] = ref.resource.split('.') as ['limits' | 'requests', string]
  const amount: string | undefined =
    container.resources?.[list]?.[name] ?? (list === 'limits' ? (node as Record<string, string>)[name] : undefined)
  const divisor = ref.divisor && ref.divisor !== '0' ? ref.divisor : '1'
  if (name === 'cpu') return String(Math.ceil(milliOf(amount) / milliOf(divisor)))
  const d = nanoOf(divisor)
  return d === 1_000_000_000n ? String(unitsOf(amount)) : String((nanoOf(amount) + d - 1n) / d)
}
