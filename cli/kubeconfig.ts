// Reads and changes kubeconfig files as kubectl does: KUBECONFIG, else ~/.kube/config.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import path from 'node:path'
import { parse, stringify } from 'yaml'
import { connect, loadConfig } from './kube/config.ts'
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
export const currentNamespace = (): string => {
  const config = loadConfig()
  return config.contexts.find((c) => c.name === config['current-context'])?.context.namespace || 'default'
}

/** Server and credentials of the current context. Throws when there is none. */
export function currentAccess(file?: string): Access {
  const config = loadConfig(file)
  if (!config.contexts.some((c) => c.name === config['current-context']))
    throw new Error(`${file ?? kubeconfigFile()} has no current context: set KUBECONFIG to the cluster's kubeconfig`)
  const { server, ca, authorization } = connect(file ? { kubeconfig: file } : {})
  return { server, ...(ca ? { ca: ca.toString() } : {}), ...(authorization ? { token: authorization.replace(/^Bearer /, '') } : {}) }
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
