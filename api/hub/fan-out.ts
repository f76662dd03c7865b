// The fan-out: one ordered run of log events, told to every watcher whose selection they touch. Each event is encoded once.
// A lost or late publish loses nothing: gaps are read from the log. Slow watchers are cut off, not buffered without end.
import { type Kind, plainKind } from '../../shared/kinds/kind.ts'
import type { KindTable } from '../../shared/kinds/table.ts'
import { matches } from '../../shared/meta/selector.ts'
import type { Clock } from '../ports/clock.ts'
import type { WatchRequest } from '../ports/hub.ts'
import type { Log } from '../ports/log.ts'
import type { ClusterKinds } from '../registry/cluster-kinds.ts'
import { decodeBody, objectText } from '../registry/codec.ts'
import { partial, table } from '../registry/table.ts'
import { Compacted, type LogEvent, type Store } from '../store/store.ts'

const RECENT_EVENTS = 1000
const RECENT_BYTES = 2 * 1024 * 1024
const MAX_QUEUED_BYTES = 8 * 1024 * 1024
const GAP_PATIENCE = 20
/** workerd notices that a client has gone at the next write only; until then the watch, and so the whole object, stays awake. */
const HEARTBEAT_EVERY = 20_000
const BOOKMARK_EVERY = 60_000
const PAGE = 1000

const encoder = new TextEncoder()
const LINE_END = encoder.encode('\n')
export type WatchType = 'ADDED' | 'MODIFIED' | 'DELETED'

const unknownKind: Kind = plainKind({ group: '', kind: 'Unknown', plural: 'unknown', type: 'V1ObjectMeta', namespaced: false })
/** A definition that went leaves watches of what it defined: what that was is not known any more. */
const shownKind = (kinds: KindTable, w: WatchRequest): Kind =>
  (w.as ? kinds.byResource(w.as.group, w.as.version, w.as.plural) : kinds.ofResource(w.resource)) ?? unknownKind

/** What an event is to a selection: its type, or nothing. */
export function typeFor(e: LogEvent, w: Pick<WatchRequest, 'ns' | 'labels' | 'fields'>): WatchType | undefined {
  if (w.ns !== undefined && e.ns !== w.ns) return undefined
  if (!w.labels?.length && !w.fields?.length) return e.verb === 'create' ? 'ADDED' : e.verb === 'delete' ? 'DELETED' : 'MODIFIED'
  const meets = (labels: Record<string, string> | undefined, fields: Record<string, string> | undefined) =>
    matches(w.labels ?? [], labels) &&
    matches(w.fields ?? [], w.fields?.length ? { ...fields, 'metadata.name': e.name, 'metadata.namespace': e.ns } : fields)
  const before = e.verb !== 'create' && meets(e.oldLabels, e.oldFields)
  const after = e.verb !== 'delete' && meets(e.labels, e.fields)
  if (before) return after ? 'MODIFIED' : 'DELETED'
  return after ? 'ADDED' : undefined
}

/** An event with the bytes it has been turned into so far. */
class Encoded {
  readonly event: LogEvent
  readonly #bytes = new Map<string, Uint8Array>()
  constructor(event: LogEvent) {
    this.event = event
  }
  line(kinds: KindTable, type: WatchType, w: WatchRequest, now: number): Uint8Array {
    const key = `${type} ${w.encoding} ${w.includeObject ?? ''} ${w.as?.group ?? ''}${w.as?.version ?? ''}`
    let bytes = this.#bytes.get(key)
    if (!bytes) this.#bytes.set(key, (bytes = encoder.encode(`{"type":"${type}","object":${this.#object(kinds, type, w, now)}}\n`)))
    return bytes
  }
  #object(kinds: KindTable, type: WatchType, w: WatchRequest, now: number): string {
    const kind = shownKind(kinds, w)
    // An object that left the selection is shown as it last was in it.
    const body = type === 'DELETED' && this.event.verb !== 'delete' ? (this.event.oldBody ?? this.event.body) : this.event.body
    if (w.encoding === 'object') return objectText(kind, body, this.event.rv)
    const o = decodeBody(body, this.event.rv)
    return JSON.stringify(
      w.encoding === 'partial'
        ? partial(o)
        : table(kind, [o], { resourceVersion: String(this.event.rv) }, now, w.includeObject ?? 'Metadata'),
    )
  }
}

interface Watcher {
  request: WatchRequest
  controller: ReadableStreamDefaultController<Uint8Array>
  /** Events up to here have been told. */
  rv: number
  /** Still reading history: live events wait in the ring. */
  catchingUp: boolean
  timers: ReturnType<typeof setTimeout>[]
  ended: boolean
}

export class FanOut {
  readonly #store: Store
  readonly #kinds: ClusterKinds
  readonly #clock: Clock
  readonly #log: Log
  readonly #watchers = new Map<string, Set<Watcher>>()
  readonly #listeners = new Set<(e: LogEvent) => void>()
  #recent: Encoded[] = []
  #recentBytes = 0
  /** The newest version told; events come in this order without a gap. */
  #head: number
  readonly #early = new Map<number, LogEvent>()
  #gapTimer?: ReturnType<typeof setTimeout>
  #closed = false
  /** Who waits for a version to be told; as many as the engine works on keys at a time. */
  #waiting: { rv: number; resolve(): void }[] = []
  /** A reading of the log that is under way, and the one after it. */
  #filling?: Promise<void>
  #refilling?: Promise<void>

  constructor(store: Store, kinds: ClusterKinds, clock: Clock, log: Log, head: number) {
    this.#kinds = kinds
    this.#store = store
    this.#clock = clock
    this.#log = log
    this.#head = head
  }

  get head(): number {
    return this.#head
  }

  /** Called with every event, in order. Listeners must not throw. */
  subscribe(listener: (e: LogEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  publish(event: LogEvent): void {
    if (event.rv <= this.#head) return
    if (event.rv === this.#head + 1) {
      this.#tell(event)
      for (let next = this.#early.get(this.#head + 1); next; next = this.#early.get(this.#head + 1)) {
        this.#early.delete(next.rv)
        this.#tell(next)
      }
      return
    }
    if (this.#early.size < PAGE) this.#early.set(event.rv, event)
    this.#mindGap()
  }

  /** Resolves when everything up to `rv` has been told. What others wrote comes by itself as a rule; the log is read if it does not. */
  reached(rv: number): Promise<void> {
    if (rv <= this.#head || this.#closed) return Promise.resolve()
    this.#mindGap()
    return new Promise((resolve) => this.#waiting.push({ rv, resolve }))
  }

  #mindGap(): void {
    this.#gapTimer ??= setTimeout(() => {
      this.#gapTimer = undefined
      // It may have closed by itself.
      if (this.#early.size || this.#waiting.length) void this.catchUp()
    }, GAP_PATIENCE)
  }

  #wake(rv: number): void {
    const there = this.#waiting.filter((w) => w.rv <= rv)
    if (!there.length) return
    this.#waiting = this.#waiting.filter((w) => w.rv > rv)
    for (const w of there) w.resolve()
  }

  /** Reads what the log has beyond the head, all that was there when this was called; safe to call at any time. */
  async catchUp(): Promise<void> {
    if (this.#filling) {
      // What is being read now may have been asked for too early: those who come meanwhile share the next reading.
      this.#refilling ??= this.#filling.then(() => {
        this.#refilling = undefined
        return this.catchUp()
      })
      return this.#refilling
    }
    clearTimeout(this.#gapTimer)
    this.#gapTimer = undefined
    const waiting = this.#waiting.splice(0)
    this.#filling = this.#fill().finally(() => {
      this.#filling = undefined
      for (const w of waiting) w.resolve()
    })
    return this.#filling
  }

  async #fill(): Promise<void> {
    try {
      for (;;) {
        const { head, events } = await this.#store.since(this.#head, PAGE)
        for (const e of events) if (e.rv > this.#head) this.#tell(e)
        for (const rv of this.#early.keys()) if (rv <= this.#head) this.#early.delete(rv)
        // Versions that no row has (a failed insert elsewhere) must not hold everything up.
        if (events.length < PAGE) {
          if (head > this.#head && !events.length) this.#head = head
          break
        }
      }
    } catch (cause) {
      if (cause instanceof Compacted) this.#head = cause.floor
      this.#log.error('reading the log failed; trying again', cause)
      this.#gapTimer ??= setTimeout(() => void this.catchUp(), 1000)
    }
  }

  #tell(event: LogEvent): void {
    this.#head = event.rv
    // Before anybody asks what kind the next event is of.
    this.#kinds.observe(event)
    const encoded = new Encoded(event)
    this.#recent.push(encoded)
    this.#recentBytes += event.body.length
    // A quarter goes at a time: moving the rest for every event would cost more than the event.
    if (this.#recent.length > RECENT_EVENTS || this.#recentBytes > RECENT_BYTES)
      for (const e of this.#recent.splice(0, Math.ceil(this.#recent.length / 4))) this.#recentBytes -= e.event.body.length
    for (const l of this.#listeners) l(event)
    // The ring keeps texts: the parsed object would weigh more.
    event.object = undefined
    for (const w of this.#watchers.get(event.resource) ?? []) if (!w.catchingUp) this.#deliver(w, encoded)
    if (this.#waiting.length) this.#wake(event.rv)
  }

  #deliver(w: Watcher, encoded: Encoded): void {
    const { event } = encoded
    if (event.rv <= w.rv || w.ended) return
    w.rv = event.rv
    const type = typeFor(event, w.request)
    if (type) this.#send(w, encoded.line(this.#kinds, type, w.request, this.#clock.now()))
  }

  #send(w: Watcher, bytes: Uint8Array): void {
    if (w.ended) return
    try {
      w.controller.enqueue(bytes)
      if ((w.controller.desiredSize ?? 0) < -MAX_QUEUED_BYTES) this.#end(w)
    } catch {
      this.#end(w)
    }
  }

  #end(w: Watcher): void {
    if (w.ended) return
    w.ended = true
    for (const t of w.timers) clearTimeout(t)
    this.#watchers.get(w.request.resource)?.delete(w)
    try {
      w.controller.close()
    } catch {
      // The client is gone already.
    }
  }

  /** Ends every watch: clients come back and resume. */
  close(): void {
    this.#closed = true
    for (const set of this.#watchers.values()) for (const w of [...set]) this.#end(w)
    clearTimeout(this.#gapTimer)
    this.#wake(Number.POSITIVE_INFINITY)
  }

  get watcherCount(): number {
    let n = 0
    for (const set of this.#watchers.values()) n += set.size
    return n
  }
  /** How many there are of each resource. */
  get watchers(): [resource: string, count: number][] {
    return [...this.#watchers].map(([resource, set]) => [resource, set.size])
  }

  /** Events after `request.rv`, then live ones, until the timeout. A version that is gone ends it with an ERROR event of 410. */
  watch(request: WatchRequest): ReadableStream<Uint8Array> {
    let watcher: Watcher
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          watcher = { request, controller, rv: request.rv, catchingUp: true, timers: [], ended: false }
          const set = this.#watchers.get(request.resource) ?? new Set()
          this.#watchers.set(request.resource, set.add(watcher))
          for (const bytes of request.first ?? []) this.#send(watcher, bytes)
          if (this.#closed) this.#end(watcher)
          else void this.#start(watcher)
        },
        cancel: () => this.#end(watcher),
      },
      { highWaterMark: MAX_QUEUED_BYTES, size: (chunk) => chunk.byteLength },
    )
  }

  async #start(w: Watcher): Promise<void> {
    const { request } = w
    w.timers.push(
      setTimeout(() => {
        if (request.bookmarks) this.#send(w, this.#bookmark(w))
        this.#end(w)
      }, request.timeoutMs),
    )
    let sinceBookmark = 0
    const beat = () => {
      sinceBookmark += HEARTBEAT_EVERY
      const due = request.bookmarks && sinceBookmark >= BOOKMARK_EVERY
      if (due) sinceBookmark = 0
      // A line end between two events is nothing to a client.
      this.#send(w, due ? this.#bookmark(w) : LINE_END)
      if (!w.ended) w.timers[1] = setTimeout(beat, HEARTBEAT_EVERY)
    }
    w.timers.push(setTimeout(beat, HEARTBEAT_EVERY))
    try {
      // History beyond the ring comes from the log, page by page, until the ring reaches back far enough.
      while (!w.ended && w.rv < this.#head && (this.#recent[0]?.event.rv ?? Number.POSITIVE_INFINITY) > w.rv + 1) {
        const { events } = await this.#store.since(w.rv, PAGE, request.resource)
        for (const e of events) this.#deliver(w, new Encoded(e))
        if (events.length < PAGE) {
          w.rv = Math.max(w.rv, Math.min(this.#head, events.at(-1)?.rv ?? w.rv))
          break
        }
      }
      for (const e of this.#recent) if (e.event.resource === request.resource) this.#deliver(w, e)
      w.catchingUp = false
    } catch (cause) {
      if (cause instanceof Compacted) this.#send(w, expiredEvent(w.rv, cause.floor))
      else this.#log.error('a watch could not read its history', cause, { resource: request.resource })
      this.#end(w)
    }
  }

  #bookmark(w: Watcher): Uint8Array {
    const kind = shownKind(this.#kinds, w.request)
    const rv = w.catchingUp ? w.rv : Math.max(w.rv, this.#head)
    return encoder.encode(`{"type":"BOOKMARK","object":${objectText(kind, '{"metadata":{"creationTimestamp":null}}', rv)}}\n`)
  }
}

const expiredEvent = (rv: number, floor: number): Uint8Array =>
  encoder.encode(
    `${JSON.stringify({ type: 'ERROR', object: { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message: `too old resource version: ${rv} (${floor})`, reason: 'Expired', code: 410 } })}\n`,
  )
