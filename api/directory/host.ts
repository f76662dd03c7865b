// A host of many clusters: the directory under /v1, each cluster under /clusters/NAME. What serves a cluster is the platform's.
import { authorizationOf } from '../auth/authentication.ts'
import type { Oidc } from '../auth/oidc.ts'
import { errorAnswer } from '../http/answer.ts'
import type { Clock, Random } from '../ports/clock.ts'
import type { ClusterDatabases } from '../ports/cluster-databases.ts'
import type { Database } from '../ports/database.ts'
import type { Log } from '../ports/log.ts'
import type { Connection } from '../ports/socket.ts'
import type { Settings } from '../registry/context.ts'
import { defaultSettings } from '../settings.ts'
import type { Seal } from '../store/seal.ts'
import { Clusters, type Fill } from './clusters.ts'
import { type Account, type ClusterRecord, Directory } from './directory.ts'
import { type Admitted, admit, clusterPath } from './gate.ts'
import { Rates } from './limits.ts'
import { createDirectoryApp } from './rest.ts'

export interface HostOptions {
  /** The directory's own database, migrated. */
  database: Database
  databases: ClusterDatabases
  seal: Seal
  clock: Clock
  random: Random
  log: Log
  signup: 'open' | 'operator'
  operatorToken?: string
  /** Where people sign in. */
  oidc?: Oidc
  caCertificate?: string
  /** Brings the first objects of a new cluster into its database. */
  prepare(record: ClusterRecord, account: Account, fill?: Fill): Promise<void>
  /** The cluster is in the directory: whoever serves it may begin. */
  made?(record: ClusterRecord): Promise<void>
  /** The cluster is suspended or deleted: whatever serves it here ends. */
  stopped(record: ClusterRecord): Promise<void>
  /** Has the cluster answer. The request keeps its whole path. */
  forward(admitted: Admitted, request: Request, connection: Connection): Promise<Response> | Response
}

export interface Host {
  directory: Directory
  clusters: Clusters
  fetch(request: Request, connection: Connection): Promise<Response>
}

/** The settings of a hosted cluster: no anonymous requests, its own issuer, the bounds of its account. */
export const hostedSettings = (record: ClusterRecord, account: Account, origin: string, caCertificate: string | undefined): Settings => ({
  ...defaultSettings,
  ...(caCertificate ? { caCertificate } : {}),
  issuer: `${origin}/clusters/${record.name}`,
  anonymous: false,
  maxObjects: account.limits.objects,
  maxWatches: account.limits.watches,
})

export function createHost(o: HostOptions): Host {
  const directory = new Directory(o.database, o.clock, o.random)
  const rates = new Rates(o.clock)
  const clusters = new Clusters({
    directory,
    databases: o.databases,
    seal: o.seal,
    clock: o.clock,
    random: o.random,
    log: o.log,
    prepare: o.prepare,
    made: o.made ?? (async () => {}),
    stopped: o.stopped,
  })
  const app = createDirectoryApp({
    directory,
    clusters,
    rates,
    clock: o.clock,
    log: o.log,
    signup: o.signup,
    ...(o.oidc ? { oidc: o.oidc } : {}),
    ...(o.operatorToken ? { operatorToken: o.operatorToken } : {}),
    ...(o.caCertificate ? { caCertificate: o.caCertificate } : {}),
  })
  return {
    directory,
    clusters,
    fetch: async (request, connection) => {
      const { pathname } = new URL(request.url)
      const where = clusterPath(pathname)
      if (where) {
        try {
          const admitted = await admit(directory, rates, where, authorizationOf(request.headers), o.oidc, connection.address)
          return await o.forward(admitted, request, { ...connection, ...(admitted.identity ? { identity: admitted.identity } : {}) })
        } catch (cause) {
          return errorAnswer(cause, o.log, pathname)
        }
      }
      if (pathname === '/healthz' || pathname === '/livez') return new Response('ok')
      return app.fetch(request, connection)
    },
  }
}
