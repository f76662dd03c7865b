// Where daemons come in: joining with a token, and the session over WebSocket.
import type { Context } from 'hono'
import { kindByName } from '../../shared/kinds/index.ts'
import { dnsSubdomain } from '../../shared/meta/names.ts'
import { badRequest, forbidden, notFound, StatusError, unavailable } from '../../shared/status/index.ts'
import { nodeOf } from '../admission/node-restriction.ts'
import type { Bound, Taint } from '../auth/tokens.ts'
import type { Cluster } from '../cluster.ts'
import type { Sessions } from '../hub/sessions.ts'
import type { Connection } from '../ports/socket.ts'
import { type Identity, systemContext } from '../registry/context.ts'
import { create } from '../registry/create.ts'
import { keyFor, remove } from '../registry/delete.ts'
import { mutate } from '../registry/update.ts'
import { dnsAddress } from '../settings.ts'
import { json } from './answer.ts'
import { parseBody, readText } from './body.ts'
import { nameFits } from './join-tokens.ts'
import { movedAnswer, movingState } from './moving.ts'

export const SESSION_PROTOCOL = 'v1.session.kedge.dev'

export const JOIN_PATH = '/kedge/v1/join'

/** The same words whether the token, or a hosted cluster, is not there. */
export const joinRefused = () =>
  new StatusError(401, 'Unauthorized', 'the join token is unknown, used up or expired: make a new one with `kedge token create --join`')

/** POST /kedge/v1/join: a join token and a public key in, the cluster's settings out. */
export async function join(cluster: Cluster, request: Request): Promise<Response> {
  const token = (request.headers.get('authorization') ?? '').replace(/^Bearer /i, '')
  const raw: any = parseBody((await readText(request)) || '{}', 'application/json', 'join request')
  const { name, publicKey } = raw
  const fault =
    typeof name !== 'string' || dnsSubdomain(name).length
      ? `the node name is not valid: ${dnsSubdomain(String(name)).join('; ')}`
      : publicKey?.kty !== 'EC' || publicKey.crv !== 'P-256' || publicKey.d
        ? 'publicKey must be the public half of a P-256 key as a JWK'
        : undefined
  const { tokens, nodes } = cluster.authenticators
  // A node that asks again with its key has joined already: its token may be used up.
  if (fault || !(await nodes.registered(name, publicKey))) {
    const record = await tokens.find(token)
    if (record?.kind !== 'join') throw joinRefused()
    if (fault) throw badRequest(fault)
    if (await movingState(cluster)) throw unavailable('the cluster is being moved to another place: join it there')
    if (!nameFits(record.bound?.nodeName, name))
      throw forbidden({ group: '', resource: 'nodes', name }, `the join token is for nodes named ${record.bound?.nodeName}`)
    if (!(await tokens.spend(token))) throw joinRefused()
    await nodes.register(name, publicKey)
    if (record.bound?.labels || record.bound?.taints) await bindNode(cluster, name, record.bound)
  }
  const { podCidr, serviceCidr, clusterDomain } = cluster.env.settings
  const clusterDns = dnsAddress(cluster.env.settings)
  return json(JSON.stringify({ node: name, podCidr, serviceCidr, clusterDns, clusterDomain }), 201)
}

/** The node begins with what its token says: a machine has no say in it. One that was here before keeps what it has beside that. */
async function bindNode({ env }: Cluster, name: string, { labels = {}, taints = [] }: Bound): Promise<void> {
  const kind = kindByName('', 'Node')!
  const ctx = systemContext('join')
  const options = { fieldManager: 'kedge-join', fieldValidation: 'Strict' as const }
  const node = { metadata: { name, labels }, spec: taints.length ? { taints } : {} }
  await create(env, kind, '', node, options, ctx).catch(async (cause) => {
    if (cause?.code !== 409) throw cause
    await mutate(
      env,
      kind,
      keyFor(kind, '', name),
      'main',
      (old) => {
        const object = structuredClone(old)
        object.metadata.labels = { ...object.metadata.labels, ...labels }
        const others = (object.spec?.taints ?? []).filter((t: Taint) => !taints.some((x) => x.key === t.key && x.effect === t.effect))
        object.spec = { ...object.spec, taints: [...others, ...taints] }
        return { object }
      },
      options,
      ctx,
    )
  })
}

/** POST /kedge/v1/serving-certificate: a node's public key in, the certificate under which it serves the API to its pods out. */
export async function issueServingCertificate(cluster: Cluster, user: Identity, request: Request): Promise<Response> {
  if (!nodeOf(user)) throw forbidden({ group: '', resource: 'nodes' }, 'only a joined node serves the API to its pods')
  const raw: any = parseBody((await readText(request)) || '{}', 'application/json', 'certificate request')
  const certificate = await cluster.authority.issue(raw.publicKey ?? {}).catch(() => {
    throw badRequest('publicKey must be the public half of a P-256 key as a JWK')
  })
  return json(JSON.stringify({ certificate }), 201)
}

/** DELETE /kedge/v1/nodes/NAME: the Node, its key and its session. A machine that is to come back joins anew. */
export async function removeNode(cluster: Cluster, sessions: Sessions, user: Identity, name: string): Promise<Response> {
  await cluster.authorizer.require(user, { verb: 'delete', group: '', resource: 'nodes', name })
  const kind = kindByName('', 'Node')!
  const had = await cluster.authenticators.nodes.revoke(name)
  const gone = await remove(
    cluster.env,
    kind,
    keyFor(kind, '', name),
    {},
    { user, by: JSON.stringify({ user: user.username }), warnings: [] },
  ).then(
    () => true,
    (cause) => {
      if (cause?.code !== 404) throw cause
      return false
    },
  )
  sessions.closeOf(name)
  if (!had && !gone) throw notFound({ group: '', resource: 'nodes', name })
  return json('{}')
}

/** GET /kedge/v1/session: the daemon's WebSocket. */
export async function openSession(
  cluster: Cluster,
  sessions: Sessions,
  user: Identity,
  connection: Connection,
  c: Context,
): Promise<Response> {
  const node = nodeOf(user)
  if (!node) throw forbidden({ group: '', resource: 'nodes' }, 'only a joined node may open a session')
  const moved = await movedAnswer(cluster)
  if (moved) return moved
  const upgrade = connection.upgrade?.([SESSION_PROTOCOL])
  if (!upgrade) throw new StatusError(400, 'BadRequest', `a session needs a WebSocket speaking ${SESSION_PROTOCOL}`)
  const { response, socket: accepted } = upgrade.accept()
  void accepted
    .then((socket) => {
      connection.opened?.(node, socket)
      sessions.accept(node, socket)
    })
    .catch((cause) => cluster.log.error('a session could not be opened', cause, { node, path: c.req.path }))
  return response
}
