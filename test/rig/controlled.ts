// The real engine on a real store, with time in the test's hand and a kubelet in one line: for suites about controllers.
import type { Tasks } from '../../api/engine/apply.ts'
import { type Engine, startEngine } from '../../api/engine/engine.ts'
import { openEmbedded } from '../../api/platform/node/embedded-database.ts'
import type { Database } from '../../api/ports/database.ts'
import { decodeBody } from '../../api/registry/codec.ts'
import { type Settings, systemContext } from '../../api/registry/context.ts'
import { create } from '../../api/registry/create.ts'
import { type DeleteOptions, keyFor, remove } from '../../api/registry/delete.ts'
import { patch } from '../../api/registry/patch.ts'
import { migrations } from '../../migrations/bundle.ts'
import { resourceOf } from '../../shared/kinds/index.ts'
import type { Kind } from '../../shared/kinds/kind.ts'
import { rangesIn } from '../../shared/meta/address.ts'
import { isReady } from '../../shared/meta/conditions.ts'
import type { KObject } from '../../shared/meta/object.ts'
import { type TestCluster, testCluster } from './cluster.ts'

const ctx = systemContext('test')
const options = { fieldManager: 'test', fieldValidation: 'Strict' as const }
const NS = 'default'
/** How often time moves while everything settles, and how far, ms: conflicts wait for a due time. */
const STEPS = 20
const STEP = 50

/** The second address of a pod, where pods have two. */
const sixOf = (ip: string): string => `fd00::${ip.replaceAll('.', ':')}`

export class Controlled {
  now = Date.parse('2026-01-01T00:00:00Z')
  cluster!: TestCluster
  engine!: Engine

  /** What controllers ask for beyond writes. */
  readonly tasks: Tasks = {}

  /** Asked before every write that the engine makes: `before` and `after` fail it without, or with, its having happened. */
  trouble: () => 'before' | 'after' | undefined = () => undefined

  /** How often the alarm rings when time has passed. */
  rings = 1

  /** With nodes `n1`, `n2` … that have room for everything; on a database that has its tables, or one in memory. */
  static async start(nodes = 1, given?: Database, settings: Partial<Settings> = {}): Promise<Controlled> {
    const c = new Controlled()
    const database = given ?? openEmbedded(':memory:')
    if (!given) await database.migrate(migrations)
    c.cluster = await testCluster(c.#troubled(database), () => c.now, Number.POSITIVE_INFINITY, c.#log, settings)
    await c.restart()
    for (let i = 1; i <= nodes; i++) await c.node(`n${i}`)
    await c.settled()
    return c
  }

  /** What fails without the test having asked for it is told. */
  #troubles = 0
  readonly #log = {
    info: () => {},
    warn: () => {},
    error: (message: string, cause: unknown) => {
      if (!this.#troubles) console.error(message, cause)
    },
  }
  #troubled(database: Database): Database {
    return {
      ...database,
      write: async (statements) => {
        const trouble = this.trouble()
        if (trouble) this.#troubles++
        if (trouble === 'before') throw new Error('the database cannot be reached')
        const outcome = await database.write(statements)
        if (trouble === 'after') throw new Error('the answer of the database was lost')
        return outcome
      },
    }
  }

  /** So many writes fail, without or with their having happened. */
  async troubled(writes: number, how: 'before' | 'after', meanwhile = () => this.settled()): Promise<void> {
    let left = writes
    this.trouble = () => (left-- > 0 ? how : undefined)
    await meanwhile()
    this.trouble = () => undefined
  }

  /** The engine ends and begins again, as after a crash. */
  async restart(): Promise<void> {
    await this.engine?.close()
    const { cluster, hub } = this.cluster
    const options = { cluster, hub, alarm: { set: () => {} }, tasks: this.tasks }
    this.engine = await startEngine({ ...options, nodeMonitorGracePeriod: Number.MAX_SAFE_INTEGER / 4 })
    await this.settled()
  }

  /** A node that joins and is ready. */
  async node(name: string, labels: Record<string, string> = {}, allocatable: Record<string, string> = {}): Promise<void> {
    await this.create('nodes', { metadata: { name, labels: { 'kubernetes.io/hostname': name, ...labels } } })
    const conditions = [{ type: 'Ready', status: 'True', lastTransitionTime: new Date(this.now).toISOString() }]
    const room = { cpu: '1k', memory: '1Ti', pods: '10k', ...allocatable }
    await this.patch('nodes', name, { status: { conditions, allocatable: room, capacity: room } }, 'status', 'merge')
  }

  close(): Promise<void> {
    return this.engine.close()
  }

  get #env() {
    return this.cluster.cluster.env
  }
  kind(resource: string): Kind {
    return this.#env.kinds.ofResource(resource)!
  }

  /** Until nothing is left to do now. */
  async settled(): Promise<void> {
    for (let i = 0; i < STEPS; i++) {
      // The hub's patience with gaps in the log is real time, which does not pass here.
      await this.cluster.hub.fanOut.catchUp()
      await this.engine.idle()
      this.now += STEP
      this.#ring()
      await this.engine.idle()
    }
  }
  /** Time goes by, and what falls due is done. */
  async pass(ms: number): Promise<void> {
    this.now += ms
    this.#ring()
    await this.settled()
  }
  #ring(): void {
    for (let i = 0; i < this.rings; i++) this.engine.wake()
  }

  /** By name. */
  async list(resource: string, ns = NS): Promise<KObject[]> {
    const found = await this.cluster.cluster.store.list({ resource, ...(this.kind(resource).namespaced ? { ns } : {}) })
    return found.items.map((i) => decodeBody(i.body, i.rv))
  }
  async get(resource: string, name: string, ns = NS): Promise<KObject | undefined> {
    return (await this.list(resource, ns)).find((o) => o.metadata.name === name)
  }
  async create(resource: string, object: object, ns = NS): Promise<KObject> {
    const kind = this.kind(resource)
    return (await create(this.#env, kind, kind.namespaced ? ns : '', object, options, ctx)).object
  }
  patch(
    resource: string,
    name: string,
    body: object,
    part: 'main' | 'status' = 'main',
    type: 'merge' | 'json' | 'strategic' = 'strategic',
    ns = NS,
  ) {
    return patch(this.#env, this.kind(resource), this.#key(resource, name, ns), part, type, body, options, ctx)
  }
  delete(resource: string, name: string, o: DeleteOptions = {}, ns = NS) {
    return remove(this.#env, this.kind(resource), this.#key(resource, name, ns), o, ctx)
  }
  #key = (resource: string, name: string, ns = NS) => {
    const kind = this.kind(resource)
    return { ...keyFor(kind, kind.namespaced ? ns : '', name), resource: resourceOf(kind) }
  }

  /** The newest version that there is. */
  async version(): Promise<number> {
    return (await this.cluster.cluster.store.head()).rv
  }

  /** What was written after a version, but for Events: what goes on is told again after a restart. */
  async since(rv: number) {
    return (await this.cluster.cluster.store.since(rv, 1000)).events.filter((e) => e.resource !== 'events')
  }

  /** The pods that are not on their way out. */
  async alive(): Promise<KObject[]> {
    return (await this.list('pods')).filter((p) => !p.metadata.deletionTimestamp)
  }
  async ready(name: string, isReady = true): Promise<void> {
    const condition = { type: 'Ready', status: isReady ? 'True' : 'False', lastTransitionTime: new Date(this.now).toISOString() }
    const podIP = this.#addresses.get(name) ?? `10.9.${this.#addresses.size >> 8}.${this.#addresses.size & 255}`
    this.#addresses.set(name, podIP)
    const second = rangesIn(this.#env.settings.podCidr).length > 1 ? [{ ip: sixOf(podIP) }] : []
    await this.patch(
      'pods',
      name,
      { status: { phase: 'Running', podIP, podIPs: [{ ip: podIP }, ...second], conditions: [condition] } },
      'status',
    )
  }
  readonly #addresses = new Map<string, string>()
  /** A pod has ended, with this exit code in its first container. */
  async ended(pod: KObject, exitCode: number, more: object = {}): Promise<void> {
    const finishedAt = new Date(this.now).toISOString().replace(/\.\d+/, '')
    const terminated = { exitCode, finishedAt, reason: exitCode ? 'Error' : 'Completed' }
    const { name, image } = pod.spec.containers[0]
    const containerStatuses = [{ name, image, imageID: '', ready: false, restartCount: 0, state: { terminated } }]
    const status = { phase: exitCode ? 'Failed' : 'Succeeded', containerStatuses, ...more }
    await this.patch('pods', pod.metadata.name, { status }, 'status', 'merge')
  }
  /** Pods that have a node become ready, pods that should go are gone; so many of them. */
  async kubelet(limit = Number.POSITIVE_INFINITY): Promise<void> {
    const over = (p: KObject) => ['Succeeded', 'Failed'].includes(p.status?.phase)
    const todo = (await this.list('pods')).filter((p) => p.metadata.deletionTimestamp || (p.spec.nodeName && !isReady(p) && !over(p)))
    for (const p of todo.slice(0, limit))
      if (p.metadata.deletionTimestamp) await this.delete('pods', p.metadata.name, { gracePeriodSeconds: 0 })
      else await this.ready(p.metadata.name)
  }
  /** The kubelet and the engine by turns, until neither has anything left to do. */
  async rest(): Promise<void> {
    for (let i = 0, before = -1; i < 100; i++) {
      await this.settled()
      const now = await this.version()
      if (now === before) return
      before = now
      await this.kubelet()
    }
    throw new Error('it does not come to rest')
  }
}
