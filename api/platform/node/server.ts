// The control plane as one Node process: one cluster on an embedded database (or a libSQL server), HTTPS in front.
import { readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import path from 'node:path'
import { parseTokenFile } from '../../auth/authentication.ts'
import type { Oidc } from '../../auth/oidc.ts'
import { bootstrap } from '../../cluster.ts'
import type { Identity, Settings } from '../../registry/context.ts'
import { defaultSettings } from '../../settings.ts'
import { sharingTrips } from '../shared-trips.ts'
import { auditFile } from './audit-file.ts'
import { withFiles } from './downloads.ts'
import { openEmbedded } from './embedded-database.ts'
import { openFolder } from './folder.ts'
import { writeKubeconfig } from './kubeconfig.ts'
import { listen } from './listen.ts'
import { type OidcOptions, openOidc } from './oidc.ts'
import { stderrLog } from './ports.ts'
import { runCluster } from './running-cluster.ts'
import { SideThread } from './side-thread.ts'

export interface ServeOptions {
  data: string
  host: string
  port: number
  tokenFile?: string
  /** A libSQL server instead of the embedded file. */
  databaseUrl?: string
  /** The folder with builds for machines: /install.sh and /downloads. */
  downloads?: string
  /** What clients reach this server by. */
  publicUrl?: string
  /** Addresses and names beyond those of this machine that clients will use. */
  names?: string[]
  /** Where users sign in. */
  oidc?: OidcOptions
  /** Whom deploy hooks may call; machines of this network too where there is one cluster. */
  hooksReach?: 'internet' | 'everything'
  /** How long a node may be silent before it counts as lost, ms. */
  nodeMonitorGracePeriod?: number
  /** The file of the audit log; `-` for the standard output. */
  auditLog?: string
  /** What clusters here have beyond the defaults. */
  settings?: Partial<Settings>
}

export interface Serving {
  url: string
  caFile: string
  /** What to tell whoever started it: a label and a file each. */
  files: [label: string, file: string][]
  close(): Promise<void>
}

/** An address that pods and nodes can reach: the one listened on, or this machine's first. */
export function advertised(host: string): string {
  if (host !== '0.0.0.0' && !host.startsWith('127.')) return host
  const first = Object.values(networkInterfaces())
    .flat()
    .find((i) => i?.family === 'IPv4' && !i.internal)
  return host === '0.0.0.0' ? (first?.address ?? '127.0.0.1') : host
}

/** What clients reach this server by, unless they were told otherwise: listening everywhere is no address. */
export const publicOrigin = (o: ServeOptions): string =>
  o.publicUrl ?? `https://${o.host === '0.0.0.0' ? (o.names?.[0] ?? advertised(o.host)) : o.host}:${o.port}`

/** Starts everything; resolves when requests are answered. */
export async function serve(o: ServeOptions): Promise<Serving> {
  const folder = await openFolder(o, stderrLog)
  const audit = o.auditLog ? auditFile(o.auditLog, stderrLog) : undefined
  const statics = o.tokenFile ? parseTokenFile(readFileSync(o.tokenFile, 'utf8')) : new Map<string, Identity>()
  statics.set(folder.adminToken, { username: 'kubernetes-admin', groups: ['system:masters'] })
  const file = path.join(o.data, 'cluster.db')
  // What speaks to a database server is brought only where there is one.
  const remote = o.databaseUrl ? (await import('../remote-database.ts')).openRemote({ url: o.databaseUrl }) : undefined
  const oidc: { oidc?: Oidc } = o.oidc ? { oidc: openOidc(o.oidc) } : {}
  const cluster = await runCluster({
    database: remote ? sharingTrips(remote) : openEmbedded(file),
    side: { thread: new SideThread(stderrLog), database: o.databaseUrl ? { url: o.databaseUrl } : { file } },
    alone: !o.databaseUrl,
    sealKey: folder.sealKey,
    older: { keys: folder.olderKeys, gone: folder.forgetOlderKeys },
    settings: { ...defaultSettings, ...o.settings, caCertificate: folder.ca },
    statics,
    ...oidc,
    prepare: (c) => bootstrap(c, { ip: advertised(o.host), port: o.port }),
    reachesInside: o.hooksReach !== 'internet',
    nodeMonitorGracePeriod: o.nodeMonitorGracePeriod,
    ...(audit ? { audit } : {}),
  })
  const listening = await listen(o, folder, withFiles(o, folder.ca, { oidc: () => oidc.oidc }, cluster.fetch))
  const kubeconfig = writeKubeconfig(path.join(o.data, 'admin.kubeconfig'), {
    server: listening.url,
    ca: folder.ca,
    token: folder.adminToken,
    name: 'kedge',
  })
  return {
    url: listening.url,
    caFile: folder.caFile,
    files: [['kubeconfig', kubeconfig]],
    close: async () => {
      cluster.drain()
      await listening.close()
      await cluster.close()
      await audit?.close()
    },
  }
}
