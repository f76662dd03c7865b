// The control plane as one Node process: embedded database, hub and engine inside, HTTPS in front.
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync } from 'node:fs'
import type { Server } from 'node:http'
import { createServer } from 'node:https'
import { networkInterfaces } from 'node:os'
import path from 'node:path'
import { createAdaptorServer } from '@hono/node-server'
import { migrations } from '../../../migrations/bundle.ts'
import { parseTokenFile } from '../../auth/authentication.ts'
import { bootstrap, createCluster } from '../../cluster.ts'
import { startEngine } from '../../engine/engine.ts'
import { createApp } from '../../http/app.ts'
import { createLocalHub, type LocalHub } from '../../hub/local-hub.ts'
import type { Connection } from '../../ports/socket.ts'
import type { Identity } from '../../registry/context.ts'
import { defaultSettings } from '../../settings.ts'
import { createSeal } from '../../store/seal.ts'
import type { LogEvent } from '../../store/store.ts'
import { openRemote } from '../remote-database.ts'
import { openAuthority } from './certificates.ts'
import { openEmbedded } from './embedded-database.ts'
import { keep, localNames } from './folder.ts'
import { writeKubeconfig } from './kubeconfig.ts'
import { stderrLog, systemClock, systemRandom } from './ports.ts'
import { serveUpgrades } from './sockets.ts'
import { timerAlarm } from './timer-alarm.ts'

export interface ServeOptions {
  data: string
  host: string
  port: number
  tokenFile?: string
  /** A libSQL server instead of the embedded file. */
  databaseUrl?: string
  /** Addresses and names beyond those of this machine that clients will use. */
  names?: string[]
  /** How long a node may be silent before it counts as lost, ms. */
  nodeMonitorGracePeriod?: number
}

export interface Serving {
  url: string
  caFile: string
  kubeconfig: string
  close(): Promise<void>
}

/** An address that pods and nodes can reach: the one listened on, or this machine's first. */
function advertised(host: string): string {
  if (host !== '0.0.0.0' && !host.startsWith('127.')) return host
  const first = Object.values(networkInterfaces())
    .flat()
    .find((i) => i?.family === 'IPv4' && !i.internal)
  return host === '0.0.0.0' ? (first?.address ?? '127.0.0.1') : host
}

/** Starts everything; resolves when requests are answered. */
export async function serve(o: ServeOptions): Promise<Serving> {
  mkdirSync(o.data, { recursive: true })
  const names = localNames(o)
  const authority = await openAuthority(o.data, names)
  const refused = authority.refused({ dns: [], ips: [o.host, ...(o.names ?? [])].filter((n) => n && n !== '0.0.0.0') })
  if (refused.length)
    stderrLog.warn('the CA of this data folder was not made for these names: clients will refuse them', { names: refused.join(',') })
  const leaf = await authority.issue(names)
  const seal = await createSeal(
    Buffer.from(
      keep(o.data, 'encryption.key', () => randomBytes(32).toString('base64')),
      'base64',
    ),
  )
  const adminToken = keep(o.data, 'admin.token', () => randomBytes(32).toString('base64url'))
  const statics = o.tokenFile ? parseTokenFile(readFileSync(o.tokenFile, 'utf8')) : new Map<string, Identity>()
  statics.set(adminToken, { username: 'kubernetes-admin', groups: ['system:masters'] })

  const database = o.databaseUrl ? openRemote({ url: o.databaseUrl }) : openEmbedded(path.join(o.data, 'cluster.db'))
  await database.migrate(migrations)
  let hub: LocalHub | undefined
  const cluster = createCluster({
    database,
    clock: systemClock,
    random: systemRandom,
    log: stderrLog,
    settings: { ...defaultSettings, caCertificate: authority.certificate },
    seal,
    statics,
    maxAge: o.databaseUrl ? 5000 : Number.POSITIVE_INFINITY,
    ...(o.databaseUrl ? {} : { head: () => hub?.fanOut.head ?? 0 }),
    onCommit: (event: LogEvent) => {
      cluster.observe(event)
      hub?.publish(event)
    },
    hub: () => ({
      publish: (e) => hub!.publish(e),
      watch: (r) => hub!.watch(r),
      open: (n, r) => hub!.open(n, r),
      connected: () => hub!.connected(),
    }),
  })
  await bootstrap(cluster, { ip: advertised(o.host), port: o.port })
  let engine: Awaited<ReturnType<typeof startEngine>> | undefined
  hub = await createLocalHub(cluster.store, cluster.authorizer, systemClock, stderrLog, {
    changed: (node, connected) => engine?.sessionChanged(node, connected),
  })
  hub.fanOut.subscribe((e) => cluster.observe(e))
  engine = await startEngine({ cluster, hub, alarm: timerAlarm(() => engine?.wake()), nodeMonitorGracePeriod: o.nodeMonitorGracePeriod })

  const app = createApp({ cluster, sessions: hub.sessions })
  const fetch = (request: Request, connection: Connection) => app.fetch(request, connection)
  const server = createAdaptorServer({
    fetch: (request, env) =>
      fetch(request, { address: (env as { incoming: { socket: { remoteAddress?: string } } }).incoming.socket.remoteAddress }),
    createServer: createServer as never,
    serverOptions: { cert: leaf.cert, key: leaf.key, keepAliveTimeout: 120_000, requestTimeout: 0 } as never,
  }) as unknown as Server
  serveUpgrades(server, fetch)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(o.port, o.host, () => resolve())
  })
  const port = (server.address() as { port: number }).port
  const url = `https://${o.host === '0.0.0.0' ? '127.0.0.1' : o.host}:${port}`
  const kubeconfig = writeKubeconfig(path.join(o.data, 'admin.kubeconfig'), {
    server: url,
    ca: authority.certificate,
    token: adminToken,
    name: 'kedge',
  })
  return {
    url,
    caFile: path.join(o.data, 'ca.crt'),
    kubeconfig,
    close: async () => {
      await engine?.close()
      hub?.close()
      server.closeAllConnections()
      await new Promise<void>((r) => server.close(() => r()))
      await database.close()
    },
  }
}
