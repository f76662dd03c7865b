// Writes a kubeconfig of one cluster, user and context.
import { writeFileSync } from 'node:fs'
import { stringify } from 'yaml'

export interface Access {
  name: string
  server: string
  /** PEM. */
  ca: string
  token: string
}

export const kubeconfigObject = (a: Access) => ({
  apiVersion: 'v1',
  kind: 'Config',
  clusters: [{ name: a.name, cluster: { server: a.server, 'certificate-authority-data': Buffer.from(a.ca).toString('base64') } }],
  users: [{ name: `${a.name}-admin`, user: { token: a.token } }],
  contexts: [{ name: a.name, context: { cluster: a.name, user: `${a.name}-admin` } }],
  'current-context': a.name,
})

/** Writes the file for its owner alone and returns its path. */
export function writeKubeconfig(file: string, access: Access): string {
  writeFileSync(file, stringify(kubeconfigObject(access)), { mode: 0o600 })
  return file
}
