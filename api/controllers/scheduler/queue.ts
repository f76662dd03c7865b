// Which pods are to be looked at: new ones at once, those that fitted nowhere when something happened that may help them. It is memory alone: where it
// is lost, every pod that waits is tried again.
import { type KObject, keyOf } from '../../../shared/meta/object.ts'
import type { Reader } from '../../engine/types.ts'
import { hasEnded } from '../pods.ts'
import { CONFIG, type Configuration, configurationOf, type Profile } from './configuration.ts'
import { fits } from './placement.ts'
import { Snapshot } from './snapshot.ts'
import { knownNodeInfo, nodeInfo } from './types.ts'

/** However little happens, a pod is tried again after this time, ms. */
const PATIENCE = 5 * 60_000
/** More checks than this, of pods against nodes that changed, are no cheaper than trying all. */
const MOST_CHECKS = 100_000

interface Tried {
  refusedBy: ReadonlySet<string>
  /** When it was tried, and until when it should rest, ms. */
  at: number
  until: number
}

export const configuration = (reader: Reader): Configuration => configurationOf(reader.get('configmaps', CONFIG.namespace, CONFIG.name))

export const profileFor = (pod: KObject, reader: Reader): Profile | undefined => configuration(reader).profiles.get(pod.spec.schedulerName)

/** Whether a pod is ours to place. */
export const waits = (p: KObject, reader: Reader): boolean =>
  !p.spec.nodeName &&
  !p.metadata.deletionTimestamp &&
  !p.spec.schedulingGates?.length &&
  !hasEnded(p) &&
  profileFor(p, reader) !== undefined

const priority = (p: KObject): number => p.spec.priority ?? 0

export class SchedulingQueue {
  readonly #reader: Reader
  /** Keys to be looked at, by priority, in the order of their coming. */
  readonly #active = new Map<number, Set<string>>()
  readonly #tried = new Map<string, Tried>()
  /** Of those that were tried: which plugin refused them, and whom something has happened to. */
  readonly #refused = new Map<string, Set<string>>()
  readonly #woken = new Set<string>()
  /** Given out, and not heard of since; those that were refused with what tells whether that was written. */
  readonly #out = new Map<string, (() => boolean) | undefined>()
  readonly #attempts = new Map<string, number>()
  readonly #nominated = new Set<string>()
  /** Nodes that are other than they were, and nodes that pods have left. */
  readonly #changed = new Set<string>()
  readonly #freed = new Set<string>()
  /** The node that is looked at first, next time. */
  start = 0

  constructor(reader: Reader) {
    this.#reader = reader
    const pods = reader.podsOn('').filter((p) => waits(p, reader))
    for (const p of pods.toSorted((a, b) => (a.metadata.creationTimestamp < b.metadata.creationTimestamp ? -1 : 1))) this.add(p)
  }

  /** Whether there is anything to look at. */
  get stirred(): boolean {
    return (
      this.#active.size > 0 ||
      this.#out.size > 0 ||
      this.#woken.size > 0 ||
      (this.#tried.size > 0 && this.#changed.size + this.#freed.size > 0)
    )
  }
  /** Whether more are to be looked at than were given out. */
  get more(): boolean {
    return this.#active.size > 0
  }
  /** Whether anybody waits. */
  get empty(): boolean {
    return !this.stirred && !this.#tried.size
  }

  /** A pod that is new, or has changed. */
  add(pod: KObject): void {
    const key = keyOf(pod)
    this.#drop(key)
    this.#activate(key, priority(pod))
    this.#noteNominated(pod, key)
  }
  /** A pod whose status was written. */
  touch(pod: KObject): void {
    this.#noteNominated(pod, keyOf(pod))
  }
  /** A pod that needs no place any more. */
  forget(pod: KObject): void {
    const key = keyOf(pod)
    this.#drop(key)
    this.#nominated.delete(key)
    this.#out.delete(key)
    this.#attempts.delete(key)
    const p = priority(pod)
    const bucket = this.#active.get(p)
    if (bucket?.delete(key) && !bucket.size) this.#active.delete(p)
  }
  nodeChanged(name: string): void {
    this.#changed.add(name)
  }
  nodeFreed(name: string): void {
    this.#freed.add(name)
  }
  /** Something happened that may help those whom these plugins refused. */
  wake(...plugins: string[]): void {
    for (const p of plugins) for (const key of this.#refused.get(p) ?? []) this.#woken.add(key)
  }

  /** The next pods to place, at most so many: those that matter most first. */
  take(n: number): KObject[] {
    for (const [key, written] of this.#out) {
      const pod = this.#pod(key)
      // A write was lost.
      if (pod && !written?.()) this.#revive(key)
    }
    this.#out.clear()
    this.#look()
    // While others are there, those that were tried have to rest; while there are none, why should they?
    if (!this.#active.size)
      for (const key of [...this.#woken].sort((a, b) => this.#tried.get(a)!.until - this.#tried.get(b)!.until).slice(0, n))
        this.#revive(key)
    return this.#next(n)
  }
  /** Pods that get their turn with another one's. */
  give(pods: readonly KObject[]): void {
    for (const pod of pods) {
      const key = keyOf(pod)
      this.#drop(key)
      const bucket = this.#active.get(priority(pod))
      if (bucket?.delete(key) && !bucket.size) this.#active.delete(priority(pod))
      this.#out.set(key, undefined)
    }
  }
  /** Those that rested long enough, or waited too long, are active again. */
  expire(now: number): void {
    for (const key of this.#woken) if (this.#tried.get(key)!.until <= now) this.#revive(key)
    for (const [key, { at }] of this.#tried) {
      if (at + PATIENCE > now) break
      this.#revive(key)
    }
  }
  /** When a pod has waited too long, whatever happens, ms. */
  get patience(): number | undefined {
    const [oldest] = this.#tried.values()
    return oldest && oldest.at + PATIENCE
  }

  /** A pod that cannot be bound now, and by whom; `written` tells whether what was to be written of it is. */
  refuse(pod: KObject, refusedBy: ReadonlySet<string>, now: number, written: () => boolean): void {
    const key = keyOf(pod)
    const attempts = (this.#attempts.get(key) ?? 0) + 1
    this.#attempts.set(key, attempts)
    const { initialBackoff, maxBackoff } = configuration(this.#reader)
    this.#drop(key)
    this.#tried.set(key, { refusedBy, at: now, until: now + Math.min(initialBackoff * 2 ** Math.min(attempts - 1, 20), maxBackoff) })
    for (const p of refusedBy) {
      const keys = this.#refused.get(p) ?? new Set()
      this.#refused.set(p, keys.add(key))
    }
    this.#out.set(key, written)
  }

  /** Pods for which a place is kept, those that matter most first. */
  nominated(): KObject[] {
    return [...this.#nominated].flatMap((key) => this.#pod(key) ?? []).sort((a, b) => priority(b) - priority(a))
  }

  #pod(key: string): KObject | undefined {
    const at = key.indexOf('/')
    const pod = this.#reader.get('pods', key.slice(0, at), key.slice(at + 1))
    return pod && waits(pod, this.#reader) ? pod : undefined
  }
  #activate(key: string, p: number): void {
    const bucket = this.#active.get(p) ?? new Set()
    this.#active.set(p, bucket.add(key))
  }
  #drop(key: string): void {
    const tried = this.#tried.get(key)
    if (!tried) return
    this.#tried.delete(key)
    this.#woken.delete(key)
    for (const p of tried.refusedBy) this.#refused.get(p)?.delete(key)
  }
  #revive(key: string): void {
    this.#drop(key)
    const pod = this.#pod(key)
    if (pod) this.#activate(key, priority(pod))
    else this.#attempts.delete(key)
  }
  #noteNominated(pod: KObject, key: string): void {
    if (pod.status?.nominatedNodeName) this.#nominated.add(key)
    else this.#nominated.delete(key)
  }

  #next(n: number): KObject[] {
    const out: KObject[] = []
    for (const p of [...this.#active.keys()].sort((a, b) => b - a)) {
      const bucket = this.#active.get(p)!
      for (const key of bucket) {
        if (out.length >= n) return out
        bucket.delete(key)
        const pod = this.#pod(key)
        if (!pod) continue
        out.push(pod)
        this.#out.set(key, undefined)
      }
      this.#active.delete(p)
    }
    return out
  }

  /** Who may fit a node now that has changed, or has room. */
  #look(): void {
    const [changed, freed] = [this.#nodes(this.#changed), this.#nodes(this.#freed)]
    this.#changed.clear()
    this.#freed.clear()
    if (!this.#tried.size || !(changed.length + freed.length)) return
    const infos = [
      // What runs on a node that has changed may have to make way.
      ...changed.map((node) => nodeInfo(node, [])),
      ...freed.map((node) => knownNodeInfo(node, this.#reader.podsOn(node.metadata.name))),
    ]
    const all = infos.length * this.#tried.size > MOST_CHECKS
    const alone = new Snapshot([])
    for (const [key, { refusedBy }] of this.#tried) {
      if (this.#woken.has(key)) continue
      const pod = this.#pod(key)
      if (!pod) this.#drop(key)
      else {
        const profile = profileFor(pod, this.#reader)!
        const near = profile.filters.filter((f) => f.local)
        // Of those that see more than pod and node, one node alone does not tell.
        const isNear = (plugin: string) => near.some((f) => f.name === plugin)
        const context = alone.context(profile.args)
        if (all || ![...refusedBy].every(isNear) || infos.some((info) => fits(pod, info, near, context))) this.#woken.add(key)
      }
    }
  }
  #nodes(names: Set<string>): KObject[] {
    return [...names].flatMap((n) => this.#reader.get('nodes', '', n) ?? [])
  }
}

const queues = new WeakMap<Reader, SchedulingQueue>()
export function queueOf(reader: Reader): SchedulingQueue {
  let found = queues.get(reader)
  if (!found) {
    found = new SchedulingQueue(reader)
    queues.set(reader, found)
  }
  return found
}
/** Everything is looked at anew, as after a restart. */
export const forgetQueue = (reader: Reader): void => void queues.delete(reader)
