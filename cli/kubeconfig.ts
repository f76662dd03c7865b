// Reads and changes kubeconfig files as kubectl does: KUBECONFIG, else ~/.kube/config.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import path from 'node:path'
import { parse, stringify } from 'yaml'
import { launcher } from './processes.ts'

export interface Access {
  server: string
  /** PEM. */
  ca?: string
  token?: string
}

export const kubeconfigFile = (): string =>
  (process.env.KUBECONFIG ?? '').split(':').find(Boolean) ?? path.join(homedir(), '.kube', 'config')

const read = (file: string): any => (existsSync(file) ? (parse(readFileSync(file, 'utf8')) ?? {}) : {})

/** The namespace of the current context. */
export function currentNamespace(file = kubeconfigFile()): string {
  const config = read(file)
  return config.contexts?.find((c: any) => c.name === config['current-context'])?.context.namespace || 'default'
}

/** Server and credentials of the current context. Throws when there is none. */
export function currentAccess(file = kubeconfigFile()): Access {
  const config = read(file)
  const context = config.contexts?.find((c: any) => c.name === config['current-context'])?.context
  if (!context) throw new Error(`${file} has no current context: set KUBECONFIG to the cluster's kubeconfig`)
  const cluster = config.clusters?.find((c: any) => c.name === context.cluster)?.cluster ?? {}
  const user = config.users?.find((u: any) => u.name === context.user)?.user ?? {}
  const data = cluster['certificate-authority-data']
  const ca = data
    ? Buffer.from(data, 'base64').toString()
    : cluster['certificate-authority']
      ? readFileSync(cluster['certificate-authority'], 'utf8')
      : undefined
  const token = user.token ?? (user.exec ? askPlugin(user.exec) : undefined)
  return { server: cluster.server, ...(ca ? { ca } : {}), ...(token ? { token } : {}) }
}

/** Runs an exec plugin as kubectl does; the token that it prints. */
function askPlugin(exec: { command: string; args?: string[]; env?: { name: string; value: string }[]; apiVersion: string }): string {
  const info = { apiVersion: exec.apiVersion, kind: 'ExecCredential', spec: { interactive: false } }
  const env = Object.fromEntries((exec.env ?? []).map((e) => [e.name, e.value]))
  const out = execFileSync(exec.command, exec.args ?? [], {
    env: { ...process.env, ...env, KUBERNETES_EXEC_INFO: JSON.stringify(info) },
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
  })
  return JSON.parse(out).status.token
}

export interface ExecContext {
  name: string
  server: string
  /** PEM. */
  ca?: string
  /** Of our own command, which prints the credential. */
  args: string[]
}

/** `prod@kedge.example.com`: a context is told apart by cluster and host. */
export function contextName(server: string): string {
  const url = new URL(server)
  return `${url.pathname.split('/').at(-1)}@${url.host}`
}

/** A whole kubeconfig whose user is an exec plugin. */
const execConfig = (c: ExecContext) => ({
  apiVersion: 'v1',
  kind: 'Config',
  clusters: [
    {
      name: c.name,
      cluster: { server: c.server, ...(c.ca ? { 'certificate-authority-data': Buffer.from(c.ca).toString('base64') } : {}) },
    },
  ],
  users: [
    {
      name: c.name,
      user: {
        exec: { apiVersion: 'client.authentication.k8s.io/v1', command: launcher, args: c.args, interactiveMode: 'Never' },
      },
    },
  ],
  contexts: [{ name: c.name, context: { cluster: c.name, user: c.name } }],
  'current-context': c.name,
})
export const execKubeconfig = (c: ExecContext): string => stringify(execConfig(c))

/** Puts the context into the user's kubeconfig and makes it current; its name. */
export function addExecContext(c: ExecContext): string {
  mergeConfig(execConfig(c))
  return c.name
}

/** Takes a context out again, with the cluster and user of the same name. */
export function removeContext(name: string): void {
  takeOut(name, name)
}

const put = (list: any[] | undefined, entry: any) => [...(list ?? []).filter((e) => e.name !== entry.name), entry]

/** Puts the one context of `source` into the user's kubeconfig under its name and makes it current. */
export function mergeKubeconfig(source: string): void {
  mergeConfig(read(source))
}

function mergeConfig(from: any, file = kubeconfigFile()): void {
  const into = read(file)
  mkdirSync(path.dirname(file), { recursive: true })
  writeFileSync(
    file,
    stringify({
      apiVersion: 'v1',
      kind: 'Config',
      ...into,
      clusters: put(into.clusters, from.clusters[0]),
      users: put(into.users, from.users[0]),
      contexts: put(into.contexts, from.contexts[0]),
      'current-context': from['current-context'],
    }),
    { mode: 0o600 },
  )
}

/** Takes a context, its cluster and user out again. */
export function removeFromKubeconfig(name: string): void {
  takeOut(name, `${name}-admin`)
}

function takeOut(name: string, user: string, file = kubeconfigFile()): void {
  if (!existsSync(file)) return
  const config = read(file)
  const without = (list: any[] | undefined, n: string) => (list ?? []).filter((e) => e.name !== n)
  const next = {
    ...config,
    clusters: without(config.clusters, name),
    contexts: without(config.contexts, name),
    users: without(config.users, user),
  }
  if (next['current-context'] === name) next['current-context'] = ''
  writeFileSync(file, stringify(next), { mode: 0o600 })
}
