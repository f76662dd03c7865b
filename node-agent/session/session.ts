// The daemon's end of the session: dials, keeps dialling, subscribes and resumes by version, and serves the streams that the hub opens.
import { type createConnection, isIP } from 'node:net'
import { type ConnectionOptions, connect, createSecureContext, type SecureContext, type TLSSocket } from 'node:tls'
import WebSocket from 'ws'
import { under } from '../../shared/meta/url.ts'
import { type DaemonFrame, decodeData, encodeData, type HubFrame, type StreamRequest, WINDOW } from '../../shared/session/frames.ts'
import type { RouteTable } from '../../shared/session/routes.ts'
import type { Log } from '../log.ts'
import type { Identity } from './identity.ts'

export interface Subscription {
  resource: string
  namespace?: string
  name?: string
  onEvent(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: any): void
  /** A whole new list follows; what is not in it is gone. */
  onReplace(): void
  onSynced(rv: number): void
}

/** What a daemon knows of groups that it asks for. */
export interface PeerSource {
  wanted(): Extract<DaemonFrame, { t: 'peers' }>['groups']
  received(groups: Extract<HubFrame, { t: 'peers' }>['groups']): void
}

/** A stream as handlers see it; writes resolve when the other side has room. */
export interface NodeStream {
  write(channel: number, bytes: Uint8Array): Promise<void>
  end(status?: string): void
  onData(handler: (channel: number, bytes: Uint8Array) => void | Promise<void>): void
  onClose(handler: () => void): void
}

/** Between dials, ms: a part of the time that the server has been away, so that an outage lasts at most so much longer for a node. */
const MIN_DELAY = 250
const MAX_DELAY = 15_000
const PART = 1 / 4
const PING_EVERY = 20_000
const CHUNK = 32 * 1024
const PING = JSON.stringify({ t: 'ping' } satisfies DaemonFrame)

class LocalStream implements NodeStream {
  credit = WINDOW
  closed = false
  waiting: (() => void)[] = []
  consumed = 0
  writing: Promise<void> = Promise.resolve()
  chain: Promise<void> = Promise.resolve()
  handler?: (channel: number, bytes: Uint8Array) => void | Promise<void>
  early: [number, Uint8Array][] = []
  closers: (() => void)[] = []
  readonly id: number
  readonly session: Session
  constructor(id: number, session: Session) {
    this.id = id
    this.session = session
  }
  /** Writes follow one another whole, whoever waits for credit. */
  write(channel: number, bytes: Uint8Array): Promise<void> {
    this.writing = this.writing.then(() => this.send(channel, bytes))
    return this.writing
  }
  private async send(channel: number, bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length || at === 0; at += CHUNK) {
      const part = bytes.subarray(at, at + CHUNK)
      while (this.credit < part.length && !this.closed) await new Promise<void>((r) => this.waiting.push(r))
      if (this.closed) return
      this.credit -= part.length
      this.session.sendBytes(encodeData(this.id, channel, part))
    }
  }
  end(status?: string): void {
    if (this.closed) return
    this.session.send({ t: 'close', stream: this.id, ...(status ? { status } : {}) })
    this.finish()
  }
  onData(handler: (channel: number, bytes: Uint8Array) => void | Promise<void>): void {
    this.handler = handler
    for (const [c, b] of this.early.splice(0)) this.received(c, b)
  }
  onClose(handler: () => void): void {
    if (this.closed) handler()
    else this.closers.push(handler)
  }
  received(channel: number, bytes: Uint8Array): void {
    const { handler } = this
    if (!handler) {
      this.early.push([channel, bytes])
      return
    }
    this.chain = this.chain
      .then(() => handler(channel, bytes))
      .catch(() => this.end())
      .then(() => {
        this.consumed += bytes.length
        if (this.consumed < WINDOW / 2) return
        this.session.send({ t: 'credit', stream: this.id, bytes: this.consumed })
        this.consumed = 0
      })
  }
  finish(): void {
    if (this.closed) return
    this.closed = true
    this.session.streams.delete(this.id)
    for (const w of this.waiting.splice(0)) w()
    for (const c of this.closers.splice(0)) c()
  }
}

export class Session {
  readonly streams = new Map<number, LocalStream>()
  readonly #subscriptions = new Map<number, { s: Subscription; rv?: number }>()
  readonly #identity: Identity
  readonly #log: Log
  readonly #serve: (request: StreamRequest, stream: NodeStream) => void
  readonly #onState: (connected: boolean) => void
  #routes?: { table: RouteTable; changed: () => void }
  #peers?: PeerSource
  #askedPeers = false
  #next = 1
  #socket?: WebSocket
  #lost?: number
  /** Whom it trusts, taken apart once: while a server is away there are many dials. What the last one said resumes the next one's TLS session. */
  #trust?: { server: string; ca: string; context?: SecureContext; ticket?: Buffer }
  #closed = false
  #timer?: ReturnType<typeof setTimeout>

  constructor(
    identity: Identity,
    log: Log,
    serve: (request: StreamRequest, stream: NodeStream) => void,
    onState: (connected: boolean) => void,
  ) {
    this.#identity = identity
    this.#log = log
    this.#serve = serve
    this.#onState = onState
  }

  start(): void {
    void this.#dial()
  }

  get connected(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN
  }

  async #dial(): Promise<void> {
    const url = under(this.#identity.server, '/kedge/v1/session')
    url.protocol = 'wss:'
    const token = await this.#identity.assertion()
    if (this.#closed) return
    let connection: TLSSocket | undefined
    const socket = new WebSocket(url, ['v1.session.kedge.dev'], {
      createConnection: ((options: ConnectionOptions) => {
        connection = this.#connect(options)
        return connection
      }) as typeof createConnection,
      headers: { authorization: `Bearer ${token}` },
      handshakeTimeout: 10_000,
      perMessageDeflate: false,
      maxPayload: 64 * 1024 * 1024,
    })
    this.#socket = socket
    let alive = true
    let failure = ''
    const ping = setInterval(() => {
      if (!alive) socket.terminate()
      alive = false
      // A message, not a ping frame: a sleeping hub has it answered without waking.
      if (socket.readyState === WebSocket.OPEN) socket.send(PING)
    }, PING_EVERY)
    socket.on('open', () => {
      this.#lost = undefined
      this.#log.info('session opened', { server: this.#identity.server })
      connection?.cork()
      this.#askAll()
      connection?.uncork()
      this.#onState(true)
    })
    socket.on('message', (data: Buffer, binary: boolean) => {
      alive = true
      if (binary) {
        const { stream, channel, bytes } = decodeData(data)
        this.streams.get(stream)?.received(channel, bytes)
      } else this.#received(JSON.parse(data.toString()) as HubFrame)
    })
    socket.on('unexpected-response', (_req, res) => {
      failure = `the server answered ${res.statusCode}`
      if (res.statusCode === 401) this.#identity.doubted(res.headers.date)
      const parts: Buffer[] = []
      res.on('data', (d) => parts.push(d))
      res.on('end', () => {
        if (res.statusCode === 410) this.#follow(Buffer.concat(parts).toString())
        socket.terminate()
      })
    })
    socket.on('error', (cause) => {
      failure ||= cause.message
    })
    socket.on('close', () => {
      clearInterval(ping)
      for (const s of [...this.streams.values()]) s.finish()
      if (this.#closed) return
      this.#onState(false)
      const now = performance.now()
      this.#lost ??= now
      const delay = Math.min(Math.max((now - this.#lost) * PART, MIN_DELAY), MAX_DELAY)
      this.#log.warn('session lost; dialling again', { in_ms: Math.round(delay), ...(failure ? { cause: failure } : {}) })
      // Spread out, so that a restarted control plane is not met by all nodes at once.
      this.#timer = setTimeout(() => void this.#dial(), delay * (0.5 + Math.random()))
    })
  }

  #connect(options: ConnectionOptions): TLSSocket {
    const { server, ca } = this.#identity
    // Without a CA of its own it is under a public one.
    if (this.#trust?.server !== server || this.#trust.ca !== ca)
      this.#trust = { server, ca, ...(ca ? { context: createSecureContext({ ca }) } : {}) }
    const trust = this.#trust
    const connection = connect({
      ...options,
      path: undefined,
      servername: isIP(options.host ?? '') ? '' : (options.host ?? ''),
      ...(trust.context ? { secureContext: trust.context } : {}),
      ...(trust.ticket ? { session: trust.ticket } : {}),
    })
    connection.on('session', (ticket) => {
      trust.ticket = ticket
    })
    return connection
  }

  /** The server that is trusted says that the cluster has gone, and where to. */
  #follow(answer: string): void {
    try {
      const { movedTo } = JSON.parse(answer)
      if (new URL(movedTo.server).protocol !== 'https:') return
      this.#identity.follow(movedTo.server, movedTo.caCertificate)
      this.#lost = undefined
      this.#log.info('the cluster has moved; following', { server: movedTo.server })
    } catch {
      // Not an answer of ours: dialled again like any other.
    }
  }

  send(frame: DaemonFrame): void {
    if (this.connected) this.#socket!.send(JSON.stringify(frame))
  }
  sendBytes(bytes: Uint8Array): void {
    if (this.connected) this.#socket!.send(bytes)
  }

  #askAll(): void {
    for (const [id, sub] of this.#subscriptions) this.#subscribe(id, sub)
    if (this.#routes) this.send({ t: 'routes', have: this.#routes.table.hash })
    this.askPeers()
  }

  /** Keeps a table of where each node's pods are; `changed` is called after each change. */
  followRoutes(table: RouteTable, changed: () => void): void {
    this.#routes = { table, changed }
    if (this.connected) this.send({ t: 'routes', have: table.hash })
  }

  followPeers(source: PeerSource): void {
    this.#peers = source
  }

  /** Says anew which groups are wanted. */
  askPeers(): void {
    const groups = this.#peers?.wanted() ?? []
    if (groups.length || this.#askedPeers) this.send({ t: 'peers', groups })
    this.#askedPeers = groups.length > 0
  }

  #subscribe(id: number, { s, rv }: { s: Subscription; rv?: number }): void {
    this.send({
      t: 'subscribe',
      id,
      resource: s.resource,
      ...(s.namespace ? { namespace: s.namespace } : {}),
      ...(s.name ? { name: s.name } : {}),
      ...(rv ? { rv } : {}),
    })
  }

  /** Watches until the returned function is called; survives every reconnect. */
  subscribe(s: Subscription): () => void {
    const id = this.#next++
    const entry = { s }
    this.#subscriptions.set(id, entry)
    if (this.connected) this.#subscribe(id, entry)
    return () => {
      this.#subscriptions.delete(id)
      this.send({ t: 'unsubscribe', id })
    }
  }

  #received(f: HubFrame): void {
    switch (f.t) {
      case 'event': {
        const sub = this.#subscriptions.get(f.id)
        if (!sub) return
        const rv = Number(f.object.metadata.resourceVersion)
        // During a list the versions are of all ages: only `synced` says where it stands.
        if (sub.rv !== undefined) sub.rv = Math.max(sub.rv, rv)
        sub.s.onEvent(f.type, f.object)
        break
      }
      case 'replace': {
        const sub = this.#subscriptions.get(f.id)
        if (!sub) return
        sub.rv = undefined
        sub.s.onReplace()
        break
      }
      case 'synced': {
        const sub = this.#subscriptions.get(f.id)
        if (!sub) return
        sub.rv = f.rv
        sub.s.onSynced(f.rv)
        break
      }
      case 'refused': {
        const sub = this.#subscriptions.get(f.id)
        this.#log.warn('a subscription was refused; trying again', { message: f.message })
        // Rights follow the pods: what is refused now may be allowed when the log has caught up.
        if (sub) setTimeout(() => this.#subscriptions.has(f.id) && this.#subscribe(f.id, sub), 1000)
        break
      }
      case 'open': {
        const stream = new LocalStream(f.stream, this)
        this.streams.set(f.stream, stream)
        this.#serve(f.request, stream)
        break
      }
      case 'close':
        this.streams.get(f.stream)?.finish()
        break
      case 'credit': {
        const stream = this.streams.get(f.stream)
        if (!stream) return
        stream.credit = Math.min(stream.credit + f.bytes, WINDOW)
        for (const w of stream.waiting.splice(0)) w()
        break
      }
      case 'routes': {
        if (!this.#routes) return
        this.#routes.table.take(f.whole, f.routes)
        this.#routes.changed()
        break
      }
      case 'peers':
        this.#peers?.received(f.groups)
        break
      case 'resubscribe':
        this.#askAll()
        break
      case 'pong':
    }
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    this.#socket?.close(1000)
  }
}
