// Databases of clusters on libSQL servers: a namespace each of an sqld whose admin API is known, or a URL each from a template.
import type { ClusterDatabases } from '../ports/cluster-databases.ts'
import { openRemote, type RemoteDatabase } from './remote-database.ts'

export interface RemoteDatabasesOptions {
  /** The server of the namespaces. */
  url: string
  authToken?: string
  /** sqld's admin API, which makes and deletes namespaces. */
  adminUrl?: string
  /** `libsql://{id}.example.com`: databases that exist, or come into being when first used. Instead of namespaces. */
  template?: string
}

export function remoteDatabases(o: RemoteDatabasesOptions): Omit<ClusterDatabases, 'open'> & { open(place: string): RemoteDatabase } {
  const auth = o.authToken ? { authToken: o.authToken } : {}
  const admin = async (method: string, path: string) => {
    const r = await fetch(`${o.adminUrl}${path}`, { method, headers: { 'content-type': 'application/json' }, body: '{}' })
    await r.body?.cancel()
    return r.status
  }
  const open = (place: string) =>
    place.startsWith('ns:') ? openRemote({ url: o.url, namespace: place.slice(3), ...auth }) : openRemote({ url: place, ...auth })
  return {
    create: async (id) => {
      if (o.template) return o.template.replaceAll('{id}', id)
      const status = await admin('POST', `/v1/namespaces/${id}/create`)
      if (status !== 200) throw new Error(`the database server would not make a namespace (${status})`)
      return `ns:${id}`
    },
    open,
    drop: async (place) => {
      if (place.startsWith('ns:')) {
        const status = await admin('DELETE', `/v1/namespaces/${place.slice(3)}`)
        if (status !== 200 && status !== 404) throw new Error(`the database server would not delete a namespace (${status})`)
        return
      }
      // The database itself is its owner's; what we put there goes.
      const database = open(place)
      const [tables] = await database.read([
        { sql: "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name NOT LIKE 'libsql%'", args: [] },
      ])
      await database.write(tables!.map(([name]) => ({ sql: `DROP TABLE "${name}"`, args: [] })))
    },
  }
}
