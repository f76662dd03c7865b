// A second thread for writes that would hold up everybody else: large bodies, and expressions that cost much. It starts when such writes come in
// numbers, ends when none came for a while, and is trusted with nothing: each commit is told here before its answer, and a thread that dies is replaced.
import { Worker } from 'node:worker_threads'
import { CRD_RESOURCE } from '../../../shared/crd/definition.ts'
import { resourceOf } from '../../../shared/kinds/index.ts'
import { internalError, StatusError, unavailable } from '../../../shared/status/index.ts'
import { readBytes } from '../../http/body.ts'
import type { ResourceRequest } from '../../http/request.ts'
import type { Aside, ResourceCall } from '../../http/resource-call.ts'
import type { Hub } from '../../ports/hub.ts'
import type { Log } from '../../ports/log.ts'
import { isRule } from '../../registry/admission-rules.ts'
import type { Settings } from '../../registry/context.ts'
import type { LogEvent } from '../../store/store.ts'
import type { Answered, FromThread, ToThread } from './side-thread-program.ts'

/** From here on a write goes aside, in bytes of plain JSON: a millisecond or two of work. */
const HEAVY = 16 * 1024
/** What expressions may cost before the objects of a resource go aside: two milliseconds, too. */
const COSTLY = 100_000
const COSTLY_FOR = 10 * 60_000
/** So many heavy writes within a second make the thread worth its start. */
const STARTS_AT = 3
const IDLE = 30_000
/** What is answered at a time; the rest waits here. */
const MAX_TOGETHER = 4
/** Bytes of bodies that wait or are being answered. */
const MAX_HELD = 64 * 1024 * 1024
const MAX_BODY = 3 * 1024 * 1024
const MAX_CLUSTERS = 32
/** Changes that wait for the next call; past these the thread reads everything anew. */
const MAX_CHANGES = 2000
const MAX_HEAP_MB = 512
const YOUNG_MB = 12

/** What the thread needs to serve a cluster. */
export interface Place {
  database: { file: string } | { url: string }
  /** Keys that its Secrets may be sealed with, the newest first. */
  keys: Uint8Array[]
  settings: Settings
  /** Whether this process sees every change. */
  alone: boolean
  /** Whether machines of this network may be called. */
  reachesInside: boolean
}

/** What the thread has to say to a cluster here. */
export interface Ends {
  committed(event: LogEvent): void
  /** The thread has died: what it had committed last may not have been told. */
  catchUp(): void
  reach: Hub['reach']
}

interface Call {
  of: SideCluster
  r: ResourceRequest
  call: ResourceCall
  body: Uint8Array
  resolve(answer: Response): void
  reject(cause: unknown): void
}

/** One cluster's share of the thread. */
class SideCluster implements Aside {
  readonly #thread: SideThread
  readonly id: number
  readonly place: Place
  readonly ends: Ends
  readonly #costly = new Map<string, number>()
  #changes: LogEvent[] | undefined
  inFlight = 0
  closed = false

  constructor(thread: SideThread, id: number, place: Place, ends: Ends) {
    this.#thread = thread
    this.id = id
    this.place = place
    this.ends = ends
  }

  answer(call: ResourceCall, r: ResourceRequest, weight: number): Promise<Response> | undefined {
    if (weight < HEAVY && (this.#costly.get(resourceOf(r.kind)) ?? 0) < Date.now()) return undefined
    // What is too large is refused without being read.
    if (Number(call.request.headers.get('content-length') ?? 0) > MAX_BODY) return undefined
    return this.#thread.answer(this, call, r)
  }

  cost(r: ResourceRequest, cost: number): void {
    if (cost >= COSTLY) this.#costly.set(resourceOf(r.kind), Date.now() + COSTLY_FOR)
  }

  /** Told of every event of the log, in order. */
  observe(e: LogEvent): void {
    const changes = this.#changes
    if (!changes) return
    if (changes.length >= MAX_CHANGES) {
      this.#thread.forget(this)
      return
    }
    const { object: _, ...event } = e
    // Of most it matters only that they have changed.
    changes.push(e.resource === CRD_RESOURCE || isRule(e.resource) ? event : { ...event, verb: 'update', body: '', oldBody: '' })
  }

  /** What has changed since the last time; undefined when the thread does not know the cluster yet. */
  takeChanges(): LogEvent[] | undefined {
    const taken = this.#changes
    this.#changes = []
    return taken
  }
  /** The thread knows the cluster no more. */
  forgotten(): void {
    this.#changes = undefined
  }

  /** Once nothing of the cluster is being answered: its database is open no more. */
  close(): Promise<void> {
    this.closed = true
    return this.#thread.leave(this)
  }
}

export class SideThread {
  readonly #log: Log
  readonly #maxHeapMb: number
  #worker?: Worker
  #ready = false
  readonly #clusters = new Map<number, SideCluster>()
  /** Those that the thread knows, the one longest unused first. */
  readonly #known = new Map<number, SideCluster>()
  readonly #calls = new Map<number, Call>()
  readonly #waiting: Call[] = []
  readonly #leaving = new Map<number, () => void>()
  #number = 0
  #held = 0
  #heavy: number[] = []
  #idle?: ReturnType<typeof setTimeout>

  constructor(log: Log, maxHeapMb = MAX_HEAP_MB) {
    this.#log = log
    this.#maxHeapMb = maxHeapMb
  }

  /** Whether heavy writes go aside by now. */
  get ready(): boolean {
    return this.#ready
  }

  join(place: Place, ends: Ends): SideCluster {
    const of = new SideCluster(this, ++this.#number, place, ends)
    this.#clusters.set(of.id, of)
    return of
  }

  answer(of: SideCluster, call: ResourceCall, r: ResourceRequest): Promise<Response> | undefined {
    if (!this.#ready) {
      const now = Date.now()
      this.#heavy = [...this.#heavy.filter((at) => at > now - 1000), now]
      if (this.#heavy.length >= STARTS_AT) this.#start()
      return undefined
    }
    const size = Number(call.request.headers.get('content-length') ?? MAX_BODY)
    if (this.#held + size > MAX_HELD)
      throw new StatusError(429, 'TooManyRequests', 'too many large requests, please try again later', { retryAfterSeconds: 1 })
    this.#held += size
    return this.#queued(of, call, r).finally(() => {
      this.#held -= size
    })
  }

  async #queued(of: SideCluster, call: ResourceCall, r: ResourceRequest): Promise<Response> {
    const body = await readBytes(call.request)
    return new Promise((resolve, reject) => {
      this.#waiting.push({ of, r, call, body, resolve, reject })
      this.#next()
    })
  }

  #start(): void {
    if (this.#worker) return
    const worker = new Worker(new URL('./side-thread-program.ts', import.meta.url), {
      resourceLimits: { maxOldGenerationSizeMb: this.#maxHeapMb, maxYoungGenerationSizeMb: YOUNG_MB },
    })
    this.#worker = worker
    worker.on('message', (m: FromThread) => this.#hear(m))
    worker.on('error', (cause) => this.#log.error('the side thread has failed', cause))
    worker.on('exit', () => this.#died(worker))
    // It alone keeps no process up.
    worker.unref()
  }

  #tell(message: ToThread, transfer: (ArrayBuffer | ReadableStream)[] = []): void {
    this.#worker?.postMessage(message, transfer as ArrayBuffer[])
  }

  #hear(m: FromThread): void {
    switch (m.what) {
      case 'ready':
        this.#ready = true
        this.#rest()
        this.#next()
        break
      case 'left':
        this.#leaving.get(m.n)?.()
        break
      case 'answer':
        this.#answered(m)
        break
      case 'commit':
        this.#clusters.get(m.id)?.ends.committed(m.event)
        break
      default:
        void this.#reach(m)
    }
  }

  async #reach({ id, n, call }: Extract<FromThread, { what: 'reach' }>): Promise<void> {
    try {
      const { ends } = this.#clusters.get(id) ?? {}
      if (!ends) throw unavailable('the cluster is not served any more')
      const { status, headers, body } = await ends.reach(call)
      const reached: ToThread = { what: 'reached', n, status, headers: [...headers], ...(body ? { body } : {}) }
      this.#tell(reached, body ? [body] : [])
    } catch (cause) {
      const { code = 503, message } = cause as { code?: number; message: string }
      this.#tell({ what: 'reached', n, failure: { code, message } })
    }
  }

  #answered({ n, status, headers, body, annotations, cost }: Answered): void {
    const c = this.#take(n)
    if (!c) return
    if (c.call.annotations && annotations) Object.assign(c.call.annotations, annotations)
    c.of.cost(c.r, cost)
    c.resolve(new Response(body, { status, headers }))
    this.#rest()
    this.#next()
  }

  #take(n: number): Call | undefined {
    const c = this.#calls.get(n)
    this.#calls.delete(n)
    if (c) c.of.inFlight--
    return c
  }

  #next(): void {
    if (this.#waiting.length && !this.#worker) this.#start()
    while (this.#ready && this.#calls.size < MAX_TOGETHER) {
      const c = this.#waiting.shift()
      if (!c) return
      const { of, call, body } = c
      if (of.closed) {
        c.reject(unavailable('the cluster is not served any more'))
        continue
      }
      clearTimeout(this.#idle)
      const n = ++this.#number
      this.#calls.set(n, c)
      of.inFlight++
      this.#bringUpToDate(of)
      const { group, version, segments, request, user, connection, annotations, trace } = call
      const { address } = connection
      // A view of something larger is copied: the rest is somebody else's.
      const whole = body.byteLength === body.buffer.byteLength ? [body.buffer as ArrayBuffer] : []
      this.#tell(
        {
          what: 'call',
          id: of.id,
          n,
          call: {
            group,
            version,
            segments,
            user,
            connection: address ? { address } : {},
            ...(annotations ? { annotations: {} } : {}),
            ...(trace ? { trace } : {}),
          },
          request: { url: request.url, method: request.method, headers: [...request.headers], body },
        },
        whole,
      )
    }
  }

  /** The thread is told of a cluster, or of what has changed in it. */
  #bringUpToDate(of: SideCluster): void {
    const changes = of.takeChanges()
    this.#known.delete(of.id)
    if (changes) {
      if (changes.length) this.#tell({ what: 'changes', id: of.id, changes })
    } else {
      const spare = this.#known.size >= MAX_CLUSTERS && [...this.#known.values()].find((k) => !k.inFlight)
      if (spare) this.forget(spare)
      this.#tell({ what: 'open', id: of.id, place: of.place })
    }
    this.#known.set(of.id, of)
  }

  /** The thread closes a cluster's database when it has answered what it has been asked. Returns the number of the farewell. */
  forget(of: SideCluster): number {
    const n = ++this.#number
    of.forgotten()
    this.#known.delete(of.id)
    this.#tell({ what: 'leave', id: of.id, n })
    return n
  }

  async leave(of: SideCluster): Promise<void> {
    if (this.#known.has(of.id)) {
      const n = this.forget(of)
      await new Promise<void>((left) => this.#leaving.set(n, left))
      this.#leaving.delete(n)
    }
    this.#clusters.delete(of.id)
    if (!this.#known.size && !this.#waiting.length && !this.#calls.size) this.#end()
  }

  /** Begins to wait for what might not come. */
  #rest(): void {
    clearTimeout(this.#idle)
    if (!this.#calls.size && !this.#waiting.length) this.#idle = setTimeout(() => this.#end(), IDLE).unref()
  }

  #end(): void {
    clearTimeout(this.#idle)
    this.#tell({ what: 'end' })
    this.#forgetWorker()
  }

  #forgetWorker(): void {
    this.#worker = undefined
    this.#ready = false
    for (const of of this.#known.values()) of.forgotten()
    this.#known.clear()
    for (const left of this.#leaving.values()) left()
  }

  #died(worker: Worker): void {
    if (worker !== this.#worker) return
    // One that never came up would not the next time either.
    const hopeless = this.#ready ? [] : this.#waiting.splice(0)
    this.#forgetWorker()
    for (const c of hopeless) c.reject(unavailable('large requests cannot be served at the moment'))
    for (const of of this.#clusters.values()) of.ends.catchUp()
    for (const n of [...this.#calls.keys()])
      this.#take(n)?.reject(internalError('the request took more than it may; whether it was carried out is not known'))
    this.#next()
  }
}
