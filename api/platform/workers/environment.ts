// What a Worker is given (wrangler.toml's bindings), and what is opened from it: a cluster, or a host of many.

import { directoryMigrations, migrations } from '../../../migrations/bundle.ts'
import { fromBase64 } from '../../../shared/meta/base64.ts'
import { parseTokenFile } from '../../auth/authentication.ts'
import { checkOidc, Oidc } from '../../auth/oidc.ts'
import { bootstrap, type Cluster, createCluster } from '../../cluster.ts'
import type { Account, ClusterRecord } from '../../directory/directory.ts'
import { createHost, type Host, type HostOptions, hostedSettings } from '../../directory/host.ts'
import type { DownloadOptions } from '../../http/downloads.ts'
import type { Audit } from '../../ports/audit.ts'
import type { Database } from '../../ports/database.ts'
import type { Hub, NodeCall } from '../../ports/hub.ts'
import type { Fields, Log } from '../../ports/log.ts'
import type { Identity, Settings } from '../../registry/context.ts'
import { defaultSettings } from '../../settings.ts'
import { createSeal } from '../../store/seal.ts'
import type { LogEvent, Store } from '../../store/store.ts'
import { remoteDatabases } from '../remote-cluster-databases.ts'
import { openRemote, type RemoteDatabase } from '../remote-database.ts'

export interface WorkerEnvironment {
  CLUSTER: DurableObjectNamespace
  DATABASE_URL: string
  DATABASE_TOKEN?: string
  /** 32 bytes as base64: what Secrets are encrypted with. After a comma those before it, until the object has said that nothing is any more. */
  ENCRYPTION_KEY: string
  /** Lines of a token file. */
  TOKENS?: string
  /** PEM of a private CA, where the Worker is not served under a public one. */
  CA_CERTIFICATE?: string
  NODE_MONITOR_GRACE_PERIOD?: string
  /** Settings of the clusters here beyond the defaults, as JSON. */
  SETTINGS?: string
  /** Where the builds for machines lie: what /install.sh and /downloads give out. */
  DOWNLOADS_URL?: string
  /** `true`: accounts and many clusters instead of one. The following are for that. */
  HOSTED?: string
  /** sqld's admin API, where clusters' databases are namespaces of DATABASE_URL. */
  DATABASE_ADMIN_URL?: string
  /** `libsql://{id}.example.com`, where each cluster has a database of its own. */
  DATABASE_TEMPLATE?: string
  /** The directory's database, where it is no namespace of DATABASE_URL. */
  DIRECTORY_URL?: string
  SIGNUP?: string
  OPERATOR_TOKEN?: string
  PUBLIC_URL?: string
  /** Where users sign in; they mean what kube-apiserver's --oidc-* flags mean. */
  OIDC_ISSUER_URL?: string
  OIDC_CLIENT_ID?: string
  OIDC_USERNAME_CLAIM?: string
  OIDC_USERNAME_PREFIX?: string
  OIDC_GROUPS_CLAIM?: string
  OIDC_GROUPS_PREFIX?: string
}

const write = (level: string, message: string, fields?: Fields) => console.log(JSON.stringify({ level, message, ...fields }))
export const consoleLog: Log = {
  info: (m, f) => write('info', m, f),
  warn: (m, f) => write('warn', m, f),
  error: (m, cause, f) => write('error', m, { ...f, cause: cause instanceof Error ? (cause.stack ?? cause.message) : String(cause) }),
}

/** A Worker's log is where its platform takes it: an event a line. */
export const consoleAudit: Audit = { write: (event) => console.log(JSON.stringify(event)) }

const clock = { now: () => Date.now() }
const random = { bytes: (n: number) => crypto.getRandomValues(new Uint8Array(n)), uuid: () => crypto.randomUUID() }
/** Newest first. */
const keysOf = (env: WorkerEnvironment) => env.ENCRYPTION_KEY.split(',').map(fromBase64) as [Uint8Array, ...Uint8Array[]]

export function oidcOf(env: WorkerEnvironment): { oidc?: Oidc } {
  if (!env.OIDC_ISSUER_URL) return {}
  const settings = checkOidc({
    issuerUrl: env.OIDC_ISSUER_URL,
    clientId: env.OIDC_CLIENT_ID ?? '',
    ...(env.OIDC_USERNAME_CLAIM ? { usernameClaim: env.OIDC_USERNAME_CLAIM } : {}),
    ...(env.OIDC_USERNAME_PREFIX !== undefined ? { usernamePrefix: env.OIDC_USERNAME_PREFIX } : {}),
    ...(env.OIDC_GROUPS_CLAIM ? { groupsClaim: env.OIDC_GROUPS_CLAIM } : {}),
    ...(env.OIDC_GROUPS_PREFIX !== undefined ? { groupsPrefix: env.OIDC_GROUPS_PREFIX } : {}),
  })
  return { oidc: new Oidc(settings, clock, consoleLog) }
}

/** Where a cluster's data is, and how it is to be served. */
export interface ClusterPlace {
  database: Database
  sealKey: Uint8Array
  olderKeys?: Uint8Array[]
  settings: Settings
  statics: Map<string, Identity>
  oidc?: Oidc
}

/** As a Worker finds it: whoever opens the cluster decides whether its calls share trips. */
export interface RemotePlace extends ClusterPlace {
  database: RemoteDatabase
}

const configured = (env: WorkerEnvironment): Partial<Settings> => JSON.parse(env.SETTINGS || '{}')

/** The one cluster of a Worker that is no host. */
export const onlyPlace = (env: WorkerEnvironment): RemotePlace => ({
  database: openRemote({ url: env.DATABASE_URL, ...(env.DATABASE_TOKEN ? { authToken: env.DATABASE_TOKEN } : {}) }),
  sealKey: keysOf(env)[0],
  olderKeys: keysOf(env).slice(1),
  settings: { ...defaultSettings, ...configured(env), ...(env.CA_CERTIFICATE ? { caCertificate: env.CA_CERTIFICATE } : {}) },
  statics: parseTokenFile(env.TOKENS ?? ''),
  ...oidcOf(env),
})

/** A request to a server elsewhere as one that a node makes. */
async function asNodeCall(address: string, init: RequestInit & { ca?: string }): Promise<NodeCall> {
  const url = new URL(address)
  const tls = { serverName: url.hostname, ...(init.ca ? { ca: init.ca } : {}) }
  return {
    targets: [{ address: url.hostname, port: Number(url.port || 443) }],
    tls,
    method: init.method ?? 'GET',
    path: `${url.pathname}${url.search}`,
    headers: { host: url.host, ...Object.fromEntries(new Headers(init.headers)) },
    timeoutMs: 30_000,
    ...(init.body ? { body: new Uint8Array(await new Response(init.body).arrayBuffer()) } : {}),
  }
}

/** A cluster on a remote database; who is told of commits, and where the hub is, the caller says. */
export async function openCluster(place: ClusterPlace, onCommit: (event: LogEvent) => void, hub: (store: Store) => Hub): Promise<Cluster> {
  return createCluster({
    ...place,
    clock,
    random,
    log: consoleLog,
    seal: await createSeal(place.sealKey, ...(place.olderKeys ?? [])),
    maxAge: 5000,
    onCommit,
    hub,
    // What a Worker may reach is its platform's affair: there is no network of its own behind it. It trusts the public authorities alone; for
    // others a node dials.
    outbound: (there) => async (url, init) => (init?.ca ? there.reach(await asNodeCall(url, init)) : fetch(url, init)),
  })
}

/** The builds for machines, from the server where they lie. */
export const downloadsOf = (env: WorkerEnvironment): DownloadOptions => ({
  downloads: env.DOWNLOADS_URL
    ? {
        open: async (name) => {
          const answer = await fetch(new URL(name, `${env.DOWNLOADS_URL!.replace(/\/$/, '')}/`))
          if (!answer.ok || !answer.body) {
            await answer.body?.cancel()
            return undefined
          }
          const size = Number(answer.headers.get('content-length') ?? Number.NaN)
          return { body: answer.body, ...(Number.isFinite(size) ? { size } : {}) }
        },
      }
    : undefined,
  ...(env.PUBLIC_URL ? { publicUrl: env.PUBLIC_URL } : {}),
  ...(env.CA_CERTIFICATE ? { caCertificate: env.CA_CERTIFICATE } : {}),
  log: consoleLog,
})

export interface WorkerHost extends Host {
  place(record: ClusterRecord, account: Account): Promise<RemotePlace>
}

/** A host on remote databases. `poke` wakes a new cluster's object; `stopped` ends one. */
export async function openHost(
  env: WorkerEnvironment,
  o: Pick<HostOptions, 'forward' | 'stopped'> & { poke(record: ClusterRecord): Promise<void> },
): Promise<WorkerHost> {
  const auth = env.DATABASE_TOKEN ? { authToken: env.DATABASE_TOKEN } : {}
  const database = openRemote({
    ...auth,
    ...(env.DIRECTORY_URL ? { url: env.DIRECTORY_URL } : { url: env.DATABASE_URL, namespace: 'directory' }),
  })
  await database.migrate(directoryMigrations)
  const databases = remoteDatabases({
    ...auth,
    url: env.DATABASE_URL,
    ...(env.DATABASE_ADMIN_URL ? { adminUrl: env.DATABASE_ADMIN_URL } : {}),
    ...(env.DATABASE_TEMPLATE ? { template: env.DATABASE_TEMPLATE } : {}),
  })
  const nobody = () => {
    throw new Error('no hub here')
  }
  const place = async (record: ClusterRecord, account: Account): Promise<RemotePlace> => ({
    database: databases.open(record.database),
    sealKey: await host.clusters.keyOf(record),
    settings: { ...hostedSettings(record, account, env.PUBLIC_URL ?? 'https://localhost', env.CA_CERTIFICATE), ...configured(env) },
    statics: new Map(),
  })
  const host: Host = createHost({
    database,
    databases,
    seal: await createSeal(...keysOf(env)),
    clock,
    random,
    log: consoleLog,
    signup: env.SIGNUP === 'open' ? 'open' : 'operator',
    ...oidcOf(env),
    ...(env.OPERATOR_TOKEN ? { operatorToken: env.OPERATOR_TOKEN } : {}),
    ...(env.CA_CERTIFICATE ? { caCertificate: env.CA_CERTIFICATE } : {}),
    prepare: async (record, account, fill) => {
      const at = await place(record, account)
      await at.database.migrate(migrations)
      await fill?.(at.database)
      const hub = () => ({ publish: () => {}, watch: nobody, open: nobody, reach: nobody, connected: () => [] })
      await bootstrap(await openCluster(at, () => {}, hub))
    },
    made: o.poke,
    stopped: o.stopped,
    forward: o.forward,
  })
  return { ...host, place }
}
