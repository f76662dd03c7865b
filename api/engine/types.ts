// The engine's contract with controllers. A controller is pure: frozen view in, writes out; the engine applies them through the registry.
import type { KindTable } from '../../shared/kinds/table.ts'
import type { KObject } from '../../shared/meta/object.ts'

/** What a view is built from: the cluster as the engine's cache has it, by index. Objects must not be changed; a list is the same array until one in it changes. */
export interface Reader {
  get(resource: string, ns: string, name: string): KObject | undefined
  /** The resources that there are objects of, Events aside. */
  resources(): string[]
  kinds: KindTable
  /** All of a resource, or those of one namespace. */
  list(resource: string, ns?: string): readonly KObject[]
  /** Objects whose managing owner has this uid. */
  controlledBy(resource: string, uid: string): readonly KObject[]
  /** Objects of a namespace that nobody manages. */
  orphans(resource: string, ns: string): readonly KObject[]
  /** Objects of any resource that name this uid among their owners. */
  dependents(uid: string): { resource: string; object: KObject }[]
  byUid(uid: string): { resource: string; object: KObject } | undefined
  /** Those of no node under the empty name. */
  podsOn(node: string): readonly KObject[]
  /** Whether the node's daemon has a session, and since when (ms) it has not. */
  session(node: string): { connected: boolean; lostAt: number }
  /** What a controller's last look at a key wanted to be remembered, and what its last task there came to. Lost at a restart. */
  memory(controller: string, key: string): unknown
  answer(controller: string, key: string): { at: number; value: unknown } | undefined
  /** Why what a controller's last look at a key wanted to make was not let in; undefined where all was. */
  refusal(controller: string, key: string): string | undefined
  settings: EngineSettings
}

export interface EngineSettings {
  podCidr: string
  /** PEM: what pods trust. */
  caBundle: string
  /** How long a node may be silent before it counts as lost, ms. */
  nodeMonitorGracePeriod: number
}

export type Write =
  | { verb: 'create'; resource: string; object: KObject }
  /** The object carries the resourceVersion that it was computed from: a newer one makes the write a conflict. */
  | { verb: 'update'; resource: string; object: KObject; part?: 'main' | 'status' | 'finalize' }
  | { verb: 'delete'; resource: string; object: KObject; gracePeriodSeconds?: number; propagationPolicy?: string }
  | { verb: 'deleteAll'; resource: string; ns: string }
  | { verb: 'bind'; pod: KObject; node: string }
  /** Work that needs more than the view: the network, or another's rights. Done when it resolves, with what the reader tells as its answer; a failure is
   * tried again. */
  | { verb: 'task'; task: string; object: KObject }
  | {
      verb: 'event'
      about: { resource: string; object: KObject }
      type: 'Normal' | 'Warning'
      reason: string
      message: string
      component: string
      /** What makes it the same event again, where the message has what differs each time. */
      same?: string
    }

export interface Result {
  /** Applied in order; the first conflict drops the rest and the key is looked at again. */
  writes: Write[]
  /** Look again at this time (ms), whatever happens until then. */
  requeueAt?: number
  /** What the next look should know, once all writes are done. */
  memory?: unknown
}

export interface Change {
  resource: string
  old?: KObject
  new?: KObject
}

export interface Controller<View = any> {
  name: string
  /** The program of Kubernetes that does this elsewhere. Where it runs, and holds its lease, this controller rests. */
  upstream?: 'kube-scheduler' | 'kube-controller-manager'
  /** Its keys draw on one store: each look sees what the one before it wrote, whichever its key. */
  oneByOne?: true
  /** Which keys a change concerns, by the resource that changed; `*` for those that are not named. */
  wakes: Record<string, (change: Change, reader: Reader) => string[]>
  /** Keys to look at when the engine starts cold. */
  all: (reader: Reader) => string[]
  /** Everything that reconcile needs, or undefined when there is nothing to do. */
  view: (key: string, reader: Reader) => View | undefined
  /** Pure and synchronous; `now` is the only time there is. The same view gives the same result. */
  reconcile: (key: string, view: View, now: number) => Result
}

export const splitKey = (key: string): [ns: string, name: string] => {
  const at = key.indexOf('/')
  return at < 0 ? ['', key] : [key.slice(0, at), key.slice(at + 1)]
}
