// What a Worker is given (wrangler.toml's bindings), and the cluster built from it.
import { parseTokenFile } from '../../auth/authentication.ts'
import { type Cluster, createCluster } from '../../cluster.ts'
import type { Hub } from '../../ports/hub.ts'
import type { Fields, Log } from '../../ports/log.ts'
import type { Settings } from '../../registry/context.ts'
import { defaultSettings } from '../../settings.ts'
import { createSeal } from '../../store/seal.ts'
import type { LogEvent, Store } from '../../store/store.ts'
import { openRemote } from '../remote-database.ts'

export interface WorkerEnvironment {
  CLUSTER: DurableObjectNamespace
  DATABASE_URL: string
  DATABASE_TOKEN?: string
  /** 32 bytes as base64: what Secrets are encrypted with. */
  ENCRYPTION_KEY: string
  /** Lines of a token file. */
  TOKENS?: string
  /** PEM of a private CA, where the Worker is not served under a public one. */
  CA_CERTIFICATE?: string
  NODE_MONITOR_GRACE_PERIOD?: string
}

const write = (level: string, message: string, fields?: Fields) => console.log(JSON.stringify({ level, message, ...fields }))
export const consoleLog: Log = {
  info: (m, f) => write('info', m, f),
  warn: (m, f) => write('warn', m, f),
  error: (m, cause, f) => write('error', m, { ...f, cause: cause instanceof Error ? (cause.stack ?? cause.message) : String(cause) }),
}

const clock = { now: () => Date.now() }
const random = { bytes: (n: number) => crypto.getRandomValues(new Uint8Array(n)), uuid: () => crypto.randomUUID() }

const settingsOf = (env: WorkerEnvironment): Settings => ({
  ...defaultSettings,
  ...(env.CA_CERTIFICATE ? { caCertificate: env.CA_CERTIFICATE } : {}),
})

/** A cluster on the remote database; who is told of commits, and where the hub is, the caller says. */
export async function openCluster(
  env: WorkerEnvironment,
  onCommit: (event: LogEvent) => void,
  hub: (store: Store) => Hub,
): Promise<Cluster> {
  const key = Uint8Array.from(atob(env.ENCRYPTION_KEY), (c) => c.charCodeAt(0))
  return createCluster({
    database: openRemote({ url: env.DATABASE_URL, ...(env.DATABASE_TOKEN ? { authToken: env.DATABASE_TOKEN } : {}) }),
    clock,
    random,
    log: consoleLog,
    settings: settingsOf(env),
    seal: await createSeal(key),
    statics: parseTokenFile(env.TOKENS ?? ''),
    maxAge: 5000,
    onCommit,
    hub,
  })
}
