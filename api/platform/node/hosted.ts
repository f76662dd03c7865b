// A host of many clusters as one Node process: the directory in one embedded database, each cluster in one of its own.
import { mkdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import { directoryMigrations } from '../../../migrations/bundle.ts'
import type { Oidc } from '../../auth/oidc.ts'
import { bootstrap } from '../../cluster.ts'
import type { Fill } from '../../directory/clusters.ts'
import type { Account, ClusterRecord } from '../../directory/directory.ts'
import { createHost, hostedSettings } from '../../directory/host.ts'
import type { ClusterDatabases } from '../../ports/cluster-databases.ts'
import { createSeal } from '../../store/seal.ts'
import { auditFile } from './audit-file.ts'
import { withFiles } from './downloads.ts'
import { openEmbedded } from './embedded-database.ts'
import { openFolder } from './folder.ts'
import { type Listening, listen } from './listen.ts'
import { openOidc } from './oidc.ts'
import { stderrLog, systemClock, systemRandom } from './ports.ts'
import { type RunningCluster, runCluster } from './running-cluster.ts'
import { publicOrigin, type ServeOptions, type Serving } from './server.ts'
import { SideThread } from './side-thread.ts'

const FLUSH_EVERY = 15_000

/** One file per cluster, named by its id. */
function fileDatabases(folder: string): ClusterDatabases & { fileOf: (place: string) => string } {
  mkdirSync(folder, { recursive: true })
  const fileOf = (place: string) => path.join(folder, `${place}.db`)
  return {
    create: async (id) => id,
    open: (place) => openEmbedded(fileOf(place)),
    fileOf,
    drop: async (place) => {
      for (const suffix of ['', '-wal', '-shm']) rmSync(`${fileOf(place)}${suffix}`, { force: true })
    },
  }
}

export async function serveHosted(o: ServeOptions & { signup: 'open' | 'operator' }): Promise<Serving> {
  const folder = await openFolder(o, stderrLog)
  const audit = o.auditLog ? auditFile(o.auditLog, stderrLog) : undefined
  const seal = await createSeal(folder.sealKey, ...folder.olderKeys)
  const database = openEmbedded(path.join(o.data, 'directory.db'))
  await database.migrate(directoryMigrations)
  const databases = fileDatabases(path.join(o.data, 'clusters'))
  const thread = new SideThread(stderrLog)
  const origin = publicOrigin(o)
  const oidc: { oidc?: Oidc } = o.oidc ? { oidc: openOidc(o.oidc) } : {}
  const running = new Map<string, Promise<RunningCluster>>()

  const start = async (record: ClusterRecord, account: Account, fill?: Fill): Promise<RunningCluster> =>
    runCluster({
      database: databases.open(record.database),
      side: { thread, database: { file: databases.fileOf(record.database) } },
      alone: true,
      sealKey: await host.clusters.keyOf(record),
      settings: { ...hostedSettings(record, account, origin, folder.ca), ...o.settings },
      ...(fill ? { fill } : {}),
      prepare: (c) => bootstrap(c),
      prefix: `/clusters/${record.name}`,
      reachesInside: o.hooksReach === 'everything',
      nodeMonitorGracePeriod: o.nodeMonitorGracePeriod,
      ...(audit ? { audit } : {}),
    })
  const ensure = (record: ClusterRecord, account: Account, fill?: Fill): Promise<RunningCluster> => {
    let cluster = running.get(record.id)
    if (!cluster) {
      cluster = start(record, account, fill)
      running.set(record.id, cluster)
      cluster.catch(() => running.delete(record.id))
    }
    return cluster
  }
  const host = createHost({
    database,
    databases,
    seal,
    clock: systemClock,
    random: systemRandom,
    log: stderrLog,
    signup: o.signup,
    operatorToken: folder.adminToken,
    ...oidc,
    caCertificate: folder.ca,
    prepare: async (record, account, fill) => {
      await ensure(record, account, fill)
    },
    stopped: async (record) => {
      const cluster = running.get(record.id)
      running.delete(record.id)
      await (await cluster)?.close()
    },
    forward: async ({ record, account }, request, connection) => (await ensure(record, account)).fetch(request, connection),
  })

  // Controllers of every cluster have work to look after, whether somebody asks or not.
  for (const record of await host.directory.activeClusters()) {
    const account = await host.directory.account(record.account)
    if (account)
      await ensure(record, account).catch((cause) => stderrLog.error('a cluster could not be started', cause, { cluster: record.id }))
  }
  const flush = () => {
    if (host.directory.pending)
      void host.directory.flush().catch((cause) => stderrLog.warn('usage could not be written', { cause: (cause as Error).message }))
  }
  const timer = setInterval(flush, FLUSH_EVERY)
  const listening: Listening = await listen(o, folder, withFiles(o, folder.ca, { oidc: () => oidc.oidc, hosted: true }, host.fetch))
  return {
    url: listening.url,
    caFile: folder.caFile,
    files: [['operator token', path.join(o.data, 'admin.token')]],
    close: async () => {
      clearInterval(timer)
      for (const cluster of running.values()) (await cluster.catch(() => undefined))?.drain()
      await listening.close()
      for (const cluster of running.values()) await (await cluster.catch(() => undefined))?.close()
      if (host.directory.pending) await host.directory.flush()
      await database.close()
    },
  }
}
