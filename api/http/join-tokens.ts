// Join tokens for administrators: made (shown once; single use and a day long unless asked otherwise), listed, revoked.
import { matches } from '../../shared/meta/glob.ts'
import { dnsSubdomain, labelValue, qualifiedName } from '../../shared/meta/names.ts'
import { badRequest, notFound } from '../../shared/status/index.ts'
import type { Bound, TokenInfo } from '../auth/tokens.ts'
import type { Cluster } from '../cluster.ts'
import type { Identity } from '../registry/context.ts'
import { json } from './answer.ts'
import { readText } from './body.ts'

const DAY = 24 * 3600
const effects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute']

/** Throws 400 on what no node could carry. */
function checkBound({ labels = {}, taints = [], nodeName }: Bound): Bound {
  const faults = [
    ...Object.entries(labels).flatMap(([k, v]) => [...qualifiedName(k), ...labelValue(v)].map((f) => `label ${k}: ${f}`)),
    ...taints.flatMap((t) => [
      ...[...qualifiedName(t.key), ...labelValue(t.value ?? '')].map((f) => `taint ${t.key}: ${f}`),
      ...(effects.includes(t.effect) ? [] : [`taint ${t.key}: the effect must be one of ${effects.join(', ')}`]),
    ]),
    ...(nodeName === undefined ? [] : dnsSubdomain(nodeName.replaceAll('*', 'x')).map((f) => `node name: ${f}`)),
  ]
  if (faults.length) throw badRequest(faults.join('; '))
  return {
    ...(Object.keys(labels).length ? { labels } : {}),
    ...(taints.length ? { taints: taints.map(({ key, value, effect }) => ({ key, ...(value ? { value } : {}), effect })) } : {}),
    ...(nodeName !== undefined ? { nodeName } : {}),
  }
}

/** Whether a node of this name may join. */
export function nameFits(pattern: string | undefined, name: string): boolean {
  return pattern === undefined || matches(pattern, name)
}

const shown = (t: TokenInfo) => ({
  id: t.id,
  ...(t.created !== undefined ? { created: new Date(t.created).toISOString() } : {}),
  ...(t.uses !== undefined ? { uses: t.uses } : {}),
  ...(t.expires !== undefined ? { expires: new Date(t.expires).toISOString() } : {}),
  ...t.bound,
})

/** Whoever may create nodes may let one join. */
const requireNodes = (cluster: Cluster, user: Identity) =>
  cluster.authorizer.require(user, { verb: 'create', group: '', resource: 'nodes' })

/** POST /kedge/v1/tokens */
export async function issueJoinToken(cluster: Cluster, user: Identity, request: Request): Promise<Response> {
  await requireNodes(cluster, user)
  let raw: { uses?: number; seconds?: number } & Bound = {}
  try {
    raw = JSON.parse((await readText(request)) || '{}')
  } catch {
    throw badRequest('the body must be JSON')
  }
  const { uses = 1, seconds = DAY } = raw
  if (!Number.isInteger(uses) || uses < 1 || uses > 10_000) throw badRequest('uses must be between 1 and 10000')
  if (!Number.isInteger(seconds) || seconds < 1) throw badRequest('seconds must be positive')
  const bound = checkBound(raw)
  const expires = cluster.clock.now() + seconds * 1000
  const token = await cluster.authenticators.tokens.issue(
    cluster.env.random,
    'join',
    { username: 'system:bootstrap', groups: ['system:bootstrappers'] },
    { uses, expires, ...(Object.keys(bound).length ? { bound } : {}) },
  )
  return json(JSON.stringify({ token, uses, expires: new Date(expires).toISOString(), ...bound }), 201)
}

/** GET /kedge/v1/tokens */
export async function listJoinTokens(cluster: Cluster, user: Identity): Promise<Response> {
  await requireNodes(cluster, user)
  return json(JSON.stringify({ items: (await cluster.authenticators.tokens.listJoin()).map(shown) }))
}

/** DELETE /kedge/v1/tokens/ID */
export async function revokeJoinToken(cluster: Cluster, user: Identity, id: string): Promise<Response> {
  await requireNodes(cluster, user)
  if (!(await cluster.authenticators.tokens.revokeJoin(id))) throw notFound({ group: '', resource: 'tokens', name: id })
  return json('{}')
}
