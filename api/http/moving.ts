// Moving a cluster: its archive, freezing it while the archive is brought elsewhere, and telling the nodes where it has gone.
import { badRequest, StatusError } from '../../shared/status/index.ts'
import type { Cluster } from '../cluster.ts'
import type { Sessions } from '../hub/sessions.ts'
import type { Identity } from '../registry/context.ts'
import { archive, MOVING } from '../store/archive.ts'
import { json, textStream } from './answer.ts'
import { readText } from './body.ts'

export interface MovedTo {
  server?: string
  /** PEM. */
  caCertificate?: string
}

/** Undefined for a cluster that stays. */
export async function movingState(cluster: Cluster): Promise<MovedTo | undefined> {
  const [rows] = await cluster.store.database.read([{ sql: 'SELECT value FROM meta WHERE key = ?', args: [MOVING], one: true }])
  return rows![0] ? JSON.parse(rows![0][0] as string) : undefined
}

async function* archiveLines(cluster: Cluster): AsyncGenerator<string> {
  for await (const line of archive(cluster.store.database, cluster.sealKey)) yield `${line}\n`
}

/** GET /kedge/v1/export: whoever may do everything gets everything, the key of the Secrets too. */
export async function exportCluster(cluster: Cluster, user: Identity): Promise<Response> {
  await cluster.authorizer.require(user, { verb: '*', group: '*', resource: '*' })
  // The archive has one key.
  await cluster.store.reseal()
  return new Response(textStream(archiveLines(cluster)), {
    headers: { 'content-type': 'application/x-ndjson', 'content-encoding': 'identity', 'cache-control': 'no-store, no-transform' },
  })
}

/** PUT /kedge/v1/moving: `{}` freezes, `{server}` sends the nodes there as well. DELETE takes it back. */
export async function setMoving(cluster: Cluster, sessions: Sessions, user: Identity, request: Request): Promise<Response> {
  await cluster.authorizer.require(user, { verb: '*', group: '*', resource: '*' })
  const { database } = cluster.store
  if (request.method === 'DELETE') {
    await database.write([{ sql: 'DELETE FROM meta WHERE key = ?', args: [MOVING] }])
    return json('{}')
  }
  let to: MovedTo
  try {
    to = JSON.parse((await readText(request)) || '{}')
    if (to.server !== undefined && new URL(to.server).protocol !== 'https:') throw new Error('not https')
  } catch {
    throw badRequest('the body must be JSON: {"server": "https://…", "caCertificate": "PEM"}, or {} to freeze')
  }
  const value = JSON.stringify({
    ...(to.server ? { server: to.server } : {}),
    ...(to.caCertificate ? { caCertificate: String(to.caCertificate) } : {}),
  })
  await database.write([
    { sql: 'INSERT INTO meta(key, value) VALUES (?, ?) ON CONFLICT(key) DO UPDATE SET value = excluded.value', args: [MOVING, value] },
  ])
  // They dial again, and are told where to.
  if (to.server) sessions.close()
  return json(value)
}

/** What a daemon gets that dials a cluster which has gone: where to, under which CA. Undefined while it is here. */
export async function movedAnswer(cluster: Cluster): Promise<Response | undefined> {
  const to = await movingState(cluster)
  if (!to?.server) return undefined
  const status = new StatusError(410, 'Gone', `the cluster has moved to ${to.server}`).toStatus()
  return json(JSON.stringify({ ...status, movedTo: to }), 410)
}
