// Reads and changes kubeconfig files as kubectl does: KUBECONFIG, else ~/.kube/config.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import path from 'node:path'
import { parse, stringify } from 'yaml'

export interface Access {
  server: string
  /** PEM. */
  ca?: string
  token?: string
}

export const kubeconfigFile = (): string =>
  (process.env.KUBECONFIG ?? '').split(':').find(Boolean) ?? path.join(homedir(), '.kube', 'config')

const read = (file: string): any => (existsSync(file) ? (parse(readFileSync(file, 'utf8')) ?? {}) : {})

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
  return { server: cluster.server, ...(ca ? { ca } : {}), ...(user.token ? { token: user.token } : {}) }
}

const put = (list: any[] | undefined, entry: any) => [...(list ?? []).filter((e) => e.name !== entry.name), entry]

/** Puts the one context of `source` into the user's kubeconfig under its name and makes it current. */
export function mergeKubeconfig(source: string, file = kubeconfigFile()): void {
  const from = read(source)
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
export function removeFromKubeconfig(name: string, file = kubeconfigFile()): void {
  if (!existsSync(file)) return
  const config = read(file)
  const without = (list: any[] | undefined, n: string) => (list ?? []).filter((e) => e.name !== n)
  const next = {
    ...config,
    clusters: without(config.clusters, name),
    contexts: without(config.contexts, name),
    users: without(config.users, `${name}-admin`),
  }
  if (next['current-context'] === name) next['current-context'] = ''
  writeFileSync(file, stringify(next), { mode: 0o600 })
}
