// Who reaches whom: workloads, the services that lead to them, the ingresses that lead to those, and what network policies leave open between workloads.
// Pure. A policy is read as Kubernetes does: whoever no policy selects is open; else what any rule allows.
import type { KObject } from '../shared/meta/object.ts'
import { fromLabelSelector, matches } from '../shared/meta/selector.ts'

export interface Workload {
  /** `default/Deployment/web`. */
  key: string
  namespace: string
  kind: string
  name: string
  labels: Record<string, string>
  pods: number
  ready: number
}

export interface Reach {
  workloads: Workload[]
  services: { key: string; namespace: string; name: string; leadsTo: string[] }[]
  ingresses: { key: string; namespace: string; name: string; leadsTo: string[] }[]
}

export interface Cluster {
  pods: readonly KObject[]
  services: readonly KObject[]
  ingresses: readonly KObject[]
  policies: readonly KObject[]
  namespaces: readonly KObject[]
}

/** The workload that a pod is of, by its owner; a ReplicaSet's is the Deployment whose hash its name ends with. */
function workloadOf(pod: KObject): { kind: string; name: string } {
  const owner = pod.metadata.ownerReferences?.find((r) => r.controller)
  const hash = pod.metadata.labels?.['pod-template-hash']
  if (!owner) return { kind: 'Pod', name: pod.metadata.name }
  if (owner.kind === 'ReplicaSet' && hash && owner.name.endsWith(`-${hash}`))
    return { kind: 'Deployment', name: owner.name.slice(0, -hash.length - 1) }
  return { kind: owner.kind, name: owner.name }
}

const isReady = (p: KObject): boolean => p.status?.conditions?.some((c: any) => c.type === 'Ready' && c.status === 'True') ?? false

export function reachOf(c: Cluster): Reach {
  const workloads = new Map<string, Workload>()
  const homes = new Map<KObject, string>()
  for (const p of c.pods) {
    if (p.status?.phase === 'Succeeded' || p.status?.phase === 'Failed') continue
    const { kind, name } = workloadOf(p)
    const namespace = p.metadata.namespace!
    const key = `${namespace}/${kind}/${name}`
    homes.set(p, key)
    const w = workloads.get(key) ?? { key, namespace, kind, name, labels: p.metadata.labels ?? {}, pods: 0, ready: 0 }
    w.pods++
    if (isReady(p)) w.ready++
    workloads.set(key, w)
  }
  const services = c.services.map((s) => {
    const namespace = s.metadata.namespace!
    const selector = s.spec.selector && fromLabelSelector({ matchLabels: s.spec.selector })
    const led = new Set<string>()
    if (selector) for (const [p, key] of homes) if (p.metadata.namespace === namespace && matches(selector, p.metadata.labels)) led.add(key)
    return { key: `${namespace}/${s.metadata.name}`, namespace, name: s.metadata.name, leadsTo: [...led] }
  })
  const known = new Set(services.map((s) => s.key))
  const ingresses = c.ingresses.map((i) => {
    const namespace = i.metadata.namespace!
    const backends = [i.spec.defaultBackend, ...(i.spec.rules ?? []).flatMap((r: any) => (r.http?.paths ?? []).map((p: any) => p.backend))]
    const led = new Set<string>()
    for (const b of backends) if (b?.service && known.has(`${namespace}/${b.service.name}`)) led.add(`${namespace}/${b.service.name}`)
    return { key: `${namespace}/${i.metadata.name}`, namespace, name: i.metadata.name, leadsTo: [...led] }
  })
  return { workloads: [...workloads.values()], services, ingresses }
}

/** What of a connection is open: everything, some ports, or nothing. */
export type Open = 'all' | 'none' | string[]

const both = (a: Open, b: Open): Open => {
  if (a === 'none' || b === 'none') return 'none'
  if (a === 'all') return b
  if (b === 'all') return a
  const common = a.filter((p) => b.includes(p))
  return common.length ? common : 'none'
}
const either = (a: Open, b: Open): Open => {
  if (a === 'all' || b === 'all') return 'all'
  if (a === 'none') return b
  if (b === 'none') return a
  return [...new Set([...a, ...b])]
}

const portText = (p: any): string => `${p.port ?? 'every port'}${p.endPort ? `-${p.endPort}` : ''}/${p.protocol ?? 'TCP'}`

/** Outside the cluster, as the other end of a connection. */
export const OUTSIDE = 'outside'
type End = Workload | typeof OUTSIDE

export class Policies {
  readonly #policies: readonly KObject[]
  readonly #labels: ReadonlyMap<string, Record<string, string>>

  constructor(policies: readonly KObject[], namespaces: readonly KObject[]) {
    this.#policies = policies
    this.#labels = new Map(
      namespaces.map((n) => [n.metadata.name, { 'kubernetes.io/metadata.name': n.metadata.name, ...n.metadata.labels }]),
    )
  }

  #holding(w: Workload, direction: 'Ingress' | 'Egress'): KObject[] {
    return this.#policies.filter((p) => {
      if (p.metadata.namespace !== w.namespace) return false
      const types: string[] = p.spec.policyTypes ?? ['Ingress', ...(p.spec.egress ? ['Egress'] : [])]
      return types.includes(direction) && matches(fromLabelSelector(p.spec.podSelector ?? {}), w.labels)
    })
  }

  #isPeer(peer: any, policy: KObject, other: End): boolean {
    if (other === OUTSIDE) return !!peer.ipBlock
    if (peer.ipBlock) return false
    const ns = peer.namespaceSelector
    const home = this.#labels.get(other.namespace) ?? { 'kubernetes.io/metadata.name': other.namespace }
    if (ns ? !matches(fromLabelSelector(ns), home) : other.namespace !== policy.metadata.namespace) return false
    return !peer.podSelector || matches(fromLabelSelector(peer.podSelector), other.labels)
  }

  /** What the policies that hold a workload leave open towards another end. */
  #open(w: Workload, other: End, direction: 'Ingress' | 'Egress'): Open {
    const held = this.#holding(w, direction)
    if (!held.length) return 'all'
    let open: Open = 'none'
    for (const p of held)
      for (const rule of p.spec[direction.toLowerCase()] ?? []) {
        const peers = rule[direction === 'Ingress' ? 'from' : 'to']
        if (peers?.length && !peers.some((peer: any) => this.#isPeer(peer, p, other))) continue
        open = either(open, rule.ports?.length ? rule.ports.map(portText) : 'all')
      }
    return open
  }

  /** What is open from one end to another: the one must be let out, the other must let in. */
  between(from: End, to: End): Open {
    const out = from === OUTSIDE ? 'all' : this.#open(from, to, 'Egress')
    const into = to === OUTSIDE ? 'all' : this.#open(to, from, 'Ingress')
    return both(out, into)
  }
  /** Names of the policies that hold a workload. */
  of(w: Workload): string[] {
    return [...new Set([...this.#holding(w, 'Ingress'), ...this.#holding(w, 'Egress')].map((p) => p.metadata.name))]
  }
}
