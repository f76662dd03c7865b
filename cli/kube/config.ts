// kubeconfig as kubectl reads it: the files of KUBECONFIG merged (the first to name something wins), flags over them, the pod's own account without any.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import path from 'node:path'
import { parse } from 'yaml'

export interface Connection {
  server: string
  namespace: string
  /** PEM, or whatever Node's TLS takes. */
  ca?: string | Buffer
  cert?: string | Buffer
  key?: string | Buffer
  insecure?: boolean
  serverName?: string
  /** Authorization header. */
  authorization?: string
  /** Impersonate-* headers. */
  impersonate: Record<string, string | string[]>
}

export interface RawConfig {
  apiVersion: 'v1'
  kind: 'Config'
  preferences: object
  clusters: { name: string; cluster: any }[]
  users: { name: string; user: any }[]
  contexts: { name: string; context: any }[]
  'current-context': string
}

/** The files that are read, the first of which is written to where none has the entry. */
export const configFiles = (flag?: string): string[] => {
  if (flag) return [flag]
  const fromEnvironment = (process.env.KUBECONFIG ?? '').split(':').filter(Boolean)
  return fromEnvironment.length ? [...new Set(fromEnvironment)] : [path.join(homedir(), '.kube', 'config')]
}

/** One file; undefined when it is not there. Paths in it are taken from where it lies. */
export function readConfig(file: string): RawConfig | undefined {
  if (!existsSync(file)) return undefined
  const raw = parse(readFileSync(file, 'utf8')) ?? {}
  return {
    preferences: {},
    ...raw,
    apiVersion: 'v1',
    kind: 'Config',
    clusters: raw.clusters ?? [],
    users: raw.users ?? [],
    contexts: raw.contexts ?? [],
    'current-context': raw['current-context'] ?? '',
  }
}

const relative = ['certificate-authority', 'client-certificate', 'client-key', 'tokenFile']
function resolved(entry: any, folder: string): any {
  const out = { ...entry }
  for (const field of relative) if (out[field] && !path.isAbsolute(out[field])) out[field] = path.resolve(folder, out[field])
  return out
}

export const emptyConfig = (): RawConfig => ({
  apiVersion: 'v1',
  kind: 'Config',
  preferences: {},
  clusters: [],
  users: [],
  contexts: [],
  'current-context': '',
})

/** All files as one. */
export function loadConfig(flag?: string): RawConfig {
  const whole = emptyConfig()
  for (const file of configFiles(flag)) {
    const one = readConfig(file)
    if (!one) {
      if (flag) throw new Error(`stat ${file}: no such file or directory`)
      continue
    }
    const folder = path.dirname(path.resolve(file))
    for (const c of one.clusters)
      if (!whole.clusters.some((x) => x.name === c.name)) whole.clusters.push({ ...c, cluster: resolved(c.cluster, folder) })
    for (const u of one.users) if (!whole.users.some((x) => x.name === u.name)) whole.users.push({ ...u, user: resolved(u.user, folder) })
    for (const c of one.contexts) if (!whole.contexts.some((x) => x.name === c.name)) whole.contexts.push(c)
    whole['current-context'] ||= one['current-context']
    whole.preferences = { ...one.preferences, ...whole.preferences }
  }
  return whole
}

/** Runs an exec plugin as kubectl does. */
function askPlugin(exec: {
  command: string
  args?: string[]
  env?: { name: string; value: string }[]
  apiVersion: string
  installHint?: string
}): any {
  const info = { apiVersion: exec.apiVersion, kind: 'ExecCredential', spec: { interactive: false } }
  const env = Object.fromEntries((exec.env ?? []).map((e) => [e.name, e.value]))
  try {
    const out = execFileSync(exec.command, exec.args ?? [], {
      env: { ...process.env, ...env, KUBERNETES_EXEC_INFO: JSON.stringify(info) },
      stdio: ['ignore', 'pipe', 'inherit'],
      encoding: 'utf8',
    })
    return JSON.parse(out).status
  } catch (cause) {
    const { code, status } = cause as { code?: string; status?: number }
    const why = code === 'ENOENT' ? `executable ${exec.command} not found` : `executable ${exec.command} failed with exit code ${status}`
    throw new Error(`getting credentials: exec: ${why}${exec.installHint ? `\n\n${exec.installHint}` : ''}`)
  }
}

const ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'

/** Inside a pod, without a kubeconfig. */
function inCluster(): Connection | undefined {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = process.env
  if (!host || !port || !existsSync(`${ACCOUNT}/token`)) return undefined
  const read = (name: string) => readFileSync(`${ACCOUNT}/${name}`, 'utf8').trim()
  return {
    server: `https://${host}:${port}`,
    namespace: read('namespace'),
    ca: read('ca.crt'),
    authorization: `Bearer ${read('token')}`,
    impersonate: {},
  }
}

const fileOrData = (entry: any, name: string): Buffer | undefined => {
  if (entry[`${name}-data`]) return Buffer.from(entry[`${name}-data`], 'base64')
  return entry[name] ? readFileSync(entry[name]) : undefined
}

/** What a command talks to, by files and flags. Throws with kubectl's words. */
export function connect(flags: Record<string, any>): Connection {
  const config = loadConfig(flags.kubeconfig)
  const contextName: string = flags.context || config['current-context']
  const found = config.contexts.find((c) => c.name === contextName)
  if (flags.context && !found) throw new Error(`Error in configuration: context was not found for specified context: ${flags.context}`)
  const context = found?.context ?? {}
  const clusterName = flags.cluster || context.cluster
  const cluster = config.clusters.find((c) => c.name === clusterName)?.cluster
  if (flags.cluster && !cluster) throw new Error(`no server found for cluster ${JSON.stringify(flags.cluster)}`)
  if (!cluster && !flags.server) {
    const here = inCluster()
    if (here) return { ...here, ...(flags.namespace ? { namespace: flags.namespace } : {}) }
  }
  const userName = flags.user || context.user
  const user = config.users.find((u) => u.name === userName)?.user ?? {}
  if (flags.user && !config.users.some((u) => u.name === flags.user))
    throw new Error(`auth info ${JSON.stringify(flags.user)} does not exist`)
  const c = cluster ?? {}
  const server: string = flags.server || c.server || 'http://localhost:8080'
  const plugin = user.exec && !flags.token ? askPlugin(user.exec) : {}
  const token: string | undefined =
    flags.token || user.token || (user.tokenFile ? readFileSync(user.tokenFile, 'utf8').trim() : undefined) || plugin.token
  const authorization = token
    ? `Bearer ${token}`
    : user.username
      ? `Basic ${Buffer.from(`${user.username}:${user.password ?? ''}`).toString('base64')}`
      : undefined
  const ca = flags['certificate-authority'] ? readFileSync(flags['certificate-authority']) : fileOrData(c, 'certificate-authority')
  const cert = flags['client-certificate']
    ? readFileSync(flags['client-certificate'])
    : (fileOrData(user, 'client-certificate') ?? plugin.clientCertificateData)
  const key = flags['client-key'] ? readFileSync(flags['client-key']) : (fileOrData(user, 'client-key') ?? plugin.clientKeyData)
  const as = flags.as || user.as
  const groups: string[] = flags['as-group']?.length ? flags['as-group'] : (user['as-groups'] ?? [])
  const uid = flags['as-uid'] || user['as-uid']
  const serverName = flags['tls-server-name'] || c['tls-server-name']
  return {
    server: /^https?:/.test(server) ? server : `http://${server}`,
    namespace: flags.namespace || context.namespace || 'default',
    ...(ca ? { ca } : {}),
    ...(cert ? { cert } : {}),
    ...(key ? { key } : {}),
    ...(flags['insecure-skip-tls-verify'] || c['insecure-skip-tls-verify'] ? { insecure: true } : {}),
    ...(serverName ? { serverName } : {}),
    ...(authorization ? { authorization } : {}),
    impersonate: {
      ...(as ? { 'Impersonate-User': as } : {}),
      ...(groups.length ? { 'Impersonate-Group': groups } : {}),
      ...(uid ? { 'Impersonate-Uid': uid } : {}),
    },
  }
}
