// Node sessions: the daemon's one connection. It subscribes to what it may see, resumes by version, and serves streams opened from here.
import type { KindTable } from '../../shared/kinds/table.ts'
import { KEPT_BY } from '../../shared/meta/node-annotations.ts'
import type { Selector } from '../../shared/meta/selector.ts'
import { type DaemonFrame, decodeData, type HubFrame, type StreamRequest } from '../../shared/session/frames.ts'
import { unavailable } from '../../shared/status/index.ts'
import type { Authorizer } from '../auth/authorizer.ts'
import { nodeIdentity } from '../auth/nodes.ts'
import type { Duplex } from '../ports/hub.ts'
import type { Log } from '../ports/log.ts'
import type { Socket } from '../ports/socket.ts'
import { objectText } from '../registry/codec.ts'
import { Compacted, type LogEvent, type Store } from '../store/store.ts'
import { type FanOut, typeFor, type WatchType } from './fan-out.ts'
import { PeerFeed } from './peers.ts'
import { RouteFeed } from './routes.ts'
import { Stream } from './streams.ts'

const MAX_SUBSCRIPTIONS = 4000
const MAX_BUFFERED = 64 * 1024 * 1024
const PAGE = 1000
/** How many versions back a selection is resumed from the log. */
const FAR = 200

interface Subscription {
  id: number
  resource: string
  part: string
  ns?: string
  /** One object alone; `ns` is then its namespace, or empty. */
  name?: string
  labels?: Selector
  fields?: Selector
  /** Live events wait here until the list has been sent. */
  waiting?: LogEvent[]
  rv: number
}

interface Wanting {
  session: Session
  sub: Subscription
}

const ALL = ''
/** The part of a resource that a subscription is about: one object, what belongs to a node, or all. */
const partOf = (s: { ns?: string; name?: string; node?: string }): string =>
  s.name !== undefined ? `= ${s.ns ?? ''}/${s.name}` : s.node !== undefined ? `@ ${s.node}` : ALL
/** The parts that an event is in, or was. */
function partsOf(e: LogEvent): string[] {
  const parts = [ALL, partOf({ ns: e.ns, name: e.name })]
  const nodes =
    e.resource === 'pods'
      ? [e.fields['spec.nodeName'], e.oldFields?.['spec.nodeName']]
      : e.resource === 'persistentvolumes'
        ? [e.labels[KEPT_BY], e.oldLabels?.[KEPT_BY]]
        : []
  for (const node of nodes) if (node) parts.push(partOf({ node }))
  return parts
}

class Session {
  readonly node: string
  readonly socket: Socket
  readonly subscriptions = new Map<number, Subscription>()
  readonly streams = new Map<number, Stream>()
  nextStream = 1
  /** It is told where other nodes' pods are. */
  routes = false
  constructor(node: string, socket: Socket) {
    this.node = node
    this.socket = socket
  }
  send(frame: HubFrame): void {
    this.socket.send(JSON.stringify(frame))
  }
}

export interface SessionEvents {
  /** A node's first session came, or its last one went. */
  changed: (node: string, connected: boolean) => void
}

export class Sessions {
  readonly #store: Store
  readonly #kinds: KindTable
  readonly #authorizer: Authorizer
  readonly #log: Log
  readonly #events: SessionEvents
  readonly #byNode = new Map<string, Session>()
  /** Who wants to know of a resource, by the part of it that they want: see `partOf`. */
  readonly #wanting = new Map<string, Map<string, Set<Wanting>>>()
  readonly #routes: RouteFeed
  readonly #peers: PeerFeed<Session>
  /** The last version of each resource that there was a change of. */
  readonly #newest = new Map<string, number>()

  constructor(store: Store, kinds: KindTable, fanOut: FanOut, authorizer: Authorizer, log: Log, events: SessionEvents) {
    this.#kinds = kinds
    this.#store = store
    this.#authorizer = authorizer
    this.#log = log
    this.#events = events
    this.#routes = new RouteFeed(store, (text) => {
      for (const s of this.#byNode.values()) if (s.routes) s.socket.send(text)
    })
    this.#peers = new PeerFeed(store, (session, frame) => session.send(frame))
    fanOut.subscribe((e) => this.#tell(e))
  }

  #tell(e: LogEvent): void {
    this.#newest.set(e.resource, e.rv)
    this.#routes.observe(e)
    this.#peers.observe(e)
    const parts = this.#wanting.get(e.resource)
    if (!parts) return
    for (const part of new Set(partsOf(e))) for (const { session, sub } of parts.get(part) ?? []) this.#deliver(session, sub, e)
  }

  #want(session: Session, sub: Subscription): void {
    session.subscriptions.set(sub.id, sub)
    const parts = this.#wanting.get(sub.resource) ?? new Map<string, Set<Wanting>>()
    this.#wanting.set(sub.resource, parts)
    const all = parts.get(sub.part) ?? new Set()
    parts.set(sub.part, all.add({ session, sub }))
  }
  #unwant(session: Session, id: number): void {
    const sub = session.subscriptions.get(id)
    if (!sub) return
    session.subscriptions.delete(id)
    const parts = this.#wanting.get(sub.resource)
    const all = parts?.get(sub.part)
    for (const w of all ?? []) if (w.sub === sub) all!.delete(w)
    if (all && !all.size) parts!.delete(sub.part)
  }

  connected(): string[] {
    return [...this.#byNode.keys()]
  }

  /** Of each node: what it follows and to which version it was told, and its open streams. */
  view(): object[] {
    return [...this.#byNode.values()].map((s) => ({
      node: s.node,
      streams: s.streams.size,
      follows: [...s.subscriptions.values()].map(({ resource, part, rv, waiting }) => ({
        resource,
        part,
        version: rv,
        waiting: waiting?.length ?? 0,
      })),
    }))
  }

  isConnected(node: string): boolean {
    return this.#byNode.has(node)
  }

  /** Takes over a daemon's socket; an older session of the same node ends. */
  accept(node: string, socket: Socket): void {
    const session = new Session(node, socket)
    const before = this.#byNode.get(node)
    this.#byNode.set(node, session)
    if (before) {
      this.#endStreams(before)
      before.socket.close(1000, 'replaced by a newer session')
    } else this.#events.changed(node, true)
    this.#log.info('node session opened', { node })
    socket.onMessage((data) => this.#received(session, data))
    socket.onClose(() => {
      this.#endStreams(session)
      if (this.#byNode.get(node) !== session) return
      this.#byNode.delete(node)
      this.#log.info('node session closed', { node })
      this.#events.changed(node, false)
    })
  }

  #endStreams(session: Session): void {
    for (const s of [...session.streams.values()])
      s.ended(JSON.stringify(unavailable(`the session of node ${session.node} ended`).toStatus()))
    for (const id of [...session.subscriptions.keys()]) this.#unwant(session, id)
    this.#peers.leave(session)
  }

  /** A stream to a node; throws 503 when its daemon is not connected. */
  open(node: string, request: StreamRequest): Duplex {
    const session = this.#byNode.get(node)
    if (!session) throw unavailable(`node ${JSON.stringify(node)} has no open session: its daemon is not connected`)
    const id = session.nextStream++
    const stream = new Stream(
      id,
      (frame) => session.send(frame),
      (bytes) => session.socket.send(bytes),
      () => session.streams.delete(id),
    )
    session.streams.set(id, stream)
    session.send({ t: 'open', stream: id, request })
    return stream
  }

  #received(session: Session, data: string | Uint8Array): void {
    try {
      if (typeof data !== 'string') {
        const { stream, channel, bytes } = decodeData(data)
        session.streams.get(stream)?.received(channel, bytes)
        return
      }
      const frame = JSON.parse(data) as DaemonFrame
      switch (frame.t) {
        case 'subscribe':
          void this.#subscribe(session, frame)
          break
        case 'unsubscribe':
          this.#unwant(session, frame.id)
          break
        case 'routes':
          void this.#telling(session, 'routes', () => this.#tellRoutes(session, frame.have))
          break
        case 'peers':
          void this.#telling(session, 'peers', () => this.#peers.want(session, frame.groups))
          break
        case 'close':
          session.streams.get(frame.stream)?.ended(frame.status)
          break
        case 'credit':
          session.streams.get(frame.stream)?.granted(frame.bytes)
          break
        case 'ping':
          session.send({ t: 'pong' })
      }
    } catch (cause) {
      this.#log.error('a node sent a frame that could not be read', cause, { node: session.node })
      session.socket.close(1007, 'unreadable frame')
    }
  }

  /** A daemon that could not be told comes back, and asks again. */
  async #telling(session: Session, what: string, tell: () => Promise<void>): Promise<void> {
    try {
      await tell()
    } catch (cause) {
      this.#log.error(`${what} could not be told`, cause, { node: session.node })
      session.socket.close(1011, `the ${what} could not be read`)
    }
  }

  async #tellRoutes(session: Session, have: string | undefined): Promise<void> {
    // What changes meanwhile is told as well: twice the same does no harm.
    session.routes = true
    const missing = await this.#routes.missing(have)
    if (missing) session.socket.send(missing)
  }

  async #subscribe(session: Session, f: Extract<DaemonFrame, { t: 'subscribe' }>): Promise<void> {
    const refuse = (message: string) => session.send({ t: 'refused', id: f.id, message })
    try {
      const kind = this.#kinds.ofResource(f.resource)
      if (!kind) return refuse(`no resource ${f.resource}`)
      if (session.subscriptions.size >= MAX_SUBSCRIPTIONS) return refuse('too many subscriptions')
      const attributes = {
        verb: 'watch',
        group: kind.group,
        resource: kind.plural,
        ...(f.namespace ? { namespace: f.namespace } : {}),
        ...(f.name ? { name: f.name } : {}),
      }
      // Of volumes a node sees those that it keeps, and by name those that its pods have.
      const kept = f.resource === 'persistentvolumes' && !f.name
      if (!kept && !(await this.#authorizer.allows(nodeIdentity(session.node), attributes)))
        return refuse(`node ${session.node} may not watch ${f.resource} ${f.namespace ?? ''}/${f.name ?? ''}`)
      // Of pods a node sees its own alone.
      const fields: Selector = f.resource === 'pods' ? [{ key: 'spec.nodeName', operator: '=', values: [session.node] }] : []
      const sub: Subscription = {
        id: f.id,
        resource: f.resource,
        part: partOf({ ns: f.namespace, name: f.name, ...(kept || f.resource === 'pods' ? { node: session.node } : {}) }),
        ...(f.name ? { ns: f.namespace ?? '', name: f.name } : { ns: f.namespace }),
        ...(fields.length ? { fields } : {}),
        ...(kept ? { labels: [{ key: KEPT_BY, operator: '=', values: [session.node] }] } : {}),
        waiting: [],
        rv: f.rv ?? 0,
      }
      this.#unwant(session, f.id)
      this.#want(session, sub)
      await this.#fill(session, sub)
    } catch (cause) {
      this.#log.error('a subscription failed', cause, { node: session.node, resource: f.resource })
      this.#unwant(session, f.id)
      refuse('the subscription failed; try again')
    }
  }

  /** Sends what happened since the daemon's version, or a whole list when that is gone or there was none. */
  async #fill(session: Session, sub: Subscription): Promise<void> {
    let resumed = false
    // The log knows resources, not selections: who wants little of much has it listed, unless only a little has happened.
    const near = async () => !(sub.fields?.length || sub.labels?.length) || (await this.#store.head()).rv - sub.rv <= FAR
    if (await this.#unchanged(session, sub)) resumed = true
    else if (sub.rv && sub.name === undefined && (await near())) {
      try {
        for (;;) {
          const { events, head } = await this.#store.since(sub.rv, PAGE, sub.resource)
          for (const e of events) this.#send(session, sub, e)
          if (events.length < PAGE) {
            sub.rv = Math.max(sub.rv, events.at(-1)?.rv ?? 0, head)
            break
          }
          sub.rv = events.at(-1)!.rv
        }
        resumed = true
      } catch (cause) {
        if (!(cause instanceof Compacted)) throw cause
      }
    }
    if (!resumed) {
      const { resource, ns, name, fields, labels } = sub
      const page = await this.#store.list({ resource, ns, name, fields, labels })
      const same = name !== undefined && page.items.some((i) => i.rv <= sub.rv)
      if (!same) {
        session.send({ t: 'replace', id: sub.id })
        for (const i of page.items) this.#event(session, sub, 'ADDED', i)
      }
      sub.rv = page.rv
    }
    session.send({ t: 'synced', id: sub.id, rv: sub.rv })
    const waiting = sub.waiting ?? []
    sub.waiting = undefined
    for (const e of waiting) this.#deliver(session, sub, e)
  }

  /** Whether nothing has happened since the daemon's version: it need not be told anything. */
  async #unchanged(session: Session, sub: Subscription): Promise<boolean> {
    // What was deleted before the floor is forgotten.
    if (!sub.rv || sub.rv < (await this.#store.floor())) return false
    if (sub.resource === 'pods' && sub.part === partOf({ node: session.node }))
      return (await this.#store.newest('pods', session.node)) <= sub.rv
    let newest = this.#newest.get(sub.resource)
    if (newest === undefined) {
      newest = await this.#store.newest(sub.resource)
      newest = Math.max(newest, this.#newest.get(sub.resource) ?? 0)
      this.#newest.set(sub.resource, newest)
    }
    return newest <= sub.rv
  }

  #deliver(session: Session, sub: Subscription, e: LogEvent): void {
    if (sub.waiting) {
      sub.waiting.push(e)
      return
    }
    if (e.rv <= sub.rv) return
    sub.rv = e.rv
    this.#send(session, sub, e)
  }

  #send(session: Session, sub: Subscription, e: LogEvent): void {
    const type = typeFor(e, sub)
    if (type) this.#event(session, sub, type, e)
  }

  #event(session: Session, sub: Subscription, type: WatchType, e: { resource: string; body: string; rv: number }): void {
    const object = objectText(this.#kinds.ofResource(e.resource)!, e.body, e.rv)
    session.socket.send(`{"t":"event","id":${sub.id},"type":"${type}","object":${object}}`)
    // A daemon that does not read is cut off; it comes back and resumes.
    if (session.socket.buffered() > MAX_BUFFERED) session.socket.close(1013, 'too far behind')
  }

  /** Ends a node's session; it may dial again, if it still has the right. */
  closeOf(node: string): void {
    this.#byNode.get(node)?.socket.close(1008, 'the node was removed')
  }

  close(): void {
    this.#routes.close()
    this.#peers.close()
    for (const s of this.#byNode.values()) s.socket.close(1001, 'the control plane is stopping')
  }
}
