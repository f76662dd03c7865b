// The Worker: stateless handlers for requests, and the cluster's Durable Object with hub, engine and alarm.
// Requests that need the hub's sockets or memory (watches, logs, exec, sessions) go to the object; all others are answered here.
// A host (HOSTED) has an object per cluster, named by the cluster's id; what it needs to know of itself it reads from the directory.

import { DurableObject } from 'cloudflare:workers'
import { AsyncLocalStorage } from 'node:async_hooks'
import { StatusError, unavailable } from '../../../shared/status/index.ts'
import type { Cluster } from '../../cluster.ts'
import type { ClusterRecord } from '../../directory/directory.ts'
import { type Engine, startEngine } from '../../engine/engine.ts'
import { createApp } from '../../http/app.ts'
import { callThrough } from '../../http/call.ts'
import { dashboard } from '../../http/dashboard.ts'
import { download } from '../../http/downloads.ts'
import { SESSION_PROTOCOL } from '../../http/node-session.ts'
import { isTrue } from '../../http/request.ts'
import { engineTasks } from '../../http/tasks.ts'
import { polledTurn } from '../../http/turn.ts'
import { createLocalHub, type LocalHub } from '../../hub/local-hub.ts'
import type { Metrics, Taken } from '../../metrics/metrics.ts'
import type { Statement, WriteOutcome } from '../../ports/database.ts'
import type { NodeCall } from '../../ports/hub.ts'
import type { Connection, Socket } from '../../ports/socket.ts'
import type { Identity } from '../../registry/context.ts'
import { Once } from '../../registry/one-reader.ts'
import type { LogEvent } from '../../store/store.ts'
import type { Tracer } from '../../tracing/tracer.ts'
import { sharingTrips } from '../shared-trips.ts'
import {
  consoleAudit,
  consoleLog,
  downloadsOf,
  oidcOf,
  onlyPlace,
  openCluster,
  openHost,
  type RemotePlace,
  type WorkerEnvironment,
  type WorkerHost,
} from './environment.ts'
import { KeptTimes } from './kept-times.ts'
import { connectionOf, HibernatingSockets } from './sockets.ts'

/** The object of a Worker that serves one cluster. */
const NAME = 'cluster'
/** A node's socket is answered while the object sleeps. */
const PING = '{"t":"ping"}'
const PONG = '{"t":"pong"}'
/** Between the Worker and its objects; taken out of what comes from outside. */
const CLUSTER_HEADER = 'x-kedge-cluster'
const IDENTITY_HEADER = 'x-kedge-identity'
const FAILURE_HEADER = 'x-kedge-failure'
const FLUSH_EVERY = 15_000
const MAX_APPS = 100
/** How often the object hears what handlers have served, ms: while it is awake, and at all. */
const [TELL_SERVED, WAKE_FOR_SERVED] = [5000, 60_000]

const hosted = (env: WorkerEnvironment) => env.HOSTED === 'true'

interface Attachment {
  node: string
}

interface Running {
  cluster: Cluster
  hub: LocalHub
  engine: Engine
  app: ReturnType<typeof createApp>
}

/** Where a cluster of a host is, from the directory; undefined when it is not to be served. */
async function placeOf(host: WorkerHost, id: string): Promise<{ place: RemotePlace; prefix: string } | undefined> {
  const record = await host.directory.clusterById(id)
  const account = record?.state === 'active' ? await host.directory.account(record.account) : undefined
  return record && account ? { place: await host.place(record, account), prefix: `/clusters/${record.name}` } : undefined
}

export class ClusterObject extends DurableObject<WorkerEnvironment> {
  readonly #sockets = new HibernatingSockets()
  #running?: Running
  /** Whether what woke the object has been told: somebody will ask why it did not sleep. */
  #told = false
  /** Which cluster of a host this is; kept in the object's own storage, since an alarm does not say. */
  #id?: string

  constructor(ctx: DurableObjectState, env: WorkerEnvironment) {
    super(ctx, env)
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(PING, PONG))
    void ctx.blockConcurrencyWhile(async () => {
      this.#id = await ctx.storage.get<string>('cluster')
      if (!hosted(env) || this.#id) await this.#start()
    })
  }

  async #start(): Promise<void> {
    const { ctx, env } = this
    let at: { place: RemotePlace; prefix?: string } | undefined = { place: onlyPlace(env) }
    if (hosted(env)) at = await placeOf(await hostFor(env), this.#id!)
    if (!at) return
    let running: Running | undefined
    const told = (event: LogEvent) => {
      cluster.observe(event)
      hub?.publish(event)
    }
    const cluster = await openCluster({ ...at.place, database: sharingTrips(at.place.database) }, told, () => ({
      publish: (e) => hub.publish(e),
      watch: (r) => hub.watch(r),
      open: (n, r) => hub.open(n, r),
      reach: (c) => hub.reach(c),
      connected: () => hub.connected(),
    }))
    const hub: LocalHub = await createLocalHub(
      cluster.store,
      cluster.env,
      cluster.authorizer,
      cluster.clock,
      consoleLog,
      { changed: (node, connected) => running?.engine.sessionChanged(node, connected) },
      at.place.settings.maxWatches,
    )
    hub.fanOut.subscribe((e) => cluster.observe(e))
    cluster.metrics.add(hub.families)
    for (const [name, view] of Object.entries(hub.views)) cluster.debug.add(name, view)
    // Sockets outlive the object's sleep: their sessions are taken up again, and each daemon says where it stands.
    for (const ws of ctx.getWebSockets()) {
      const { node } = (ws.deserializeAttachment() ?? {}) as Attachment
      if (!node) continue
      hub.sessions.accept(node, this.#sockets.wrap(ws))
      ws.send('{"t":"resubscribe"}')
    }
    const grace = Number(env.NODE_MONITOR_GRACE_PERIOD)
    const app = createApp({ cluster, sessions: hub.sessions, audit: consoleAudit, ...(at.prefix ? { prefix: at.prefix } : {}) })
    const call = callThrough((request, connection) => app.fetch(request, connection), at.prefix)
    const lost = new KeptTimes(ctx.storage, 'lost/')
    await lost.load()
    const engine = await startEngine({
      cluster,
      lost,
      hub,
      tasks: engineTasks(cluster, call),
      alarm: { set: (due) => (due === undefined ? ctx.storage.deleteAlarm() : ctx.storage.setAlarm(due)) },
      ...(grace ? { nodeMonitorGracePeriod: grace } : {}),
    })
    if (at.place.olderKeys?.length) {
      const values = await cluster.store.reseal()
      consoleLog.info('what older keys had encrypted is encrypted with the newest: they may go', { values })
    }
    running = { cluster, hub, engine, app }
    this.#running = running
    consoleLog.info('the cluster object is awake', { sockets: ctx.getWebSockets().length })
  }

  /** Begins to serve the cluster of a host, when it does not yet. */
  async #ready(id: string | null): Promise<Running | undefined> {
    if (!this.#running && id && hosted(this.env))
      await this.ctx.blockConcurrencyWhile(async () => {
        if (this.#running) return
        this.#id = id
        await this.ctx.storage.put('cluster', id)
        await this.#start()
      })
    return this.#running
  }

  #wokenBy(what: string): void {
    if (this.#told) return
    this.#told = true
    consoleLog.info('the cluster object was woken', { by: what })
  }

  override async fetch(request: Request): Promise<Response> {
    this.#wokenBy(`${request.method} ${new URL(request.url).pathname}`)
    const running = await this.#ready(request.headers.get(CLUSTER_HEADER))
    if (!running) return new Response('the cluster is not served', { status: 503 })
    const identity = request.headers.get(IDENTITY_HEADER)
    const connection = connectionOf(
      request,
      (protocol) => protocol === SESSION_PROTOCOL,
      (ws) => {
        this.ctx.acceptWebSocket(ws)
        return this.#sockets.wrap(ws)
      },
    )
    return running.app.fetch(request, {
      ...connection,
      ...(identity ? { identity: JSON.parse(decodeURIComponent(identity)) as Identity } : {}),
      opened: (node, socket) => this.#remember(node, socket),
    })
  }

  /** Writes the node's name onto its socket, where a later life of this object finds it. */
  #remember(node: string, socket: Socket): void {
    this.#sockets.socketOf(socket)?.serializeAttachment({ node } satisfies Attachment)
  }

  /** Called by handlers after a commit; losing a call loses nothing. Returns once everybody here has been told. */
  async publish(event: LogEvent, id: string): Promise<void> {
    this.#wokenBy(`${event.verb} ${event.resource}`)
    const hub = (await this.#ready(id))?.hub
    hub?.publish(event)
    await hub?.fanOut.reached(event.rv)
  }

  /** A handler's write. All of a cluster go this way: those of one moment share a round trip, and none contends with another. */
  async write(statements: Statement[], id: string): Promise<WriteOutcome> {
    this.#wokenBy('a write')
    const running = await this.#ready(id)
    if (!running) throw new Error('the cluster is not served')
    return running.cluster.store.database.write(statements)
  }

  /** What a stateless handler has served: it is told here. */
  async served(taken: Taken, id: string): Promise<void> {
    this.#wokenBy('what handlers have served')
    const running = await this.#ready(id)
    running?.cluster.metrics.merge(taken)
  }

  /** An HTTP request into the cluster, for handlers that have no sessions of their own. */
  async reach(call: NodeCall, id: string): Promise<Response> {
    this.#wokenBy(`a call to ${call.targets[0]?.address}`)
    const hub = (await this.#ready(id))?.hub
    if (!hub) return new Response('the cluster is not served', { status: 503 })
    // Errors lose what they are on their way: the answer carries them.
    return hub.reach(call).catch((e) => new Response(e.message, { status: 599, headers: { [FAILURE_HEADER]: String(e.code ?? 503) } }))
  }

  /** A new cluster begins: its controllers have work at once. */
  async begin(id: string): Promise<void> {
    await this.#ready(id)
  }

  /** The cluster is suspended or deleted: sessions and watches end, nothing wakes it any more. */
  async end(): Promise<void> {
    const running = this.#running
    this.#running = undefined
    this.#id = undefined
    await running?.engine.close()
    running?.hub.close()
    for (const ws of this.ctx.getWebSockets()) ws.close(1001, 'the cluster is not served any more')
    await this.ctx.storage.deleteAlarm()
    await this.ctx.storage.deleteAll()
  }

  override async webSocketMessage(ws: WebSocket, data: string | ArrayBuffer): Promise<void> {
    this.#wokenBy(`message of a node: ${typeof data === 'string' ? data.slice(0, 60) : 'bytes'}`)
    this.#sockets.message(ws, data)
  }
  override async webSocketClose(ws: WebSocket, code: number, reason: string): Promise<void> {
    this.#wokenBy(`socket closed (${code})`)
    this.#sockets.closed(ws)
    // 1005 and 1006 may not be sent back.
    ws.close(code === 1005 || code === 1006 ? 1000 : code, reason)
  }
  override async webSocketError(ws: WebSocket): Promise<void> {
    this.#sockets.closed(ws)
  }
  override async alarm(): Promise<void> {
    this.#wokenBy('alarm')
    this.#running?.engine.wake()
  }
}

/** Whether a request of a cluster, by its path inside the cluster, needs the cluster's object. */
const forHub = (path: string, query: URLSearchParams): boolean => {
  return (
    isTrue(query.get('watch')) ||
    /^\/(api|apis\/[^/]+)\/[^/]+\/watch\//.test(path) ||
    /\/pods\/[^/]+\/(log|exec|attach|portforward)$/.test(path) ||
    path.includes('/namespaces/kube-node-lease/leases/') ||
    // What hub and engine count; each of the stateless handlers would tell of itself alone.
    path === '/metrics' ||
    /^\/debug(\/|$)/.test(path) ||
    path === '/kedge/v1/session' ||
    path === '/kedge/v1/moving' ||
    path.startsWith('/kedge/v1/nodes/')
  )
}

interface ObjectStub {
  fetch(request: Request): Promise<Response>
  publish(e: LogEvent, id: string): Promise<void>
  write(statements: Statement[], id: string): Promise<WriteOutcome>
  served(taken: Taken, id: string): Promise<void>
  reach(call: NodeCall, id: string): Promise<Response>
  begin(id: string): Promise<void>
  end(): Promise<void>
}
/** As the hub's own, from another isolate. */
async function reachThrough(stub: ObjectStub, id: string, call: NodeCall): Promise<Response> {
  const answer = await stub.reach(call, id)
  const code = Number(answer.headers.get(FAILURE_HEADER) ?? 0)
  if (!code) return answer
  throw new StatusError(code, code === 504 ? 'Timeout' : 'ServiceUnavailable', await answer.text())
}
const stubOf = (env: WorkerEnvironment, id: string) => env.CLUSTER.getByName(id) as unknown as ObjectStub

/** Stateless apps by cluster; the one longest unused goes first. */
interface Stateless {
  app: ReturnType<typeof createApp>
  metrics: Metrics
  tracer?: Tracer
  /** When the object was last told what has been served here, ms. */
  toldAt: number
}
const apps = new Map<string, Stateless>()
/** What the cluster's object is being told by the request that is answered. */
const pokes = new AsyncLocalStorage<Promise<unknown>[]>()

async function appOf(env: WorkerEnvironment, id: string, open: () => Promise<{ place: RemotePlace; prefix?: string }>) {
  const known = apps.get(id)
  if (known) {
    apps.delete(id)
    apps.set(id, known)
    return known
  }
  const { place, prefix } = await open()
  const nobody = () => {
    throw unavailable('this request must reach the cluster object')
  }
  const database = { ...place.database, write: (statements: Statement[]) => stubOf(env, id).write(statements, id) }
  const cluster = await openCluster(
    { ...place, database },
    (event) => {
      cluster.observe(event)
      const { object: _, ...sent } = event
      pokes.getStore()?.push(stubOf(env, id).publish(sent, id))
    },
    () => ({ publish: () => {}, watch: nobody, open: nobody, reach: (c) => reachThrough(stubOf(env, id), id, c), connected: () => [] }),
  )
  const made = createApp({ cluster, newTurn: polledTurn, audit: consoleAudit, ...(prefix ? { prefix } : {}) })
  if (apps.size >= MAX_APPS) apps.delete(apps.keys().next().value!)
  const { metrics, tracer } = cluster
  const stateless = { app: made, metrics, ...(tracer ? { tracer } : {}), toldAt: Date.now() }
  apps.set(id, stateless)
  return stateless
}

/** Tells the cluster's object what was served here, so that it tells of all. */
async function tellServed(env: WorkerEnvironment, id: string): Promise<void> {
  const here = apps.get(id)
  if (!here?.metrics.any) return
  here.toldAt = Date.now()
  await stubOf(env, id).served(here.metrics.take(), id)
}

/** Has the cluster's object or a stateless app answer. */
async function answer(
  env: WorkerEnvironment,
  id: string,
  path: string,
  open: () => Promise<{ place: RemotePlace; prefix?: string }>,
  request: Request,
  connection: Connection,
): Promise<Response> {
  if (forHub(path, new URL(request.url).searchParams)) {
    // What cannot be told now is missing from counts, and from nothing else.
    if (path === '/metrics') await tellServed(env, id).catch(() => {})
    const inner = new Request(request)
    inner.headers.set(CLUSTER_HEADER, id)
    inner.headers.delete(IDENTITY_HEADER)
    if (connection.identity) inner.headers.set(IDENTITY_HEADER, encodeURIComponent(JSON.stringify(connection.identity)))
    return stubOf(env, id).fetch(inner)
  }
  const { app, toldAt } = await appOf(env, id, open)
  const told: Promise<unknown>[] = []
  const response = await pokes.run(told, () => app.fetch(request, connection))
  // Whoever asks the object next (for a watch, an exec) finds there what has just been written.
  // Once a while the object is told what was served; more rarely where that wakes it.
  if (Date.now() - toldAt > (told.length ? TELL_SERVED : WAKE_FOR_SERVED)) told.push(tellServed(env, id))
  await Promise.allSettled(told)
  return response
}

const host = new Once<WorkerHost>()
let flushedAt = 0

const hostFor = (env: WorkerEnvironment): Promise<WorkerHost> =>
  host.get(() =>
    openHost(env, {
      poke: (record: ClusterRecord) => stubOf(env, record.id).begin(record.id),
      stopped: async (record) => {
        apps.delete(record.id)
        await stubOf(env, record.id).end()
      },
      forward: async ({ record, account, path }, request, connection) => {
        const here = await hostFor(env)
        const open = async () => ({ place: await here.place(record, account), prefix: `/clusters/${record.name}` })
        return answer(env, record.id, path, open, request, connection)
      },
    }),
  )

async function respond(request: Request, env: WorkerEnvironment, ctx: ExecutionContext): Promise<Response> {
  const address = request.headers.get('cf-connecting-ip') ?? undefined
  const connection: Connection = address ? { address } : {}
  const downloaded = await download(downloadsOf(env), request)
  if (downloaded) return downloaded
  const shown = await dashboard({ oidc: () => oidcOf(env).oidc, hosted: hosted(env), log: consoleLog }, request)
  if (shown) return shown
  if (!hosted(env)) {
    const { pathname } = new URL(request.url)
    return answer(env, NAME, pathname, async () => ({ place: onlyPlace(env) }), request, connection)
  }
  const here = await hostFor(env)
  const response = await here.fetch(request, connection)
  const now = Date.now()
  if (here.directory.pending && now - flushedAt > FLUSH_EVERY) {
    flushedAt = now
    ctx.waitUntil(here.directory.flush())
  }
  return response
}

export default {
  fetch(request: Request, env: WorkerEnvironment, ctx: ExecutionContext): Promise<Response> {
    const response = respond(request, env, ctx)
    // Who hangs up does not cut off what is half done: others may count on its end. Traces are sent behind it: no timer outlives a request.
    ctx.waitUntil(response.catch(() => {}).then(() => Promise.all([...apps.values()].map((a) => a.tracer?.flush()))))
    return response
  },
}
