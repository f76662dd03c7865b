// A cluster that runs in this process: its hub and engine, and the app in front of them.
import { setTimeout } from 'node:timers/promises'
import { migrations } from '../../../migrations/bundle.ts'
import type { Oidc } from '../../auth/oidc.ts'
import { type Cluster, createCluster } from '../../cluster.ts'
import { type Engine, startEngine } from '../../engine/engine.ts'
import { createApp } from '../../http/app.ts'
import { callThrough } from '../../http/call.ts'
import { engineTasks } from '../../http/tasks.ts'
import { createLocalHub, type LocalHub } from '../../hub/local-hub.ts'
import type { Audit } from '../../ports/audit.ts'
import type { Database } from '../../ports/database.ts'
import type { Connection } from '../../ports/socket.ts'
import type { Identity, Settings } from '../../registry/context.ts'
import { createSeal } from '../../store/seal.ts'
import type { LogEvent } from '../../store/store.ts'
import { outboundFor } from './outbound.ts'
import { stderrLog, systemClock, systemRandom } from './ports.ts'
import { processFamilies } from './process-metrics.ts'
import type { Place, SideThread } from './side-thread.ts'
import { timerAlarm } from './timer-alarm.ts'

/** How long it is waited for controllers at a start, ms. */
const PATIENCE = 250
/** How long controllers wait for a database that is away when they start, ms. */
const AGAIN = 1000

export interface RunOptions {
  database: Database
  /** Who takes its heavy writes, and where they find the database. */
  side: { thread: SideThread; database: Place['database'] }
  /** Whether this process alone writes to the database, and so sees every change. */
  alone: boolean
  sealKey: Uint8Array
  /** Keys before it, and whom to tell when nothing is sealed with them any more. */
  older?: { keys: Uint8Array[]; gone: () => void }
  settings: Settings
  statics?: Map<string, Identity>
  oidc?: Oidc
  /** Brings an archive's rows into the empty database. */
  fill?: (database: Database) => Promise<void>
  /** Brings the first objects in, before the engine starts. */
  prepare?: (cluster: Cluster) => Promise<void>
  /** Where the audit log goes. */
  audit?: Audit
  /** What the paths of requests begin with, `/clusters/NAME`. */
  prefix?: string
  /** Whether deploy hooks may call machines of this network. */
  reachesInside?: boolean
  /** How long a node may be silent before it counts as lost, ms. */
  nodeMonitorGracePeriod?: number
}

export interface RunningCluster {
  fetch(request: Request, connection: Connection): Response | Promise<Response>
  /** Ends watches and sessions: clients come back, and find whoever serves then. */
  drain(): void
  close(): Promise<void>
}

/** Migrates the database, and starts everything. */
export async function runCluster(o: RunOptions): Promise<RunningCluster> {
  const { database } = o
  await database.migrate(migrations)
  await o.fill?.(database)
  let hub: LocalHub | undefined
  const committed = (event: LogEvent) => {
    cluster.observe(event)
    hub?.publish(event)
  }
  const cluster = createCluster({
    database,
    clock: systemClock,
    random: systemRandom,
    log: stderrLog,
    settings: o.settings,
    seal: await createSeal(o.sealKey, ...(o.older?.keys ?? [])),
    sealKey: o.sealKey,
    statics: o.statics ?? new Map(),
    ...(o.oidc ? { oidc: o.oidc } : {}),
    maxAge: o.alone ? Number.POSITIVE_INFINITY : 5000,
    ...(o.alone ? { head: () => hub?.fanOut.head ?? 0 } : {}),
    onCommit: (event) => committed(event),
    outbound: () => outboundFor(o.reachesInside ?? false),
    hub: () => ({
      publish: (e) => hub!.publish(e),
      watch: (r) => hub!.watch(r),
      open: (n, r) => hub!.open(n, r),
      reach: (c) => hub!.reach(c),
      connected: () => hub!.connected(),
    }),
  })
  await o.prepare?.(cluster)
  let engine: Engine | undefined
  hub = await createLocalHub(
    cluster.store,
    cluster.env,
    cluster.authorizer,
    systemClock,
    stderrLog,
    { changed: (node, connected) => engine?.sessionChanged(node, connected) },
    o.settings.maxWatches,
  )
  hub.fanOut.subscribe((e) => cluster.observe(e))
  const { fanOut } = hub
  cluster.metrics.add(hub.families)
  for (const [name, view] of Object.entries(hub.views)) cluster.debug.add(name, view)
  cluster.metrics.add(processFamilies)
  const aside = o.side.thread.join(
    {
      database: o.side.database,
      keys: [o.sealKey, ...(o.older?.keys ?? [])],
      settings: o.settings,
      alone: o.alone,
      reachesInside: o.reachesInside ?? false,
    },
    { committed, catchUp: () => void fanOut.catchUp(), reach: (call) => cluster.env.reach(call) },
  )
  fanOut.subscribe((e) => aside.observe(e))
  const app = createApp({
    cluster,
    sessions: hub.sessions,
    aside,
    ...(o.audit ? { audit: o.audit } : {}),
    ...(o.prefix ? { prefix: o.prefix } : {}),
  })
  const call = callThrough((request, connection) => app.fetch(request, connection), o.prefix)
  const options = {
    cluster,
    hub,
    alarm: timerAlarm(() => engine?.wake()),
    tasks: engineTasks(cluster, call),
    nodeMonitorGracePeriod: o.nodeMonitorGracePeriod,
  }
  const closing = new AbortController()
  // Nobody waits for controllers: while they read a large cluster, clients are served and daemons come back.
  const started = (async () => {
    while (!engine && !closing.signal.aborted)
      try {
        engine = await startEngine(options)
      } catch (cause) {
        stderrLog.error('controllers could not start; trying again', cause)
        await setTimeout(AGAIN, undefined, closing).catch(() => undefined)
      }
  })()
  // A small cluster is whole when it answers for the first time.
  await Promise.race([started, setTimeout(PATIENCE, undefined, { ref: false })])
  if (o.older?.keys.length) {
    const done = await cluster.store.reseal()
    stderrLog.info('what older keys had encrypted is encrypted with the newest', { values: done })
    o.older.gone()
  }
  return {
    fetch: (request, connection) => app.fetch(request, connection),
    drain: () => hub?.close(),
    close: async () => {
      closing.abort()
      await started
      await Promise.all([engine?.close(), aside.close(), cluster.tracer?.flush()])
      hub?.close()
      await database.close()
    },
  }
}
