// The Worker: stateless handlers for requests, and the cluster's Durable Object with hub, engine and alarm.
// Requests that need the hub's sockets or memory (watches, logs, exec, sessions) go to the object; all others are answered here.
import { DurableObject } from 'cloudflare:workers'
import { unavailable } from '../../../shared/status/index.ts'
import type { Cluster } from '../../cluster.ts'
import { type Engine, startEngine } from '../../engine/engine.ts'
import { createApp } from '../../http/app.ts'
import { SESSION_PROTOCOL } from '../../http/node-session.ts'
import { createLocalHub, type LocalHub } from '../../hub/local-hub.ts'
import type { Socket } from '../../ports/socket.ts'
import type { LogEvent } from '../../store/store.ts'
import { consoleLog, openCluster, type WorkerEnvironment } from './environment.ts'
import { connectionOf, HibernatingSockets } from './sockets.ts'

const NAME = 'cluster'
/** A node's socket is answered while the object sleeps. */
const PING = '{"t":"ping"}'
const PONG = '{"t":"pong"}'

interface Attachment {
  node: string
}

export class ClusterObject extends DurableObject<WorkerEnvironment> {
  readonly #sockets = new HibernatingSockets()
  #cluster!: Cluster
  #hub!: LocalHub
  #engine!: Engine
  #app!: ReturnType<typeof createApp>

  constructor(ctx: DurableObjectState, env: WorkerEnvironment) {
    super(ctx, env)
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(PING, PONG))
    void ctx.blockConcurrencyWhile(() => this.#start())
  }

  async #start(): Promise<void> {
    const { ctx, env } = this
    const told = (event: LogEvent) => {
      this.#cluster.observe(event)
      this.#hub?.publish(event)
    }
    this.#cluster = await openCluster(env, told, () => ({
      publish: (e) => this.#hub.publish(e),
      watch: (r) => this.#hub.watch(r),
      open: (n, r) => this.#hub.open(n, r),
      connected: () => this.#hub.connected(),
    }))
    this.#hub = await createLocalHub(this.#cluster.store, this.#cluster.authorizer, this.#cluster.clock, consoleLog, {
      changed: (node, connected) => this.#engine?.sessionChanged(node, connected),
    })
    this.#hub.fanOut.subscribe((e) => this.#cluster.observe(e))
    // Sockets outlive the object's sleep: their sessions are taken up again, and each daemon says where it stands.
    for (const ws of ctx.getWebSockets()) {
      const { node } = (ws.deserializeAttachment() ?? {}) as Attachment
      if (!node) continue
      this.#hub.sessions.accept(node, this.#sockets.wrap(ws))
      ws.send('{"t":"resubscribe"}')
    }
    const grace = Number(env.NODE_MONITOR_GRACE_PERIOD)
    this.#engine = await startEngine({
      cluster: this.#cluster,
      hub: this.#hub,
      alarm: { set: (at) => (at === undefined ? ctx.storage.deleteAlarm() : ctx.storage.setAlarm(at)) },
      ...(grace ? { nodeMonitorGracePeriod: grace } : {}),
    })
    this.#app = createApp({ cluster: this.#cluster, sessions: this.#hub.sessions })
  }

  override async fetch(request: Request): Promise<Response> {
    const connection = connectionOf(
      request,
      (protocol) => protocol === SESSION_PROTOCOL,
      (ws) => {
        this.ctx.acceptWebSocket(ws)
        return this.#sockets.wrap(ws)
      },
    )
    return this.#app.fetch(request, { ...connection, opened: (node, socket) => this.#remember(node, socket) })
  }

  /** Writes the node's name onto its socket, where a later life of this object finds it. */
  #remember(node: string, socket: Socket): void {
    this.#sockets.socketOf(socket)?.serializeAttachment({ node } satisfies Attachment)
  }

  /** Called by handlers after a commit; losing a call loses nothing. */
  async publish(event: LogEvent): Promise<void> {
    this.#hub.publish(event)
  }

  override async webSocketMessage(ws: WebSocket, data: string | ArrayBuffer): Promise<void> {
    this.#sockets.message(ws, data)
  }
  override async webSocketClose(ws: WebSocket, code: number, reason: string): Promise<void> {
    this.#sockets.closed(ws)
    // 1005 and 1006 may not be sent back.
    ws.close(code === 1005 || code === 1006 ? 1000 : code, reason)
  }
  override async webSocketError(ws: WebSocket): Promise<void> {
    this.#sockets.closed(ws)
  }
  override async alarm(): Promise<void> {
    this.#engine.wake()
  }
}

const forHub = (url: URL): boolean => {
  const watch = url.searchParams.get('watch')
  return (
    watch === 'true' ||
    watch === '1' ||
    /^\/(api|apis\/[^/]+)\/[^/]+\/watch\//.test(url.pathname) ||
    /\/pods\/[^/]+\/(log|exec|attach)$/.test(url.pathname) ||
    url.pathname.includes('/namespaces/kube-node-lease/leases/') ||
    url.pathname === '/kedge/v1/session'
  )
}

let handlers: { app: ReturnType<typeof createApp>; pokes: Promise<unknown>[]; env: WorkerEnvironment } | undefined

async function statelessApp(env: WorkerEnvironment) {
  if (handlers) return handlers
  const pokes: Promise<unknown>[] = []
  const stub = () => env.CLUSTER.getByName(NAME) as unknown as { publish(e: LogEvent): Promise<void> }
  const nobody = () => {
    throw unavailable('this request must reach the cluster object')
  }
  const cluster = await openCluster(
    env,
    (event) => {
      cluster.observe(event)
      const { object: _, ...sent } = event
      pokes.push(stub().publish(sent))
    },
    () => ({ publish: () => {}, watch: nobody, open: nobody, connected: () => [] }),
  )
  handlers = { app: createApp({ cluster }), pokes, env }
  return handlers
}

export default {
  async fetch(request: Request, env: WorkerEnvironment, ctx: ExecutionContext): Promise<Response> {
    const url = new URL(request.url)
    if (forHub(url)) return env.CLUSTER.getByName(NAME).fetch(request as never) as unknown as Response
    const { app, pokes } = await statelessApp(env)
    const response = await app.fetch(request, { address: request.headers.get('cf-connecting-ip') ?? undefined })
    if (pokes.length) ctx.waitUntil(Promise.allSettled(pokes.splice(0)))
    return response
  },
}
