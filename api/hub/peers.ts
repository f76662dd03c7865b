// Tells daemons whom their network policies mean: the pods of each group that one of them asks for, and then who comes and goes.
// Nothing is read or kept until somebody asks.
import { podIps } from '../../shared/meta/address.ts'
import type { KObject } from '../../shared/meta/object.ts'
import { fromLabelSelector, matches, type Selector } from '../../shared/meta/selector.ts'
import type { HubFrame } from '../../shared/session/frames.ts'
import { type Peer, type PeerGroup, PeerTable } from '../../shared/session/peers.ts'
import { decodeBody } from '../registry/codec.ts'
import type { LogEvent, Store } from '../store/store.ts'
import { FirstRead } from './first-read.ts'

/** How long changes wait for each other, ms: clients come as soon as a pod is ready. */
const TOGETHER_MS = 10
const PAGE = 500
/** Groups that one daemon may ask for; what is beyond has no members. */
const MAX_GROUPS = 10_000

interface Pod {
  ns: string
  labels: Record<string, string>
  /** One for each of its addresses. */
  peers: Peer[]
}

/** A pod with an address of its own, while it runs. */
function podOf({ metadata, spec, status }: KObject): Pod | undefined {
  const ips = podIps({ status })
  if (!ips.length || spec.hostNetwork || status.phase === 'Succeeded' || status.phase === 'Failed') return undefined
  const ports: Record<string, number> = {}
  for (const c of [...(spec.initContainers ?? []), ...(spec.containers ?? [])])
    for (const p of c.ports ?? []) if (p.name) ports[`${p.protocol ?? 'TCP'}/${p.name}`] = p.containerPort
  const isNamed = Object.keys(ports).length > 0
  return { ns: metadata.namespace!, labels: metadata.labels ?? {}, peers: ips.map((ip) => (isNamed ? [ip, ports] : [ip])) }
}

class Group {
  readonly members = new PeerTable()
  /** Which pod an address is of: it may be another's before the first is forgotten. */
  readonly #owners = new Map<string, string>()
  readonly watchers = new Map<object, number>()
  readonly changed = new Set<string>()
  readonly namespace?: string
  readonly #namespaces?: Selector
  readonly #pods?: Selector

  constructor({ namespace, namespaceSelector, podSelector }: PeerGroup) {
    this.namespace = namespaceSelector ? undefined : (namespace ?? '')
    this.#namespaces = namespaceSelector && fromLabelSelector(namespaceSelector)
    this.#pods = podSelector && fromLabelSelector(podSelector)
  }

  has(pod: Pod, namespaceLabels: Record<string, string> | undefined): boolean {
    if (this.namespace !== undefined ? pod.ns !== this.namespace : !matches(this.#namespaces!, namespaceLabels)) return false
    return !this.#pods || matches(this.#pods, pod.labels)
  }

  put(key: string, peer: Peer): void {
    this.#owners.set(peer[0], key)
    if (this.members.set(peer[0], peer)) this.changed.add(peer[0])
  }

  drop(key: string, ip: string): void {
    if (this.#owners.get(ip) !== key) return
    this.#owners.delete(ip)
    if (this.members.set(ip, undefined)) this.changed.add(ip)
  }
}

export class PeerFeed<W extends object> {
  readonly #store: Store
  readonly #send: (to: W, frame: HubFrame) => void
  readonly #pods = new Map<string, Pod>()
  readonly #namespaces = new Map<string, Record<string, string>>()
  /** By their text; those of one namespace are looked at for its pods alone. */
  readonly #groups = new Map<string, Group>()
  readonly #byNamespace = new Map<string | undefined, Set<Group>>()
  readonly #wanted = new Map<W, Set<string>>()
  readonly #left = new WeakSet<W>()
  readonly #first = new FirstRead(
    () => this.#read(),
    (e) => this.#changed(e),
  )
  #timer?: ReturnType<typeof setTimeout>

  constructor(store: Store, send: (to: W, frame: HubFrame) => void) {
    this.#store = store
    this.#send = send
  }

  /** From now on it is told of these groups and no others; first of each what it lacks. */
  async want(who: W, groups: [id: number, group: PeerGroup, have: string][]): Promise<void> {
    if (groups.length) await this.#first.finished()
    if (this.#left.has(who)) return
    const before = this.#wanted.get(who) ?? new Set<string>()
    const now = new Set<string>()
    const answers: Extract<HubFrame, { t: 'peers' }>['groups'] = []
    for (const [id, what, have] of groups) {
      if (now.size >= MAX_GROUPS) {
        answers.push([id, true, [], []])
        continue
      }
      const text = JSON.stringify([what.namespace, what.namespaceSelector, what.podSelector])
      now.add(text)
      const group = this.#groups.get(text) ?? this.#make(text, what)
      group.watchers.set(who, id)
      if (group.members.hash === have) answers.push([id, false, [], []])
      else answers.push([id, true, [...group.members.values()], []])
    }
    this.#wanted.set(who, now)
    for (const text of before) if (!now.has(text)) this.#unwatch(text, who)
    if (groups.length) this.#send(who, { t: 'peers', groups: answers })
  }

  leave(who: W): void {
    this.#left.add(who)
    for (const text of this.#wanted.get(who) ?? []) this.#unwatch(text, who)
    this.#wanted.delete(who)
  }

  observe(e: LogEvent): void {
    if (e.resource === 'pods' || e.resource === 'namespaces') this.#first.take(e)
  }

  #changed(e: LogEvent): void {
    const object = e.verb === 'delete' ? undefined : (e.object ?? decodeBody(e.body, e.rv))
    if (e.resource === 'pods') this.#pod(`${e.ns}/${e.name}`, object && podOf(object))
    else this.#namespace(e.name, object?.metadata.labels)
    this.#settle()
  }

  close(): void {
    clearTimeout(this.#timer)
  }

  #make(text: string, what: PeerGroup): Group {
    const group = new Group(what)
    this.#groups.set(text, group)
    const all = this.#byNamespace.get(group.namespace) ?? new Set()
    this.#byNamespace.set(group.namespace, all.add(group))
    for (const [key, pod] of this.#pods)
      if (group.has(pod, this.#namespaces.get(pod.ns))) for (const peer of pod.peers) group.put(key, peer)
    group.changed.clear()
    return group
  }

  #unwatch(text: string, who: W): void {
    const group = this.#groups.get(text)
    if (!group) return
    group.watchers.delete(who)
    if (group.watchers.size) return
    this.#groups.delete(text)
    const all = this.#byNamespace.get(group.namespace)
    all?.delete(group)
    if (all && !all.size) this.#byNamespace.delete(group.namespace)
  }

  #concerned(ns: string): Group[] {
    return [...(this.#byNamespace.get(ns) ?? []), ...(this.#byNamespace.get(undefined) ?? [])]
  }

  #pod(key: string, now: Pod | undefined): void {
    const before = this.#pods.get(key)
    if (now) this.#pods.set(key, now)
    else this.#pods.delete(key)
    const of = before ?? now
    if (of) for (const group of this.#concerned(of.ns)) this.#place(group, key, before, now)
  }

  #place(group: Group, key: string, before: Pod | undefined, now: Pod | undefined): void {
    const is = now && group.has(now, this.#namespaces.get(now.ns))
    const kept = new Set(is ? now.peers.map(([ip]) => ip) : [])
    for (const [ip] of before?.peers ?? []) if (!kept.has(ip)) group.drop(key, ip)
    if (is) for (const peer of now.peers) group.put(key, peer)
  }

  #namespace(name: string, labels: Record<string, string> | undefined): void {
    if (labels) this.#namespaces.set(name, labels)
    else this.#namespaces.delete(name)
    for (const group of this.#byNamespace.get(undefined) ?? [])
      for (const [key, pod] of this.#pods) if (pod.ns === name) this.#place(group, key, pod, pod)
  }

  #settle(): void {
    this.#timer ??= setTimeout(() => this.#flush(), TOGETHER_MS)
  }

  #flush(): void {
    this.#timer = undefined
    const told = new Map<object, Extract<HubFrame, { t: 'peers' }>['groups']>()
    for (const group of this.#groups.values()) {
      if (!group.changed.size) continue
      const members: Peer[] = []
      const gone: string[] = []
      for (const ip of group.changed) {
        const peer = group.members.get(ip)
        if (peer) members.push(peer)
        else gone.push(ip)
      }
      group.changed.clear()
      for (const [who, id] of group.watchers) {
        const groups = told.get(who) ?? []
        told.set(who, groups)
        groups.push([id, false, members, gone])
      }
    }
    for (const [who, groups] of told) this.#send(who as W, { t: 'peers', groups })
  }

  async #read(): Promise<void> {
    this.#pods.clear()
    this.#namespaces.clear()
    await this.#pages('namespaces', (o) => this.#namespaces.set(o.metadata.name!, o.metadata.labels ?? {}))
    await this.#pages('pods', (o) => {
      const pod = podOf(o)
      if (pod) this.#pods.set(`${o.metadata.namespace}/${o.metadata.name}`, pod)
    })
  }

  async #pages(resource: string, take: (o: KObject) => void): Promise<void> {
    for await (const items of this.#store.pages(resource, PAGE)) for (const i of items) take(decodeBody(i.body, i.rv))
  }
}
