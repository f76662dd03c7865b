// The engine's view of the cluster: parsed objects with the indexes that controllers ask by. Filled from rows at a cold start, kept fresh by the log.
import { ACME_CONFIG } from '../../shared/ingress/acme.ts'
import { kindOfResource } from '../../shared/kinds/index.ts'
import type { KindTable } from '../../shared/kinds/table.ts'
import { ROUND } from '../../shared/meta/node-annotations.ts'
import { controllerOf, type KObject, keyOf } from '../../shared/meta/object.ts'
import { ACCOUNT_TOKEN, BOOTSTRAP_TOKEN } from '../../shared/token-secrets.ts'
import { CONFIG } from '../controllers/scheduler/configuration.ts'
import { ROOT_CA } from '../controllers/service-account.ts'
import { decodeBody } from '../registry/codec.ts'
import type { LogEvent, Store } from '../store/store.ts'
import { decodePod, slim } from './pods-alike.ts'
import { soon } from './soon.ts'
import type { Change, EngineSettings, Reader } from './types.ts'

// Events are written by many and read by no controller; of secrets only the metadata is anybody's business here, and of tokens whether there
// is one and when it ends.
const uncached = new Set(['events'])
const metadataOnly = new Set(['secrets', 'configmaps', 'leases.coordination.k8s.io'])

/** Of custom resources controllers look at the metadata alone. */
const isOurs = (resource: string): boolean => kindOfResource(resource) !== undefined

/** Config maps that controllers read; all others are their owners' and may be large. */
const ours = new Set<string>([ROOT_CA, ROUND.name, CONFIG.name, ACME_CONFIG.name])

const PAGE = 500
/** Objects that are read in one turn of the loop, which takes in one connection each: a thousand daemons come back while this goes on. */
const TURN = 50

const NONE: readonly KObject[] = []

/** Objects by their keys. The list of them stays the same array until one changes. */
class Group {
  readonly map = new Map<string, KObject>()
  #list: readonly KObject[] | undefined
  set(key: string, o: KObject): void {
    this.map.set(key, o)
    this.#list = undefined
  }
  delete(key: string): void {
    if (this.map.delete(key)) this.#list = undefined
  }
  get list(): readonly KObject[] {
    this.#list ??= [...this.map.values()]
    return this.#list
  }
}

class Index {
  readonly #groups = new Map<string, Group>()
  add(value: string, key: string, o: KObject): void {
    let group = this.#groups.get(value)
    if (!group) {
      group = new Group()
      this.#groups.set(value, group)
    }
    group.set(key, o)
  }
  remove(value: string, key: string): void {
    const group = this.#groups.get(value)
    if (!group) return
    group.delete(key)
    if (!group.map.size) this.#groups.delete(value)
  }
  get(value: string): readonly KObject[] {
    return this.#groups.get(value)?.list ?? NONE
  }
}

export class Cache implements Reader {
  readonly settings: EngineSettings
  readonly #objects = new Map<string, Group>()
  readonly #byNamespace = new Index()
  readonly #byController = new Index()
  readonly #byNode = new Index()
  readonly #byUid = new Map<string, { resource: string; object: KObject }>()
  readonly #byOwner = new Map<string, Map<string, { resource: string; object: KObject }>>()
  readonly #sessions: (node: string) => { connected: boolean; lostAt: number }
  rv = 0

  readonly kinds: KindTable

  constructor(settings: EngineSettings, kinds: KindTable, sessions: (node: string) => { connected: boolean; lostAt: number }) {
    this.settings = settings
    this.kinds = kinds
    this.#sessions = sessions
  }

  /** Reads every cached resource; events up to `rv` are then in it. Others have their turn every few objects. */
  async load(store: Store): Promise<void> {
    const { rv } = await store.head()
    for (const resource of await store.resources()) {
      if (uncached.has(resource)) continue
      for await (const items of store.pages(resource, PAGE))
        for (const [n, i] of items.entries()) {
          this.#put(resource, decoded(resource, i.body, i.rv))
          if (n % TURN === 0) await new Promise<void>(soon)
        }
    }
    this.rv = rv
  }

  /** Takes an event in; the change it made, or undefined when it was known already. */
  apply(e: LogEvent): Change | undefined {
    if (uncached.has(e.resource)) return undefined
    const key = e.ns ? `${e.ns}/${e.name}` : e.name
    const old = this.#objects.get(e.resource)?.map.get(key)
    if (old && Number(old.metadata.resourceVersion) >= e.rv) return undefined
    const now = e.object ? trim(e.resource, versioned(e.object, e.rv)) : decoded(e.resource, e.body, e.rv)
    if (old) this.#drop(e.resource, old)
    if (e.verb === 'delete') return { resource: e.resource, old: old ?? now }
    this.#put(e.resource, now)
    return { resource: e.resource, ...(old ? { old } : {}), new: now }
  }

  #put(resource: string, o: KObject): void {
    const key = keyOf(o)
    let all = this.#objects.get(resource)
    if (!all) {
      all = new Group()
      this.#objects.set(resource, all)
    }
    all.set(key, o)
    const id = `${resource} ${key}`
    if (o.metadata.namespace) this.#byNamespace.add(`${resource} ${o.metadata.namespace}`, key, o)
    this.#byController.add(manager(resource, o), key, o)
    if (resource === 'pods') this.#byNode.add(o.spec?.nodeName ?? '', key, o)
    this.#byUid.set(o.metadata.uid, { resource, object: o })
    for (const r of o.metadata.ownerReferences ?? []) {
      const of = this.#byOwner.get(r.uid) ?? new Map()
      this.#byOwner.set(r.uid, of.set(id, { resource, object: o }))
    }
  }

  #drop(resource: string, o: KObject): void {
    const key = keyOf(o)
    this.#objects.get(resource)?.delete(key)
    const id = `${resource} ${key}`
    if (o.metadata.namespace) this.#byNamespace.remove(`${resource} ${o.metadata.namespace}`, key)
    this.#byController.remove(manager(resource, o), key)
    if (resource === 'pods') this.#byNode.remove(o.spec?.nodeName ?? '', key)
    this.#byUid.delete(o.metadata.uid)
    for (const r of o.metadata.ownerReferences ?? []) {
      const of = this.#byOwner.get(r.uid)
      of?.delete(id)
      if (of && !of.size) this.#byOwner.delete(r.uid)
    }
  }

  get(resource: string, ns: string, name: string): KObject | undefined {
    return this.#objects.get(resource)?.map.get(ns ? `${ns}/${name}` : name)
  }
  resources(): string[] {
    return [...this.#objects.keys()]
  }
  list(resource: string, ns?: string): readonly KObject[] {
    return ns === undefined ? (this.#objects.get(resource)?.list ?? NONE) : this.#byNamespace.get(`${resource} ${ns}`)
  }
  controlledBy(resource: string, uid: string): readonly KObject[] {
    return this.#byController.get(`${resource} ${uid}`)
  }
  orphans(resource: string, ns: string): readonly KObject[] {
    return this.#byController.get(`${resource} of nobody in ${ns}`)
  }
  dependents(uid: string): { resource: string; object: KObject }[] {
    return [...(this.#byOwner.get(uid)?.values() ?? [])]
  }
  byUid(uid: string): { resource: string; object: KObject } | undefined {
    return this.#byUid.get(uid)
  }
  podsOn(node: string): readonly KObject[] {
    return this.#byNode.get(node)
  }
  session(node: string): { connected: boolean; lostAt: number } {
    return this.#sessions(node)
  }
  readonly #memories = new Map<string, unknown>()
  readonly #answers = new Map<string, { at: number; value: unknown }>()
  readonly #refusals = new Map<string, string>()
  memory(controller: string, key: string): unknown {
    return this.#memories.get(`${controller} ${key}`)
  }
  answer(controller: string, key: string): { at: number; value: unknown } | undefined {
    return this.#answers.get(`${controller} ${key}`)
  }
  remember(controller: string, key: string, memory: unknown): void {
    this.#memories.set(`${controller} ${key}`, memory)
  }
  answered(controller: string, key: string, at: number, value: unknown): void {
    this.#answers.set(`${controller} ${key}`, { at, value })
  }
  refusal(controller: string, key: string): string | undefined {
    return this.#refusals.get(`${controller} ${key}`)
  }
  /** `message`: undefined when all was let in. */
  refused(controller: string, key: string, message: string | undefined): void {
    if (message === undefined) this.#refusals.delete(`${controller} ${key}`)
    else this.#refusals.set(`${controller} ${key}`, message)
  }
  /** There is nothing at this key any more. */
  forget(controller: string, key: string): void {
    this.#refusals.delete(`${controller} ${key}`)
    this.#memories.delete(`${controller} ${key}`)
    this.#answers.delete(`${controller} ${key}`)
  }
}

const manager = (resource: string, o: KObject): string => {
  const controller = controllerOf(o)
  return controller ? `${resource} ${controller.uid}` : `${resource} of nobody in ${o.metadata.namespace ?? ''}`
}

const versioned = (o: KObject, rv: number): KObject => ({ ...o, metadata: { ...o.metadata, resourceVersion: String(rv) } })

const decoded = (resource: string, body: string, rv: number): KObject =>
  resource === 'pods' ? decodePod(body, rv) : trim(resource, decodeBody(body, rv))

/** Takes out of an object of our own what no controller looks at. */
function trim(resource: string, o: KObject): KObject {
  if (resource === 'pods') return slim(o)
  // Ownership of fields is no controller's concern, and half of an object's size; the registry keeps it through every write.
  const managers = o.metadata.managedFields
  delete o.metadata.managedFields
  // Only of a service's status it has to be known: others hand out addresses too.
  if (resource === 'services' && managers) o.metadata.managedFields = managers.filter((m) => m.subresource === 'status')
  if ((isOurs(resource) && !metadataOnly.has(resource)) || (resource === 'configmaps' && ours.has(o.metadata.name))) return o
  if (resource === 'secrets') return { metadata: o.metadata, ...ofToken(o) }
  return { metadata: o.metadata, ...(resource.startsWith('leases') ? { spec: o.spec } : {}) }
}

/** What may be known of a secret that is a token: whether there is one, and when it ends. */
function ofToken({ type, data }: KObject): object {
  if (type === ACCOUNT_TOKEN) return { type, data: data?.token ? { token: 'set' } : {} }
  if (type === BOOTSTRAP_TOKEN) return { type, data: data?.expiration === undefined ? {} : { expiration: data.expiration } }
  return {}
}
