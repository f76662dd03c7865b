// Writes a kubeconfig of one cluster, user and context.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { parse, stringify } from 'yaml'

export interface Access {
  name: string
  server: string
  /** PEM. */
  ca: string
  token: string
}

const kubeconfigObject = (a: Access) => ({
  apiVersion: 'v1',
  kind: 'Config',
  clusters: [{ name: a.name, cluster: { server: a.server, 'certificate-authority-data': Buffer.from(a.ca).toString('base64') } }],
  users: [{ name: `${a.name}-admin`, user: { token: a.token } }],
  contexts: [{ name: a.name, context: { cluster: a.name, user: `${a.name}-admin` } }],
  'current-context': a.name,
})

/** Writes the file for its owner alone and returns its path. What a user changed in an older one (a namespace, more contexts) stays. */
export function writeKubeconfig(file: string, access: Access): string {
  const fresh = kubeconfigObject(access)
  const old = existsSync(file) ? parse(readFileSync(file, 'utf8')) : undefined
  const put = (list: any[] | undefined, entry: { name: string }) => [...(list ?? []).filter((e) => e.name !== entry.name), entry]
  const known = old?.contexts?.some((c: any) => c.name === access.name)
  const config = known ? { ...old, clusters: put(old.clusters, fresh.clusters[0]!), users: put(old.users, fresh.users[0]!) } : fresh
  writeFileSync(file, stringify(config), { mode: 0o600 })
  return file
}
